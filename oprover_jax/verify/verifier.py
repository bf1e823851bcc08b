"""Asynchronous client of the Lean workers: a bounded cache, all waiting for a Lean that is away, and the rule on unfinished checks.

Patience has one owner, which is `Verifier`: it asks the workers without retries of their own and waits itself, for `LeanConfig.patience`
seconds at most from the first failure of a check.

A check may end without a verdict by its own doing: its time ran out, or its process died. It counts as failed if that happens twice
(time) or three times (death) and Lean answers a probe after each. Then Lean was well and the proof was not; otherwise Lean is away.
"""

import asyncio
import hashlib
import time
from collections import Counter, OrderedDict
from collections.abc import Sequence
from concurrent.futures import Future
from functools import partial
from typing import Protocol, runtime_checkable

import msgspec

from lean_worker.jobs import QueueFull
from lean_worker.lean_config import LeanConfig
from lean_worker.protocol import Check, Message, Tier, Verdict
from oprover_jax.errors import LeanAway
from oprover_jax.records import Statement

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 10.0
_OWN_FAILURES = {"timeout": 2, "crash": 3}
"""How often a check may end this way, with Lean well afterwards, before it counts as failed."""
_BATCH = 1024  # checks in flight in `verify_many`


@runtime_checkable
class Workers(Protocol):
    """Interface to submit checks, such as `lean_worker.pool.Pool`."""

    def submit(self, check: Check, *, retry: bool = True) -> Future[Verdict]: ...


class Verifier:
    """Verifier that checks each distinct (header, statement, proof, tier) once, as far as its cache remembers.

    Args:
      workers: Lean workers.
      patience: Seconds for which a check waits for a Lean that is away.
      cache_size: Verdicts that are remembered; the least recently used ones are forgotten.
    """

    def __init__(self, workers: Workers, patience: float = LeanConfig.patience, cache_size: int = 16_384) -> None:
        self._workers = workers
        self._patience = patience
        self._cache_size = cache_size
        self._known: OrderedDict[bytes, Verdict] = OrderedDict()
        self._running: dict[bytes, asyncio.Task[Verdict]] = {}
        self.counts: Counter[str] = Counter()
        self.asked = 0

    async def verify(self, statement: Statement, proof: str, tier: Tier = "fast") -> Verdict:
        """Return the verdict on `proof`, with the id of the statement; use tier "slow" (checked twice) for stored or reported proofs.

        `proof` is a bare proof or whole declarations, which may contain helper lemmas. `accepted` is None in two cases. Kinds "timeout",
        "crash" and "unreadable" are the proof's own failure and final. Kind "unavailable" means that Lean stayed away; it is not
        remembered, so the next call asks again.
        """
        self.asked += 1
        key = _key(statement, proof, tier)
        verdict = self._known.get(key)
        if verdict is None:
            verdict = await asyncio.shield(self._start(key, statement, proof, tier))
        else:
            self._known.move_to_end(key)
        self.counts[verdict.kind] += 1
        return msgspec.structs.replace(verdict, id=statement.id)

    async def decide(self, statement: Statement, proof: str, tier: Tier = "fast") -> Verdict:
        """Return `verify`, which is then final. Raises LeanAway if Lean stayed away."""
        verdict = await self.verify(statement, proof, tier)
        if verdict.kind == "unavailable":
            reason = f": {verdict.messages[0].text}" if verdict.messages else ""
            raise LeanAway(f"Lean gave no verdict within {self._patience:g} s{reason}")
        return verdict

    async def verify_many(self, pairs: Sequence[tuple[Statement, str]], tier: Tier = "fast") -> list[Verdict]:
        """Return `verify` of (statement, proof) pairs, in order."""
        return [verdict for part in _parts(pairs) for verdict in await asyncio.gather(*(self.verify(*pair, tier) for pair in part))]

    async def decide_many(self, pairs: Sequence[tuple[Statement, str]], tier: Tier = "fast") -> list[Verdict]:
        """Return `decide` of (statement, proof) pairs, in order. Raises LeanAway if Lean stayed away."""
        return [verdict for part in _parts(pairs) for verdict in await asyncio.gather(*(self.decide(*pair, tier) for pair in part))]

    def _start(self, key: bytes, statement: Statement, proof: str, tier: Tier) -> "asyncio.Task[Verdict]":
        """Return the task that checks the proof; concurrent calls share it."""
        running = self._running.get(key)
        if running is None or running.get_loop() is not asyncio.get_running_loop():
            check = Check(statement.id, statement.formal, proof, statement.header, tier, helpers=True)
            running = self._running[key] = asyncio.create_task(self._settle(check))
            running.add_done_callback(partial(self._remember, key))
        return running

    def _remember(self, key: bytes, done: "asyncio.Task[Verdict]") -> None:
        if self._running.get(key) is done:
            del self._running[key]
        if done.cancelled() or done.exception() is not None or done.result().kind == "unavailable":
            return
        self._known[key] = done.result()
        while len(self._known) > self._cache_size:
            self._known.popitem(last=False)

    async def _settle(self, check: Check) -> Verdict:
        """Ask until the verdict is final, or Lean has been away for as long as patience lasts."""
        failures: Counter[str] = Counter()
        away_since, pause = float("inf"), _FIRST_PAUSE_SECONDS
        while True:
            verdict = await self._ask(check)
            if verdict.accepted is not None or verdict.kind == "unreadable":
                return verdict
            if verdict.kind in _OWN_FAILURES and await self._is_well():
                failures[verdict.kind] += 1
                if failures[verdict.kind] == _OWN_FAILURES[verdict.kind]:
                    return verdict
                continue
            now = time.monotonic()
            away_since = min(away_since, now)
            if now + pause - away_since > self._patience:
                return msgspec.structs.replace(verdict, kind="unavailable")
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _is_well(self) -> bool:
        """Return whether Lean proves something easy now; the number is new each time, so that no cache answers."""
        number = time.time_ns()
        probe = Check("probe", f"theorem probe : {number} = {number} := by sorry", "by rfl")
        return (await self._ask(probe)).accepted is True

    async def _ask(self, check: Check) -> Verdict:
        try:
            return await asyncio.wrap_future(self._workers.submit(check, retry=False))
        except QueueFull as full:
            return Verdict(check.id, None, "unavailable", (Message("error", 1, 0, 1, 0, str(full)),), tier=check.tier)


def _key(statement: Statement, proof: str, tier: Tier) -> bytes:
    return hashlib.blake2b(repr((statement.header, statement.formal, proof, tier)).encode(errors="surrogatepass"), digest_size=16).digest()


def _parts(pairs: Sequence[tuple[Statement, str]]) -> list[Sequence[tuple[Statement, str]]]:
    return [pairs[at : at + _BATCH] for at in range(0, len(pairs), _BATCH)]
