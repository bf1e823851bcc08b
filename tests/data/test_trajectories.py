"""Rounds of rollouts become rows with the token ids that were stored, whichever pieces they are read in."""

from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np
import pytest
from packing_job import job, write_sources
from rich.console import Console

from lean_worker.protocol import Verdict
from oprover_jax.corpus import store
from oprover_jax.corpus.corpus import open_corpus
from oprover_jax.corpus.tables import PROOFS, STATEMENTS, TRAJECTORIES, proof_row, rows_to_table, statement_row, trajectory_row
from oprover_jax.data.dataset import open_rows
from oprover_jax.data.pack import pack_sources
from oprover_jax.data.packing import pack_examples
from oprover_jax.data.rows import Example
from oprover_jax.data.sources import Proofs
from oprover_jax.data.trajectories import Trajectories, read_examples, stored
from oprover_jax.errors import InputError
from oprover_jax.posttraining.select import SelectConfig, sft_rounds
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import ProofRecord, Round, Statement, Trajectory


def rollouts(count: int, seed: int) -> list[Trajectory]:
    """Two rounds each; a second one reads what came before it. Some prove, some prove what others did, some break the format."""
    rng = np.random.default_rng(seed)
    made = []
    for sample in range(count):
        statement = Statement(id=f"s{sample % 7}", name="t", formal="theorem t : True := by sorry")
        rounds, prompt = [], rng.integers(1, 300, 5).tolist()
        for _ in range(2):
            attempt = rng.integers(1, 300, rng.integers(2, 60)).tolist()
            accepted = bool(rng.random() < 0.4)
            verdict = Verdict("v", accepted, "accepted" if accepted else "error")
            proof = f"by simp [{rng.integers(0, 12)}]"
            well = bool(rng.random() < 0.9)
            rounds.append(Round(tuple(prompt), tuple(attempt), (-0.1,) * len(attempt), 0, "stop", (), proof, well, verdict, "", None))
            prompt = [*prompt, *attempt, *rng.integers(1, 300, 4).tolist()]
        made.append(Trajectory(statement, sample, "rollout-1", tuple(rounds)))
    return made


@pytest.fixture(scope="module")
def made() -> list[Trajectory]:
    return rollouts(120, 0)


