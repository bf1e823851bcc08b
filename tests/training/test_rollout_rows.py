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
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import FinishReason, Round, Statement, Trajectory
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.training.checkpoint import latest, restore
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.loop import LoopConfig
from oprover_jax.training.metrics import read_metrics
from oprover_jax.training.objectives import make_logprob_fn
from oprover_jax.training.optimizer import OptimizerConfig
from oprover_jax.training.rollout_rows import RolloutReport, rollout_rows, with_rows
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
    found, report = rollout_rows(STORED, GSPOConfig(filter_groups=True), 8)
    rows = sorted(found, key=lambda row: -row["advantages"])
    counts = {"groups": 2, "informative": 1, "repairs": 1, "attempts": 6, "unverified": 1}
    assert report == RolloutReport(**counts, too_long=1, rows=2, versions=(0,))
    expected = np.array([1.0, 0.0, 0.0])
    expected = (expected - expected.mean()) / expected.std()
    assert [float(row["advantages"]) for row in rows] == pytest.approx(expected[:2].tolist())
    first = rows[0]
    assert first["tokens"].tolist()[:3] == [1, 2, 3] and first["targets"].tolist()[:3] == [2, 3, 4]
    assert first["weights"].tolist() == [0, 1, 1, 0, 0, 0, 0, 0] and first["sampler_logprob"].tolist() == [0, -1, -2, 0, 0, 0, 0, 0]
    _, everything = rollout_rows(STORED, GSPOConfig(), 32)
    assert everything == RolloutReport(**counts, rows=5, versions=(0,))
    _, whole = rollout_rows(STORED, GSPOConfig(mask_truncated=True), 32)
    assert (whole.rows, whole.cut) == (4, 1)
    assert "4 rows of 6 attempts in 2 groups (1 informative, 1 of repairs), drawn by version 0; skipped: 0 too long, 1 cut" in whole.text()


