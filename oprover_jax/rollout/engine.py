"""Engine protocol for sampling from policies: token ids in, token ids and log-probabilities out."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from oprover_jax.records import FinishReason


class EngineError(RuntimeError):
    """Error of an engine that is closed, unreachable, or has failed (with the failure as its cause)."""


@dataclass(frozen=True)
class Sampling:
    """Sampling parameters. `temperature` 0 is greedy. `top_p` 1, `top_k` 0 and `min_p` 0 are off; see `sampling.restrict`.

    A `top_k` above the vocabulary size is off, and a stop id outside the vocabulary never matches; neither is an error. Log-probabilities
    refer to the distribution at this temperature over the whole vocabulary, not renormalised for top-p, top-k and min-p. Engines handle
    token ids only; `server` searches the text for stop strings.
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
            raise ValueError(f"temperature is {self.temperature}; it must be 0 (greedy) or a positive finite number")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}; it must be above 0 and at most 1 (off)")
        if self.top_k < 0:
            raise ValueError(f"top_k is {self.top_k}; it must be at least 0 (off)")
        if not 0 <= self.min_p <= 1:
            raise ValueError(f"min_p is {self.min_p}; it must be between 0 (off) and 1")


@dataclass(frozen=True)
class Request:
    """Request for `num_samples` completions of one prompt.

    Sampling is a function of (seed, sample, position), independent of concurrent requests. `seed` has 64 bits, signed or unsigned.
    """

    prompt_ids: tuple[int, ...]
    sampling: Sampling
    num_samples: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        if not -(2**63) <= self.seed < 2**64:
            raise ValueError("seed does not fit into 64 bits; give an integer from -2^63 to 2^64 - 1")
        if self.sampling.temperature == 0 and self.num_samples > 1:
            raise ValueError(
                f"temperature is 0 (greedy) but num_samples is {self.num_samples}, and all of them would be equal; give a positive "
                "temperature or one sample"
            )


@dataclass(frozen=True)
class Completion:
    """Completion of a prompt. `token_ids` includes the stop token if `finish_reason` is "stop"; `logprobs` has one entry per token."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: FinishReason
    policy_version: int


OnTokens = Callable[[int, list[int], list[float]], bool | None]
"""Callback (sample, token ids, log-probabilities) with the tokens sampled since the last call; returning True ends that sample."""


@runtime_checkable
class Engine(Protocol):
    """Asynchronous engine that batches requests; safe to call from thousands of tasks of one event loop."""

    async def generate(self, request: Request) -> list[Completion]:
        """Return `request.num_samples` completions, in order. Cancelling the task cancels the request.

        Raises:
          ValueError: The request can never run.
          EngineError: The engine is unavailable.
        """
        ...
