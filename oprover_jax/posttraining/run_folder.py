"""Run folder: configuration, finished stages and their summaries.

run.json            format version and name
config.json         configuration of the experiment, without where and how fast its Lean runs
lean.json           how Lean was reached last, and which Lean the run's verdicts come from
stages/<name>/      files of a stage (metrics.jsonl, checkpoints, trajectories, proofs, weights); `done.json` (seconds, summary) is
                    written last and marks the stage as finished
report.json, report.html
"""

import dataclasses
from pathlib import Path
from typing import Any

import msgspec

from lean_worker.lean_config import LeanConfig
from lean_worker.protocol import LeanDescription
from oprover_jax.configuration import decode_path
from oprover_jax.errors import InputError
from oprover_jax.files import remove_leftovers, replacing
from oprover_jax.posttraining.experiment import EngineConfig, Experiment

FORMAT = 4


class Header(msgspec.Struct, frozen=True):
    """Contents of run.json."""

    format: int
    name: str


class Done(msgspec.Struct, frozen=True):
    """Finished stage: wall-clock seconds over all its starts, and its summary."""

    seconds: float
    summary: dict[str, Any]


class LeanIdentity(msgspec.Struct, frozen=True):
    """What the verdicts of a run depend on: versions of Lean and its library, modules imported by default, limit in heartbeats."""

    lean: str
    library: str
    imports: tuple[str, ...]
    heartbeats: int


class Cluster(msgspec.Struct, frozen=True):
    """Contents of cluster.json: who checks and who samples for a run, and what its verdicts depend on, None before the first check."""

    lean: LeanConfig
    engine: EngineConfig
    identity: LeanIdentity | None = None


def write_atomic(path: Path, data: bytes) -> None:
    """Write a file atomically; create its folder if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_bytes(data)


class RunFolder:
    """Run folder, made by `begin_run` or opened by `open_run`."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def claim_lean(self, config: LeanConfig, about: LeanDescription) -> None:
        """Record which Lean the run's verdicts come from, and how it is reached now.

        Raises:
          InputError: The run has verdicts of another Lean, library or limit.
        """
        identity = LeanIdentity(about.lean, about.library, about.imports, about.heartbeats)
        known = read_cluster(self.path)
        assert known is not None  # written when the run was begun
        before = known.identity or identity
        for name in LeanIdentity.__struct_fields__:
            old, new = getattr(before, name), getattr(identity, name)
            if old != new:
                raise InputError(
                    f"lean: {name} is {new!r} but the verdicts of {self.path} come from {old!r}; select that Lean or give a new --run"
                )
        if known != (now := Cluster(config, known.engine, identity)):
            _write_cluster(self.path, now)

    def stage(self, name: str) -> Path:
        """Return the folder of a stage; create it if needed."""
        folder = self.path / "stages" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def done(self, name: str) -> Done | None:
        """Return the result of a stage, or None if it is not finished."""
        marker = self.path / "stages" / name / "done.json"
        return msgspec.json.decode(marker.read_bytes(), type=Done) if marker.exists() else None

    def finish(self, name: str, seconds: float, summary: dict[str, Any]) -> None:
        """Mark a stage as finished; call it last."""
        write_atomic(self.stage(name) / "done.json", msgspec.json.encode(Done(seconds, summary)))


def begin_run(path: Path, name: str, config: Experiment) -> RunFolder:
    """Create a run folder, or open it to resume the run.

    A run may move to other workers, services and servers, so the configurations of its Lean and its engine may differ between starts.

    Raises:
      InputError: The folder has another format or configuration; nothing in it is changed.
    """
    values = msgspec.to_builtins(config, enc_hook=str)
    values |= {"lean": {"tier": config.lean.tier}, "engine": {"max_len": config.engine.max_len}}
    del values["guard"], values["loggers"]
    encoded = msgspec.json.format(msgspec.json.encode(values), indent=2)
    if path.exists() and any(path.iterdir()):
        _check_same(path, encoded)
        remove_leftovers(path)
    else:
        write_atomic(path / "config.json", encoded)
        write_atomic(path / "run.json", msgspec.json.encode(Header(FORMAT, name)))
    known = read_cluster(path)
    if known is None or known.engine != config.engine:
        _write_cluster(path, Cluster(known.lean if known else config.lean, config.engine, known.identity if known else None))
    return RunFolder(path)


def read_header(path: Path) -> Header:
    """Return the header of an existing run folder; raise InputError if it has another format."""
    try:
        header = msgspec.json.decode((path / "run.json").read_bytes(), type=Header)
    except FileNotFoundError as error:
        raise InputError(
            f"--run: {path} is not a run folder (it has no run.json); give a new folder or one created by `oprover iterate`"
        ) from error
    except msgspec.DecodeError as error:
        raise InputError(f"--run: {path / 'run.json'} cannot be read ({error}); give a folder created by `oprover iterate`") from error
    if header.format != FORMAT:
        raise InputError(f"--run: {path} has run format {header.format} but this version reads {FORMAT}; start a new run in another folder")
    return header


def read_cluster(path: Path) -> Cluster | None:
    """Return the contents of cluster.json, or None without that file; raise InputError if it cannot be read."""
    file = path / "cluster.json"
    try:
        return msgspec.json.decode(file.read_bytes(), type=Cluster, dec_hook=decode_path)
    except FileNotFoundError:
        return None
    except (msgspec.DecodeError, ValueError) as error:
        raise InputError(f"--run: {file} cannot be read ({error}); remove it, and the next start writes it again") from error


def _write_cluster(path: Path, cluster: Cluster) -> None:
    write_atomic(path / "cluster.json", msgspec.json.format(msgspec.json.encode(cluster, enc_hook=str), indent=2))


def _check_same(path: Path, config: bytes) -> None:
    read_header(path)
    started, given = msgspec.json.decode((path / "config.json").read_bytes()), msgspec.json.decode(config)
    if started != given:
        changed = _first_difference(started, given)
        raise InputError(f"--run: {path} was started with another configuration ({changed}); give a new folder or undo the change")


def _first_difference(old: Any, new: Any, where: str = "") -> str:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(k for k in new if k not in old)]:
            if old.get(key) != new.get(key):
                return _first_difference(old.get(key), new.get(key), f"{where}.{key}" if where else key)
    return f"{where or 'configuration'} was {old} and is {new}"


def open_run(path: Path) -> tuple[RunFolder, Experiment]:
    """Open an existing run to read it, and return it with its configuration.

    Its Lean is reached as it was last. Its engine is one in this process, because servers of the run may be gone or serve something else.

    Raises:
      InputError: The folder is not a run folder or was written by another version.
    """
    read_header(path)
    try:
        config = msgspec.json.decode((path / "config.json").read_bytes(), type=Experiment, dec_hook=decode_path)
    except (OSError, msgspec.DecodeError, ValueError) as error:
        raise InputError(
            f"--run: {path / 'config.json'} does not match this version ({error}); start a new run in another folder"
        ) from error
    known = read_cluster(path)
    if known is not None:
        config = dataclasses.replace(config, lean=known.lean, engine=dataclasses.replace(known.engine, urls=(), key_file=None))
    return RunFolder(path), config
