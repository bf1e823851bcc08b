"""Encoder of statements by the mean of a policy's last hidden states.

The vectors depend on the weights, so use it with a fixed checkpoint; a policy in training would need a new memory after every update.
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
    """Encoder of statements without name and `sorry`, truncated to `max_tokens`, as unit vectors of the policy's hidden size."""

    name = "policy"

    def __init__(self, config: Qwen3Config, params: Params, mesh: Mesh, codec: Codec, max_tokens: int = 512) -> None:
        if max_tokens < _SHORTEST or max_tokens & (max_tokens - 1):
            raise ValueError(f"max_tokens is {max_tokens}; it must be a power of two of at least {_SHORTEST}")
        self._config, self._params, self._mesh, self._codec, self._max_tokens = config, params, mesh, codec, max_tokens
        shards = mesh.shape["dcn"] * mesh.shape["fsdp"]
        self._rows = shards * -(-_ROWS // shards)
        self._encode = jax.jit(self._vectors)

    @property
    def dims(self) -> int:
        return self._config.hidden_size

    @cached_property
    def hash(self) -> str:
        """Hash of all weights, sizes and the tokenizer, 16 hexadecimal digits; reads all weights once."""
        digest = hashlib.sha256(f"{self.name}/{_VERSION}/{self._max_tokens}/{self._config}/{self._codec.hash}".encode())
        for path, weight in jax.tree.leaves_with_path(self._params):
            digest.update(jax.tree_util.keystr(path).encode())
            digest.update(np.ascontiguousarray(weight).data)
        return digest.hexdigest()[:16]

    def encode(self, statements: Sequence[Statement]) -> Float32[np.ndarray, "n d"]:
        """Return one unit vector per statement, [n, dims]; statements are truncated to `max_tokens`."""
        ids = [self._codec.encode_plain(bare(s.formal))[: self._max_tokens] or [self._codec.end_ids[0]] for s in statements]
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
