"""Stored rollouts become rows, and `oprover rl` trains on them: the job's own tests of cpt and sft are in tests/training."""

import shutil
import sys
from dataclasses import replace
from itertools import count
from pathlib import Path

import jax
import numpy as np
import pytest
from joined import joined
from msgspec import structs
from rich.console import Console

from oprover_jax.corpus import store
from oprover_jax.data.dataset import open_rows
from oprover_jax.errors import InputError
from oprover_jax.losses.gspo import GSPOConfig
from oprover_jax.models.qwen3 import Qwen3Config, abstract_params, init_params
from oprover_jax.posttraining.rollout_rows import RolloutReport, rollout_rows, with_rows
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import FinishReason, Round, Statement, Trajectory
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.training.checkpoint import latest, restore
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.loop import LoopConfig
from oprover_jax.training.metrics import read_metrics
from oprover_jax.training.objectives import make_logprob_fn
from oprover_jax.training.optimizer import OptimizerConfig
from oprover_jax.training.train import train

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

MODEL = Qwen3Config(vocab_size=48, num_layers=1, hidden_size=16, num_heads=4, num_kv_heads=2, head_dim=4, intermediate_size=32)
SAMPLES = count()
STATEMENT = Statement(id="s", name="s", formal="theorem s : True := by sorry")


def attempt(prompt: list[int], ids: list[int], reward: float | None, end: FinishReason = "stop") -> Round:
    logprobs = tuple(-float(i) for i in range(1, len(ids) + 1))
    return Round(tuple(prompt), tuple(ids), logprobs, 0, end, (), None, True, None, "", reward)


def told(*rounds: Round) -> Trajectory:
    return Trajectory(STATEMENT, next(SAMPLES), "rollout-1", rounds)


STORED = [
    told(attempt([1, 2], [3, 4], 1.0), attempt([1, 5, 6], [7], 0.0)),
    told(attempt([1, 2], [8, 9, 9], 0.0), attempt([1, 5, 6], [7, 7], 0.0)),
    told(attempt([1, 2], [8] * 20, 0.0, "length"), attempt([1, 5], [7], 1.0)),
    told(attempt([1, 2], [8], None)),
]


def test_each_attempt_is_compared_with_those_from_the_same_prompt() -> None:
    rows, report = rollout_rows(STORED, GSPOConfig(filter_groups=True), 8)
    assert report == RolloutReport(groups=2, attempts=6, too_long=1, rows=2)
    expected = np.array([1.0, 0.0, 0.0])
    expected = (expected - expected.mean()) / expected.std()
    assert [float(row["advantages"]) for row in rows] == pytest.approx(expected[:2].tolist())
    first = rows[0]
    assert first["tokens"].tolist()[:3] == [1, 2, 3] and first["targets"].tolist()[:3] == [2, 3, 4]
    assert first["weights"].tolist() == [0, 1, 1, 0, 0, 0, 0, 0] and first["sampler_logprob"].tolist() == [0, -1, -2, 0, 0, 0, 0, 0]
    _, everything = rollout_rows(STORED, GSPOConfig(), 32)
    assert everything == RolloutReport(groups=2, attempts=6, too_long=0, rows=5)
    _, whole = rollout_rows(STORED, GSPOConfig(mask_truncated=True), 32)
    assert whole.rows == 4


