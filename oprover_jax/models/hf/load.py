"""Loader of a published Qwen3 folder into sharded fp32 weights: everything is checked first, then each process reads its own shards."""

import hashlib
import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import msgspec
import numpy as np
from flax import traverse_util
from jax.sharding import Mesh

from oprover_jax.errors import InputError
from oprover_jax.models.hf.config import check_same_sizes, read_config
from oprover_jax.models.hf.names import HFTensor, hf_tensors
from oprover_jax.models.hf.safetensors import Entry, Stored, map_tensors, read_header
from oprover_jax.models.qwen3 import Params, Qwen3Config, abstract_params

_PIECE = 1 << 12

SINGLE, INDEX = "model.safetensors", "model.safetensors.index.json"

OnRead = Callable[[str, int], None]


class _Index(msgspec.Struct):
    """`model.safetensors.index.json`, which maps tensors to files."""

    weight_map: dict[str, str]


def load_hf(folder: Path, mesh: Mesh, expected: Qwen3Config | None = None, on_read: OnRead | None = None) -> tuple[Qwen3Config, Params]:
    """Return configuration and fp32 weights of the model in `folder`, laid out on `mesh`. Weights may be stored in bf16, fp16 or fp32.

    A process copies only the parts that its own devices hold, each once, one weight at a time (all layers of it).

    Args:
        folder: folder of the model.
        mesh: mesh on which to lay out the weights.
        expected: if given, the folder must have these sizes, and these compute settings (dtype, remat, attention) are kept.
        on_read: called with the name of a tensor and the bytes read from it.

    Raises:
        InputError: before anything is allocated, for a missing or unexpected tensor, a wrong shape or dtype, a damaged file, an
            unsupported config.json, or sizes that do not divide over the mesh.
    """
    if expected is not None:
        check_same_sizes(expected, folder)
    config = expected or read_config(folder)
    structs = traverse_util.flatten_dict(abstract_params(config, mesh), sep=".")
    tensors = hf_tensors(config)
    entries = _find(folder)
    _check(config, folder, tensors, entries)
    views = map_tensors(entries[tensor.name] for tensor in tensors)
    grouped: dict[str, list[HFTensor]] = defaultdict(list)
    for tensor in tensors:
        grouped[tensor.weight.name].append(tensor)
    params = {}
    for name, struct in structs.items():
        read = _reader(grouped[name], views, on_read)
        params[name] = jax.make_array_from_callback(struct.shape, struct.sharding, read, dtype=struct.dtype)
    return config, traverse_util.unflatten_dict(params, sep=".")