def test_attempts_older_than_the_staleness_allows_are_refused_and_each_version_has_its_pass() -> None:
    versions = [4, 5, 3, 5]
    stored = [told(structs.replace(attempt([1, 2], [3 + i], float(i % 2)), policy_version=v)) for i, v in enumerate(versions)]
    for staleness, kept in ((0, (5,)), (1, (4, 5)), (2, (3, 4, 5))):
        found, report = rollout_rows(stored, GSPOConfig(staleness=staleness), 8)
        drawn_by = [versions[int(row["targets"][1]) - 3] for row in found]
        assert drawn_by == sorted(v for v in versions if v in kept) and report.versions == kept
        assert (report.groups, report.attempts, report.stale) == (1, len(drawn_by), 4 - len(drawn_by))
    for learner, stale in ((5, 2), (6, 4)):
        assert rollout_rows(stored, GSPOConfig(), 8, learner)[1].stale == stale
    with pytest.raises(InputError, match="policy_version is 4, but rollouts were drawn by version 5"):
        rollout_rows(stored, GSPOConfig(staleness=9), 8, 4)


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a stage with 24 states of 4 attempts each; an attempt is rewarded for its first token being even."""
    folder, rng = tmp_path_factory.mktemp("run") / "rollout-1", np.random.default_rng(0)
    stored = []
    for state in range(24):
        for _ in range(4):
            ids = rng.integers(1, 48, rng.integers(2, 6)).tolist()
            stored.append(told(drawn(rng, [1, 2 + state], ids)))
    store.append(folder / "trajectories", store.TRAJECTORIES, stored)
    return folder


def drawn(rng: np.random.Generator, prompt: list[int], ids: list[int]) -> Round:
    """An attempt by a policy that is somewhat more or less sure of it than fresh weights are."""
    made = attempt(prompt, ids, float(ids[0] % 2 == 0))
    return structs.replace(made, logprobs=tuple((rng.normal(-np.log(48), 0.5) + rng.normal(0, 0.2, len(ids))).tolist()))


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
        gspo=GSPOConfig(sampler_cap=1.2, sampler_mask=2.0),
        minibatches=minibatches,
        data=str(stage),
    )


def run(given: TrainingJob, folder: Path) -> tuple[TrainingJob, list[dict]]:
    made, _ = with_rows(given, folder)
    with (folder.parent / "log").open("w") as log:
        train(made, folder, ProgressConsole(Console(file=log, width=200)))
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


def test_at_its_first_use_each_rollout_batch_is_exactly_on_policy_and_its_weight_is_that_of_its_sampler(whole: Path) -> None:
    """The sampler of these rollouts is another policy, so that its weights are truncated and masked, and the log says so."""
    records = read_metrics(whole / "metrics.jsonl")
    assert [r["first_ratio"] for r in records] == [1.0] * 3
    assert all(0 < r["sampler_capped"] < 1 and 0 < r["sampler_masked"] < 1 and r["sampler_weight"] > 0 for r in records)
    log = (whole.parent / "log").read_text()
    assert "capped" in log and "masked" in log


def test_four_mini_batches_leave_the_old_policy_towards_reward(whole: Path) -> None:
    records = read_metrics(whole / "metrics.jsonl")
    assert [r["step"] for r in records] == [0, 1, 2] and all(r["ratio"] != 1.0 for r in records)
    assert all(r["sampler_gap_max"] >= r["sampler_gap"] > 0 and r["skipped"] == 0 for r in records)
    rows = list(open_rows(next(whole.glob("rollouts-*"))).all())
    assert len(rows) == 96
    assert sum(r["tokens"] for r in records) == sum((row["segment_ids"] > 0).sum() for row in rows), "each attempt is used once"
    assert_moved_towards_reward(whole)


def assert_moved_towards_reward(folder: Path) -> None:
    rows = list(open_rows(next(folder.glob("rollouts-*"))).all())
    mesh = make_mesh(MeshConfig())
    batch = {name: jax.numpy.stack([row[name] for row in rows]) for name in rows[0]}
    logprobs = make_logprob_fn(MODEL, mesh)
    after = logprobs(restore(folder / "weights", 3, abstract_params(MODEL, mesh)), batch)
    change = ((after - logprobs(init_params(MODEL, 0, mesh), batch)) * batch["weights"]).sum(-1) / batch["weights"].sum(-1)
    assert float((change * batch["advantages"]).mean()) > 0


def test_groups_of_repair_rounds_from_one_state_train(tmp_path: Path) -> None:
    """Each trajectory begins in its own way; only the second rounds have a state in common."""
    rng, stored = np.random.default_rng(1), []
    for state in range(24):
        for sample in range(4):
            ids = rng.integers(1, 48, rng.integers(2, 6)).tolist()
            first = attempt([1, 2 + state, 2 + sample], [9], 0.0)
            stored.append(told(first, drawn(rng, [1, 2 + state, 9, 9], ids)))
    store.append(tmp_path / "stage" / "trajectories", store.TRAJECTORIES, stored)
    _, report = with_rows(job(tmp_path / "stage", 4), tmp_path / "run")
    assert report is not None and report.groups == report.repairs == 24 and report.rows == report.attempts == 96
    run(job(tmp_path / "stage", 4), tmp_path / "run")
    assert_moved_towards_reward(tmp_path / "run")


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
    stored = store.read(stage / "trajectories", store.TRAJECTORIES)
    store.append(other / "trajectories", store.TRAJECTORIES, [*stored, *STORED])
    with pytest.raises(InputError, match="another configuration or other data"):
        run(replace(job(stage, 4), data=str(other)), part)


def test_what_cannot_be_trained_on_is_said(stage: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="has no rollouts"):
        run(replace(job(stage, 1), data=str(tmp_path / "empty")), tmp_path / "run")
    with pytest.raises(InputError, match=r"no attempt in .* can be trained on"):
        run(replace(job(stage, 1), seq_len=2), tmp_path / "run")
    with pytest.raises(InputError, match=r"loop\.steps is 9, which takes 288 attempts, but one pass over .* has 96; set loop\.steps=3"):
        run(replace(job(stage, 4), loop=LoopConfig(steps=9)), tmp_path / "run")
    with pytest.raises(InputError, match="give more rollouts"):
        run(replace(job(stage, 16), loop=LoopConfig(steps=1)), tmp_path / "run")
    with pytest.raises(InputError, match=r"gspo\.sampler_cap is None but loop\.steps is 3"):
        run(replace(job(stage, 4), gspo=GSPOConfig()), tmp_path / "run")
    with pytest.raises(InputError, match=r"gspo\.sampler_cap is None but gspo\.staleness is 1"):
        run(replace(job(stage, 4), loop=LoopConfig(steps=1), gspo=GSPOConfig(staleness=1)), tmp_path / "run")
    assert with_rows(replace(job(stage, 4), loop=LoopConfig(steps=1), gspo=GSPOConfig()), tmp_path / "run")[1] is not None  # on policy
    with pytest.raises(ValueError, match="temperature is 0"):
        replace(job(stage, 1), temperature=0.0)
    with pytest.raises(InputError, match="has no reference policy"):
        run(replace(job(stage, 1), gspo=GSPOConfig(sampler_cap=2.0, kl="k2_loss", kl_weight=0.1)), tmp_path / "run")


def test_rollouts_that_are_added_to_a_folder_make_other_rows(stage: Path, tmp_path: Path) -> None:
    mine = Path(shutil.copytree(stage, tmp_path / "stage"))
    one, again = (with_rows(job(mine, 4), tmp_path)[0].data for _ in range(2))
    store.append(mine / "trajectories", store.TRAJECTORIES, STORED)
    more, report = with_rows(job(mine, 4), tmp_path)
    assert one == again != more.data and report is not None and report.attempts == 96 + 7  # the lone attempt of before finds its like


def test_no_process_waits_for_rows_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "stage").mkdir()
    with joined([sys.executable, "-c", REFUSED, str(tmp_path), str(Path(__file__).parent)]) as processes:
        said = [process.communicate(timeout=90) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert all("has no rollouts" in out for out, _ in said), said


def test_the_other_processes_wait_for_the_rows_however_long_they_take(stage: Path, tmp_path: Path) -> None:
    """No collective operation is in progress meanwhile: it would fail after half a minute."""
    code = WAITING.replace("SECONDS", "2")
    with joined([sys.executable, "-c", code, str(stage), str(tmp_path), str(Path(__file__).parent)]) as processes:
        said = [process.communicate(timeout=90) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], said
    assert "made 96\n96\n" in said[0][0] and "made" not in said[1][0] and "96\n" in said[1][0], said


WAITING = """
import sys, time
from pathlib import Path
import jax
jax.config.update("jax_platforms", "cpu")
from oprover_jax.training.distributed import initialize
initialize(timeout=60)
sys.path.append(sys.argv[3])
from test_rollout_rows import job
from jax.experimental import multihost_utils
from oprover_jax.training import rollout_rows
make = rollout_rows.rollout_rows
def slowly(*arguments):
    time.sleep(SECONDS)
    made, report = make(*arguments)
    print("made", report.rows)
    return made, report
rollout_rows.rollout_rows = slowly
given, report = rollout_rows.with_rows(job(Path(sys.argv[1]), 4), Path(sys.argv[2]))
print(report.rows)
"""

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
from oprover_jax.training.rollout_rows import with_rows
folder = Path(sys.argv[1])
try:
    with_rows(job(folder / "stage", 4), folder)
except InputError as error:
    print(error)
"""