@pytest.fixture(scope="module")
def run(made: list[Trajectory], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with the rollouts in two stages of two parts each."""
    folder = tmp_path_factory.mktemp("run")
    for i in range(4):
        where = folder / "stages" / f"rollout-{i // 2 + 1}" / "trajectories"
        store.append(where, store.TRAJECTORIES, made[30 * i : 30 * i + 30])
    return folder


def examples_of(source: Trajectories) -> list[tuple[tuple[int, ...], tuple[float, ...]]]:
    found = [example for piece in source.plan(2**20) for example in source.read(piece)]
    return sorted((tuple(example.ids.tolist()), tuple(example.weights.tolist())) for example in found)


def sft_examples(run: Path, config: SelectConfig) -> list[Example]:
    return list(read_examples(stored(str(run)), sft_rounds(stored(str(run)), config)))


@pytest.mark.parametrize("limits", [(4, 8, 0.8), (1, 3, 0.2)])
def test_pack_takes_the_rounds_that_the_loop_takes(run: Path, limits: tuple[int, int, float]) -> None:
    per_statement, per_proof, mastered = limits
    config = SelectConfig(per_statement=per_statement, per_proof=per_proof, mastered=mastered)
    expected = [(tuple(e.ids.tolist()), tuple(e.weights.tolist())) for e in sft_examples(run, config)]
    found = examples_of(Trajectories(str(run), per_statement=per_statement, per_proof=per_proof, mastered=mastered))
    assert found == sorted(expected) and len(found) >= 7
    assert any(0 in weights[1:] and weights[-1] == 1 for _, weights in found)


def test_cpt_takes_every_accepted_round_with_all_that_it_read(run: Path, made: list[Trajectory]) -> None:
    accepted = [r for t in made for r in t.rounds if r.well_formed and r.verdict is not None and r.verdict.accepted]
    assert examples_of(Trajectories(str(run), loss="all")) == sorted(
        ((*r.prompt_ids, *r.attempt_ids), (0.0, *[1.0] * (len(r.prompt_ids) + len(r.attempt_ids) - 1))) for r in accepted
    )


def test_the_same_rounds_in_the_same_order_however_they_are_stored(run: Path, made: list[Trajectory], tmp_path: Path) -> None:
    """As after a kill, when parts end elsewhere and some rollouts are stored twice."""
    for part in (made[90:], made[40:100], made[:40], made[:7]):
        store.append(tmp_path, store.TRAJECTORIES, part)
    chosen = [[example.ids.tolist() for example in sft_examples(folder, SelectConfig())] for folder in (run, tmp_path)]
    assert chosen[0] == chosen[1] and len(chosen[0]) >= 7


def test_rollouts_are_packed_as_they_are_in_memory(run: Path, tmp_path: Path) -> None:
    write_sources(tmp_path)
    settings = replace(job(tmp_path), sources={"rounds": Trajectories(str(run))}, seq_len=60, unit_bytes=800)
    index = pack_sources(settings, tmp_path / "out", ProgressConsole(Console(quiet=True)))["rounds"]
    examples = sft_examples(run, SelectConfig())
    _, report = pack_examples(examples, 60, "drop")
    assert len(index.shards) > 3 and report.dropped > 0
    counted = ("examples", "positions", "trained", "dropped", "dropped_ids")
    assert [getattr(index.report, name) for name in counted] == [getattr(report, name) for name in counted]
    trained = sorted(id for row in open_rows(tmp_path / "out" / "rounds").all() for id in row["targets"][row["weights"] > 0].tolist())
    assert trained == sorted(id for e in examples if e.positions <= 60 for id in e.ids[e.weights > 0].tolist())


def test_what_holds_no_rollouts_is_said(run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="contains no stored rollouts"):
        Trajectories(str(tmp_path)).plan(100)
    statements = [Statement(id="s", name="s", formal="theorem s : True := by sorry")]
    store.append(tmp_path, store.STATEMENTS, statements)
    with pytest.raises(InputError, match="has no column"):
        Trajectories(str(tmp_path)).plan(100)
    failed = [without_verdicts(one) for one in rollouts(3, 1)]
    store.append(tmp_path / "failed", store.TRAJECTORIES, failed)
    with pytest.raises(InputError, match="contains no accepted round"):
        Trajectories(str(tmp_path / "failed")).plan(100)


def without_verdicts(one: Trajectory) -> Trajectory:
    return msgspec.structs.replace(one, rounds=tuple(msgspec.structs.replace(r, verdict=None) for r in one.rounds))


def test_a_corpus_gives_its_rollouts_and_its_proofs(made: list[Trajectory], run: Path, tmp_path: Path) -> None:
    corpus = open_corpus(tmp_path / "corpus", create=True)
    statements = [Statement(f"s{i}", "t", f"theorem t{i} : True := by sorry", header="open Nat" if i % 2 else "") for i in range(7)]
    records = [ProofRecord(one, f"by trivial -- {i}", "4.35", "", (), 0.1, "test") for i, one in enumerate(statements * 3)]
    unchecked = proof_row(records[0]) | {"id": "other", "proof": ":= ⟨⟩", "checked": "unchecked"}
    rows = {
        "statements": rows_to_table(map(statement_row, statements), STATEMENTS),
        "proofs": rows_to_table([*map(proof_row, records), unchecked], PROOFS),
        "trajectories": rows_to_table(map(trajectory_row, made), TRAJECTORIES),
    }
    corpus.commit(rows, {"by": "test"})
    path = str(tmp_path / "corpus")
    assert examples_of(Trajectories(path)) == examples_of(Trajectories(str(run)))
    proofs = Proofs(path)
    texts = [text for piece in proofs.plan(50) for text in proofs.read(piece)]
    assert len(proofs.plan(50)) > 5 and len(texts) == 22
    assert "open Nat\n\ntheorem t3 : True := by trivial -- 3\n" in texts and "theorem t0 : True := ⟨⟩\n" in texts
    accepted = replace(proofs, checked=("accepted",))
    assert sorted(text for piece in accepted.plan(500) for text in accepted.read(piece)) == sorted(t for t in texts if "⟨⟩" not in t)
