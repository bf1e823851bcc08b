"""What the stages of a run share: the memory shows nothing of a statement's own, in whatever shape, and nothing of a benchmark."""

from pathlib import Path

from oprover_jax.configuration import load
from oprover_jax.corpus.build import DemoCorpus
from oprover_jax.corpus.normalize import statement_id
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.run_folder import RunFolder
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.records import ProofRecord, Statement

TINY = load(Path(__file__).with_name("tiny_experiment.py"), Experiment)


def stated(text: str) -> Statement:
    formal = f"theorem t {text} := by sorry"
    return Statement(statement_id(formal), "t", formal)


def proof(statement: Statement) -> ProofRecord:
    return ProofRecord(statement, "by simp", "4", "core", (), 0.1, "test")


SWAP = [
    stated(text) for text in ("(p q : Prop) (h : p ∧ q) : q ∧ p", "(p q : Prop) : p ∧ q → q ∧ p", "(a b : Prop) (x : b) (y : a) : b ∧ a")
]
TURN = [stated(text) for text in ("(α : Type) (x y : α) (h : x = y) : y = x", "(α : Type) (x y : α) : x = y → y = x")]
OTHERS = [stated(f"(n : Nat) (h : n = {n}) : n + {n} = {n} + n") for n in range(4)]
HELD_OUT = [stated("(p q : Prop) (h : p) (k : q) : p ∧ q ∧ p"), stated("(p q : Prop) : q → p → p ∧ q ∧ p")]


def test_the_memories_of_a_run_show_nothing_of_a_statement_s_own_and_nothing_of_a_benchmark(tmp_path: Path) -> None:
    public = [SWAP[0], TURN[0], *OTHERS[:3]]
    with Workbench(TINY, RunFolder(tmp_path / "run", "tiny", TINY)) as bench:
        bench.corpus = DemoCorpus([proof(one) for one in public], [*SWAP[1:], TURN[1], OTHERS[3]], HELD_OUT[:1], {})
        bench.put_proofs("rollout-1", [proof(one) for one in (SWAP[1], OTHERS[3], *HELD_OUT)])
        for memory, there in ((bench.public_memory, public), (bench.memory, [*public, SWAP[1], OTHERS[3]])):
            assert {record.statement for record in memory.records} == set(there)
            for group in (SWAP, TURN, *([one] for one in (*OTHERS, *HELD_OUT))):
                for query, found in zip(group, memory.search(group, 20), strict=True):
                    assert {record.statement for record in found} == set(there) - set(group), query
