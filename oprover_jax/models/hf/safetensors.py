"""Reader and writer of the safetensors format: a JSON header, then the bytes of each tensor. Files are memory-mapped, never read whole.

Layout: 8 bytes with the header's length (little-endian), the header `{name: {dtype, shape, data_offsets}}`, and the data, which the
tensors must cover without gap or overlap. Everything is checked before a tensor is touched.
"""

import json
import math
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
from jaxtyping import Shaped

from oprover_jax.errors import InputError

DTYPES: dict[str, np.dtype[Any]] = {
    "F32": np.dtype(np.float32),
    "F16": np.dtype(np.float16),
    "BF16": np.dtype(ml_dtypes.bfloat16),
    "I64": np.dtype(np.int64),  # buffers such as the position ids of BERT
}

Stored = Shaped[np.ndarray, "..."]

_MAX_HEADER = 100 << 20  # what the reference implementation allows
_NAMES = {dtype: name for name, dtype in DTYPES.items()}


@dataclass(frozen=True)
class Entry:
    """One tensor of a file, with the start and end of its bytes in the file."""

    file: Path
    name: str
    dtype: str
    shape: tuple[int, ...]
    start: int
    stop: int


def read_header(path: Path) -> dict[str, Entry]:
    """Return the tensors of a file by name. Raises InputError, naming the file and the tensor, for anything that violates the format."""
    try:
        size = path.stat().st_size
        with open(path, "rb") as file:
            length = struct.unpack("<Q", file.read(8))[0] if size >= 8 else 0
            if not 2 <= length <= min(_MAX_HEADER, size - 8):
                raise InputError(f"{path}: the header takes {length} bytes but the file has {size}; it is truncated or not safetensors")
            raw = file.read(length)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror})") from error
    try:
        header = json.loads(raw.decode("utf-8"), object_pairs_hook=_without_duplicates)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: the header is not valid JSON ({error}); the file is damaged") from error
    if not isinstance(header, dict):
        raise InputError(f"{path}: the header is a JSON {type(header).__name__}, expected an object")
    entries = {name: _entry(path, name, fields, 8 + length) for name, fields in header.items() if name != "__metadata__"}
    _check_cover(path, sorted(entries.values(), key=lambda entry: (entry.start, entry.stop)), 8 + length, size)
    return entries


def map_tensors(entries: Iterable[Entry]) -> dict[str, Stored]:
    """Return read-only views into the files, each mapped once. A byte is read from disk when it is used, by the page that holds it."""
    files: dict[Path, Shaped[np.ndarray, ...]] = {}
    views: dict[str, Shaped[np.ndarray, ...]] = {}
    for entry in entries:
        if entry.file not in files:
            files[entry.file] = np.memmap(entry.file, np.uint8, mode="r")
        views[entry.name] = files[entry.file][entry.start : entry.stop].view(DTYPES[entry.dtype]).reshape(entry.shape)
    return views


def write(path: Path, tensors: Sequence[tuple[str, tuple[int, ...]]], dtype: np.dtype[Any], data: Iterable[Stored]) -> None:
    """Write `tensors` (names and shapes), whose arrays `data` yields in the same order, one at a time."""
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}  # transformers refuses a file without it
    start = 0
    for name, shape in tensors:
        stop = start + math.prod(shape) * dtype.itemsize
        header[name] = {"dtype": _NAMES[dtype], "shape": shape, "data_offsets": [start, stop]}
        start = stop
    encoded = json.dumps(header, separators=(",", ":")).encode()
    encoded += b" " * (-len(encoded) % 8)  # so that the data is aligned
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(encoded)) + encoded)
        for (name, shape), array in zip(tensors, data, strict=True):
            if array.shape != shape or array.dtype != dtype:
                raise ValueError(f"{name}: got {array.dtype}{list(array.shape)}, expected {dtype}{list(shape)}")
            file.write(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} occurs twice")
    return unique


def _entry(path: Path, name: str, fields: Any, data: int) -> Entry:
    """Check one entry of the header by itself. `data` is the offset of the data in the file."""
    where = f"{path}: tensor {name}"
    if not isinstance(fields, dict) or not {"dtype", "shape", "data_offsets"} <= fields.keys():
        raise InputError(f"{where}: its entry in the header is {json.dumps(fields)}, expected dtype, shape and data_offsets")
    dtype, shape, offsets = fields["dtype"], fields["shape"], fields["data_offsets"]
    if not isinstance(dtype, str) or dtype not in DTYPES:
        raise InputError(f"{where} has dtype {json.dumps(dtype)}, expected one of {', '.join(DTYPES)}")
    if not _are_sizes(shape):
        raise InputError(f"{where} has shape {json.dumps(shape)}, expected a list of sizes")
    if not _are_sizes(offsets) or len(offsets) != 2 or offsets[0] > offsets[1]:
        raise InputError(f"{where} has data_offsets {json.dumps(offsets)}, expected [start, stop]")
    start, stop = offsets
    needed = math.prod(shape) * DTYPES[dtype].itemsize
    if stop - start != needed:
        raise InputError(f"{where} has {stop - start} bytes, expected {needed} for {dtype} {shape}")
    return Entry(path, name, dtype, tuple(shape), data + start, data + stop)


def _are_sizes(value: Any) -> bool:
    return isinstance(value, list) and all(type(size) is int and size >= 0 for size in value)


def _check_cover(path: Path, entries: list[Entry], data: int, size: int) -> None:
    """Check that the tensors cover exactly what follows the header."""
    reached = data
    for entry in entries:
        if entry.stop > size:
            raise InputError(f"{path}: tensor {entry.name} ends at byte {entry.stop}, but the file has {size}; copy it again")
        if entry.start != reached:
            fault = "overlaps the one before it" if entry.start < reached else "leaves a gap before it"
            raise InputError(f"{path}: tensor {entry.name} starts at byte {entry.start}, expected {reached}; it {fault}")
        reached = entry.stop
    if reached != size:
        raise InputError(f"{path}: the tensors end at byte {reached} but the file has {size}; it is damaged, copy it again")
