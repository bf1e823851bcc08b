"""Health of a pool, determined without submitting work while a Lean process is running."""

import asyncio
import secrets

from lean_worker.backends import misjudgement
from lean_worker.jobs import QueueFull
from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict

_START_SECONDS = 5.0


class Health:
    """Health check of one pool, for one event loop."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._probe: asyncio.Future[Verdict] | None = None
        self._judging: asyncio.Future[str | None] | None = None

    async def misjudgement(self) -> str | None:
        """Return what is wrong with the verdicts on a true and a false theorem, or None if they are right or the workers are still busy.

        A judgement that is not finished within a few seconds continues, and the next call returns its result.
        """
        if self._judging is None:
            self._judging = asyncio.ensure_future(asyncio.to_thread(misjudgement, self._pool))
        await asyncio.wait({self._judging}, timeout=_START_SECONDS)
        if not self._judging.done():
            return None if self._pool.worker_pids else f"no Lean process started within {_START_SECONDS:g} s"
        judging, self._judging = self._judging, None
        try:
            return judging.result()
        except QueueFull:
            return None
        except RuntimeError as error:
            return str(error)

    async def trouble(self) -> str | None:
        """Return why the pool cannot check proofs, or None if it can. If no Lean process is running, submit one check."""
        if self._pool.worker_pids:
            return None
        try:
            if self._probe is None or self._probe.done():
                self._probe = asyncio.wrap_future(self._pool.submit(_probe()))
        except QueueFull:
            return None
        except RuntimeError as error:
            return str(error)
        await asyncio.wait({self._probe}, timeout=_START_SECONDS)
        if not self._probe.done():
            return None if self._pool.worker_pids else f"no Lean process started within {_START_SECONDS:g} s"
        verdict = self._probe.result()
        if verdict.accepted is not True:
            return f"no Lean process responds: {verdict.messages[0].text if verdict.messages else verdict.kind}"
        return None


def _probe() -> Check:
    """Return a check that is not in any cache."""
    return Check("health", f"theorem health_{secrets.token_hex(8)} : True := by sorry", "trivial")
