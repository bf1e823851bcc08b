"""Configuration of `oprover pack`: sources with their weights, a tokenizer, and the length of a row."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import tokenizers

from oprover_jax.data.sources import Source
from oprover_jax.errors import InputError

__all__ = ["PackConfig", "encoder"]


@dataclass(frozen=True)
class PackConfig:
    """Configuration of `oprover pack`. `sources` by name, each a `Text`, `Files`, `Proofs`, `Trajectories`, `Prompted`
    or `Conversations`.

    `tokenizer` is a tokenizer.json or a folder that contains one; `end` names the token that closes a document. About `unit_bytes` of text
    make a shard; each worker (0: one per core) holds one such unit, which takes about six times its size. `decontaminate` returns why a
    document's text must not be trained on, or "" if it may: a function of a module, or a callable dataclass, as worker processes import it.
    """

    name: str
    sources: dict[str, Any] = field(default_factory=dict)  # of Source
    tokenizer: str = ""
    end: str = "<|endoftext|>"
    seq_len: int = 8192
    unit_bytes: int = 64 * 2**20
    workers: int = 0
    decontaminate: Callable[[str], str] | None = None

    def __post_init__(self) -> None:
        if not self.sources:
            raise ValueError("sources is empty; add at least one")
        for name, source in self.sources.items():
            if not source.weight > 0:
                raise ValueError(f"source {name!r} has weight {source.weight}; give a positive weight or remove the source")
            if not name.replace("-", "").replace("_", "").isalnum():
                raise ValueError(f"source {name!r} is not a valid folder name; use letters, digits, - and _")
        for setting, least in (("seq_len", 1), ("unit_bytes", 1), ("workers", 0)):
            if getattr(self, setting) < least:
                raise ValueError(f"{setting} is {getattr(self, setting)}; it must be at least {least}")

    def decides(self, name: str) -> tuple[Any, ...]:
        """Return everything besides the files that determines the rows of a source: neither its weight nor the process that packs it."""
        source: Source = self.sources[name]
        settings = {key: value for key, value in vars(source).items() if key != "weight"}
        hook = self.decontaminate
        made_of = getattr(source, "made_of", ())  # of sources that read more than their pieces
        named = None if hook is None else getattr(hook, "__qualname__", None) or repr(hook)
        tokenizer = hashlib.sha256(_tokenizer_file(self.tokenizer).read_bytes()).hexdigest()
        return (type(source).__name__, sorted(settings.items()), tokenizer, self.end, self.seq_len, self.unit_bytes, named, *made_of)


@lru_cache(maxsize=1)
def encoder(tokenizer: str, end_token: str) -> Callable[[str], list[int]]:
    """Return a function from text to the ids of a document with its end token. Control tokens in the text become plain characters.

    Raises InputError if the tokenizer cannot be read or lacks the end token.
    """
    path = _tokenizer_file(tokenizer)
    try:
        inner = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing narrower
        raise InputError(f"tokenizer: {path} cannot be read ({error}); give a tokenizer.json") from error
    inner.encode_special_tokens = True
    inner.no_truncation()
    end = inner.token_to_id(end_token)
    if end is None:
        raise InputError(f"end: {path} has no token {end_token!r}; set it to the token that closes a document")
    return lambda text: [*inner.encode(text, add_special_tokens=False).ids, end]


def _tokenizer_file(given: str) -> Path:
    path = Path(given) / "tokenizer.json" if Path(given).is_dir() else Path(given)
    if not given or not path.is_file():
        raise InputError(f"tokenizer: {given!r} is neither a tokenizer.json nor a folder that contains one")
    return path
