"""A request before it runs: what the engine's limits say of it, and its numbers as the arrays that the device takes."""

import bisect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from oprover_jax.errors import InputError
from oprover_jax.rollout.engine import Completion, Request
from oprover_jax.rollout.sampling import seed_words

_INT32_MAX = np.iinfo(np.int32).max
_COLDEST = float(np.finfo(np.float32).tiny)  # this and its inverse are the last numbers that devices do not round to 0


@dataclass(frozen=True)
class Limits:
    """Shapes of the engine; each distinct prefill shape is compiled once, on first use.

    `prefill_batches` are the numbers of prompts in one prefill, ascending; prompt lengths are rounded up to `prefill_multiple`.
    `lookahead` is how far behind the first waiting request one looks for prompts that fill its batch. `max_samples` bounds the samples
    of one request.
    """

    slots: int = 128
    max_len: int = 256
    prefill_batches: tuple[int, ...] = (1, 8)
    prefill_multiple: int = 32
    decode_chunk: int = 8
    max_stop_ids: int = 8
    lookahead: int = 128
    max_samples: int = 65_536

    def __post_init__(self) -> None:
        for name in ("slots", "max_len", "prefill_multiple", "decode_chunk", "max_stop_ids", "lookahead", "max_samples"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1")
        batches = self.prefill_batches
        if not batches or batches[0] < 1 or list(batches) != sorted(set(batches)):
            raise InputError(f"prefill_batches is {batches}; give distinct positive numbers in ascending order, as (1, 8)")

    def bucket(self, length: int) -> int:
        """The padded length at which a prompt of `length` tokens is prefilled."""
        return min(-(-length // self.prefill_multiple) * self.prefill_multiple, self.max_len)

    def rows(self, prompts: int) -> int:
        """The smallest prefill batch that holds `prompts`, or the largest there is."""
        return self.prefill_batches[min(bisect.bisect_left(self.prefill_batches, prompts), len(self.prefill_batches) - 1)]

    def check_prompt(self, length: int) -> None:
        """Raises InputError for a prompt that this engine can never read."""
        if not length:
            raise InputError("the prompt has no tokens; give at least one, for example the beginning-of-sequence token")
        if length > self.max_len:
            raise InputError(f"a prompt of {length} tokens exceeds the engine's max_len {self.max_len}; shorten it or raise max_len")

    def check(self, request: Request) -> None:
        """Raises InputError for a request that this engine can never run."""
        prompt, new = len(request.prompt_ids), request.sampling.max_new_tokens
        self.check_prompt(prompt)
        if prompt + new > self.max_len:
            raise InputError(
                f"a prompt of {prompt} tokens and max_new_tokens {new} exceed the engine's max_len {self.max_len}; "
                "shorten the prompt, lower max_new_tokens or build the engine with a larger max_len"
            )
        if not 1 <= request.num_samples <= self.max_samples:
            raise InputError(f"samples is {request.num_samples}; it must be from 1 to {self.max_samples}")
        if len(request.sampling.stop_ids) > self.max_stop_ids:
            raise InputError(f"{len(request.sampling.stop_ids)} stop ids given; raise the engine's max_stop_ids {self.max_stop_ids}")


class Row(NamedTuple):
    """What the slots of a request hold in the `SlotTable`; `stop_ids` without those that no vocabulary has."""

    seed: np.ndarray
    temperature: np.float32
    top_p: np.float32
    top_k: np.int32
    min_p: np.float32
    stop_ids: np.ndarray

    @staticmethod
    def of(request: Request) -> "Row":
        sampling = request.sampling
        # greedy takes the most likely token whatever the limits; they would only cost time
        greedy = sampling.temperature == 0
        temperature = 0.0 if greedy else min(max(sampling.temperature, _COLDEST), 1 / _COLDEST)
        return Row(
            seed=np.array(seed_words(request.seed), np.uint32),
            temperature=np.float32(temperature),
            top_p=np.float32(1 if greedy else sampling.top_p),
            top_k=np.int32(0 if greedy else min(sampling.top_k, _INT32_MAX)),
            min_p=np.float32(0 if greedy else sampling.min_p),
            stop_ids=np.array([token for token in sampling.stop_ids if 0 <= token <= _INT32_MAX], np.int32),
        )


@dataclass(eq=False)
class Job:
    """A request on its way. `completions` fills up in any order; `version` is that of the weights that prefilled it. `on_tokens` is told
    what a sample has drawn, after each decode chunk.

    The request's numbers become the arrays of `prompt` and `row` here, where the caller makes the job: those that fit into no array
    raise here and not on the device's thread. To be made of a request that `Limits.check` let pass.
    """

    request: Request
    on_tokens: Callable[[int, list[int], list[float]], None] | None = None
    prompt: np.ndarray = field(init=False)
    row: Row = field(init=False)
    completions: list[Completion | None] = field(init=False)
    missing: int = field(init=False)
    version: int | None = None
    cancelled: bool = False

    def __post_init__(self) -> None:
        self.prompt = np.array(self.request.prompt_ids, np.int32)
        self.row = Row.of(self.request)
        self.completions = [None] * self.request.num_samples
        self.missing = self.request.num_samples
