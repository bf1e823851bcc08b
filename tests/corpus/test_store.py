"""The Parquet store: what goes in comes out, and no reader ever sees half an append."""

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lean_worker.protocol import Message, Verdict
from oprover_jax.corpus import store
from oprover_jax.records import ProofRecord, Provenance, Round, Statement, Trajectory

pytestmark = pytest.mark.multiprocess

_word = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
_statements = st.builds(
    Statement,
    id=_word,
    name=_word,
    formal=_word,
    header=_word,
    family=_word,
    difficulty=st.integers(0, 9),
    source=_word,
    licence=_word,
    informal=_word,
    domain=_word,
    lean=_word,
)
_proofs = st.builds(
    ProofRecord,
    statement=_statements,
    proof=_word,
    lean=_word,
    library=_word,
    axioms=st.lists(_word, max_size=3).map(tuple),
    seconds=st.floats(0, 1e6),
    origin=_word,
    verified_at=_word,
)
_messages = st.builds(
    Message,
    severity=st.sampled_from(["error", "warning"]),
    line=st.integers(1, 99),
    column=st.integers(0, 99),
    end_line=st.integers(1, 99),
    end_column=st.integers(0, 99),
    text=_word,
)
_verdicts = st.sampled_from([(True, "accepted"), (False, "error"), (None, "timeout")]).flatmap(
    lambda pair: st.builds(
        Verdict,
        id=_word,
        accepted=st.just(pair[0]),
        kind=st.just(pair[1]),
        messages=st.lists(_messages, max_size=2).map(tuple),
        seconds=st.floats(0, 100),
    )
)
_ids = st.lists(st.integers(0, 2**31 - 1), max_size=8).map(tuple)
_rounds = st.builds(
    Round,
    prompt_ids=_ids,
    attempt_ids=_ids,
    logprobs=st.lists(st.floats(-1e3, 0), max_size=8).map(tuple),
    policy_version=st.integers(0, 99),
    finish_reason=st.sampled_from(["stop", "length"]),
    retrieved=st.lists(_word, max_size=2).map(tuple),
    proof=st.none() | _word,
    well_formed=st.booleans(),
    verdict=st.none() | _verdicts,
    feedback=_word,
    reward=st.none() | st.floats(-1, 1),
)
_trajectories = st.builds(
    Trajectory,
    statement=_statements,
    sample=st.integers(0, 99),
    stage=_word,
    rounds=st.lists(_rounds, min_size=1, max_size=3).map(tuple),
    provenance=st.none() | st.builds(Provenance, _word.filter(bool), st.floats(0, 2), st.floats(0.1, 1), st.integers(1, 2**20)),
)
_PROPERTY = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _record(number: int, family: str = "nat", origin: str = "generated") -> ProofRecord:
    statement = Statement(id=str(number), name=f"t{number}", formal="theorem t : True := by sorry", family=family)
    return ProofRecord(statement=statement, proof="by\n  trivial", lean="4", library="x", axioms=("propext",), seconds=0.1, origin=origin)


@_PROPERTY
@given(st.lists(_proofs, max_size=4), st.lists(_proofs, max_size=4))
def test_proofs_come_back_equal_and_in_order(
    tmp_path_factory: pytest.TempPathFactory, first: list[ProofRecord], second: list[ProofRecord]
) -> None:
    folder = tmp_path_factory.mktemp("proofs")
    store.append(folder, store.PROOFS, first)
    store.append(folder, store.PROOFS, second)
    assert store.read(folder, store.PROOFS) == first + second


@_PROPERTY
@given(st.lists(_trajectories, min_size=1, max_size=3, unique_by=lambda each: (each.stage, each.statement.id, each.sample)))
def test_trajectories_come_back_equal(tmp_path_factory: pytest.TempPathFactory, trajectories: list[Trajectory]) -> None:
    folder = tmp_path_factory.mktemp("trajectories")
    store.append(folder, store.TRAJECTORIES, trajectories)
    assert store.read(folder, store.TRAJECTORIES) == trajectories


def test_token_ids_and_logprobs_are_real_lists(tmp_path: Path) -> None:
    played = Round(
        prompt_ids=(1, 2),
        attempt_ids=(3,),
        logprobs=(-0.5,),
        policy_version=0,
        finish_reason="stop",
        retrieved=(),
        proof=None,
        well_formed=False,
        verdict=None,
        feedback="",
        reward=None,
    )
    part = store.append(tmp_path, store.TRAJECTORIES, [Trajectory(_record(1).statement, 0, "sft", (played, played))])
    assert part is not None
    table = pq.read_table(part)
    assert table["attempt_ids"].to_pylist() == [[[3], [3]]] and table["logprobs"].to_pylist() == [[[-0.5], [-0.5]]]


