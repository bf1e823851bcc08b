import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jax
import numpy as np
import pytest
from tiny import CONFIG, attempts, on, padded, weights

from oprover_jax.data.loader import Batch, from_rows
from oprover_jax.data.rows import pad_row
from oprover_jax.errors import InputError, TrainingFailed
from oprover_jax.models.qwen3 import Params
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.training.checkpoint import latest, read_extra
from oprover_jax.training.loop import LoopConfig, fingerprint, run, stop_on_signals
from oprover_jax.training.metrics import Goodput, read_metrics
from oprover_jax.training.objectives import cross_entropy
from oprover_jax.training.optimizer import OptimizerConfig, learning_rate, make_optimizer
from oprover_jax.training.step import TrainState, TrainStep, init_state, make_train_step

pytestmark = pytest.mark.slow

SETTINGS = OptimizerConfig(warmup_steps=2)
OPTIMIZER = make_optimizer(SETTINGS)
MESH = make_mesh(MeshConfig(fsdp=2))
LOOP_OPTIONS = ("save_every_seconds", "max_skipped", "keep_every", "evaluate_every")


@pytest.fixture(scope="module")
def train_step() -> TrainStep:
    return make_train_step(cross_entropy(CONFIG), OPTIMIZER, MESH)


def fresh() -> TrainState:
    return init_state(weights(mesh=MESH), OPTIMIZER, MESH)


def batches(start: int) -> Iterator[Batch]:
    return from_rows([pad_row(example, 16) for example in attempts(10)], 4, seed=1).stream(MESH, start)


def train(folder: Path, train_step: TrainStep, steps: int = 8, **options: object) -> TrainState:
    config = LoopConfig(steps, **{name: options.pop(name) for name in LOOP_OPTIONS if name in options})
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

    with pytest.raises(TrainingFailed, match="4 steps in a row were skipped, up to step 5"):
        train(tmp_path / "whole", train_step, 8, batches=poisoned, max_skipped=3)
    assert [r["loss"] is None for r in read_metrics(tmp_path / "whole" / "metrics.jsonl")] == [False, False, True, True, True, True]
    stop, on_progress = stop_at(3)  # a resumed run counts on where the stopped one was
    train(tmp_path / "part", train_step, 8, batches=poisoned, max_skipped=3, stop=stop, on_progress=on_progress)
    assert latest(tmp_path / "part" / "checkpoints") == 4
    with pytest.raises(TrainingFailed, match="4 steps in a row were skipped, up to step 5"):
        train(tmp_path / "part", train_step, 8, batches=poisoned, max_skipped=3)


def test_steps_lost_to_a_kill_are_counted(tmp_path: Path, train_step: TrainStep) -> None:
    class Killed(BaseException):
        pass

    def killed_at_6(done: int, *_: object) -> None:
        if done == 6:
            raise Killed

    with pytest.raises(Killed):
        train(tmp_path, train_step, keep_every=4, on_progress=killed_at_6)
    lost = [r["seconds"] for r in read_metrics(tmp_path / "metrics.jsonl")][4:]
    before = read_extra(tmp_path / "checkpoints", 4)["goodput"]
    assert len(lost) == 2
    train(tmp_path, train_step, keep_every=4)
    ledger = json.loads((tmp_path / "goodput.json").read_text())
    assert ledger["lost"] == pytest.approx(sum(lost)) and before["lost"] == 0
    assert all(ledger[kind] >= before[kind] >= 0 for kind in ledger) and ledger["step"] > before["step"] > 0
    assert set(ledger) == set(Goodput.KINDS)
    assert sorted(int(p.name) for p in (tmp_path / "checkpoints").iterdir()) == [4, 8]


def test_evaluation_is_among_the_metrics_of_its_step(tmp_path: Path, train_step: TrainStep) -> None:
    scored: list[int] = []

    def evaluate(params: Params) -> dict[str, float]:
        scored.append(len(scored))
        return {"held_out_loss": float(np.abs(params["embedding"]).sum())}

    state = train(tmp_path, train_step, evaluate=evaluate, evaluate_every=3)
    records = read_metrics(tmp_path / "metrics.jsonl")
    assert [r["step"] for r in records] == list(range(8))
    assert [r["step"] for r in records if "held_out_loss" in r] == [2, 5, 7]
    assert records[7]["held_out_loss"] == float(np.abs(state.params["embedding"]).sum())


def test_a_touched_file_traces_the_next_steps(tmp_path: Path, train_step: TrainStep) -> None:
    train(tmp_path, train_step, on_progress=lambda done, *_: (tmp_path / "profile").touch() if done == 2 else None)
    assert not (tmp_path / "profile").exists()
    assert [path.name for path in (tmp_path / "profiles").iterdir()] == ["step-3"]
    assert list((tmp_path / "profiles" / "step-3").rglob("*.xplane.pb"))


def test_a_run_may_be_in_another_thread_which_has_no_handlers(tmp_path: Path, train_step: TrainStep) -> None:
    """As under Ray Train; whoever runs the thread stops it by the event."""
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    steps: list[int] = []

    def work() -> None:
        with stop_on_signals() as stop:
            assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
            on_progress = lambda done, *_: stop.set() if done == 2 else None  # noqa: E731
            steps.append(int(train(tmp_path, train_step, stop=stop, on_progress=on_progress).step))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert steps == [3]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_set_the_flag_and_the_handlers_go_back(number: int) -> None:
    before = signal.getsignal(number)
    with stop_on_signals() as stop:
        os.kill(os.getpid(), number)
        assert stop.wait(5)
        if number == signal.SIGINT:
            with pytest.raises(KeyboardInterrupt):
                os.kill(os.getpid(), number)
                time.sleep(5)
    assert signal.getsignal(number) is before
