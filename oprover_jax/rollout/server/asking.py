"""What both APIs do with a request's numbers: check them and fill in what is left out."""

from collections.abc import Sequence
from typing import Any

from oprover_jax.errors import InputError
from oprover_jax.rollout.engine import Sampling
from oprover_jax.rollout.server.service import Service

_MAX_STOPS, _MAX_STOP_LENGTH = 16, 256


def checked_ids(given: Sequence[int | list[int]], vocab_size: int, name: str) -> list[tuple[int, ...]]:
    """The prompts of one list of ids, or of a list of such lists. InputError for a mixture and for an id that the model does not have."""
    one = [part for part in given if not isinstance(part, list)]
    several = [part for part in given if isinstance(part, list)]
    if one and several:
        raise InputError(f"{name} mixes ids and lists of ids; give one list of ids, or a list of lists")
    prompts = [tuple(one)] if one or not given else [tuple(part) for part in several]
    for token in (token for prompt in prompts for token in prompt):
        if not 0 <= token < vocab_size:
            raise InputError(f"{name} holds {token}; the model's ids go from 0 to {vocab_size - 1}")
    return prompts


def checked_stops(given: str | list[str] | None) -> tuple[str, ...]:
    stops = () if given is None else (given,) if isinstance(given, str) else tuple(given)
    if len(stops) > _MAX_STOPS or any(not 1 <= len(stop) <= _MAX_STOP_LENGTH for stop in stops):
        raise InputError(f"stop holds {len(stops)} strings; give at most {_MAX_STOPS}, of 1 to {_MAX_STOP_LENGTH} characters each")
    return stops


def sampling_of(service: Service, prompt: Sequence[int], max_new_tokens: int | None, default: int | None, **given: Any) -> Sampling:
    """The sampling asked for; without `max_new_tokens` the default, or as many tokens as there is room for where that is less or None."""
    room = service.engine.limits.max_len - len(prompt)
    if max_new_tokens is None:
        max_new_tokens = max(1, room if default is None else min(default, room))
    stop_ids = tuple(dict.fromkeys(given.pop("stop_ids")))
    try:
        return Sampling(max_new_tokens, stop_ids=stop_ids, **given)
    except ValueError as error:
        raise InputError(f"{error}") from error