def test_what_version_1_wrote_is_read(tmp_path: Path) -> None:
    old = [name for name in Statement.__struct_fields__ if name not in ("domain", "lean")]
    record = replace(_record(1), verified_at="")
    row = {name: getattr(record.statement, name) for name in old}
    row |= {"proof": record.proof, "lean": "4", "library": "x", "axioms": ["propext"], "seconds": 0.1, "origin": "generated"}
    metadata = {"oprover.table": "proofs", "oprover.version": "1"}
    pq.write_table(pa.Table.from_pylist([row]).replace_schema_metadata(metadata), tmp_path / "part-0.parquet")
    assert store.read(tmp_path, store.PROOFS) == [record]
    pq.write_table(pa.Table.from_pylist([row]).replace_schema_metadata(metadata | {"oprover.version": "9"}), tmp_path / "part-1.parquet")
    with pytest.raises(store.StoreError, match=r"part-1\.parquet contains proofs rows of version 9"):
        store.read(tmp_path, store.PROOFS)


def _rollout(sample: int, kind: str = "error", stage: str = "rollout-1", ids: tuple[int, ...] = (3,)) -> Trajectory:
    verdict = Verdict("1", {"accepted": True, "error": False}.get(kind), kind)  # type: ignore[arg-type]
    played = Round((1, 2), ids, (-0.5,) * len(ids), 0, "stop", (), "by simp", True, verdict, "", None)
    return Trajectory(_record(1).statement, sample, stage, (played,), provenance=Provenance("hash", 1.0, 0.9, 64))


def test_a_chunk_that_was_written_twice_is_read_once(tmp_path: Path) -> None:
    chunk = [_rollout(0), _rollout(1, "accepted"), _rollout(2, "timeout")]
    other = _rollout(0, stage="rollout-2")
    store.append(tmp_path, store.TRAJECTORIES, chunk)
    store.append(tmp_path, store.TRAJECTORIES, [replace(one, rounds=_rollout(0, ids=(9,)).rounds) for one in chunk] + [other])
    store.append(tmp_path, store.TRAJECTORIES, chunk)
    assert store.read(tmp_path, store.TRAJECTORIES) == [*chunk, other]
    assert [one.accepted for one in chunk] == [False, True, False]


def test_a_trajectory_without_a_verdict_is_never_stored(tmp_path: Path) -> None:
    for lost in (_rollout(0, "unavailable"), replace(_rollout(0), rounds=())):
        with pytest.raises(ValueError, match="without a verdict"):
            store.append(tmp_path, store.TRAJECTORIES, [_rollout(1), lost])
    assert not list(tmp_path.iterdir())


def test_trajectories_of_version_2_are_read_but_those_that_lean_gave_no_verdict_on(tmp_path: Path) -> None:
    made = [replace(_rollout(sample), version=2, provenance=None) for sample in range(3)]
    part = store.append(tmp_path, store.TRAJECTORIES, made)
    assert part is not None
    old = pq.read_table(part)
    metadata = old.schema.metadata | {b"oprover.version": b"2"}
    old = old.drop_columns(["tokenizer", "temperature", "top_p", "max_new_tokens", "kinds", "well_formed", "proof_keys"])
    old = old.set_column(old.schema.get_field_index("accepted"), "accepted", pa.array([False, None, True]))
    pq.write_table(old.replace_schema_metadata(metadata), part)
    assert store.read(tmp_path, store.TRAJECTORIES) == [made[0], made[2]]


def test_no_folder_no_records(tmp_path: Path) -> None:
    assert store.append(tmp_path, store.PROOFS, []) is None
    assert store.read(tmp_path / "nothing", store.PROOFS) == []


def test_leftovers_of_a_crash_are_not_read(tmp_path: Path) -> None:
    store.append(tmp_path, store.PROOFS, [_record(1)])
    (tmp_path / ".part-1-x.parquet.tmp").write_bytes(b"PAR1 half of a commit")
    assert store.read(tmp_path, store.PROOFS) == [_record(1)]


def test_a_torn_part_and_a_foreign_part_are_named(tmp_path: Path) -> None:
    part = store.append(tmp_path / "torn", store.PROOFS, [_record(1)])
    assert part is not None
    part.write_bytes(part.read_bytes()[:-20])
    with pytest.raises(store.StoreError, match=part.name):
        store.read(tmp_path / "torn", store.PROOFS)
    store.append(tmp_path / "foreign", store.STATEMENTS, [_record(1).statement])
    with pytest.raises(store.StoreError, match="contains statements"):
        store.read(tmp_path / "foreign", store.PROOFS)


def _write_forever(folder: Path, writer: int) -> None:
    for batch in range(10**6):
        store.append(folder, store.PROOFS, [_record(writer * 10**6 + batch * 10 + i) for i in range(10)])


def test_killed_writers_leave_whole_appends_and_do_not_meet(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=_write_forever, args=(tmp_path, writer)) for writer in (1, 2)]
    for writer in writers:
        writer.start()
    deadline = time.monotonic() + 60
    while len(store.parts(tmp_path)) < 40 or len({r.statement.id[0] for r in store.read(tmp_path, store.PROOFS)}) < 2:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    for writer in writers:
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join()
        writer.close()
    ids = [int(record.statement.id) for record in store.read(tmp_path, store.PROOFS)]
    for writer in (1, 2):
        own = [number - writer * 10**6 for number in ids if number // 10**6 == writer]
        assert own == list(range(len(own))) and len(own) % 10 == 0 and own
