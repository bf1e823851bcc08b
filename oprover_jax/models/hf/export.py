"""Export of weights as a folder that `transformers` loads, one tensor at a time and atomically."""

import json
import math
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal

import jax
import numpy as np
from flax import traverse_util
from jax.experimental import multihost_utils
from jaxtyping import Array, Int

from oprover_jax.errors import InputError
from oprover_jax.files import replacing_folder
from oprover_jax.models.hf import safetensors
from oprover_jax.models.hf.config import write_config
from oprover_jax.models.hf.load import INDEX, SINGLE
from oprover_jax.models.hf.names import HFTensor, hf_tensors
from oprover_jax.models.hf.safetensors import Stored
from oprover_jax.models.qwen3 import Params, Qwen3Config

MAX_FILE_BYTES = 5_000_000_000

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "generation_config.json",
)

Dtype = Literal["bfloat16", "float32"]

_DTYPES: dict[Dtype, np.dtype[Any]] = {"bfloat16": safetensors.DTYPES["BF16"], "float32": safetensors.DTYPES["F32"]}


def export_hf(
    config: Qwen3Config,
    params: Params,
    folder: Path,
    *,
    dtype: Dtype = "bfloat16",
    max_file_bytes: int = MAX_FILE_BYTES,
    overwrite: bool = False,
    extra_files: Mapping[str, bytes] | None = None,
    end_id: int | None = None,
    on_write: Callable[[str, int], None] | None = None,
) -> None:
    """Write config.json and the weights, in files of at most `max_file_bytes` (or of one tensor) with an index if there are several.

    Every process that holds a part of `params` must call this; the first one writes. One tensor at a time is gathered, onto every
    device. `extra_files` are further files, by name (see `tokenizer_files`). `end_id` is the token that ends a text. A killed export
    leaves `folder` unchanged. `overwrite` replaces a folder that contains a model. `on_write` is called with names and bytes.

    Raises:
        InputError: `folder` is not empty and may not be overwritten.
    """
    check_target(folder, overwrite)
    tensors, gathered = hf_tensors(config), _gather(params, hf_tensors(config), _DTYPES[dtype])
    if jax.process_index() == 0:
        with replacing_folder(folder) as temporary:
            _write_weights(temporary, tensors, _DTYPES[dtype], max_file_bytes, _with_callback(gathered, tensors, on_write))
            for name, content in (extra_files or {}).items():
                (temporary / name).write_bytes(content)
            write_config(config, temporary, dtype, end_id)
    else:
        for _ in gathered:
            pass
    if jax.process_count() > 1:
        multihost_utils.sync_global_devices("export_hf")


def tokenizer_files(source: Path) -> dict[str, bytes]:
    """Return the tokenizer and generation_config.json of a model's folder, as far as they exist."""
    return {name: (source / name).read_bytes() for name in TOKENIZER_FILES if (source / name).is_file()}


def check_target(folder: Path, overwrite: bool) -> None:
    """Raise InputError unless a model may be written to `folder`."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder")
    if not folder.exists() or not any(folder.iterdir()):
        return
    if not overwrite:
        raise InputError(f"{folder} is not empty; give another folder or allow overwriting")
    if not (folder / "config.json").is_file():
        raise InputError(f"{folder} has no config.json, so it is not a model that can be overwritten; give another folder")


def _gather(params: Params, tensors: list[HFTensor], dtype: np.dtype[Any]) -> Iterator[Stored]:
    """Yield the tensors in the layout of Hugging Face, on the host. Every process must consume all of them."""
    flat = traverse_util.flatten_dict(params, sep=".")
    for tensor in tensors:
        weight = flat[tensor.weight.name]
        with jax.set_mesh(weight.sharding.mesh):  # not around the loop: a generator would leave it set for its caller
            whole = _take(weight, tensor.layer or 0, tensor.layer is not None, tensor.order, tensor.shape, dtype)
        yield np.asarray(whole.addressable_data(0))


@partial(jax.jit, static_argnums=(2, 3, 4, 5))
def _take(
    weight: Array, layer: Int[Array, ""] | int, stacked: bool, order: tuple[int, ...], shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Array:
    """Return the weight, or one layer of it, on every device in the layout of Hugging Face. Casting first halves the bytes sent."""
    own = jax.lax.dynamic_index_in_dim(weight, layer, 0, keepdims=False) if stacked else weight
    return jax.reshard(own.astype(dtype), jax.P()).transpose(order).reshape(shape)


def _with_callback(data: Iterator[Stored], tensors: list[HFTensor], on_write: Callable[[str, int], None] | None) -> Iterator[Stored]:
    for tensor, array in zip(tensors, data, strict=True):
        if on_write is not None:
            on_write(tensor.name, array.nbytes)
        yield array


def _write_weights(folder: Path, tensors: list[HFTensor], dtype: np.dtype[Any], max_file_bytes: int, data: Iterator[Stored]) -> None:
    """Write one file, or several and the index. `data` is consumed once, in order."""
    files = _split(tensors, dtype.itemsize, max_file_bytes)
    names = [SINGLE] if len(files) == 1 else [f"model-{i:05}-of-{len(files):05}.safetensors" for i in range(1, len(files) + 1)]
    for name, held in zip(names, files):
        safetensors.write(folder / name, [(tensor.name, tensor.shape) for tensor in held], dtype, (next(data) for _ in held))
    if len(files) > 1:
        total = sum(math.prod(tensor.shape) for tensor in tensors) * dtype.itemsize
        places = {tensor.name: name for name, held in zip(names, files) for tensor in held}
        (folder / INDEX).write_text(json.dumps({"metadata": {"total_size": total}, "weight_map": places}, indent=2) + "\n")


def _split(tensors: list[HFTensor], itemsize: int, max_file_bytes: int) -> list[list[HFTensor]]:
    files: list[list[HFTensor]] = [[]]
    room = max_file_bytes
    for tensor in tensors:
        size = math.prod(tensor.shape) * itemsize
        if files[-1] and size > room:
            files.append([])
            room = max_file_bytes
        files[-1].append(tensor)
        room -= size
    return files
