"""One normal form for informal texts that read the same: what their ids and their deduplication are made of."""

import hashlib
import re
import unicodedata

_LAYOUT = re.compile(r"\\[\[\]()]|\$+|\\(?:left|right|displaystyle|quad|qquad)(?![a-zA-Z])|\\[,;!]")
_QUOTED = str.maketrans("", "", '"“”„`~')
_PAUSE = re.compile(r"(?<!\d)[.,;:?]|[.,;:?](?!\d)")
_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")


def normal_text(text: str) -> str:
    """`text` in small letters and compatibility form, without the marks of layout and punctuation, words one space apart.

    Whatever may be mathematics stays: signs, primes, exclamation marks, points inside a number.
    """
    plain = unicodedata.normalize("NFKC", _LAYOUT.sub(" ", text)).casefold().translate(_QUOTED)
    return " ".join(_WORD.findall(_PAUSE.sub(" ", plain)))


def text_id(text: str) -> str:
    """16 hexadecimal digits of the hash of the normal form."""
    return hashlib.sha256(normal_text(text).encode()).hexdigest()[:16]
