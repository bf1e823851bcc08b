"""Accelerators as their makers publish them: memory, and the peak bf16 throughput against which model FLOPs utilisation (MFU) is taken."""

from collections.abc import Sequence

__all__ = ["hbm_bytes", "peak_flops"]

# By the start of `jax.Device.device_kind`, longer names first; TFLOP/s and GiB of one JAX device
_CHIPS = (
    ("TPU v5 lite", 197.0, 16),
    ("TPU v5e", 197.0, 16),
    ("TPU v5p", 459.0, 95),
    ("TPU v5", 459.0, 95),
    ("TPU v6 lite", 918.0, 32),
    ("TPU v6e", 918.0, 32),
    ("TPU7x", 2307 / 2, 96),  # Ironwood: two JAX devices a chip
    ("NVIDIA H100 PCIe", 756.0, 80),
    ("NVIDIA H100", 989.0, 80),
    ("NVIDIA H200", 989.0, 141),
)


def peak_flops(kinds: Sequence[str]) -> float | None:
    """FLOP/s of all devices of these kinds together, or None where one is not in the table (a CPU): no MFU is shown then."""
    peaks = [_published(kind)[0] for kind in kinds]
    return None if None in peaks else 1e12 * sum(peak for peak in peaks if peak is not None)


def hbm_bytes(kind: str) -> int | None:
    """Memory of one device of this kind, or None where it is not in the table."""
    gib = _published(kind)[1]
    return None if gib is None else gib * 2**30


def _published(kind: str) -> tuple[float, int] | tuple[None, None]:
    return next(((peak, gib) for start, peak, gib in _CHIPS if kind.startswith(start)), (None, None))
