"""TensorBoard's files are read back; W&B, which is heavy, is tried by `make test-wandb`."""

import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oprover_jax.errors import InputError
from oprover_jax.training.loggers import LOGGERS, check_loggers
from oprover_jax.training.loop import LoopConfig


def scalars(folder: Path) -> Iterator[tuple[int, str, float]]:
    """(step, name, value) of the event files of a folder, oldest file first. A record is its length, a checksum, an event, a checksum."""
    from tensorboardX.proto.event_pb2 import Event

    for path in sorted(folder.glob("events.*"), key=lambda path: path.stat().st_mtime_ns):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            event = Event.FromString(data[12 : 12 + length])
            data = data[16 + length :]
            yield from ((event.step, value.tag, value.simple_value) for value in event.summary.value)


def test_tensorboard_gets_every_metric(tmp_path: Path) -> None:
    with LOGGERS["tensorboard"](tmp_path, 0, {}) as write:
        write(0, {"loss": 2.0, "mfu": 0.5})
        write(1, {"loss": 1.5})
    with LOGGERS["tensorboard"](tmp_path, 1, {}) as write:  # taken up again after a kill
        write(1, {"loss": 1.25})
    found = list(scalars(tmp_path / "tensorboard"))
    assert found == [(0, "loss", 2.0), (0, "mfu", 0.5), (1, "loss", 1.5), (1, "loss", 1.25)]


@pytest.mark.parametrize(("name", "module"), [("tensorboard", "tensorboardX"), ("wandb", "wandb")])
def test_a_missing_extra_is_named(name: str, module: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, module, None)  # what makes an import fail
    with pytest.raises(InputError, match=rf"'{name}' needs {module}; install it with pip install 'oprover_jax\[{name}\]'"):
        check_loggers((name,))


def test_an_unknown_logger_is_refused() -> None:
    settings: Any = {"steps": 1, "loggers": ("tensorbord",)}
    with pytest.raises(ValueError, match="loggers holds 'tensorbord'; choose from tensorboard, wandb"):
        LoopConfig(**settings)
