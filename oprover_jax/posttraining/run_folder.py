"""The folder of one run: its configuration, which stages are done, and what they reported.

run.json            format version, name and configuration hash
config.json         the whole configuration
stages/<name>/      what a stage wrote (metrics.jsonl, checkpoints, trajectories, proofs, weights); `done.json` (seconds,
                    summary) is written last, so a stage is done or it is not
report.json, report.html
"""

from pathlib import Path
from typing import Any, TypeVar

import msgspec

from oprover_jax.errors import InputError
from oprover_jax.files import remove_leftovers, replacing

FORMAT = 2

Config = TypeVar("Config")


class Header(msgspec.Struct, frozen=True):
    """First thing read of a run folder."""

    format: int
    name: str


class Done(msgspec.Struct, frozen=True):
    """A finished stage: wall-clock seconds over all its starts, and the figures that it reports."""

    seconds: float
    summary: dict[str, Any]


def write_atomic(path: Path, data: bytes) -> None:
    """Whole file or no file; the folder is made if it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


class RunFolder:
    """Opens a run folder, or makes it; refuses one of another format or another configuration and touches nothing in it."""

    def __init__(self, path: Path, name: str, config: Any) -> None:
        self.path = path
        encoded = msgspec.json.format(msgspec.json.encode(config), indent=2)
        header = Header(FORMAT, name)
        if path.exists() and any(path.iterdir()):
            _check_same(path, encoded)
            remove_leftovers(path)
        else:
            write_atomic(path / "config.json", encoded)
            write_atomic(path / "run.json", msgspec.json.encode(header))

    def stage(self, name: str) -> Path:
        """The folder of a stage, made if it is not there."""
        folder = self.path / "stages" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def done(self, name: str) -> Done | None:
        """What the stage reported, or None if it has not finished."""
        marker = self.path / "stages" / name / "done.json"
        return msgspec.json.decode(marker.read_bytes(), type=Done) if marker.exists() else None

    def finish(self, name: str, seconds: float, summary: dict[str, Any]) -> None:
        """Marks the stage as done: the last thing it does."""
        write_atomic(self.stage(name) / "done.json", msgspec.json.encode(Done(seconds, summary)))


def read_header(path: Path) -> Header:
    """Return the header of an existing run folder. Raises InputError for one of another format."""
    try:
        header = msgspec.json.decode((path / "run.json").read_bytes(), type=Header)
    except FileNotFoundError as error:
        raise InputError(f"{path} is no run folder (it has no run.json); give a new one, or one that `oprover iterate` made") from error
    except msgspec.DecodeError as error:
        raise InputError(f"{path / 'run.json'} cannot be read ({error}); the folder was not written by this program") from error
    if header.format != FORMAT:
        raise InputError(
            f"{path} was written in run format {header.format} and this version reads {FORMAT}; start a new run with another --run"
        )
    return header


def _check_same(path: Path, config: bytes) -> None:
    read_header(path)
    started, given = msgspec.json.decode((path / "config.json").read_bytes()), msgspec.json.decode(config)
    if started != given:
        changed = _first_difference(started, given)
        raise InputError(f"{path} was started with another configuration ({changed}); give a new --run folder or undo the change")


def _first_difference(old: Any, new: Any, where: str = "") -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            if old.get(key) != new.get(key):
                return _first_difference(old.get(key), new.get(key), f"{where}.{key}" if where else key)
    return f"{where or 'configuration'} was {old} and is {new}"


def open_run(path: Path, kind: type[Config]) -> tuple[RunFolder, Config]:
    """An existing run with the configuration that it was made with.

    Raises:
      InputError: for a folder that is no run, or was written by another version.
    """
    header = read_header(path)
    try:
        config = msgspec.json.decode((path / "config.json").read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise InputError(f"{path / 'config.json'} does not fit this version ({error}); start a new run with another --run") from error
    return RunFolder(path, header.name, config), config
