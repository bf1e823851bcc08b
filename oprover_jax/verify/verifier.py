"""Asynchronous client of the Lean workers with a content-addressed cache, retries and verdict counts."""

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
    """Interface to submit checks, such as `lean_worker.pool.Pool`."""

    def submit(self, check: Check) -> Future[Verdict]: ...


class Verifier:
    """Verifier that checks each distinct (header, statement, proof, tier) once.

    A check that timed out or crashed is retried up to `retries` times; if no worker is available, it is retried with increasing delays of
    up to `patience` seconds in total. Verdicts without a result (`accepted` None) are never cached, so the next call tries again.
    """

    def __init__(self, workers: Workers, retries: int = 2, patience: float = 90.0) -> None:
        self._workers = workers
        self._retries = retries
        self._patience = patience
        self._cache: dict[tuple[str, str, str, Tier], asyncio.Future[Verdict] | Verdict] = {}
        self.counts: Counter[str] = Counter()
        self.asked = 0

    async def verify(self, statement: Statement, proof: str, tier: Tier = "fast") -> Verdict:
        """Return the verdict on `proof`, with the id of the statement; use tier "slow" (checked twice) for stored or reported proofs.

        `proof` is a bare proof or whole declarations, which may contain helper lemmas.
        """
        self.asked += 1
        key = (statement.header, statement.formal, proof, tier)
        known = self._cache.get(key)
        if known is None:
            check = Check(statement.id, statement.formal, proof, statement.header, tier, helpers=True)
            known = self._cache[key] = asyncio.ensure_future(self._check_with_retries(check))
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
        """Return the verdicts of (statement, proof) pairs, in order."""
        return list(await asyncio.gather(*(self.verify(statement, proof, tier) for statement, proof in pairs)))

    async def _check_with_retries(self, check: Check) -> Verdict:
        retries, waited, pause = self._retries, 0.0, _FIRST_PAUSE_SECONDS
        while (verdict := await self._check_once(check)).accepted is None:
            if verdict.kind == "unreadable":  # the answer would be the same
                break
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

    async def _check_once(self, check: Check) -> Verdict:
        try:
            return await asyncio.wrap_future(self._workers.submit(check))
        except QueueFull:
            return Verdict(check.id, None, "unavailable", tier=check.tier)
