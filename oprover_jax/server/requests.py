"""What both APIs do with a request's numbers: check them and fill in what is left out.

Counts and lengths are checked first and on the event loop, before anything is made of them; what looks at every token or character comes
after that and runs elsewhere.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from oprover_jax.errors import InputError
from oprover_jax.rollout.engine import Sampling
from oprover_jax.server.generation import Asked
from oprover_jax.server.service import Service
from oprover_jax.server.settings import ServerSettings

_MAX_TEMPLATE_DEPTH, _MAX_TEMPLATE_NUMBER = 8, 1_000_000


def check_texts(texts: Sequence[str], settings: ServerSettings) -> int:
    """Return the characters of all texts together. InputError where they are too many."""
    characters = sum(map(len, texts))
    if characters > settings.max_text_chars:
        raise InputError(f"the request holds {characters} characters of text and may hold {settings.max_text_chars}; split it")
    return characters


def count_prompts(given: Sequence[Any], service: Service, name: str) -> int:
    """Return how many prompts a list of ids, or of lists of ids, holds. InputError where they, or all their tokens, are too many."""
    settings, longest = service.settings, service.engine.limits.max_len
    if not any(isinstance(part, list) for part in given[: settings.max_samples]):
        if len(given) > longest:
            raise InputError(f"{name} holds {len(given)} ids, and a prompt may have {longest}; shorten it")
        return 1
    tokens = sum(len(part) for part in given[: settings.max_samples] if isinstance(part, list))
    if tokens > settings.max_prompt_tokens:
        raise InputError(f"{name} holds {tokens} ids or more, and one request may hold {settings.max_prompt_tokens}; split it")
    return len(given)


def checked_ids(given: Sequence[int | list[int]], vocab_size: int, name: str) -> list[tuple[int, ...]]:
    """The prompts of one list of ids, or of a list of such lists. InputError for a mixture and for an id that the model does not have."""
    one = [part for part in given if not isinstance(part, list)]
    several = [part for part in given if isinstance(part, list)]
    if one and several:
        raise InputError(f"{name} mixes ids and lists of ids; give one list of ids, or a list of lists")
    prompts = [tuple(one)] if one or not given else [tuple(part) for part in several]
    for prompt in prompts:
        for token in (min(prompt, default=0), max(prompt, default=0)):
            if not 0 <= token < vocab_size:
                raise InputError(f"{name} holds {token}; the model's ids go from 0 to {vocab_size - 1}")
    return prompts


def encoded(texts: Sequence[str], service: Service) -> list[tuple[int, ...]]:
    """Return the tokens of each text. InputError where all of them together are too many."""
    prompts = [tuple(service.codec.encode(text)) for text in texts]
    tokens = sum(map(len, prompts))
    if tokens > service.settings.max_prompt_tokens:
        raise InputError(f"the prompts have {tokens} tokens, and one request may have {service.settings.max_prompt_tokens}; split it")
    return prompts


def check_name(given: str, settings: ServerSettings, name: str) -> None:
    if len(given) > settings.max_name_chars:
        raise InputError(f"{name} has {len(given)} characters and may have {settings.max_name_chars}; shorten it")


def check_template_variables(given: dict[str, Any], settings: ServerSettings) -> None:
    """InputError for variables of a chat template that are more than switches, names and small tables."""
    size = len(msgspec.json.encode(given))
    if size > settings.max_template_bytes:
        raise InputError(f"chat_template_kwargs has {size} bytes and may have {settings.max_template_bytes}; shorten it")
    level: list[Any] = [given]
    for _ in range(_MAX_TEMPLATE_DEPTH):
        numbers = [value for value in level if isinstance(value, int | float) and abs(value) > _MAX_TEMPLATE_NUMBER]
        if numbers:
            raise InputError(f"chat_template_kwargs holds a number above {_MAX_TEMPLATE_NUMBER}; give a smaller one")
        held = [value.values() if isinstance(value, dict) else value for value in level if isinstance(value, dict | list)]
        level = [value for values in held for value in values]
    if level:
        raise InputError(f"chat_template_kwargs is nested more than {_MAX_TEMPLATE_DEPTH} levels deep; flatten it")


def checked_stops(given: str | list[str] | None, settings: ServerSettings) -> tuple[str, ...]:
    stops = [] if given is None else [given] if isinstance(given, str) else given
    if len(stops) > settings.max_stops or any(not 1 <= len(stop) <= settings.max_stop_chars for stop in stops):
        raise InputError(
            f"stop holds {len(stops)} strings; give at most {settings.max_stops}, of 1 to {settings.max_stop_chars} characters each"
        )
    return tuple(stops)


def asked_for(
    service: Service,
    prompt: tuple[int, ...],
    samples: int,
    max_new_tokens: int | None,
    default: int | None,
    *,
    stop: str | list[str] | None,
    stop_token_ids: list[int] | None,
    ignore_eos: bool,
    seed: int | None,
    **sampling: Any,
) -> Asked:
    """What is asked for one prompt. Without `max_new_tokens` the default, or as many tokens as there is room for where that is less or
    None. Stop ids that the model does not have are left out. InputError for what can never run."""
    codec, settings, vocab_size = service.codec, service.settings, service.engine.config.vocab_size
    room = service.engine.limits.max_len - len(prompt)
    if max_new_tokens is None:
        max_new_tokens = max(1, room if default is None else min(default, room))
    named = [] if ignore_eos else stop_token_ids or []
    if len(named) > settings.max_stop_ids:
        raise InputError(f"stop_token_ids holds {len(named)} ids and may hold {settings.max_stop_ids}; give fewer")
    ends = () if ignore_eos else codec.end_ids
    stop_ids = tuple(dict.fromkeys((*ends, *(token for token in named if 0 <= token < vocab_size))))
    try:
        drawn = Sampling(max_new_tokens, stop_ids=stop_ids, **sampling)
        asked = Asked(prompt, drawn, samples, checked_stops(stop, settings), **({} if seed is None else {"seed": seed}))
        service.engine.limits.check(asked.request)
    except ValueError as error:
        raise InputError(str(error)) from error
    return asked
