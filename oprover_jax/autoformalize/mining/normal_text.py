"""Normal form of informal texts, the basis of their ids and deduplication."""

import hashlib
import re
import unicodedata

_LAYOUT = re.compile(r"\\[\[\]()]|\$+|\\(?:left|right|displaystyle|quad|qquad)(?![a-zA-Z])|\\[,;!]")
_QUOTED = str.maketrans("", "", '"“”„`~')
_PAUSE = re.compile(r"(?<!\d)[.,;:?]|[.,;:?](?!\d)")
_WORD = re.compile(r"[^\W_]+|[^\w\s]|_")


def normal_text(text: str) -> str:
    """Return `text` in lower case and compatibility form, without layout and punctuation, with single spaces between words.

    Characters that may be mathematics are kept: signs, primes, exclamation marks, points inside a number.
    """
    plain = unicodedata.normalize("NFKC", _LAYOUT.sub(" ", text)).casefold().translate(_QUOTED)
    return " ".join(_WORD.findall(_PAUSE.sub(" ", plain)))


def text_id(text: str) -> str:
    """Return 16 hexadecimal digits of the hash of the normal form."""
    return hashlib.sha256(normal_text(text).encode()).hexdigest()[:16]
