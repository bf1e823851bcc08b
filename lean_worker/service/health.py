"""Whether the pool can check anything, found out without giving it work while a Lean process is up."""

import asyncio
import secrets

from lean_worker.jobs import QueueFull
from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict

_START_SECONDS = 5.0


class Health:
    """State of one pool. For one event loop."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._probe: asyncio.Future[Verdict] | None = None

    async def trouble(self) -> str | None:
        """Return why no check can be answered, or None. Without a Lean process, try one check: that starts one, or fails."""
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
            return None if self._pool.worker_pids else f"no Lean process has started within {_START_SECONDS:g} s"
        verdict = self._probe.result()
        if verdict.accepted is not True:
            return f"no Lean process answers: {verdict.messages[0].text if verdict.messages else verdict.kind}"
        return None


def _probe() -> Check:
    """Return a check that no cache knows."""
    return Check("health", f"theorem health_{secrets.token_hex(8)} : True := by sorry", "trivial")
