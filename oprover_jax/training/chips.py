"""Published memory and peak bf16 throughput of accelerators, the reference for model FLOPs utilisation (MFU)."""

from collections.abc import Sequence

__all__ = ["hbm_bytes", "peak_flops"]

# by prefix of `jax.Device.device_kind`, longer names first; TFLOP/s and GiB of one JAX device
_CHIPS = (
    ("TPU v5 lite", 197.0, 16),
    ("TPU v5e", 197.0, 16),
    ("TPU v5p", 459.0, 95),
    ("TPU v5", 459.0, 95),
    ("TPU v6 lite", 918.0, 32),
    ("TPU v6e", 918.0, 32),
    ("TPU7x", 2307 / 2, 96),  # Ironwood: two JAX devices per chip
    ("NVIDIA H100 PCIe", 756.0, 80),
    ("NVIDIA H100", 989.0, 80),
    ("NVIDIA H200", 989.0, 141),
)


def peak_flops(kinds: Sequence[str]) -> float | None:
    """Return FLOP/s of all devices of these kinds together, or None if one is not in the table (a CPU), so that no MFU is shown."""
    peaks = [_published(kind)[0] for kind in kinds]
    return None if None in peaks else 1e12 * sum(peak for peak in peaks if peak is not None)


def hbm_bytes(kind: str) -> int | None:
    """Return the memory of one device of this kind in bytes, or None if it is not in the table."""
    gib = _published(kind)[1]
    return None if gib is None else gib * 2**30


def _published(kind: str) -> tuple[float, int] | tuple[None, None]:
    return next(((peak, gib) for start, peak, gib in _CHIPS if kind.startswith(start)), (None, None))
