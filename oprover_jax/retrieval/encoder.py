"""Encoder protocol for statements, and the lexical encoder, which needs no weights and distinguishes Lean symbols exactly.

Other encoders: `minilm` (sentence embeddings, the default of an experiment) and `policy_encoder` (hidden states of a policy).
"""

import hashlib
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32

from oprover_jax.errors import InputError
from oprover_jax.files import replacing
from oprover_jax.records import Statement
from oprover_jax.statements.normalize import normalise

_BUCKETS = 1 << 16
_VERSION = "1"  # part of every hash: raise it when tokens, n-grams or weights change


class EncoderFileError(InputError):
    """An encoder file cannot be read."""


@runtime_checkable
class Encoder(Protocol):
    """Encoder of statements. `hash` changes whenever the same statement could get a different vector."""

    @property
    def name(self) -> str: ...

    @property
    def hash(self) -> str: ...

    @property
    def dims(self) -> int: ...

    def encode(self, statements: Sequence[Statement]) -> Float32[np.ndarray, "n d"]:
        """Return one unit vector per statement, [n, dims]; the dot product of two vectors is their similarity."""
        ...


@dataclass(frozen=True, eq=False)
class LexicalEncoder:
    """Encoder by hashed Lean-token n-grams, weighted by inverse document frequency and folded with signs into `dims` dimensions.

    `idf` [65536] float32 holds the weights of the n-gram hash buckets. Statements that differ only in variable names coincide. Headers are
    ignored, because they are the same for most statements of a source and would dominate.
    """

    idf: Float32[np.ndarray, "buckets"]
    dims: int = 384

    def __post_init__(self) -> None:
        if not 16 <= self.dims <= 4096:
            raise ValueError(f"dims is {self.dims}; it must be between 16 and 4096 (256 to 512 recommended)")
        if self.idf.shape != (_BUCKETS,):
            raise ValueError(f"idf has shape {self.idf.shape}, expected ({_BUCKETS},); create it with LexicalEncoder.fit")

    @staticmethod
    def fit(statements: Iterable[Statement], dims: int = 384) -> "LexicalEncoder":
        """Return an encoder with document frequencies from `statements`; without statements, all n-grams have equal weight."""
        documents, seen = 0, np.zeros(_BUCKETS, np.float32)
        for statement in statements:
            documents += 1
            seen[np.unique(_buckets(_hashes(_counts(statement))))] += 1
        return LexicalEncoder(np.log((1.0 + documents) / (1.0 + seen)).astype(np.float32) + np.float32(1.0), dims)

    @property
    def name(self) -> str:
        return "lexical"

    @property
    def hash(self) -> str:
        """Hash of everything the vectors depend on, 16 hexadecimal digits."""
        return hashlib.sha256(f"{self.name}/{_VERSION}/{self.dims}/".encode() + self.idf.tobytes()).hexdigest()[:16]

    def encode(self, statements: Sequence[Statement]) -> Float32[np.ndarray, "n d"]:
        """Return one unit vector per statement, [n, dims]."""
        vectors = np.zeros((len(statements), self.dims), np.float32)
        for row, statement in enumerate(statements):
            counts = _counts(statement)
            if not counts:
                vectors[row, 0] = 1.0
                continue
            hashes = _hashes(counts)
            weights = self.idf[_buckets(hashes)] * np.array([1 + math.log(c) for c in counts.values()], np.float32)
            # Dimension and sign use other bits than the bucket.
            signs = np.where(hashes >> 31 == 0, 1, -1)
            vectors[row] = np.bincount((hashes >> 16 & 0x7FFF) % self.dims, weights * signs, self.dims)
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.float32(1e-12))

    def save(self, path: Path) -> None:
        """Write the encoder atomically to one file."""
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez_compressed(file, version=_VERSION, dims=self.dims, idf=self.idf)

    @staticmethod
    def load(path: Path) -> "LexicalEncoder":
        """Load an encoder; raise EncoderFileError if the file is not a lexical encoder of this version."""
        try:
            with np.load(path, allow_pickle=False) as stored:
                version, dims, idf = str(stored["version"]), int(stored["dims"]), stored["idf"]
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise EncoderFileError(f"{path} is not a lexical encoder ({error}); write it with LexicalEncoder.save") from error
        if version != _VERSION:
            raise EncoderFileError(f"{path} has a lexical encoder of version {version}, expected {_VERSION}; fit it again")
        return LexicalEncoder(idf, dims)


def _counts(statement: Statement) -> Counter[str]:
    return Counter(ngrams(normalise(statement.formal).split()))


def ngrams(tokens: Sequence[str]) -> Iterator[str]:
    """Yield unigrams and bigrams of the normal form, whose variables are numbered, and bigrams with all variables merged.

    Merged variables make statements of similar shape similar.
    """
    shape = ["#" if token.startswith("#") else token for token in tokens]
    yield from tokens
    yield from (f"{a} {b}" for a, b in pairwise(tokens))
    yield from (f"~{a} {b}" for a, b in pairwise(shape))


def _hashes(counts: Counter[str]) -> np.ndarray:
    return np.fromiter((zlib.crc32(gram.encode()) for gram in counts), np.int64, len(counts))


def _buckets(hashes: np.ndarray) -> np.ndarray:
    return hashes & (_BUCKETS - 1)
