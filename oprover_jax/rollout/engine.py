"""The one protocol behind which policies are sampled: token ids in, token ids and log-probabilities out."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from oprover_jax.records import FinishReason


@dataclass(frozen=True)
class Sampling:
    """How to draw. `temperature` 0 is greedy. Log-probabilities are those of the tempered distribution that was drawn from."""

    max_new_tokens: int
    temperature: float = 1.0
    stop_ids: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens is {self.max_new_tokens}; it must be at least 1")
        if self.temperature < 0:
            raise ValueError(f"temperature is {self.temperature}; it must be 0 (greedy) or more")


@dataclass(frozen=True)
class Request:
    """One prompt, `samples` continuations. The draw is a function of (seed, sample, position) and not of what else is in flight."""

    prompt_ids: tuple[int, ...]
    sampling: Sampling
    samples: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Completion:
    """`token_ids` includes the stop token when `finish_reason` is "stop"; `logprobs` has one entry for each of them."""

    token_ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    finish_reason: FinishReason
    policy_version: int


@runtime_checkable
class Engine(Protocol):
    """Async and safe to call from thousands of tasks of one event loop at once; the engine does the batching."""

    async def generate(self, request: Request) -> list[Completion]:
        """`request.samples` completions, in order. Raises ValueError for a prompt that cannot fit."""
        ...
