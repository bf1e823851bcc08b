"""Checks during tracing that a kernel supports its inputs; there is no fallback to another implementation."""

from oprover_jax.errors import InputError
from oprover_jax.sharding import current_mesh

LANES = 128


def check_platform(name: str, platform: str) -> None:
    """Raise InputError if the current mesh has devices other than `platform`. A mesh without devices passes: JAX itself refuses to lower
    a kernel for another platform."""
    device = current_mesh().abstract_device
    if device is not None and device.platform != platform:
        raise InputError(
            f"attention '{name}' runs on {platform} but the mesh has {device.platform} devices; choose attention='reference'"
            f" or a mesh of {platform} devices"
        )


def check_length(name: str, length: int, parts: int = 1) -> None:
    """Raise InputError unless each of `parts` devices holds a multiple of 128 positions of a row."""
    if length % (LANES * parts):
        over = f" on each of {parts} context devices" if parts > 1 else ""
        raise InputError(
            f"attention '{name}' needs rows in multiples of {LANES} positions{over} but a row has {length};"
            f" make it a multiple of {LANES * parts}"
        )
