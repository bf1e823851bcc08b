"""Health of a pool, determined without submitting work while a Lean process is running."""

import asyncio
import secrets

from lean_worker.jobs import QueueFull
from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict

_START_SECONDS = 5.0


class Health:
    """Health check of one pool, for one event loop."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._probe: asyncio.Future[Verdict] | None = None

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
