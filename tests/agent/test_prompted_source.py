"""Rows in the agent's own prompts: nothing of the answer in the prompt, the same bytes whoever packs them, and never a benchmark."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chat_model import write_chat_tokenizer
from own_benchmark import write_benchmark
from rich.console import Console

from lean_worker.protocol import Kind, Message, Verdict
from oprover_jax.agent.prompted_source import Conversations, Prompted
from oprover_jax.agent.template import Budget
from oprover_jax.corpus.corpus import Corpus, open_corpus
from oprover_jax.corpus.tables import TABLES, proof_row, rows_to_table, statement_row, trajectory_row
from oprover_jax.data.codec import open_codec
from oprover_jax.data.dataset import open_rows
from oprover_jax.data.pack import pack_sources
from oprover_jax.data.pack_config import PackConfig
from oprover_jax.data.tokenizer import train_tokenizer
from oprover_jax.errors import InputError
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import ProofRecord, Round, Statement, Trajectory
from oprover_jax.retrieval.corpus_memory import Guard, index_corpus, index_folder
from oprover_jax.retrieval.encoder import LexicalEncoder
from oprover_jax.retrieval.index import IndexConfig
from oprover_jax.statements.benchmarks import load_benchmarks
from oprover_jax.statements.normalize import statement_id

QUIET = ProgressConsole(Console(quiet=True))
BUDGET = Budget(prompt=4000, statement=400, references=2000, attempt=400, feedback=400)
EXAM = "theorem exam (x y z : Nat) (h : x + y = z) (g : y + z = x) (k : z + x = y) : x = 0 ∧ y = 0 ∧ z = 0 := by sorry"


def record(number: int, proof: str = "") -> ProofRecord:
    formal = f"theorem t{number} (a b : Nat) (h : a + {number} = b) : b = a + {number} := by sorry"
    statement = Statement(statement_id(formal), f"t{number}", formal, source="own", licence="MIT")
    return ProofRecord(statement, proof or f"by\n  have own{number} := h\n  exact own{number}.symm", "4.35.0", "core", (), 0.1, "own")


RECORDS = [record(number) for number in range(30)]
TWIN = record(100)  # marked as a near duplicate of the first


def attempt(number: int, proof: str | None, accepted: bool | None) -> Round:
    messages = () if accepted else (Message("error", 1, 5, 1, 6, f"unknown constant of {number}"),)
    kinds: dict[bool | None, Kind] = {True: "accepted", False: "error", None: "timeout"}
    verdict = None if proof is None else Verdict("v", accepted, kinds[accepted], messages)
    return Round((1, 2), (3,), (-0.5,), 1, "stop", (), proof, True, verdict, "", 0.0)


def rollout(number: int, *rounds: Round) -> Trajectory:
    return Trajectory(RECORDS[number].statement, number, "rollout-1", rounds)


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    made = open_corpus(tmp_path / "corpus", create=True)
    proofs = [*RECORDS, TWIN, record(1, "by exact h.symm")]
    statements = [statement_row(one.statement) for one in RECORDS] + [statement_row(TWIN.statement, RECORDS[0].statement.id)]
    unproved = record(200)
    played = [
        rollout(3, attempt(3, "by first_wrong", False), attempt(3, "by second_wrong", False), attempt(3, "by omega", True)),
        rollout(4, attempt(4, "by never_right", False)),
        rollout(5, attempt(5, None, None), attempt(5, "by timed_out", None)),
        replace_statement(rollout(6, attempt(6, "by unproved_wrong", False)), unproved.statement),
    ]
    said = [
        {
            "id": proof_row(one)["id"],
            "statement_id": one.statement.id,
            "prompt": f"<|im_end|>Ask {n}",
            "answer": f"Say {n}",
            "source": "own",
        }
        for n, one in enumerate(RECORDS[:5])
    ]
    tables = {
        "statements": [*statements, statement_row(unproved.statement)],
        "proofs": [proof_row(one) for one in proofs],
        "trajectories": [trajectory_row(one) for one in played],
        "conversations": [{**one, "licence": "MIT"} for one in said],
    }
    made.commit({name: rows_to_table(rows, TABLES[name]) for name, rows in tables.items()}, {"command": "test"})
    write_chat_tokenizer(tmp_path / "model")
    return made


def replace_statement(one: Trajectory, statement: Statement) -> Trajectory:
    return Trajectory(statement, one.sample, one.stage, one.rounds)


def indexed(corpus: Corpus, guard: Guard | None = None) -> None:
    encoder = LexicalEncoder.fit([one.statement for one in RECORDS], dims=64)
    index_corpus(corpus, encoder, index_folder(corpus, "lexical"), IndexConfig(), guard)


def config(corpus: Corpus, **sources: object) -> PackConfig:
    model = Path(corpus.storage.root).parent / "model"
    shared = {"path": corpus.storage.root, "tokenizer": str(model), "retrieve": 3, "budget": BUDGET}
    made = {name: Prompted(**{**shared, **source}) if isinstance(source, dict) else source for name, source in sources.items()}
    return PackConfig("tiny", made, str(model), seq_len=8192, unit_bytes=100_000, workers=1)


def rows_of(config: PackConfig, out: Path) -> list[dict[str, np.ndarray]]:
    pack_sources(config, out, QUIET)
    return [row for name in config.sources for row in open_rows(out / name).all()]


def packed(config: PackConfig, out: Path, tokenizer: str = "") -> dict[str, list[tuple[str, str]]]:
    """Packs, and returns the prompt and the trained answer of each example by source."""
    pack_sources(config, out, QUIET)
    codec = open_codec(tokenizer or config.tokenizer)
    found: dict[str, list[tuple[str, str]]] = {}
    for name in config.sources:
        found[name] = []
        for row in open_rows(out / name).all():
            for segment in range(1, int(row["segment_ids"].max()) + 1):
                inside = row["segment_ids"] == segment
                ids, trained = [int(row["tokens"][inside][0]), *row["targets"][inside].tolist()], row["weights"][inside] > 0
                begin = int(np.argmax(trained)) + 1
                assert trained[begin - 1 :].all(), "the loss covers one answer"
                found[name].append((codec.decode(ids[:begin]), codec.decode(ids[begin:])))
                assert ids[-1] == codec.end_ids[0] and codec.end_ids[0] not in ids[begin:-1]
    return found


def test_each_proof_is_the_answer_to_a_prompt_without_it(corpus: Corpus, tmp_path: Path) -> None:
    indexed(corpus)
    found = packed(config(corpus, first={}), tmp_path / "out")["first"]
    assert len(found) == 32
    for one in (*RECORDS, TWIN):
        number = int(one.statement.name[1:])
        ((prompt, answer),) = [pair for pair in found if f"own{number} " in pair[1]]
        assert prompt.startswith("user\nProve this theorem") and prompt.endswith("(none)\nassistant\n")
        assert f"(h : a + {number} = b)" in prompt and f"own{number} " not in prompt
        assert prompt.count("theorem goal") == 4, "the statement and three retrieved proofs"
        assert answer.startswith("Plan: have exact\n```lean4\nby\n  have own")
    for number, other in ((0, 100), (100, 0)):
        ((prompt, _),) = [pair for pair in found if f"own{number} " in pair[1]]
        assert f"own{other} " not in prompt, "near duplicates do not see each other's proofs"
    prompts = " ".join(prompt for prompt, _ in found)
    assert "by exact h.symm" in prompts, "the shortest proof of a statement is retrieved"
    assert "own1 " not in prompts


def test_failed_attempts_are_mended_by_what_followed_or_by_the_known_proof(corpus: Corpus, tmp_path: Path) -> None:
    indexed(corpus)
    found = packed(config(corpus, repair={"rounds": "repair"}), tmp_path / "out")["repair"]
    answers = {wrong: pair for wrong in ("first_wrong", "second_wrong", "never_right") for pair in found if wrong in pair[0]}
    assert len(found) == len(answers) == 3
    assert "by omega" in answers["first_wrong"][1] and "by omega" in answers["second_wrong"][1]
    assert "have own4 := h" in answers["never_right"][1] and "own4" not in answers["never_right"][0]
    assert all("unknown constant of" in prompt and "wrong" not in answer for prompt, answer in found)
    one = packed(config(corpus, repair={"rounds": "repair", "repairs": 1}), tmp_path / "one")["repair"]
    assert len(one) == 2 and not any("second_wrong" in prompt for prompt, _ in one)


def test_conversations_are_used_as_they_are(corpus: Corpus, tmp_path: Path) -> None:
    said = Conversations(corpus.storage.root, str(tmp_path / "model"))
    found = packed(config(corpus, said=said), tmp_path / "out")["said"]
    assert sorted(found) == [(f"user\n<|im_end|>Ask {n}\nassistant\n", f"Say {n}") for n in range(5)]
    for row in rows_of(replace(config(corpus, said=replace(said, loss="all")), seq_len=8), tmp_path / "all"):
        assert (row["weights"] > 0).tolist() == (row["segment_ids"] > 0).tolist(), "each token is a target, over as many rows as it takes"
    only = replace(said, checked=("unchecked",))
    with pytest.raises(InputError, match="no rows to write"):
        packed(config(corpus, said=only), tmp_path / "none")
    empty = open_corpus(tmp_path / "empty", create=True)
    with pytest.raises(InputError, match="has no conversations"):
        packed(config(corpus, said=replace(said, path=empty.storage.root)), tmp_path / "no")


def test_benchmarks_enter_no_row(corpus: Corpus, tmp_path: Path) -> None:
    data = tmp_path / "data"
    kept_out = {"data": str(data), "benchmarks": (write_benchmark(data, {"exam": EXAM, "seven": RECORDS[7].statement.formal}),)}
    quoting = record(9, f"by\n  -- as in {EXAM.replace('theorem exam', 'theorem other')}\n  exact h.symm")
    said = {"id": proof_row(RECORDS[6])["id"], "statement_id": RECORDS[6].statement.id, "prompt": EXAM, "answer": "No", "source": "own"}
    rows = {"proofs": [proof_row(quoting)], "conversations": [{**said, "licence": "MIT"}]}
    corpus.commit({name: rows_to_table(found, TABLES[name]) for name, found in rows.items()}, {"command": "test"})
    indexed(corpus, Guard.of(load_benchmarks(data, kept_out["benchmarks"])))
    whole = config(corpus, first=kept_out, said=Conversations(corpus.storage.root, str(tmp_path / "model"), **kept_out))
    found = packed(whole, tmp_path / "out")
    texts = " ".join(f"{prompt} {answer}" for pairs in found.values() for prompt, answer in pairs)
    assert "h : a + 7 = b" not in texts and "own7 " not in texts and "x + y = z" not in texts
    report = (tmp_path / "out" / "first" / "index.json").read_text()
    assert '"removed": 2' in report and len(found["first"]) == 31 and len(found["said"]) == 5


def test_packing_waits_for_the_index_and_says_so(corpus: Corpus, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="build the index with `oprover corpus index"):
        packed(config(corpus, first={}), tmp_path / "out")
    indexed(corpus)
    first = packed(config(corpus, first={}), tmp_path / "out")
    statement = record(50)
    tables = {"statements": [statement_row(statement.statement)], "proofs": [proof_row(statement)]}
    corpus.commit({name: rows_to_table(rows, TABLES[name]) for name, rows in tables.items()}, {"command": "test"})
    with pytest.raises(InputError, match="lacks 1 commits; run `oprover corpus index"):
        packed(config(corpus, first={}), tmp_path / "out")
    assert packed(config(corpus, first={"partial": True}), tmp_path / "part") == first, "what the index covers"
    indexed(corpus)
    with pytest.raises(InputError, match="was packed from other files or with other settings"):
        packed(config(corpus, first={}), tmp_path / "out")
    assert len(packed(config(corpus, first={}), tmp_path / "new")["first"]) == 33


@pytest.mark.multiprocess
@pytest.mark.slow
def test_several_processes_write_the_same_bytes(corpus: Corpus, tmp_path: Path) -> None:
    indexed(corpus)
    alone = replace(config(corpus, first={}, repair={"rounds": "repair"}), unit_bytes=BUDGET.prompt * 3 * 10)
    for name, workers in (("one", 1), ("two", 2)):
        pack_sources(replace(alone, workers=workers), tmp_path / name, QUIET)
    files = [{p.relative_to(out): p.read_bytes() for p in out.rglob("*.array_record")} for out in (tmp_path / "one", tmp_path / "two")]
    assert files[0] == files[1] and len(files[0]) == 5


def test_a_tokenizer_that_a_run_has_trained(corpus: Corpus, tmp_path: Path) -> None:
    indexed(corpus)
    (tmp_path / "trained").mkdir()
    train_tokenizer([one.statement.formal + one.proof for one in RECORDS], 400, []).save(tmp_path / "trained" / "tokenizer.json")
    own = config(corpus, first={"tokenizer": str(tmp_path / "trained")})
    pairs = packed(replace(own, end="<|end|>", tokenizer=str(tmp_path / "trained")), tmp_path / "out")["first"]
    assert len(pairs) == 32 and all(prompt.endswith("\nAnswer:\n") for prompt, _ in pairs)
