"""Engine, Lean, disk and process fail while a stage proves: it goes on or ends in a sentence, and a second start counts nothing twice."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faulty_stage import BEFORE, SAMPLES, STATEMENTS, EngineLost, FaultyBench, lean_gone, made, run_stage

from oprover_jax.errors import LeanAway
from oprover_jax.records import Trajectory
from oprover_jax.verify.verifier import Verifier

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess, pytest.mark.slow]

HERE = Path(__file__).parent


def content(trajectories: list[Trajectory]) -> dict[tuple[str, int], Any]:
    """All that a trajectory says but how long it took; none twice."""
    found = {
        (t.statement.id, t.sample): [(r.prompt_ids, r.attempt_ids, r.verdict and r.verdict.kind, r.feedback, r.reward) for r in t.rounds]
        for t in trajectories
    }
    assert len(found) == len(trajectories), "a trajectory is there twice"
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], Any]:
    found = content(run_stage(FaultyBench(tmp_path_factory.mktemp("undisturbed"))))
    assert len(found) == SAMPLES * len(STATEMENTS) and {len(rounds) for rounds in found.values()} == {1, 2}
    return found


def goes_on(folder: Path, reported: int, undisturbed: dict[tuple[str, int], Any]) -> None:
    """What was reported is stored, in whole statements; another start keeps it as it is and makes the rest."""
    bench = FaultyBench(folder)
    kept = made(bench)
    assert BEFORE <= reported <= len(kept) < len(undisturbed) and len(kept) % SAMPLES == 0
    again = content(run_stage(bench))
    assert again == undisturbed and content(kept).items() <= again.items()
    assert bench.reported == len(undisturbed) - len(kept), "what was there was made again"
    assert not [path for path in folder.rglob("*") if path.name.endswith(".tmp")]


def test_an_engine_that_dies_in_mid_flight(tmp_path: Path, undisturbed: dict[tuple[str, int], Any]) -> None:
    bench = FaultyBench(tmp_path, "engine")
    with pytest.raises(EngineLost):
        run_stage(bench)
    goes_on(tmp_path, bench.reported, undisturbed)


@pytest.mark.parametrize(("fault", "code"), [("killed", -9), ("disk", 1)])
def test_a_process_that_is_killed_and_a_disk_that_is_full(fault: str, code: int, tmp_path: Path, undisturbed) -> None:
    environment = os.environ | {
        "JAX_PLATFORMS": "cpu",
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent / "support"), str(HERE.parents[1])]),
    }
    command = [sys.executable, str(HERE / "faulty_stage.py"), str(tmp_path), fault]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, env=environment, check=False)
    assert done.returncode == code, done.stderr
    if fault == "disk":
        assert "cannot be written (File too large)" in done.stderr.splitlines()[-1]
    goes_on(tmp_path, int(done.stdout.split()[-1]), undisturbed)


def test_lean_is_gone_for_a_while(tmp_path: Path, undisturbed: dict[tuple[str, int], Any]) -> None:
    """Every Lean process is killed as it starts, for two seconds: nothing is judged meanwhile, everything afterwards."""
    bench = FaultyBench(tmp_path)
    with lean_gone(bench.pool, 2.0):
        found = content(run_stage(bench))
    assert found == undisturbed
    assert bench.pool.status().verdicts["unavailable"] > 0, "Lean was never missed"


def test_lean_that_does_not_come_back_costs_time_and_nothing_else(tmp_path: Path, undisturbed: dict[tuple[str, int], Any]) -> None:
    bench = FaultyBench(tmp_path)
    bench.__dict__["verifier"] = Verifier(bench.pool, patience=0.2)
    said = (
        f"Lean gave no verdict within 0.2 s: .*; {len(STATEMENTS)} of {len(STATEMENTS)} statements are left, and the same command resumes"
    )
    with lean_gone(bench.pool), pytest.raises(LeanAway, match=said):
        run_stage(bench)
    assert made(bench) == []
    assert content(run_stage(FaultyBench(tmp_path))) == undisturbed
