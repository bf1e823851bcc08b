"""Generation state of one prompt: its samples as they grow, and their finish reasons."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from oprover_jax.data.codec import Codec
from oprover_jax.rollout.engine import Completion, Request, Sampling
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.server.incremental_detokenizer import GrowingText

FinishKind = Literal["stop", "length", "abort"]


@dataclass(frozen=True)
class GenerationRequest:
    """Request for one prompt, independent of the API. `stop` holds strings, `sampling.stop_ids` token ids."""

    prompt_ids: tuple[int, ...]
    sampling: Sampling
    num_samples: int = 1
    stop: tuple[str, ...] = ()
    seed: int = field(default_factory=lambda: secrets.randbits(63))

    @cached_property
    def request(self) -> Request:
        return Request(self.prompt_ids, self.sampling, self.num_samples, self.seed)


@dataclass(frozen=True)
class Finish:
    """Finish reason of a sample; `matched` is the stop token or the stop string."""

    kind: FinishKind
    matched: int | str | None = None


class Sample:
    """One completion in progress. `token_ids` and `logprobs` include the stop token or the whole stop string, `text` excludes them."""

    def __init__(self, codec: Codec, asked: GenerationRequest) -> None:
        self.token_ids: list[int] = []
        self.logprobs: list[float] = []
        self.finish: Finish | None = None
        self._stop_ids = asked.sampling.stop_ids
        self._growing = GrowingText(codec.decode, asked.stop)

    @property
    def text(self) -> str:
        return self._growing.text

    def add(self, token_ids: list[int], logprobs: list[float]) -> bool:
        """Append sampled tokens; return True if a stop string ends the sample."""
        if self.finish is not None:
            return True
        readable = token_ids[:-1] if token_ids[-1] in self._stop_ids else token_ids
        if self._growing.add(readable):
            count = len(self.token_ids)
            surplus = count + len(token_ids) - self._growing.tokens
            token_ids, logprobs = token_ids[: len(token_ids) - surplus], logprobs[: len(logprobs) - surplus]
            self.finish = Finish("stop", self._growing.matched)
        self.token_ids += token_ids
        self.logprobs += logprobs
        return self.finish is not None

    def end(self, kind: FinishKind) -> None:
        """Finish the sample. A stop string may be found only now, in text that was withheld."""
        if self.finish is None:
            self._growing.end()
            by_token = self.token_ids[-1] if kind == "stop" else None
            self.finish = Finish(kind, by_token) if self._growing.matched is None else Finish("stop", self._growing.matched)


class Generation:
    """All samples of one prompt. Only one reader may iterate `changes`; `policy_version` is set when the generation ends."""

    def __init__(self, identity: str, asked: GenerationRequest, codec: Codec) -> None:
        self.identity = identity
        self.asked = asked
        self.samples = [Sample(codec, asked) for _ in range(asked.num_samples)]
        self.policy_version = 0
        self._changed: set[int] = set()
        self._has_changes = asyncio.Event()
        self._done = False
        self._aborted = False
        self._task: asyncio.Task[list[Completion]] | None = None

    async def run(self, engine: JaxEngine) -> None:
        """Generate all samples; `abort` ends unfinished ones with the finish reason "abort".

        Raises:
          EngineError: The engine failed.
        """
        self._task = asyncio.ensure_future(engine.generate(self.asked.request, self._on_tokens))
        if self._aborted:
            self._task.cancel()
        try:
            await asyncio.wait([self._task])
            if self._task.cancelled():
                self.policy_version = engine.version  # a started request keeps the weights in use
                self._end(["abort"] * len(self.samples))
            else:
                completions = self._task.result()
                self.policy_version = completions[0].policy_version
                self._end([completion.finish_reason for completion in completions])
        finally:
            self._task.cancel()
            self._done = True
            self._has_changes.set()

    def abort(self) -> None:
        """End the generation with the tokens sampled so far."""
        self._aborted = True
        if self._task is not None:
            self._task.cancel()

    async def changes(self) -> AsyncIterator[int]:
        """Yield the numbers of samples that have grown or ended since they were last yielded, until all have ended."""
        while not self._done:
            await self._has_changes.wait()
            self._has_changes.clear()
            changed, self._changed = self._changed, set()
            for sample in sorted(changed):
                yield sample
        for sample in sorted(self._changed):
            yield sample

    def _on_tokens(self, sample: int, token_ids: list[int], logprobs: list[float]) -> bool:
        ended = self.samples[sample].add(token_ids, logprobs)
        self._changed.add(sample)
        self._has_changes.set()
        return ended

    def _end(self, kinds: Sequence[FinishKind]) -> None:
        for number, (sample, kind) in enumerate(zip(self.samples, kinds)):
            if sample.finish is None:
                sample.end(kind)
            self._changed.add(number)
