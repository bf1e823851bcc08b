"""Device mesh and the table that maps logical axis names to mesh axes, with explicit sharding only.

Every computation of `models` and `losses` runs under `with jax.set_mesh(mesh):`. Arrays carry their sharding in their type, so a
missing or wrong sharding is an error at trace time.
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
    # weights: `embed` shards stored weights; `gathered` drops it for computation
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
    """Invalid mesh, or a logical axis that is unknown, conflicts with another or does not divide."""


@dataclass(frozen=True)
class MeshConfig:
    """Number of devices along each mesh axis.

    Attributes:
      dcn: Replicates weights over slow links between slices.
      fsdp: Shards weights and batch.
      context: Splits the sequence.
      tensor: Splits heads, MLP and vocabulary.
    """

    dcn: int = 1
    fsdp: int = 1
    context: int = 1
    tensor: int = 1

    def __post_init__(self) -> None:
        for axis, size in zip(AXES, self.shape):
            if size < 1:
                raise ShardingError(f"mesh axis {axis} is {size}; it must be at least 1")

    @property
    def shape(self) -> tuple[int, int, int, int]:
        return (self.dcn, self.fsdp, self.context, self.tensor)

    @property
    def devices(self) -> int:
        return math.prod(self.shape)


def planned_mesh(config: MeshConfig) -> AbstractMesh:
    """Return the mesh that `make_mesh` would build, without devices, for planning with more devices than are present."""
    return AbstractMesh(config.shape, AXES, axis_types=(AxisType.Explicit,) * len(AXES))


def make_mesh(config: MeshConfig, devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Return a mesh with explicit axes.

    Args:
      config: Number of devices along each axis.
      devices: Devices to use. By default all devices of the process group; a single process uses the first ones if it needs fewer.

    Raises:
      ShardingError: There are too few devices, or they cannot be arranged in this shape.
    """
    available = jax.devices() if devices is None else list(devices)
    if config.devices > len(available):
        raise ShardingError(f"mesh {_shape_text(config)} needs {config.devices} devices but {len(available)} are present; lower one axis")
    if devices is None and jax.process_count() > 1 and config.devices < len(available):
        raise ShardingError(
            f"mesh {_shape_text(config)} uses {config.devices} of the {len(available)} devices of {jax.process_count()} processes; raise "
            "one axis so that all devices are used"
        )
    arranged = arrange_devices(config, available[: config.devices])
    return Mesh(arranged, AXES, axis_types=(AxisType.Explicit,) * len(AXES))


def arrange_devices(config: MeshConfig, devices: Sequence[Any]) -> np.ndarray:
    """Arrange the devices in the shape of the mesh, neighbours on an axis close on the network and TPU slices along `dcn`.

    Args:
      config: Number of devices along each axis.
      devices: Exactly as many devices as the mesh has.

    Raises:
      ShardingError: The mesh cannot be laid over the slices.
    """
    slices = Counter(getattr(device, "slice_index", 0) if device.platform == "tpu" else 0 for device in devices)
    if len(slices) == 1:
        return mesh_utils.create_device_mesh(config.shape, devices, allow_split_physical_axes=True)
    if config.dcn % len(slices) or len(set(slices.values())) > 1:
        chips = f"{', '.join(map(str, slices.values()))} {devices[0].device_kind}"
        raise ShardingError(
            f"mesh {_shape_text(config)} cannot be laid over {len(slices)} slices of {chips}; make dcn a multiple of the number of slices "
            "and use the same number of chips in each"
        )
    within = (config.dcn // len(slices), *config.shape[1:])
    return mesh_utils.create_hybrid_device_mesh(within, (len(slices), 1, 1, 1), devices, allow_split_physical_axes=True)


def _shape_text(config: MeshConfig) -> str:
    return " x ".join(f"{axis} {size}" for axis, size in zip(AXES, config.shape))


def current_mesh() -> AbstractMesh:
    """Return the mesh set by `jax.set_mesh`; raise ShardingError if none is set."""
    mesh = jax.sharding.get_abstract_mesh()
    if mesh.empty:
        raise ShardingError("no mesh is set; run this under `with jax.set_mesh(make_mesh(MeshConfig(...))):`")
    return mesh


def mesh_axes(logical: str | None) -> tuple[str, ...]:
    """Return the mesh axes over which a logical axis is split; empty for None."""
    if logical is None:
        return ()
    if logical not in RULES:
        raise ShardingError(f"logical axis {logical!r} is not in the sharding table; use one of {', '.join(sorted(RULES))}")
    return RULES[logical]


def axis_size(logical: str) -> int:
    """Return the number of devices of the current mesh over which a logical axis is split."""
    mesh = current_mesh()
    return math.prod(mesh.shape[axis] for axis in mesh_axes(logical))


def spec(*logical_axes: str | None) -> PartitionSpec:
    """Return the PartitionSpec for these logical axis names; raise ShardingError if two share a mesh axis."""
    return _spec(logical_axes, dropped=())


def gathered(*logical_axes: str | None) -> PartitionSpec:
    """Return `spec` without storage axes: the layout in which a weight is used in computation."""
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
    """Raise ShardingError unless each dimension is divisible by the number of devices over which its logical axis is split.

    Args:
      shape: Global shape of the array.
      logical: Logical axis name of each dimension, or None.
      mesh: Device mesh.
      what: Name of the array in the error message.
    """
    if len(shape) != len(logical):
        raise ShardingError(f"{what} has {len(shape)} dimensions but {len(logical)} logical axes; name every dimension once")
    for size, name in zip(shape, logical):
        axes = mesh_axes(name)
        parts = math.prod(mesh.shape[axis] for axis in axes)
        if size % parts:
            split = " x ".join(f"{axis} {mesh.shape[axis]}" for axis in axes)
            raise ShardingError(f"{what}: {name} is {size}, which does not divide over mesh axes {split}; make it a multiple of {parts}")


def named(shape: Sequence[int], logical: Sequence[str | None], mesh: Mesh | AbstractMesh, what: str = "array") -> NamedSharding:
    """Return the sharding of an array of `shape` on `mesh`, after `check_divides` with the same arguments."""
    check_divides(shape, logical, mesh, what)
    return NamedSharding(mesh, spec(*logical))


def bytes_per_device(tree: Any) -> int:
    """Return the bytes that one device holds of a tree of arrays or ShapeDtypeStructs (`abstract_params`, `abstract_state`)."""
    return sum(math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))
