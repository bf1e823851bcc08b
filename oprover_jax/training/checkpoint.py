"""Checkpoints of the train state through Orbax: asynchronous, atomic, restored onto any mesh and any number of hosts.

A checkpoint is one folder `<step>` with the sharded arrays and, committed with them, a small JSON object of what else is
needed to go on (seed, hash of the configuration, where the time went). The data position is the step itself.
"""

from pathlib import Path
from types import TracebackType
from typing import Any

import jax
from orbax.checkpoint import v1 as ocp

from oprover_jax.errors import InputError

__all__ = ["Checkpoints", "latest", "read_extra", "restore", "save"]

_COMMITTED = ("_CHECKPOINT_METADATA", "commit_success.txt", "state/_METADATA", "state/commit_success.txt")
_REMEDY = "use the configuration it was made with"


class Checkpoints:
    """The checkpoints of one folder, of which the newest `keep` stay, and for good those of steps that are multiples of `keep_every`
    (0: none). A context manager; leaving it waits for the last save."""

    def __init__(self, directory: Path, keep: int = 2, keep_every: int = 0) -> None:
        if keep < 1 or keep_every < 0:
            raise ValueError(f"keep is {keep} and keep_every {keep_every}; at least the newest checkpoint must stay")
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
        """Starts saving and returns once the arrays are copied: `state` may then be donated. Waits for a save still going on.

        A torn checkpoint of the same step is replaced. Errors of the previous background save are raised here.
        """
        self._inner.wait()
        self._inner.save_async(step, state, force=True, overwrite=(self._directory / str(step)).exists(), custom_metadata=extra)

    def wait(self) -> None:
        """Until the last save is on disk; raises what it raised."""
        self._inner.wait()


def save(directory: Path, step: int, state: Any, extra: dict[str, Any]) -> None:
    """Saves and waits: for a single checkpoint outside a loop."""
    with Checkpoints(directory) as checkpoints:
        checkpoints.save(step, state, extra)


def latest(directory: Path) -> int | None:
    """The newest whole checkpoint's step, or None. A folder whose commit marks are missing is passed over."""
    if not directory.is_dir():
        return None
    whole = (path for path in directory.iterdir() if path.name.isdecimal() and all((path / mark).is_file() for mark in _COMMITTED))
    return max((int(path.name) for path in whole), default=None)


def restore(directory: Path, step: int, abstract_state: Any) -> Any:
    """The state saved at `step`, laid out as `abstract_state` asks (a tree of arrays or ShapeDtypeStructs with shardings, any mesh).

    Raises InputError if the tree or a shape differs from what was saved, naming the folder, and if the arrays cannot be read.
    """
    path = directory / str(step)
    wanted = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=x.sharding), abstract_state)
    _check_shapes(path, wanted)
    try:
        return ocp.load(str(path.absolute()), wanted)
    except (ValueError, OSError, KeyError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError(f"checkpoint {path} cannot be read ({reason}); delete that folder to go on from an older one") from error


def read_extra(directory: Path, step: int) -> dict[str, Any]:
    """The JSON object saved beside the state."""
    found = ocp.metadata(str((directory / str(step)).absolute())).custom_metadata
    return dict(found) if isinstance(found, dict) else {}


def _check_shapes(path: Path, wanted: Any) -> None:
    saved = {_name(key): leaf for key, leaf in jax.tree_util.tree_leaves_with_path(ocp.metadata(str(path.absolute())).metadata)}
    for key, leaf in jax.tree_util.tree_leaves_with_path(wanted):
        found = saved.pop(_name(key), None)
        shape = None if found is None else tuple(found.shape or ())
        if shape != leaf.shape:
            is_there = f"has shape {list(shape)}" if shape is not None else "is missing"
            raise InputError(f"checkpoint {path}: {_name(key)} {is_there} and the model wants {list(leaf.shape)}; {_REMEDY}")
    if saved:
        raise InputError(f"checkpoint {path} holds {min(saved)}, which the model has not; {_REMEDY}")


def _name(path: tuple[Any, ...]) -> str:
    """The dotted name of a leaf, the same for the tree that is asked for and the one that Orbax describes."""
    parts = [getattr(entry, "key", getattr(entry, "name", getattr(entry, "idx", None))) for entry in path]
    return ".".join(map(str, parts))