def test_attempts_older_than_the_staleness_allows_are_refused() -> None:
    versions = [5, 5, 4, 3]
    stored = [told(structs.replace(attempt([1, 2], [3 + i], float(i % 2)), policy_version=v)) for i, v in enumerate(versions)]
    for staleness, attempts, stale in ((0, 2, 2), (1, 3, 1), (2, 4, 0)):
        rows, report = rollout_rows(stored, GSPOConfig(staleness=staleness), 8)
        assert report == RolloutReport(groups=1, attempts=attempts, too_long=0, rows=attempts, stale=stale)
        assert {int(row["targets"][1]) for row in rows} == {3 + i for i in range(attempts)}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stage with 16 states of 4 attempts each; an attempt is rewarded for its first token being even."""
    folder, rng = tmp_path_factory.mktemp("run") / "rollout-1", np.random.default_rng(0)
    stored = []
    for state in range(16):
        for _ in range(4):
            ids = rng.integers(1, 48, rng.integers(2, 6)).tolist()
            stored.append(told(attempt([1, 2 + state], ids, float(ids[0] % 2 == 0))))
    store.append(folder / "trajectories", store.TRAJECTORIES, stored)
    return folder


def job(stage: Path, minibatches: int) -> TrainingJob:
    return TrainingJob(
        name="tiny-rl",
        objective="rl",
        model=MODEL,
        optimizer=OptimizerConfig(peak_lr=1e-3, schedule="constant", warmup_steps=0),
        loop=LoopConfig(steps=3, keep_every=2, keep=2),
        batch_size=8,
        seq_len=16,
        mesh=MeshConfig(fsdp=2),
        grad_accum_steps=2,
        gspo=GSPOConfig(sampler_cap=2.0),
        minibatches=minibatches,
        data=str(stage),
    )


def run(given: TrainingJob, folder: Path) -> tuple[TrainingJob, list[dict]]:
    made, _ = with_rows(given, folder)
    train(made, folder, ProgressConsole(Console(quiet=True)))
    return made, read_metrics(folder / "metrics.jsonl")


@pytest.fixture(scope="module")
def whole(stage: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run with four mini-batches."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    run(job(stage, 4), folder)
    return folder


def test_one_mini_batch_is_exactly_on_policy(stage: Path, tmp_path: Path) -> None:
    _, records = run(job(stage, 1), tmp_path)
    assert [(r["ratio"], r["approx_kl"], r["clip_fraction"]) for r in records] == [(1.0, 0.0, 0.0)] * 3


def test_four_mini_batches_leave_the_old_policy_towards_reward(whole: Path) -> None:
    records = read_metrics(whole / "metrics.jsonl")
    assert [r["step"] for r in records] == [0, 1, 2] and all(r["ratio"] != 1.0 for r in records)
    assert all(r["sampler_gap_max"] >= r["sampler_gap"] > 0 and r["skipped"] == 0 for r in records)
    rows = list(open_rows(next(whole.glob("rollouts-*"))).all())
    assert len(rows) == 64
    assert sum(r["tokens"] for r in records) == pytest.approx(sum((row["segment_ids"] > 0).sum() for row in rows) * 96 / 64, rel=0.2)

    mesh = make_mesh(MeshConfig())
    batch = {name: jax.numpy.stack([row[name] for row in rows]) for name in rows[0]}
    logprobs = make_logprob_fn(MODEL, mesh)
    after = logprobs(restore(whole / "weights", 3, abstract_params(MODEL, mesh)), batch)
    change = ((after - logprobs(init_params(MODEL, 0, mesh), batch)) * batch["weights"]).sum(-1) / batch["weights"].sum(-1)
    assert float((change * batch["advantages"]).mean()) > 0


def test_a_stopped_run_goes_on_and_other_rollouts_are_another_run(stage: Path, whole: Path, tmp_path: Path) -> None:
    part = tmp_path / "part"
    shutil.copytree(whole, part)
    for path in ("checkpoints/3", "weights"):  # as if it had been killed after step 2
        shutil.rmtree(part / path)
    assert latest(part / "checkpoints") == 2
    _, resumed = run(job(stage, 4), part)
    assert [(r["step"], r["loss"], r["ratio"]) for r in resumed] == [
        (r["step"], r["loss"], r["ratio"]) for r in read_metrics(whole / "metrics.jsonl")
    ]
    other = stage.with_name("rollout-2")
    store.append(other / "trajectories", store.TRAJECTORIES, store.read(stage / "trajectories", store.TRAJECTORIES)[:32])
    with pytest.raises(InputError, match="another configuration or other data"):
        run(replace(job(stage, 4), data=str(other)), part)


def test_what_cannot_be_trained_on_is_said(stage: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no rollouts"):
        run(replace(job(stage, 1), data=str(tmp_path / "empty")), tmp_path / "run")
    with pytest.raises(InputError, match=r"no attempt in .* can be trained on"):
        run(replace(job(stage, 1), seq_len=2), tmp_path / "run")
    with pytest.raises(InputError, match="has no reference policy"):
        run(replace(job(stage, 1), gspo=GSPOConfig(kl="k2_loss", kl_weight=0.1)), tmp_path / "run")


def test_rollouts_that_are_added_to_a_folder_make_other_rows(stage: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(stage, tmp_path / "stage"))
    one, again = (with_rows(job(mine, 4), tmp_path)[0].data for _ in range(2))
    store.append(mine / "trajectories", store.TRAJECTORIES, STORED)
    more, report = with_rows(job(mine, 4), tmp_path)
    assert one == again != more.data and report is not None and report.attempts == 64 + 7  # the lone attempt of before finds its like


def test_no_process_waits_for_rows_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "stage").mkdir()
    with joined([sys.executable, "-c", REFUSED, str(tmp_path), str(Path(__file__).parent)]) as processes:
        said = [process.communicate(timeout=90) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert "has no rollouts" in said[0][0] and "process 0 could not convert" in said[1][0], said


REFUSED = """
import sys
from pathlib import Path
import jax
jax.config.update("jax_platforms", "cpu")
from oprover_jax.training.distributed import initialize
initialize(timeout=60)
sys.path.append(sys.argv[2])
from test_rollout_rows import job
from oprover_jax.errors import InputError
from oprover_jax.posttraining.rollout_rows import with_rows
folder = Path(sys.argv[1])
try:
    with_rows(job(folder / "stage", 4), folder)
except InputError as error:
    print(error)
"""
