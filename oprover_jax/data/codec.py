"""Text to token ids and back for any model folder: its tokenizer.json, end tokens and chat template."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import msgspec
import tokenizers

from oprover_jax.data.chat import ChatTemplate, plain_prompt
from oprover_jax.data.tokenizer import REMEMBERED, Tokenizer, ids_of, load_tokenizer
from oprover_jax.errors import InputError

Messages = Sequence[Mapping[str, Any]]

_SAID = "\ue000said\ue000"  # placeholder for a user's text while the template is rendered


@dataclass(frozen=True)
class Codec:
    """Tokenizer of a model with its chat template. `decode` omits control tokens, `token_text` writes out every token; `end_ids` end a
    text; `hash` changes with the tokenizer.

    In `encode`, control tokens written out in a text become the tokens if the model has a chat template, which consists of them, and are
    plain characters otherwise; in `encode_plain` they are always plain characters.
    """

    encode: Callable[[str], list[int]]
    encode_plain: Callable[[str], list[int]]
    decode: Callable[[Sequence[int]], str]
    token_text: Callable[[int], str]
    end_ids: tuple[int, ...]
    hash: str
    template: ChatTemplate | None = None

    def chat_prompt(self, messages: Messages, variables: Mapping[str, Any]) -> str:
        """Return the prompt for a chat. Raises InputError if messages or variables do not match the template."""
        if self.template is not None:
            return self.template(messages, **variables)
        if variables:
            raise InputError(f"chat_template_kwargs {sorted(variables)}: this model has no chat template; omit them")
        return plain_prompt(messages)

    @cached_property
    def turn(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the tokens before and after a user's text, including those that begin the answer; empty without a chat template.

        The text between them is encoded by `encode_plain`, so that no text can end its turn. Raises InputError if the template does not
        show the user's text exactly once.
        """
        if self.template is None:
            return (), ()
        parts = self.template([{"role": "user", "content": _SAID}]).split(_SAID)
        if len(parts) != 2:
            raise InputError(f"the model's chat template shows a user's message {len(parts) - 1} times, expected once; fix the template")
        return tuple(self.encode(parts[0])), tuple(self.encode(parts[1]))

    def said(self, text: str) -> tuple[int, ...]:
        """Return the prompt in which a user says `text`, or the text alone without a chat template."""
        before, after = self.turn
        return (*before, *self.encode_plain(text), *after)


def load_codec(folder: Path) -> Codec:
    """Return the codec of a model folder.

    Raises:
      InputError: the folder has no tokenizer.json, a file is damaged, or no end token is defined.
    """
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a folder that contains the model's tokenizer")
    try:
        inner, plain = (tokenizers.Tokenizer.from_file(str(path)) for _ in range(2))
    except Exception as error:  # the library raises nothing narrower
        raise InputError(f"{path} is not a tokenizer: {error}") from error
    settings = _read(folder / "tokenizer_config.json")
    template = _template(folder, settings)
    inner.encode_special_tokens, plain.encode_special_tokens = template is None, True
    end_ids = _end_ids(folder) or tuple(filter(None, [inner.token_to_id(_special_tokens(settings)["eos_token"])]))
    if not end_ids:
        raise InputError(
            f"{folder}: neither generation_config.json nor config.json gives eos_token_id, nor does tokenizer_config.json give eos_token; "
            "add one of them, so that texts can end"
        )
    recent = lru_cache(REMEMBERED)(lambda text: tuple(plain.encode(text, add_special_tokens=False).ids))  # prompts repeat their parts
    return Codec(
        encode=lambda text: ids_of(inner, text),
        encode_plain=lambda text: list(recent(text)),
        decode=lambda ids: inner.decode(list(ids), skip_special_tokens=True),
        token_text=lambda token: inner.decode([token], skip_special_tokens=False),
        end_ids=end_ids,
        hash=hashlib.sha256(path.read_bytes()).hexdigest()[:16],
        template=template,
    )


def open_codec(where: str) -> Codec:
    """Return the codec of a model's folder, or of a tokenizer.json that a run has trained. Errors: see `load_codec`."""
    path = Path(where)
    if any((path / name).is_file() for name in ("tokenizer_config.json", "config.json")):
        return load_codec(path)
    return codec_of(load_tokenizer(path / "tokenizer.json" if path.is_dir() else path))


def codec_of(tokenizer: Tokenizer) -> Codec:
    """Return the codec of one of this project's own policies, which have no chat template."""
    return Codec(tokenizer.encode_once, tokenizer.encode, tokenizer.decode, tokenizer.token_text, (tokenizer.end_id,), tokenizer.hash)


def _end_ids(folder: Path) -> tuple[int, ...]:
    for name in ("generation_config.json", "config.json"):
        end_ids = _read(folder / name).get("eos_token_id")
        if end_ids is not None:
            return tuple(end_ids) if isinstance(end_ids, list) else (end_ids,)
    return ()


def _template(folder: Path, settings: Mapping[str, Any]) -> ChatTemplate | None:
    path = folder / "chat_template.jinja"
    source = path.read_text(encoding="utf-8") if path.is_file() else settings.get("chat_template")
    if isinstance(source, list):  # several named templates, as in older models
        source = next((template["template"] for template in source if template["name"] == "default"), None)
    return ChatTemplate(source, _special_tokens(settings)) if source else None


def _special_tokens(settings: Mapping[str, Any]) -> dict[str, str]:
    """Return bos_token and similar tokens, each a string or a table with its content."""
    tokens = {}
    for name in ("bos_token", "eos_token", "pad_token", "unk_token"):
        value = settings.get(name)
        tokens[name] = value["content"] if isinstance(value, dict) else value or ""
    return tokens


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise InputError(f"{path}: {error}") from error