def weights_identity(folder: str) -> str:
    """Return a hash that tells the weights of a model folder from others, wherever it is: config.json, and of each file of weights name,
    size, header and 256 pieces spread over it. Empty for an empty name.

    Raises:
        InputError: the folder holds no weights, or a file cannot be read.
    """
    if not folder:
        return ""
    path = Path(folder)
    digest = hashlib.sha256()
    files = sorted({entry.file for entry in _find(path).values()})
    for file in [path / "config.json", *files]:
        try:
            size = file.stat().st_size
            digest.update(f"{file.name} {size} ".encode())
            with file.open("rb") as opened:
                digest.update(opened.read(_PIECE * 16))
                for at in range(0, size, max(size // 256, _PIECE)):
                    opened.seek(at)
                    digest.update(opened.read(_PIECE))
        except OSError as error:
            raise InputError(f"{file} cannot be read ({error}); restore it") from error
    return digest.hexdigest()[:16]


def _reader(tensors: list[HFTensor], views: dict[str, Stored], on_read: OnRead | None) -> Callable[[Any], Stored]:
    """Return a function from a shard's index to its values. Devices that hold the same shard share one read."""
    kept: dict[str, Stored] = {}

    def read(index: tuple[slice, ...]) -> Stored:
        if str(index) not in kept:
            kept[str(index)] = _read(tensors, views, index, on_read)
        return kept[str(index)]

    return read


def _read(tensors: list[HFTensor], views: dict[str, Stored], index: tuple[slice, ...], on_read: OnRead | None) -> Stored:
    """Return the part `index` of a weight in fp32, from its tensor or those of its layers, without touching anything else."""
    stacked = tensors[0].layer is not None
    chosen, inner = (tensors[index[0]], index[1:]) if stacked else (tensors, index)
    parts = {tensor.name: tensor.to_ours(views[tensor.name])[inner] for tensor in chosen}
    for name, part in parts.items():
        if on_read is not None:
            on_read(name, part.nbytes)
    return np.stack([*parts.values()], dtype=np.float32) if stacked else parts[tensors[0].name].astype(np.float32)


def _find(folder: Path) -> dict[str, Entry]:
    """Return every tensor of the folder by name, from the single file or the files of the index."""
    single, index = folder / SINGLE, folder / INDEX
    if single.exists() and index.exists():
        raise InputError(f"{folder} contains both {SINGLE} and {INDEX}; remove the stale one")
    if single.exists():
        return read_header(single)
    if not index.exists():
        raise InputError(f"{folder} contains neither {SINGLE} nor {INDEX}; give the folder of a model whose weights are safetensors")
    try:
        places = msgspec.json.decode(index.read_bytes(), type=_Index).weight_map
    except msgspec.DecodeError as error:
        raise InputError(f"{index}: {error}") from error
    entries: dict[str, Entry] = {}
    for name in sorted(set(places.values())):
        if Path(name).name != name:
            raise InputError(f"{index}: weight_map lists the file {name!r}, expected a file in the same folder")
        for tensor, entry in read_header(folder / name).items():
            if places.get(tensor) != name:
                raise InputError(f"{folder / name}: unexpected tensor {tensor}; {INDEX} lists {places.get(tensor, 'no such tensor')}")
            entries[tensor] = entry
    for tensor, name in places.items():
        if tensor not in entries:
            raise InputError(f"{folder / name}: tensor {tensor} is missing, but {INDEX} lists it")
    return entries


def _check(config: Qwen3Config, folder: Path, tensors: list[HFTensor], entries: dict[str, Entry]) -> None:
    """Raise InputError unless the folder contains exactly these tensors, in these shapes."""
    for tensor in tensors:
        if tensor.name not in entries:
            raise InputError(f"{folder}: tensor {tensor.name} is missing, expected {list(tensor.shape)}; the copy is incomplete")
        entry = entries[tensor.name]
        if entry.shape != tensor.shape:
            raise InputError(f"{entry.file}: tensor {entry.name} has shape {list(entry.shape)}, expected {list(tensor.shape)}")
    unexpected = set(entries) - {tensor.name for tensor in tensors}
    if config.tie_embeddings and "lm_head.weight" in unexpected:  # Qwen3-0.6B and 1.7B are published with a copy of the tied matrix
        _check_tied_copy(entries["lm_head.weight"], entries["model.embed_tokens.weight"])
        unexpected.remove("lm_head.weight")
    if unexpected:
        entry = entries[min(unexpected)]
        raise InputError(f"{entry.file}: tensor {entry.name} {list(entry.shape)} is unexpected; a Qwen3 of this config.json has none")


def _check_tied_copy(head: Entry, embedding: Entry) -> None:
    """Raise InputError if a stored tied head differs from the embedding in any byte."""
    views = map_tensors([head, embedding])
    alike = (head.dtype, head.shape) == (embedding.dtype, embedding.shape)
    if not alike or not _equal(*(view.view(np.uint8) for view in views.values())):
        raise InputError(f"{head.file}: tensor {head.name} differs from {embedding.name}, expected the same: config.json ties them")


def _equal(a: Stored, b: Stored) -> bool:
    """Compare in blocks of 16 MiB, since a comparison of the whole would allocate memory for every byte."""
    rows = max(1, (16 << 20) // max(1, math.prod(a.shape[1:])))
    return all(np.array_equal(a[i : i + rows], b[i : i + rows]) for i in range(0, len(a), rows))
