"""The prover's side of the Lean workers: async, with a content-addressed cache, retries, and counts of what came back."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Future
from typing import Protocol, runtime_checkable

import msgspec

from lean_worker.protocol import Check, Tier, Verdict
from oprover_jax.records import Statement


@runtime_checkable
class Workers(Protocol):
    """Whatever takes checks: `lean_worker.pool.Pool` on one machine."""

    def submit(self, check: Check) -> Future[Verdict]: ...


class Verifier:
    """Asks the workers once per distinct (header, statement, proof, tier); asks again, a few times, where they could not say.

    A verdict without an answer (`accepted` None) is never cached: the next one who asks gets a fresh try.
    """

    def __init__(self, workers: Workers, retries: int = 2) -> None:
        self._workers = workers
        self._retries = retries
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
        verdict = known if isinstance(known, Verdict) else await asyncio.shield(known)
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
        verdict = await asyncio.wrap_future(self._workers.submit(check))
        for _ in range(self._retries):
            if verdict.accepted is not None:
                break
            verdict = await asyncio.wrap_future(self._workers.submit(check))
        return verdict
