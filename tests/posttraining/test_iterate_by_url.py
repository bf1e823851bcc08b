"""The same run with the policy sampled and the proofs checked over HTTP: token for token what one process makes of it."""

from contextlib import ExitStack
from pathlib import Path

import http_servers
import pytest
import rollout_server
from start import TINY, start

from lean_worker.pool import Pool
from lean_worker.service.app import make_app
from oprover_jax.corpus import store
from oprover_jax.records import Trajectory

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess, pytest.mark.slow]

Rounds = list[tuple[tuple[int, ...], tuple[int, ...], int, str]]


def rounds_of(run: Path, stage: str) -> dict[tuple[str, int], Rounds]:
    """What was read, what was drawn, by which weights, and what Lean said."""

    def rounds(trajectory: Trajectory) -> Rounds:
        return [
            (played.prompt_ids, played.attempt_ids, played.policy_version, played.verdict.kind if played.verdict else "")
            for played in trajectory.rounds
        ]

    found = store.read(run / "stages" / stage / "trajectories", store.TRAJECTORIES)
    return {(trajectory.statement.id, trajectory.sample): rounds(trajectory) for trajectory in found}


def test_engine_and_lean_by_url_make_the_same_trajectories(calm: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shape = ("--dtype", "float32", "--slots", "32", "--max-len", "300")
    with Pool(2) as pool, http_servers.thread(make_app(pool)) as lean, ExitStack() as opened:
        engine = rollout_server.command(calm / "stages" / "cpt" / "hf", *shape)
        opened.enter_context(engine.process)  # closes its pipe
        opened.callback(engine.stop)
        words = ["--server", engine.url, "--lean.backend", "remote", "--lean.urls", lean]
        process = start("iterate", "--config", str(TINY), "--run", str(run), *words)
        output, _ = process.communicate(timeout=900)
        assert process.returncode == 0, output
        assert pool.status().verdicts
    stages = [path.parent.name for path in sorted((calm / "stages").glob("*/trajectories"))]
    assert {"evaluate-cpt", "rollout-1", "evaluate-1", "without-both"} <= set(stages)
    for stage in stages:
        assert rounds_of(run, stage) == rounds_of(calm, stage), stage
    assert not (run / "served" / "version-000000").exists(), "only the last two versions are kept"
