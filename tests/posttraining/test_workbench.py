"""What the stages of a run share: the encoder that the settings name, and the memory, which shows nothing of a statement's own, in whatever
shape, and nothing of a benchmark."""

import dataclasses
from pathlib import Path

import http_servers
import numpy as np
import pytest
from start import TINY as TINY_FILE
from trained import finish_training

from lean_worker.lean_config import LeanConfig
from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.service.app import make_app
from oprover_jax.commands.add_run import new_rows
from oprover_jax.commands.export import export_run
from oprover_jax.configuration import load
from oprover_jax.corpus.corpus import open_corpus
from oprover_jax.corpus.theorems import Theorems
from oprover_jax.data.tokenizer import train_tokenizer
from oprover_jax.errors import InputError
from oprover_jax.models.qwen3 import init_params
from oprover_jax.posttraining.experiment import Experiment, MemoryConfig
from oprover_jax.posttraining.iterate import iterate
from oprover_jax.posttraining.policy import open_policy
from oprover_jax.posttraining.run_folder import begin_run, open_run
from oprover_jax.posttraining.theorems import TheoremsConfig
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import ProofRecord, Statement
from oprover_jax.retrieval.corpus_memory import index_corpus, index_folder
from oprover_jax.retrieval.encoder import LexicalEncoder
from oprover_jax.retrieval.index import IndexConfig
from oprover_jax.retrieval.policy_encoder import PolicyEncoder
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.statements.normalize import statement_id
from oprover_jax.synthetic.config import SyntheticConfig

pytestmark = pytest.mark.lean

TINY = load(TINY_FILE, Experiment)


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


def test_a_policy_s_folder_is_an_encoder(tmp_path: Path) -> None:
    mesh, run = make_mesh(MeshConfig()), begin_run(tmp_path / "before", "tiny", TINY)
    train_tokenizer([one.formal for one in SWAP], 300, []).save(run.stage("tokenizer") / "tokenizer.json")
    params = init_params(TINY.policy.model, 5, mesh)
    finish_training(run, "cpt", params)
    export_run(run.path, tmp_path / "hf", "float32", False, ProgressConsole())
    own = PolicyEncoder(TINY.policy.model, params, mesh, open_policy(run.path, mesh).codec)
    for folder in (run.path, tmp_path / "hf"):
        wanted = dataclasses.replace(TINY, memory=MemoryConfig(str(folder)))
        with Workbench(wanted, begin_run(tmp_path / f"with-{folder.name}", "tiny", wanted)) as bench:
            np.testing.assert_array_equal(bench.encoder.encode(OTHERS), own.encode(OTHERS))
            bench.theorems = Theorems([proof(one) for one in (SWAP[0], *OTHERS)], [], HELD_OUT[:1], {})
            (found,) = bench.memory.search(TURN[:1], 3)
            assert len(found) == 3
    with pytest.raises(InputError, match=r"encoder: directory .* does not exist"):
        iterate(dataclasses.replace(TINY, memory=MemoryConfig("./nowhere")), tmp_path / "new", None, ProgressConsole())
    assert not (tmp_path / "new").exists()


def test_the_memories_of_a_run_show_nothing_of_a_statement_s_own_and_nothing_of_a_benchmark(tmp_path: Path) -> None:
    public = [SWAP[0], TURN[0], *OTHERS[:3]]
    with Workbench(TINY, begin_run(tmp_path / "run", "tiny", TINY)) as bench:
        bench.theorems = Theorems([proof(one) for one in public], [*SWAP[1:], TURN[1], OTHERS[3]], HELD_OUT[:1], {})
        bench.put_proofs("rollout-1", [proof(one) for one in (SWAP[1], OTHERS[3], *HELD_OUT)])
        for memory, there in ((bench.public_memory, public), (bench.memory, [*public, SWAP[1], OTHERS[3]])):
            assert {record.statement for record in memory.records} == set(there)
            for group in (SWAP, TURN, *([one] for one in (*OTHERS, *HELD_OUT))):
                for query, found in zip(group, memory.search(group, 20), strict=True):
                    assert {record.statement for record in found} == set(there) - set(group), query


def test_a_saved_index_shows_a_run_its_public_theorems_and_nothing_else_of_the_corpus(tmp_path: Path) -> None:
    corpus = open_corpus(tmp_path / "corpus", create=True)
    corpus.commit(new_rows(corpus, "x", [], [proof(one) for one in (*SWAP[:1], *OTHERS, HELD_OUT[0])]), {})
    index = index_folder(corpus, "lexical")
    index_corpus(corpus, LexicalEncoder.fit([*SWAP, *OTHERS]), index, IndexConfig())
    wanted = dataclasses.replace(
        TINY, theorems=TheoremsConfig(corpus=str(tmp_path / "corpus")), memory=MemoryConfig("lexical", index=str(index))
    )
    with Workbench(wanted, begin_run(tmp_path / "run", "tiny", wanted)) as bench:
        commits = [commit.id for commit in corpus.commits()]
        bench.theorems = Theorems([proof(one) for one in OTHERS[:2]], OTHERS[:2], HELD_OUT[:1], {"commits": commits})
        assert set(bench.public_memory.ids) == set(bench.memory.ids) == {one.id for one in OTHERS[:2]}
        (found,) = bench.memory.search(HELD_OUT[:1], 5)
        assert {record.statement for record in found} == set(OTHERS[:2])
    with pytest.raises(ValueError, match=r"memory\.index is .* not those of a corpus"):
        dataclasses.replace(TINY, memory=MemoryConfig("lexical", index=str(index)))


@pytest.mark.multiprocess
def test_a_run_begun_with_a_service_resumes_here_with_the_same_lean(tmp_path: Path) -> None:
    corpus = SyntheticConfig(public=4, pool=2, benchmark=2, textbook=False)
    run = tmp_path / "run"

    def built(lean: LeanConfig) -> Theorems:
        wanted = dataclasses.replace(TINY, theorems=TheoremsConfig(corpus), lean=lean)
        with Workbench(wanted, begin_run(run, "tiny", wanted)) as bench:
            assert [verdict.accepted for verdict in bench.pool.check_many([Check("a", "theorem t : True := by sorry", "trivial")])] == [
                True
            ]
            return bench.theorems

    with Pool(1) as pool, http_servers.thread(make_app(pool)) as url:
        first = built(LeanConfig("remote", urls=(url,)))
        assert pool.status().verdicts["accepted"] > 4
    assert built(LeanConfig(workers=1)) == first
    with pytest.raises(InputError, match=r"lean: heartbeats is 500 but the verdicts of .* come from 20000"):
        built(LeanConfig(workers=1, heartbeats=500))
    folder, wanted = open_run(run)
    assert wanted.lean == LeanConfig(workers=1)
    with Workbench(wanted, folder, lean=LeanConfig(workers=1, heartbeats=500)) as bench:  # its verdicts do not enter the run
        assert bench.pool.describe().heartbeats == 500
