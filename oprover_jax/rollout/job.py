"""Engine limits, and jobs: requests with their numbers converted to device arrays."""

import bisect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from oprover_jax.errors import InputError
from oprover_jax.rollout.engine import Completion, Request
from oprover_jax.rollout.sampling import seed_words

_INT32_MAX = np.iinfo(np.int32).max
_COLDEST = float(np.finfo(np.float32).tiny)  # devices round smaller numbers to 0, and likewise inverses of larger ones


@dataclass(frozen=True)
class Limits:
    """Shapes and limits of the engine; each distinct prefill shape is compiled on first use.

    Attributes:
      slots: Sequences decoded concurrently.
      max_len: Maximum length of prompt and completion together, in tokens.
      prefill_batches: Numbers of prompts in one prefill, ascending.
      prefill_multiple: Prompt lengths are padded to a multiple of this.
      decode_chunk: Tokens decoded per dispatch.
      max_stop_ids: Maximum number of stop ids of a request.
      lookahead: Number of waiting requests searched for prompts that fill a prefill batch.
      max_samples: Maximum number of samples of a request.
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
            raise InputError(f"prefill_batches is {batches}; give distinct positive numbers in ascending order, such as (1, 8)")

    def bucket(self, length: int) -> int:
        """Return the padded length of a prompt of `length` tokens."""
        return min(-(-length // self.prefill_multiple) * self.prefill_multiple, self.max_len)

    def rows(self, prompts: int) -> int:
        """Return the smallest prefill batch size for `prompts` prompts, or the largest available."""
        return self.prefill_batches[min(bisect.bisect_left(self.prefill_batches, prompts), len(self.prefill_batches) - 1)]

    def check_prompt(self, length: int) -> None:
        """Raise InputError if the prompt length is invalid."""
        if not length:
            raise InputError("the prompt has no tokens; give at least one, for example the beginning-of-sequence token")
        if length > self.max_len:
            raise InputError(
                f"the prompt has {length} tokens, which exceeds the engine's max_len {self.max_len}; shorten it or raise max_len"
            )

    def check(self, request: Request) -> None:
        """Raise InputError if this engine can never run the request."""
        prompt, new = len(request.prompt_ids), request.sampling.max_new_tokens
        self.check_prompt(prompt)
        if prompt + new > self.max_len:
            raise InputError(
                f"a prompt of {prompt} tokens and max_new_tokens {new} exceed the engine's max_len {self.max_len}; "
                "shorten the prompt, lower max_new_tokens or build the engine with a larger max_len"
            )
        if not 1 <= request.num_samples <= self.max_samples:
            raise InputError(f"num_samples is {request.num_samples}; it must be between 1 and {self.max_samples}")
        if len(request.sampling.stop_ids) > self.max_stop_ids:
            raise InputError(
                f"stop_ids has {len(request.sampling.stop_ids)} ids; the engine's max_stop_ids is {self.max_stop_ids}, raise it"
            )


class Row(NamedTuple):
    """Entries of a request in the `SlotTable`; `stop_ids` excludes ids that no vocabulary contains."""

    seed: np.ndarray
    temperature: np.float32
    top_p: np.float32
    top_k: np.int32
    min_p: np.float32
    stop_ids: np.ndarray

    @staticmethod
    def of(request: Request) -> "Row":
        """Return the entries of a request."""
        sampling = request.sampling
        # greedy decoding takes the most likely token regardless of these limits, which would only cost time
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
    """Request in progress. `completions` fills up in any order; `version` is that of the weights that prefilled it.

    `on_tokens` is called after each decode chunk. The arrays `prompt` and `row` are created in the constructor, so that numbers that fit
    no array raise in the caller and not on the device thread. The request must have passed `Limits.check`.
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
