"""Peak dense bf16 matrix throughput of accelerators, as their makers publish it: what model FLOPs utilisation (MFU) is measured against."""

from collections.abc import Sequence

import jax

__all__ = ["peak_flops"]

# By the start of `jax.Device.device_kind`, longer names first; TFLOP/s of one JAX device
_PEAKS = (
    ("TPU v5 lite", 197),
    ("TPU v5e", 197),
    ("TPU v5p", 459),
    ("TPU v5", 459),
    ("TPU v6 lite", 918),
    ("TPU v6e", 918),
    ("TPU7x", 2307 / 2),  # Ironwood: two JAX devices a chip
    ("NVIDIA H100 PCIe", 756),
    ("NVIDIA H100", 989),
    ("NVIDIA H200", 989),
)


def peak_flops(devices: Sequence[jax.Device]) -> float | None:
    """FLOP/s of all devices together, or None where one is not in the table (a CPU): no MFU is shown then."""
    peaks = [next((peak for start, peak in _PEAKS if device.device_kind.startswith(start)), None) for device in devices]
    return None if None in peaks else 1e12 * sum(peak for peak in peaks if peak is not None)
