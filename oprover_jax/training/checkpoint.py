"""Checkpoints of the train state through Orbax: asynchronous, atomic, restored onto any mesh and any number of hosts.

A checkpoint is one folder `<step>` with the sharded arrays and, committed with them, a small JSON object with everything else needed to
resume (seed, hash of the configuration, time ledger). The data position is the step itself.
"""

from pathlib import Path
from types import TracebackType
from typing import Any

import jax
from orbax.checkpoint import v1 as ocp

from oprover_jax.errors import InputError

__all__ = ["Checkpoints", "latest", "read_extra", "restore", "save"]

_COMMITTED = ("_CHECKPOINT_METADATA", "commit_success.txt", "state/_METADATA", "state/commit_success.txt")
_REMEDY = "use the configuration that it was made with"


class Checkpoints:
    """Checkpoints of one folder. The newest `keep` are kept, and permanently those of steps that are multiples of `keep_every`
    (0: none). A context manager; exit waits for the last save."""

    def __init__(self, directory: Path, keep: int = 2, keep_every: int = 0) -> None:
        if keep < 1 or keep_every < 0:
            raise ValueError(f"keep is {keep} and keep_every {keep_every}; keep at least the newest checkpoint")
        directory.mkdir(parents=True, exist_ok=True)
        self._directory = directory
        policies = ocp.training.preservation_policies
        staying = [policies.LatestN(keep), *([policies.EveryNSteps(keep_every)] if keep_every else [])]
        self._inner = ocp.training.Checkpointer(
            str(directory.absolute()), preservation_policy=policies.AnyPreservationPolicy(staying), cleanup_tmp_directories=True
        )

    def __enter__(self) -> "Checkpoints":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._inner.close()

    def save(self, step: int, state: Any, extra: dict[str, Any]) -> None:
        """Start saving and return once the arrays are copied: `state` may then be donated. Waits for a save still in progress.

        A torn checkpoint of the same step is replaced. Errors of the previous background save are raised here.
        """
        self._inner.wait()
        self._inner.save_async(step, state, force=True, overwrite=(self._directory / str(step)).exists(), custom_metadata=extra)

    def wait(self) -> None:
        """Wait until the last save is on disk; raise its error, if any."""
        self._inner.wait()


def save(directory: Path, step: int, state: Any, extra: dict[str, Any]) -> None:
    """Save and wait: for a single checkpoint outside a loop."""
    with Checkpoints(directory) as checkpoints:
        checkpoints.save(step, state, extra)


def latest(directory: Path) -> int | None:
    """Return the step of the newest complete checkpoint, or None. Folders without commit marks are skipped."""
    if not directory.is_dir():
        return None
    whole = (path for path in directory.iterdir() if path.name.isdecimal() and all((path / mark).is_file() for mark in _COMMITTED))
    return max((int(path.name) for path in whole), default=None)


def restore(directory: Path, step: int, abstract_state: Any) -> Any:
    """Return the state saved at `step`, laid out like `abstract_state` (a tree of arrays or ShapeDtypeStructs with shardings, any mesh).

    Raises InputError, naming the folder, if the tree or a shape differs from what was saved, or if the arrays cannot be read.
    """
    path = directory / str(step)
    abstract = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), abstract_state)
    _check_shapes(path, abstract)
    try:
        return ocp.load(str(path.absolute()), abstract)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"checkpoint {path} cannot be read ({reason}); delete that folder to resume from an older one") from error


def read_extra(directory: Path, step: int) -> dict[str, Any]:
    """Return the JSON object saved with the state."""
    extra = ocp.metadata(str((directory / str(step)).absolute())).custom_metadata
    return dict(extra) if isinstance(extra, dict) else {}


def _check_shapes(path: Path, abstract: Any) -> None:
    saved = {_name(key): leaf for key, leaf in jax.tree_util.tree_leaves_with_path(ocp.metadata(str(path.absolute())).metadata)}
    for key, leaf in jax.tree_util.tree_leaves_with_path(abstract):
        stored = saved.pop(_name(key), None)
        shape = None if stored is None else tuple(stored.shape or ())
        if shape != leaf.shape:
            fault = f"has shape {list(shape)}" if shape is not None else "is missing"
            raise InputError(f"checkpoint {path}: {_name(key)} {fault}, expected {list(leaf.shape)}; {_REMEDY}")
    if saved:
        raise InputError(f"checkpoint {path} has {min(saved)}, which the model lacks; {_REMEDY}")


def _name(path: tuple[Any, ...]) -> str:
    """Return the dotted name of a leaf, the same for the requested tree and the one that Orbax describes."""
    parts = [getattr(entry, "key", getattr(entry, "name", getattr(entry, "idx", None))) for entry in path]
    return ".".join(map(str, parts))
