"""Byte-level BPE tokenizer for Lean, trained on the corpus, with the prompt's fixed phrases as single tokens."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import tokenizers
from tokenizers import AddedToken, Regex, decoders, models, pre_tokenizers, trainers

from oprover_jax.errors import InputError
from oprover_jax.files import replacing

PAD, END = "<|pad|>", "<|end|>"

_LONG = 4096  # characters

# A word with the space before it, a run of digits, a line break with its indentation, or one symbol with the space before it.
LEAN_PIECES = r"""\n[ ]*| ?[A-Za-zα-ωΑ-Ω_][\w.'!?₀-₉]*| ?[0-9]+| ?[^\s\w]|[ ]+|\s"""

REMEMBERED = 1 << 12
"""Texts whose ids are remembered; those of a long prompt's parts take tens of kilobytes each."""


class Tokenizer:
    """Tokenizer from text to ids and back. Id 0 is padding; `end_id` closes a document or an attempt and is never part of its text."""

    def __init__(self, inner: tokenizers.Tokenizer) -> None:
        self._inner = inner
        self._remembered = lru_cache(REMEMBERED)(lambda text: tuple(ids_of(inner, text)))
        pad, end = inner.token_to_id(PAD), inner.token_to_id(END)
        if pad != 0 or end is None:
            raise InputError(f"the tokenizer lacks {PAD} as id 0 or {END}; train it with `train_tokenizer`")
        self.end_id: int = end
        self.vocab_size: int = inner.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Return the ids of `text`, cached because prompts repeat their parts. Control tokens in the text are encoded as plain
        characters, never as the token."""
        return list(self._remembered(text))

    def encode_once(self, text: str) -> list[int]:
        """Return the ids of `text` like `encode`, without caching."""
        return ids_of(self._inner, text)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of `ids` without control tokens; an unfinished UTF-8 sequence becomes U+FFFD."""
        return self._inner.decode(list(ids), skip_special_tokens=True)

    def token_text(self, token: int) -> str:
        """Return the text of a single token, including control tokens."""
        return self._inner.decode([token], skip_special_tokens=False)

    @property
    def hash(self) -> str:
        """16 hexadecimal digits of a hash of everything that determines the ids."""
        return hashlib.sha256(self._inner.to_str().encode()).hexdigest()[:16]

    def save(self, path: Path) -> None:
        with replacing(path) as temporary:
            self._inner.save(str(temporary))


def ids_of(inner: tokenizers.Tokenizer, text: str) -> list[int]:
    """Return the ids of `text`. Other threads can run meanwhile: only the library's batch functions release Python's lock."""
    if len(text) > _LONG:
        return inner.encode_batch_fast([text], add_special_tokens=False)[0].ids
    return inner.encode(text, add_special_tokens=False).ids


def load_tokenizer(path: Path) -> Tokenizer:
    """Read a `tokenizer.json` written by `Tokenizer.save`."""
    if not path.is_file():
        raise InputError(f"{path} does not exist; run the tokenizer stage, which writes it")
    return Tokenizer(_encode_specials_as_text(tokenizers.Tokenizer.from_file(str(path))))


def train_tokenizer(texts: Iterable[str], vocab_size: int, phrases: Sequence[str]) -> Tokenizer:
    """Train a tokenizer on `texts` with `vocab_size` ids in total; every phrase becomes a token.

    Raises:
      InputError: the vocabulary is too small even for the bytes and the phrases.
    """
    needed = 256 + 2 + len(phrases)
    if vocab_size < needed:
        raise InputError(f"tokenizer.vocab_size is {vocab_size}; give at least {needed} for bytes, control tokens and phrases")
    inner = tokenizers.Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(LEAN_PIECES), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    inner.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(phrases),
        special_tokens=[PAD, END],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    inner.train_from_iterator(texts, trainer)
    inner.add_tokens([AddedToken(phrase, normalized=False) for phrase in phrases])
    return Tokenizer(_encode_specials_as_text(inner))


def _encode_specials_as_text(inner: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    inner.encode_special_tokens = True
    return inner


def exported_tokenizer(path: Path, max_len: int) -> dict[str, bytes]:
    """Return the files of a saved tokenizer that transformers loads, by name; `max_len` is the longest training sequence, in tokens."""
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": END, "pad_token": PAD, "model_max_length": max_len}
    return {"tokenizer.json": path.read_bytes(), "tokenizer_config.json": json.dumps(settings, indent=2).encode()}
