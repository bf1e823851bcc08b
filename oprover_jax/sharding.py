"""The device mesh and the one table that maps logical axis names to mesh axes. Explicit sharding only.

Every computation of `models` and `losses` runs under `with jax.set_mesh(mesh):`. Arrays carry their sharding in their type, so a
missing or wrong one is an error when a function is traced.
"""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jax.experimental import mesh_utils
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding, PartitionSpec

from oprover_jax.errors import InputError

AXES = ("dcn", "fsdp", "context", "tensor")

RULES: dict[str, tuple[str, ...]] = {
    # activations
    "batch": ("dcn", "fsdp"),
    "sequence": ("context",),
    "features": (),
    # weights: `embed` is where a weight rests, and `gathered` drops it for use
    "embed": ("fsdp",),
    "vocab": ("tensor",),
    "mlp": ("tensor",),
    # both
    "q_heads": ("tensor",),
    "kv_heads": ("tensor",),
    "head_dim": (),
    "layers": (),
}

_STORAGE_AXES = ("fsdp",)


class ShardingError(InputError):
    """A logical axis that is unknown, collides, or does not divide."""


@dataclass(frozen=True)
class MeshConfig:
    """Devices along each mesh axis: `dcn` replicates weights over slow links, `fsdp` shards them, `context` splits the
    sequence, `tensor` splits heads, the MLP and the vocabulary."""

    dcn: int = 1
    fsdp: int = 1
    context: int = 1
    tensor: int = 1

    def __post_init__(self) -> None:
        for axis, size in zip(AXES, self.shape):
            if size < 1:
                raise ShardingError(f"mesh axis {axis} is {size}; give it 1 or more devices")

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (self.dcn, self.fsdp, self.context, self.tensor)

    @property
    def devices(self) -> int:
        return math.prod(self.shape)


def planned_mesh(config: MeshConfig) -> AbstractMesh:
    """The mesh that `make_mesh` would build, without its devices: to plan for more of them than are present."""
    return AbstractMesh(config.shape, AXES, axis_types=(AxisType.Explicit,) * len(AXES))


def make_mesh(config: MeshConfig, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """A mesh of explicit axes over `devices` (all of the process group by default; in a single process the first ones where fewer are
    asked for). ShardingError where they do not suffice, or cannot be arranged so."""
    available = jax.devices() if devices is None else list(devices)
    if config.devices > len(available):
        raise ShardingError(f"mesh {_words(config)} needs {config.devices} devices but {len(available)} are present; lower one axis")
    if devices is None and jax.process_count() > 1 and config.devices < len(available):
        raise ShardingError(
            f"mesh {_words(config)} takes {config.devices} of the {len(available)} devices of {jax.process_count()} processes; raise one "
            "axis, so that every process has its part"
        )
    arranged = arrange_devices(config, available[: config.devices])
    return Mesh(arranged, AXES, axis_types=(AxisType.Explicit,) * len(AXES))


def arrange_devices(config: MeshConfig, devices: Sequence[Any]) -> np.ndarray:
    """Exactly as many devices as the mesh has, in its shape: neighbours on an axis are near each other on the network. Slices of TPUs,
    which only the slow network joins, lie along dcn."""
    slices = Counter(getattr(device, "slice_index", 0) if device.platform == "tpu" else 0 for device in devices)
    if len(slices) == 1:
        return mesh_utils.create_device_mesh(config.shape, devices, allow_split_physical_axes=True)
    if config.dcn % len(slices) or len(set(slices.values())) > 1:
        chips = f"{', '.join(map(str, slices.values()))} {devices[0].device_kind}"
        raise ShardingError(
            f"mesh {_words(config)} cannot be laid over {len(slices)} slices of {chips}; make dcn a multiple of the slices and use "
            "equally many chips of each"
        )
    within = (config.dcn // len(slices), *config.shape[1:])
    return mesh_utils.create_hybrid_device_mesh(within, (len(slices), 1, 1, 1), devices, allow_split_physical_axes=True)


def _words(config: MeshConfig) -> str:
    return " x ".join(f"{axis} {size}" for axis, size in zip(AXES, config.shape))


def current_mesh() -> AbstractMesh:
    """The mesh set by `jax.set_mesh`; a ShardingError where there is none."""
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty:
        raise ShardingError("no mesh is set; run this under `with jax.set_mesh(make_mesh(MeshConfig(...))):`")
    return mesh


def mesh_axes(logical: str | None) -> tuple[str, ...]:
    """The mesh axes over which a logical axis is split; none for None."""
    if logical is None:
        return ()
    if logical not in RULES:
        raise ShardingError(f"logical axis {logical!r} is not in the sharding table; use one of {', '.join(sorted(RULES))}")
    return RULES[logical]


def axis_size(logical: str) -> int:
    """Over how many devices of the current mesh a logical axis is split."""
    mesh = current_mesh()
    return math.prod(mesh.shape[axis] for axis in mesh_axes(logical))


def spec(*logical_axes: str | None) -> PartitionSpec:
    """The PartitionSpec of an array whose dimensions have these logical names; two that share a mesh axis are refused."""
    return _spec(logical_axes, dropped=())


def gathered(*logical_axes: str | None) -> PartitionSpec:
    """Like `spec`, without the axes that only say where a weight rests: the layout in which a weight is multiplied."""
    return _spec(logical_axes, dropped=_STORAGE_AXES)


def _spec(logical_axes: tuple[str | None, ...], dropped: tuple[str, ...]) -> PartitionSpec:
    owner: dict[str, str | None] = {}
    entries: list[str | tuple[str, ...] | None] = []
    for logical in logical_axes:
        axes = mesh_axes(logical)
        for axis in axes:
            if axis in owner:
                raise ShardingError(
                    f"logical axes {owner[axis]!r} and {logical!r} both map to mesh axis {axis!r}; leave one of them unsharded (None)"
                )
            owner[axis] = logical
        kept = tuple(axis for axis in axes if axis not in dropped)
        entries.append(kept[0] if len(kept) == 1 else (kept or None))
    return PartitionSpec(*entries)


def check_divides(shape: Sequence[int], logical: Sequence[str | None], mesh: Mesh | AbstractMesh, what: str = "array") -> None:
    """Raises ShardingError unless each dimension of `shape` divides by the devices over which its logical axis is split."""
    if len(shape) != len(logical):
        raise ShardingError(f"{what} has {len(shape)} dimensions but {len(logical)} logical axes; name every dimension once")
    for size, name in zip(shape, logical):
        axes = mesh_axes(name)
        parts = math.prod(mesh.shape[axis] for axis in axes)
        if size % parts:
            split = " x ".join(f"{axis} {mesh.shape[axis]}" for axis in axes)
            raise ShardingError(f"{what}: {name} is {size}, which does not divide over mesh axes {split}; make it a multiple of {parts}")


def named(shape: Sequence[int], logical: Sequence[str | None], mesh: Mesh | AbstractMesh, what: str = "array") -> NamedSharding:
    """The sharding of an array of `shape` on `mesh`, after `check_divides`."""
    check_divides(shape, logical, mesh, what)
    return NamedSharding(mesh, spec(*logical))


def bytes_per_device(tree: Any) -> int:
    """Bytes that one device of the mesh holds of a tree of arrays, or of ShapeDtypeStructs (`abstract_params`, `abstract_state`), for
    which nothing is allocated."""
    return sum(math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
