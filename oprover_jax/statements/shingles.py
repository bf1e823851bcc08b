"""Short runs of tokens as 64-bit hashes: what overlap between statements and documents is measured in.

In statements a variable is written as the distance to where it stood before, or 0 where that lies outside of the run (parameterised
matching: Baker, "A theory of parameterized pattern matching", STOC 1993): renaming changes nothing, and `x + y` is not `x + x`.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Int64, UInt64

from oprover_jax.statements.canonical import Item

WIDTH = 8  # tokens of a run in a statement, and words of a run in a document

_IGNORED = {"(", ")", ":", ","}
_TEXT_WORDS = re.compile(r"[^\W_]+|[^\w\s]").findall
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


@dataclass(frozen=True)
class Runs:
    """Hashes of the runs of many statements, by statement in ascending order, and which of them say the type of a variable."""

    hashes: UInt64[np.ndarray, "n"]
    owners: Int64[np.ndarray, "n"]
    types: Bool[np.ndarray, "n"]

    @property
    def contents(self) -> tuple[UInt64[np.ndarray, "m"], Int64[np.ndarray, "m"]]:
        """Hashes and owners without those that say a type."""
        return self.hashes[~self.types], self.owners[~self.types]


def statement_runs(statements: Sequence[Sequence[Item]]) -> Runs:
    """The runs of every hypothesis, goal and type; each hash once for a statement.

    Round brackets, colons and commas are not read. A run does not cross from one hypothesis to the next; one that is shorter than a run
    is a run.
    """
    codes: list[int] = []
    distances: list[int] = []
    lengths: list[int] = []
    owners: list[int] = []
    types: list[bool] = []
    for number, items in enumerate(statements):
        for item in items:
            is_type = item.variable is not None
            if is_type and not item.kind:
                continue
            begin, last = len(codes), dict[int, int]()
            for word in (":type", *item.kind) if is_type else item.kind:
                if isinstance(word, int):
                    here = len(codes)
                    codes.append(0)
                    distances.append(here - last.get(word, here))
                    last[word] = here
                elif word not in _IGNORED:
                    codes.append(_code(word))
                    distances.append(0)
            lengths.append(len(codes) - begin)
            owners.append(number)
            types.append(is_type)
    counts = np.maximum(1, np.array(lengths, np.int64) - WIDTH + 1)
    begins = np.cumsum([0, *lengths], dtype=np.int64)
    start = _ranges(begins[:-1], counts)
    end = np.repeat(begins[1:], counts)
    padded = np.append(np.array(codes, np.uint64), np.zeros(WIDTH, np.uint64))
    apart = np.append(np.array(distances, np.int64), np.zeros(WIDTH, np.int64))
    hashed = np.zeros(len(start), np.uint64)
    for offset in range(WIDTH):
        near = apart[start + offset]
        value = padded[start + offset] + np.where(near <= offset, near, 0).astype(np.uint64)
        hashed = _mixed(hashed + np.where(start + offset < end, value + np.uint64(1), np.uint64(0)))
    owner = np.repeat(np.array(owners, np.int64), counts)
    order = np.lexsort((hashed, owner))
    hashed, owner = hashed[order], owner[order]
    new = np.ones(len(hashed), bool)
    new[1:] = (hashed[1:] != hashed[:-1]) | (owner[1:] != owner[:-1])
    return Runs(hashed[new], owner[new], np.repeat(np.array(types, bool), counts)[order][new])


def text_runs(texts: Sequence[str]) -> tuple[UInt64[np.ndarray, "n"], Int64[np.ndarray, "n"]]:
    """Hashes of the runs of 8 words of every document, and the numbers of their documents; words without case, symbols as they are."""
    found = [_TEXT_WORDS(text.lower()) for text in texts]
    lengths = np.array([len(words) for words in found], np.int64)
    codes = np.array([_code(word) for words in found for word in words], np.uint64)
    begins = np.cumsum(lengths) - lengths
    counts = np.maximum(0, lengths - WIDTH + 1)
    start = _ranges(begins, counts)
    hashed = np.zeros(len(start), np.uint64)
    for offset in range(WIDTH):
        hashed = _mixed(hashed + codes[start + offset])
    return hashed, np.repeat(np.arange(len(texts)), counts)


def _ranges(begins: Int64[np.ndarray, "k"], counts: Int64[np.ndarray, "k"]) -> Int64[np.ndarray, "n"]:
    """`begins[i], begins[i] + 1, ...`, `counts[i]` numbers for each i."""
    before = np.cumsum(counts) - counts
    return np.arange(counts.sum()) + np.repeat(begins - before, counts)


@lru_cache(maxsize=1 << 18)
def _code(word: str) -> int:
    """64 bits for a word, the lower six of them 0: room for a distance."""
    data = word.encode()
    return (zlib.crc32(data) << 32 | zlib.crc32(data, 0x5BD1E995)) & ~63 | 64


def _mixed(values: UInt64[np.ndarray, "n"]) -> UInt64[np.ndarray, "n"]:
    """Spreads every bit over the whole word (a step of splitmix64); overflow is meant."""
    values = values * _FACTOR
    return values ^ (values >> np.uint64(29))
