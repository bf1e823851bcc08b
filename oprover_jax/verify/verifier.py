"""The prover's side of the Lean workers: async, with a content-addressed cache, retries, and counts of what came back."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol, runtime_checkable

import msgspec

from lean_worker.jobs import QueueFull
from lean_worker.protocol import Check, Tier, Verdict
from oprover_jax.records import Statement

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 10.0


@runtime_checkable
class Workers(Protocol):
    """Whatever takes checks: `lean_worker.pool.Pool` on one machine."""

    def submit(self, check: Check) -> Future[Verdict]: ...


class Verifier:
    """Asks the workers once per distinct (header, statement, proof, tier); asks again, up to `retries` times, where a check timed out or
    crashed, and after growing pauses of `patience` seconds in all where no worker was there to take it.

    A verdict without an answer (`accepted` None) is never cached: the next one who asks gets a fresh try.
    """

    def __init__(self, workers: Workers, retries: int = 2, patience: float = 90.0) -> None:
        self._workers = workers
        self._retries = retries
        self._patience = patience
        self._cache: dict[tuple[str, str, str, Tier], asyncio.Future[Verdict] | Verdict] = {}
        self.counts: Counter[str] = Counter()
        self.asked = 0

    async def verify(self, statement: Statement, proof: str, tier: Tier = "fast") -> Verdict:
        """The verdict on `proof`; its `id` is the statement's. Tier "slow" for what will be stored or reported: judged twice."""
        self.asked += 1
        key = (statement.header, statement.formal, proof, tier)
        known = self._cache.get(key)
        if known is None:
            check = Check(statement.id, statement.formal, proof, statement.header, tier)
            known = self._cache[key] = asyncio.ensure_future(self._ask(check))
        try:
            verdict = known if isinstance(known, Verdict) else await asyncio.shield(known)
        except Exception:
            self._cache.pop(key, None)
            raise
        if verdict.accepted is None:
            self._cache.pop(key, None)
        else:
            self._cache[key] = verdict
        self.counts[verdict.kind] += 1
        return msgspec.structs.replace(verdict, id=statement.id)

    async def verify_many(self, pairs: Sequence[tuple[Statement, str]], tier: Tier = "fast") -> list[Verdict]:
        """Verdicts of (statement, proof) pairs, in order."""
        return list(await asyncio.gather(*(self.verify(statement, proof, tier) for statement, proof in pairs)))

    async def _ask(self, check: Check) -> Verdict:
        retries, waited, pause = self._retries, 0.0, _FIRST_PAUSE_SECONDS
        while (verdict := await self._once(check)).accepted is None:
            if verdict.kind != "unavailable":
                if retries == 0:
                    break
                retries -= 1
                continue
            if waited + pause > self._patience:
                break
            await asyncio.sleep(pause)
            waited, pause = waited + pause, min(2 * pause, _LONGEST_PAUSE_SECONDS)
        return verdict

    async def _once(self, check: Check) -> Verdict:
        try:
            return await asyncio.wrap_future(self._workers.submit(check))
        except QueueFull:
            return Verdict(check.id, None, "unavailable", tier=check.tier)
