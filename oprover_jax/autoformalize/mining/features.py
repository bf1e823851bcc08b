"""Hashed features of texts, vectorized in numpy: words and pairs of neighbouring words, as in fastText (arXiv 1607.01759).

A word is a run of letters, a TeX command such as `\\frac`, a run of digits (all digits are read as 0) or one symbol. ASCII capitals are
read as lower case. The computation runs over one flat array of UTF-8 bytes, with no Python code per word and only the encoding per text.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int32, Int64, UInt8, UInt64

_SPACE, _LETTER, _DIGIT, _SYMBOL, _WIDE = range(5)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_LONGEST = 1 << 12  # positions in a word wrap around after this many bytes


def _classes() -> UInt8[np.ndarray, "256"]:
    classes = np.full(256, _LETTER, np.uint8)  # includes bytes of non-ASCII letters
    for byte in range(128):
        character = chr(byte)
        if character.isspace() or byte < 32:
            classes[byte] = _SPACE
        elif character.isdigit():
            classes[byte] = _DIGIT
        elif not character.isalpha() and character != "\\":
            classes[byte] = _SYMBOL
    classes[0xE2] = _WIDE  # U+2000 to U+2FFF: punctuation, arrows, mathematical operators
    return classes


def _spelling() -> UInt64[np.ndarray, "256"]:
    spelling = np.arange(256, dtype=np.uint64)
    spelling[ord("A") : ord("Z") + 1] += np.uint64(32)
    spelling[ord("0") : ord("9") + 1] = ord("0")
    return spelling + np.uint64(1)


_CLASS, _SPELLING = _classes(), _spelling()
_POWERS = np.multiply.accumulate(np.full(_LONGEST, _MULTIPLIER, np.uint64))


class Features(NamedTuple):
    """Features of a batch, grouped by text and in order: `ids[i]` in [0, buckets) belongs to text `rows[i]`."""

    ids: Int32[np.ndarray, " features"]
    rows: Int64[np.ndarray, " features"]


def features(texts: Sequence[str], buckets: int) -> Features:
    """Return the hashed words and word pairs of `texts`; `buckets` must be a power of two."""
    words, rows = _words(texts)
    paired = rows[:-1] == rows[1:]
    pairs = _mix(words[:-1] * np.uint64(0xC2B2AE3D27D4EB4F) + words[1:])[paired]
    order = np.argsort(np.concatenate([2 * np.arange(len(words)), 2 * np.flatnonzero(paired) + 1]), kind="stable")
    hashes = np.concatenate([words, pairs])[order]
    return Features((hashes & np.uint64(buckets - 1)).astype(np.int32), np.concatenate([rows, rows[:-1][paired]])[order])


def _words(texts: Sequence[str]) -> tuple[UInt64[np.ndarray, " words"], Int64[np.ndarray, " words"]]:
    """Return the hash of each word and the number of its text."""
    encoded = [text.encode("utf-8", "replace") + b"\n" for text in texts]
    data = np.frombuffer(b"".join(encoded), np.uint8)
    starts = np.flatnonzero(_begins(data))
    if not len(starts):
        return np.zeros(0, np.uint64), np.zeros(0, np.int64)
    lengths = np.diff(np.append(starts, len(data)))
    place = np.arange(starts[0], len(data)) - np.repeat(starts, lengths)
    spelled = _SPELLING[data[starts[0] :]] * _POWERS[place % _LONGEST]
    spelled[_CLASS[data[starts[0] :]] == _SPACE] = 0  # spaces after a word
    ends = np.cumsum([len(text) for text in encoded])
    return _mix(np.add.reduceat(spelled, starts - starts[0])), np.searchsorted(ends, starts, side="right")


def _begins(data: UInt8[np.ndarray, " bytes"]) -> Bool[np.ndarray, " bytes"]:
    """Return a mask of the bytes at which a word begins."""
    kinds = _CLASS[data]
    wide = np.flatnonzero(kinds == _WIDE)
    for after in (1, 2):
        kinds[np.minimum(wide + after, len(kinds) - 1)] = _WIDE
    begins = (kinds != np.concatenate([[np.uint8(_SPACE)], kinds[:-1]])) | (kinds == _SYMBOL) | (data == ord("\\"))
    begins[kinds == _WIDE] = data[kinds == _WIDE] == 0xE2
    return begins & (kinds != _SPACE)


def _mix(hashes: UInt64[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    """Mix the bits of each hash, with the finaliser of splitmix64."""
    hashes = (hashes ^ (hashes >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    hashes = (hashes ^ (hashes >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return hashes ^ (hashes >> np.uint64(31))
