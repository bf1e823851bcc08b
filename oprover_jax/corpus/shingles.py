"""Short runs of tokens as 64-bit hashes: what overlap between statements and documents is measured in.

In statements a variable is written as the distance to where it stood before, or 0 where that lies outside of the run (parameterised
matching: Baker, "A theory of parameterized pattern matching", STOC 1993): renaming changes nothing, and `x + y` is not `x + x`.
"""

import re
import zlib
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from jaxtyping import Int64, UInt64

from oprover_jax.corpus.canonical import Item

WIDTH = 8  # tokens of a run in a statement
TEXT_WIDTH = 13  # words of a run in a document, as in GPT-3 (arXiv 2005.14165, appendix C)

_IGNORED = {"(", ")", ":", ","}
_TEXT_WORD = re.compile(r"[^\W_]+|[^\w\s]").findall
_FACTOR = np.uint64(0x9E3779B97F4A7C15)


def statement_shingles(items: Sequence[Item]) -> UInt64[np.ndarray, "n"]:
    """Hashes of the runs of each hypothesis and of the goal, sorted, each once; brackets and the types of variables are not read."""
    codes: list[int] = []
    distances: list[int] = []
    lengths: list[int] = []
    for item in items:
        if item.variable is not None:
            continue
        last: dict[int, int] = {}
        words = [word for word in item.kind if word not in _IGNORED]
        for position, word in enumerate(words):
            if isinstance(word, int):
                codes.append(0)
                distances.append(position - last.get(word, position))
                last[word] = position
            else:
                codes.append(_code(word))
                distances.append(0)
        lengths.append(len(words))
    return _runs(np.array(codes, np.uint64), np.array(distances, np.int64), lengths)


def _runs(codes: UInt64[np.ndarray, "t"], distances: Int64[np.ndarray, "t"], lengths: Iterable[int]) -> UInt64[np.ndarray, "n"]:
    """Runs do not cross items; an item shorter than a run is one run."""
    starts, ends, begin = [], [], 0
    for length in lengths:
        count = max(1, length - WIDTH + 1)
        starts.append(np.arange(begin, begin + count))
        ends.append(np.full(count, begin + length))
        begin += length
    start, end = np.concatenate(starts), np.concatenate(ends)
    hashed = np.zeros(len(start), np.uint64)
    padded, apart = np.append(codes, np.zeros(WIDTH, np.uint64)), np.append(distances, np.zeros(WIDTH, np.int64))
    for offset in range(WIDTH):
        near = apart[start + offset]
        value = padded[start + offset] + np.where(near <= offset, near, 0).astype(np.uint64)
        hashed = mixed(hashed + np.where(start + offset < end, value + np.uint64(1), np.uint64(0)))
    return np.unique(hashed)


def text_shingles(text: str) -> UInt64[np.ndarray, "n"]:
    """Hashes of the runs of 13 words of a document, in order: words without case, symbols as they are."""
    codes = np.array([_code(word) for word in _TEXT_WORD(text.lower())], np.uint64)
    count = len(codes) - TEXT_WIDTH + 1
    if count <= 0:
        return np.zeros(0, np.uint64)
    hashed = np.zeros(count, np.uint64)
    for offset in range(TEXT_WIDTH):
        hashed = mixed(hashed + codes[offset : offset + count])
    return hashed


@lru_cache(maxsize=1 << 18)
def _code(word: str) -> int:
    data = word.encode()
    return (zlib.crc32(data) << 32 | zlib.crc32(data, 0x5BD1E995)) & ~63 | 64


def mixed(values: UInt64[np.ndarray, "n"]) -> UInt64[np.ndarray, "n"]:
    """Spreads every bit over the whole word (a step of splitmix64); overflow is meant."""
    values = values * _FACTOR
    return values ^ (values >> np.uint64(29))
