"""The policy as encoder: statements as the mean of its last hidden states.

The vectors are those of one set of weights. A policy that trains on needs a new memory each time, so this suits a fixed checkpoint.
"""

import hashlib
from collections.abc import Sequence
from functools import cached_property

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec
from jaxtyping import Array, Float32, Int

from oprover_jax.data.codec import Codec
from oprover_jax.models.qwen3 import Params, Qwen3Config, hidden_states
from oprover_jax.records import Statement
from oprover_jax.retrieval.spelling import bare

_ROWS = 8
_SHORTEST = 32
_VERSION = "1"  # part of the hash: raise it when what is encoded changes


class PolicyEncoder:
    """Statements without name and `sorry`, cut to `max_tokens`, as unit vectors of the policy's width."""

    name = "policy"

    def __init__(self, config: Qwen3Config, params: Params, mesh: Mesh, codec: Codec, max_tokens: int = 512) -> None:
        if max_tokens < _SHORTEST or max_tokens & (max_tokens - 1):
            raise ValueError(f"max_tokens is {max_tokens}; give a power of two from {_SHORTEST} on")
        self._config, self._params, self._mesh, self._codec, self._max_tokens = config, params, mesh, codec, max_tokens
        shards = mesh.shape["dcn"] * mesh.shape["fsdp"]
        self._rows = shards * -(-_ROWS // shards)
        self._encode = jax.jit(self._vectors)

    @property
    def dims(self) -> int:
        return self._config.hidden_size

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits of what the vectors depend on: every weight, the sizes, the tokenizer. Reads all weights once."""
        found = hashlib.sha256(f"{self.name}/{_VERSION}/{self._max_tokens}/{self._config}/{self._codec.hash}".encode())
        for path, weight in jax.tree.leaves_with_path(self._params):
            found.update(jax.tree_util.keystr(path).encode())
            found.update(np.ascontiguousarray(weight).data)
        return found.hexdigest()[:16]

    def encode(self, statements: Sequence[Statement]) -> Float32[np.ndarray, "n d"]:
        """One vector of length 1 for each statement; of more than `max_tokens` tokens the first."""
        ids = [self._codec.encode_plain(bare(one.formal))[: self._max_tokens] or [self._codec.end_ids[0]] for one in statements]
        out = np.zeros((len(ids), self.dims), np.float32)
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        with jax.set_mesh(self._mesh):
            for start in range(0, len(order), self._rows):
                rows = order[start : start + self._rows]
                length = max(_SHORTEST, 1 << (len(ids[rows[-1]]) - 1).bit_length())
                tokens, segments = np.zeros((2, self._rows, length), np.int32)
                for place, row in enumerate(rows):
                    tokens[place, : len(ids[row])], segments[place, : len(ids[row])] = ids[row], 1
                out[rows] = np.asarray(self._encode(self._params, tokens, segments))[: len(rows)]
        return out

    def _vectors(self, params: Params, tokens: Int[Array, "B S"], segments: Int[Array, "B S"]) -> Float32[Array, "B D"]:
        positions = jnp.broadcast_to(jnp.arange(tokens.shape[1]), tokens.shape)
        hidden = hidden_states(self._config, params, tokens, positions, segments)
        hidden, segments = (jax.reshard(x, PartitionSpec()) for x in (hidden.astype(jnp.float32), segments))
        total = jnp.einsum("BSD,BS->BD", hidden, segments.astype(jnp.float32))
        return total / jnp.maximum(jnp.linalg.norm(total, axis=1, keepdims=True), 1e-12)
