"""Loggers besides metrics.jsonl: TensorBoard and Weights & Biases, each in an extra of its own."""

import importlib
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from oprover_jax.errors import InputError

__all__ = ["LOGGERS", "Write", "check_loggers"]

Write = Callable[[int, Mapping[str, float]], None]
Logger = Callable[[Path, int, Mapping[str, Any]], AbstractContextManager[Write]]


@contextmanager
def _tensorboard(folder: Path, start_step: int, about: Mapping[str, Any]) -> Iterator[Write]:
    """Write event files to `folder`/tensorboard, hiding what an earlier start wrote from `start_step` on."""
    writer = _module("tensorboard").SummaryWriter(str(folder / "tensorboard"), purge_step=start_step, filename_suffix=f".{start_step}")

    def write(step: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            writer.add_scalar(name, value, step)

    try:
        yield write
    finally:
        writer.close()


@contextmanager
def _wandb(folder: Path, start_step: int, about: Mapping[str, Any]) -> Iterator[Write]:
    """Log to one W&B run per run folder, resumed by the id in `folder`/wandb_id. WANDB_MODE=offline keeps all in `folder`/wandb."""
    wandb = _module("wandb")
    known = folder / "wandb_id"
    if not known.exists():
        known.write_text(uuid.uuid4().hex[:12], encoding="utf-8")
    run_id, name = known.read_text(encoding="utf-8"), folder.resolve().name
    run = wandb.init(project="oprover", id=run_id, name=name, dir=str(folder), resume="allow", config=dict(about))
    run.define_metric("*", step_metric="train_step")  # W&B's own step only grows, but a resumed run repeats steps
    try:
        yield lambda step, values: run.log({"train_step": step, **values})
    finally:
        run.finish()


LOGGERS: dict[str, Logger] = {"tensorboard": _tensorboard, "wandb": _wandb}
_MODULES = {"tensorboard": "tensorboardX", "wandb": "wandb"}


def check_loggers(names: tuple[str, ...]) -> None:
    """Raise InputError for a logger whose extra is not installed."""
    for name in names:
        _module(name)


def _module(name: str) -> Any:
    try:
        return importlib.import_module(_MODULES[name])
    except ImportError as error:
        raise InputError(f"logger {name!r} needs {_MODULES[name]}; install it with pip install 'oprover_jax[{name}]'") from error
