"""The one protocol behind which policies are sampled: token ids in, token ids and log-probabilities out."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from oprover_jax.records import FinishReason


class EngineError(RuntimeError):
    """The engine is closed, has failed (the failure is the cause) or cannot be reached."""


@dataclass(frozen=True)
class Sampling:
    """How to draw. `temperature` 0 is greedy. `top_p` 1, `top_k` 0 and `min_p` 0 leave every token in; see `sampling.restrict`.
    A `top_k` above the vocabulary is off too, and a stop id outside it never matches; neither is an error.

    Log-probabilities are those of the tempered distribution over the whole vocabulary, not renormalised for top-p, top-k and min-p.
    An engine knows token ids and no text: stop strings are looked for where the text is made (`rollout.server`).
    """

    max_new_tokens: int
    temperature: float = 1.0
    stop_ids: tuple[int, ...] = ()
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens is {self.max_new_tokens}; it must be at least 1")
        if not 0 <= self.temperature < math.inf:
            raise ValueError(f"temperature is {self.temperature}; it must be 0 (greedy) or a finite number above it")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}; it must be above 0 and at most 1 (off)")
        if self.top_k < 0:
            raise ValueError(f"top_k is {self.top_k}; it must be 0 (off) or more")
        if not 0 <= self.min_p <= 1:
            raise ValueError(f"min_p is {self.min_p}; it must be from 0 (off) to 1")


@dataclass(frozen=True)
class Request:
    """One prompt, `samples` continuations. The draw is a function of (seed, sample, position) and not of what else is in flight.
    `seed` has 64 bits, signed or unsigned."""

    prompt_ids: tuple[int, ...]
    sampling: Sampling
    num_samples: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if not -(2**63) <= self.seed < 2**64:
            raise ValueError("seed does not fit into 64 bits; give a whole number from -2^63 to 2^64 - 1")


@dataclass(frozen=True)
class Completion:
    """`token_ids` includes the stop token when `finish_reason` is "stop"; `logprobs` has one entry for each of them."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: FinishReason
    policy_version: int


OnTokens = Callable[[int, list[int], list[float]], bool | None]
"""(sample, token ids, log-probabilities): what a sample has drawn since the last call. True ends that sample there."""


@runtime_checkable
class Engine(Protocol):
    """Async and safe to call from thousands of tasks of one event loop at once; the engine does the batching."""

    async def generate(self, request: Request) -> list[Completion]:
        """`request.samples` completions, in order. Cancelling the task withdraws the request. Raises ValueError for a request that can
        never run and EngineError where the engine cannot answer."""
        ...
