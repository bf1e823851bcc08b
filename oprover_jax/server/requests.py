"""Request validation and defaults shared by both APIs.

Counts and lengths are checked first, on the event loop, before any work is done. Checks that visit every token or character come later
and run off the event loop.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from oprover_jax.errors import InputError
from oprover_jax.rollout.engine import Sampling
from oprover_jax.server.generation import GenerationRequest
from oprover_jax.server.service import Service
from oprover_jax.server.settings import ServerSettings

_MAX_TEMPLATE_DEPTH, _MAX_TEMPLATE_NUMBER = 8, 1_000_000


def check_texts(texts: Sequence[str], settings: ServerSettings) -> int:
    """Return the total number of characters; raise InputError if there are too many."""
    characters = sum(map(len, texts))
    if characters > settings.max_text_chars:
        raise InputError(f"the request has {characters} characters of text; the limit is {settings.max_text_chars}, split the request")
    return characters


def count_prompts(given: Sequence[Any], service: Service, name: str) -> int:
    """Return the number of prompts in a list of ids or of lists of ids; raise InputError if a length exceeds its limit."""
    settings, longest = service.settings, service.engine.limits.max_len
    if not any(isinstance(part, list) for part in given[: settings.max_samples]):
        if len(given) > longest:
            raise InputError(f"{name} has {len(given)} ids; the limit for a prompt is {longest}")
        return 1
    tokens = sum(len(part) for part in given[: settings.max_samples] if isinstance(part, list))
    if tokens > settings.max_prompt_tokens:
        raise InputError(f"{name} has at least {tokens} ids; the limit for a request is {settings.max_prompt_tokens}, split the request")
    return len(given)


def checked_ids(given: Sequence[int | list[int]], vocab_size: int, name: str) -> list[tuple[int, ...]]:
    """Return the prompts in a list of ids or a list of lists of ids.

    Raises:
      InputError: The list mixes ids and lists, or an id is outside the vocabulary.
    """
    ids = [part for part in given if not isinstance(part, list)]
    lists = [part for part in given if isinstance(part, list)]
    if ids and lists:
        raise InputError(f"{name} mixes ids and lists of ids; give one list of ids or a list of lists")
    prompts = [tuple(ids)] if ids or not given else [tuple(part) for part in lists]
    for prompt in prompts:
        for token in (min(prompt, default=0), max(prompt, default=0)):
            if not 0 <= token < vocab_size:
                raise InputError(f"{name} contains {token}; ids must be between 0 and {vocab_size - 1}")
    return prompts


def encoded(texts: Sequence[str], service: Service) -> list[tuple[int, ...]]:
    """Return the token ids of each text; raise InputError if there are too many in total."""
    prompts = [tuple(service.codec.encode(text)) for text in texts]
    tokens = sum(map(len, prompts))
    if tokens > service.settings.max_prompt_tokens:
        raise InputError(f"the prompts have {tokens} tokens; the limit for a request is {service.settings.max_prompt_tokens}, split it")
    return prompts


def check_name(given: str, settings: ServerSettings, name: str) -> None:
    """Raise InputError if the name `given` in field `name` is too long."""
    if len(given) > settings.max_name_chars:
        raise InputError(f"{name} has {len(given)} characters; the limit is {settings.max_name_chars}")


def check_template_variables(given: dict[str, Any], settings: ServerSettings) -> None:
    """Raise InputError if the chat template variables are too large, too deeply nested or contain large numbers."""
    size = len(msgspec.json.encode(given))
    if size > settings.max_template_bytes:
        raise InputError(f"chat_template_kwargs has {size} bytes; the limit is {settings.max_template_bytes}")
    level: list[Any] = [given]
    for _ in range(_MAX_TEMPLATE_DEPTH):
        numbers = [value for value in level if isinstance(value, int | float) and abs(value) > _MAX_TEMPLATE_NUMBER]
        if numbers:
            raise InputError(f"chat_template_kwargs contains a number above {_MAX_TEMPLATE_NUMBER}; give a smaller one")
        children = [value.values() if isinstance(value, dict) else value for value in level if isinstance(value, dict | list)]
        level = [value for values in children for value in values]
    if level:
        raise InputError(f"chat_template_kwargs is nested more than {_MAX_TEMPLATE_DEPTH} levels deep; flatten it")


def checked_stops(given: str | list[str] | None, settings: ServerSettings) -> tuple[str, ...]:
    """Return the stop strings; raise InputError if there are too many or one is empty or too long."""
    stops = [] if given is None else [given] if isinstance(given, str) else given
    if len(stops) > settings.max_stops or any(not 1 <= len(stop) <= settings.max_stop_chars for stop in stops):
        raise InputError(
            f"stop has {len(stops)} strings; give at most {settings.max_stops}, of 1 to {settings.max_stop_chars} characters each"
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
) -> GenerationRequest:
    """Return the validated request for one prompt.

    Args:
      service: Engine, codec and limits.
      prompt: Token ids.
      samples: Number of completions.
      max_new_tokens: Maximum number of new tokens, or None for the default.
      default: Default of `max_new_tokens`, capped to the remaining tokens; None uses all remaining tokens.
      stop: Stop strings.
      stop_token_ids: Additional stop tokens; ids outside the vocabulary are ignored.
      ignore_eos: Ignore all stop tokens.
      seed: Random seed; None draws one.
      **sampling: Further fields of `Sampling`.

    Raises:
      InputError: The request can never run.
    """
    codec, settings, vocab_size = service.codec, service.settings, service.engine.config.vocab_size
    remaining = service.engine.limits.max_len - len(prompt)
    if max_new_tokens is None:
        max_new_tokens = max(1, remaining if default is None else min(default, remaining))
    extra_ids = [] if ignore_eos else stop_token_ids or []
    if len(extra_ids) > settings.max_stop_ids:
        raise InputError(f"stop_token_ids has {len(extra_ids)} ids; the limit is {settings.max_stop_ids}")
    end_ids = () if ignore_eos else codec.end_ids
    stop_ids = tuple(dict.fromkeys((*end_ids, *(token for token in extra_ids if 0 <= token < vocab_size))))
    try:
        params = Sampling(max_new_tokens, stop_ids=stop_ids, **sampling)
        asked = GenerationRequest(prompt, params, samples, checked_stops(stop, settings), **({} if seed is None else {"seed": seed}))
        service.engine.limits.check(asked.request)
    except ValueError as error:
        raise InputError(str(error)) from error
    return asked
