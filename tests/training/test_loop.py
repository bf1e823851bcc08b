import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import crash
import jax
import numpy as np
import pytest
from tiny import CONFIG, attempts, on, padded, weights

from oprover_jax.data.loader import Batch, from_rows
from oprover_jax.data.rows import pad_row
from oprover_jax.errors import InputError
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.training.checkpoint import latest
from oprover_jax.training.loop import LoopConfig, TrainingFailed, fingerprint, run, stop_on_sigterm
from oprover_jax.training.metrics import read_metrics
from oprover_jax.training.objectives import cross_entropy
from oprover_jax.training.optimizer import OptimizerConfig, learning_rate, make_optimizer
from oprover_jax.training.step import TrainState, TrainStep, init_state, make_train_step

SETTINGS = OptimizerConfig(warmup_steps=2)
OPTIMIZER = make_optimizer(SETTINGS)
MESH = make_mesh(MeshConfig(fsdp=2))


@pytest.fixture(scope="module")
def train_step() -> TrainStep:
    return make_train_step(cross_entropy(CONFIG), OPTIMIZER, MESH)


def fresh() -> TrainState:
    return init_state(weights(mesh=MESH), OPTIMIZER, MESH)


def batches(start: int) -> Iterator[Batch]:
    return from_rows([pad_row(example, 16) for example in attempts(10)], 4, seed=1).stream(MESH, start)


def train(folder: Path, train_step: TrainStep, steps: int = 8, **options: object) -> TrainState:
    config = LoopConfig(steps, **{name: options.pop(name) for name in ("save_every_seconds", "max_skipped") if name in options})
    return run(folder, config, fresh(), train_step, options.pop("batches", batches), lambda n: learning_rate(SETTINGS, n, 8), **options)


def curve(folder: Path) -> list[tuple[int, float, float]]:
    return [(r["step"], r["loss"], r["learning_rate"]) for r in read_metrics(folder / "metrics.jsonl")]


def stop_at(step: int) -> tuple[threading.Event, Callable[..., None]]:
    stop = threading.Event()
    return stop, lambda done, *_: stop.set() if done == step else None


def test_a_stopped_run_goes_on_with_the_same_curve(tmp_path: Path, train_step: TrainStep) -> None:
    whole = train(tmp_path / "whole", train_step)
    stop, on_progress = stop_at(3)
    part = train(tmp_path / "part", train_step, stop=stop, on_progress=on_progress)
    assert int(part.step) == latest(tmp_path / "part" / "checkpoints") == 4  # the step in flight when it was told
    rest = train(tmp_path / "part", train_step)
    assert int(rest.step) == 8
    assert curve(tmp_path / "part") == curve(tmp_path / "whole")
    assert [step for step, *_ in curve(tmp_path / "whole")] == list(range(8))
    jax.tree.map(np.testing.assert_array_equal, jax.tree.map(np.asarray, whole), jax.tree.map(np.asarray, rest))
    starts = [json.loads(line) for line in (tmp_path / "part" / "goodput.jsonl").read_text().splitlines()]
    assert [(s["from"], s["to"]) for s in starts] == [(0, 4), (4, 8)]
    assert all(s[kind] >= 0 for s in starts for kind in ("compile", "data", "step", "checkpoint", "other", "total"))


def test_a_finished_run_returns_at_once(tmp_path: Path, train_step: TrainStep) -> None:
    done = train(tmp_path, train_step, 2)
    again = train(tmp_path, train_step, 2, batches=lambda start: pytest.fail("nothing is left to read"))
    jax.tree.map(np.testing.assert_array_equal, jax.tree.map(np.asarray, done), jax.tree.map(np.asarray, again))


def test_a_checkpoint_of_another_configuration_is_refused(tmp_path: Path, train_step: TrainStep) -> None:
    assert fingerprint(SETTINGS, 1) == fingerprint(OptimizerConfig(warmup_steps=2), 1) != fingerprint(SETTINGS, 2)
    train(tmp_path, train_step, 1, identity=fingerprint(SETTINGS, 1))
    before = (tmp_path / "metrics.jsonl").read_bytes()
    with pytest.raises(InputError, match="made with another configuration"):
        train(tmp_path, train_step, 2, identity=fingerprint(SETTINGS, 2))
    assert (tmp_path / "metrics.jsonl").read_bytes() == before and latest(tmp_path / "checkpoints") == 1


def test_saving_in_the_background_keeps_the_state_of_its_step(tmp_path: Path, train_step: TrainStep) -> None:
    """The state is donated right after the save has begun, and what is saved must not change with it."""
    train(tmp_path / "often", train_step, 8, save_every_seconds=1e-9)
    train(tmp_path / "once", train_step, 7)
    stop, on_progress = stop_at(6)
    train(tmp_path / "cut", train_step, 8, save_every_seconds=1e-9, stop=stop, on_progress=on_progress)
    assert train(tmp_path / "cut", train_step, 8).step == 8
    assert curve(tmp_path / "cut") == curve(tmp_path / "often")


def test_skipped_steps_in_a_row_end_the_run(tmp_path: Path, train_step: TrainStep) -> None:
    broken = padded(attempts(4))
    broken["weights"] = np.where(broken["weights"] > 0, np.float32(np.nan), 0)

    def poisoned(start: int) -> Iterator[Batch]:
        for step in range(start, 100):
            yield on(MESH, broken if step >= 2 else padded(attempts(4)))

    with pytest.raises(TrainingFailed, match="4 steps in a row, up to step 5"):
        train(tmp_path, train_step, 8, batches=poisoned, max_skipped=3)
    assert [r["loss"] is None for r in read_metrics(tmp_path / "metrics.jsonl")] == [False, False, True, True, True, True]


def test_sigterm_sets_the_flag_and_the_handler_goes_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_on_sigterm() as stop:
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.wait(5)
    assert signal.getsignal(signal.SIGTERM) is before


def start(folder: Path, devices: int, pause: float) -> subprocess.Popen[bytes]:
    program = Path(__file__).with_name("crash.py")
    return subprocess.Popen([sys.executable, str(program), str(folder), str(devices), str(pause)])


def test_killed_in_the_middle_and_resumed_on_other_devices(tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    killed.mkdir()
    crash.train(tmp_path / "whole", fsdp=1)
    process = start(killed, 1, pause=0.2)
    while (latest(killed / "checkpoints") or 0) < 5 and process.poll() is None:
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    resumed_from = latest(killed / "checkpoints")
    assert resumed_from is not None and 5 <= resumed_from < crash.STEPS
    crash.train(killed, fsdp=8)
    whole, killed_run = (read_metrics(folder / "metrics.jsonl") for folder in (tmp_path / "whole", killed))
    assert [r["step"] for r in killed_run] == list(range(crash.STEPS))
    for name in ("loss", "learning_rate", "gradient_norm", "tokens"):
        np.testing.assert_allclose([r[name] for r in killed_run], [r[name] for r in whole], rtol=2e-4)
    assert whole[-1]["loss"] < whole[0]["loss"] - 0.05
