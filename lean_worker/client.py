"""Client of a remote lean-worker service, with the same `submit` as `lean_worker.pool.Pool`."""

import asyncio
import random
from concurrent.futures import Future
from types import TracebackType

import httpx2
import msgspec

from lean_worker.errors import LeanWorkerError
from lean_worker.loop_thread import LoopThread
from lean_worker.protocol import Check, Message, Verdict
from lean_worker.service.wire import Refusal, VerifyAnswer, VerifyRequest, verdict

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 10.0


class RemoteRefused(LeanWorkerError):
    """The service permanently refuses this client; the message gives the reason."""


class _Retry(Exception):
    def __init__(self, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.seconds = seconds


class RemotePool:
    """Client of the service at `url` (http://host:port), with up to `connections` concurrent checks; `key` is its bearer key.

    A check that meets a lost connection, 429 or 5xx is retried after growing pauses of at most `patience` seconds in total; then its
    verdict is None with kind "unavailable", never a rejection. `name` identifies this client in the service's fair queue. Thread-safe.
    """

    def __init__(self, url: str, key: str | None = None, *, connections: int = 128, patience: float = 120.0, name: str = "") -> None:
        headers = {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        headers |= {"X-Client": name} if name else {}
        limits = httpx2.Limits(max_connections=connections, max_keepalive_connections=connections)
        # a check may wait in the service's queue for any time, so only connecting has a time limit
        self._http = httpx2.AsyncClient(base_url=url, headers=headers, limits=limits, timeout=httpx2.Timeout(None, connect=10.0))
        self._patience = patience
        self._turn = asyncio.Semaphore(connections)
        self._loop = LoopThread("remote-lean-pool")

    def __enter__(self) -> "RemotePool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def submit(self, check: Check) -> "Future[Verdict]":
        """Submit one check. Cancelling the future disconnects. The future raises RemoteRefused for a wrong key."""
        if self._loop.closed:
            raise RuntimeError("the remote pool is closed")
        return self._loop.submit(self._ask(check))

    def close(self) -> None:
        """Disconnect and cancel the checks in progress."""
        self._loop.close(self._http.aclose)

    async def _ask(self, check: Check) -> Verdict:
        try:
            body = msgspec.json.encode(msgspec.convert(check, VerifyRequest, from_attributes=True))
        except UnicodeEncodeError as error:
            return _unavailable(check, f"the check cannot be encoded: {error}")
        async with self._turn:
            pause, waited = _FIRST_PAUSE_SECONDS, 0.0
            while True:
                try:
                    return await self._send_once(check, body)
                except _Retry as failed:
                    wait = max(failed.seconds, pause * random.uniform(0.5, 1.0))
                    if waited + wait > self._patience:
                        return _unavailable(check, f"the Lean service gave no valid response; retried for {waited:.0f} s: {failed}")
                await asyncio.sleep(wait)
                waited += wait
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _send_once(self, check: Check, body: bytes) -> Verdict:
        try:
            response = await self._http.post("/v1/verify", content=body)
        except httpx2.TransportError as error:
            raise _Retry(f"{type(error).__name__} {error}".strip()) from error
        status = response.status_code
        if status == 429 or status >= 500:
            later = response.headers.get("retry-after", "")
            raise _Retry(f"status {status}", float(later) if later.isdigit() else 0.0)
        if status in (413, 422):
            return _unavailable(check, f"the Lean service rejected the check as invalid: {_reason(response.content)}")
        if status != 200:
            raise RemoteRefused(f"the Lean service refused the request (status {status}): {_reason(response.content)}")
        try:
            received = verdict(msgspec.json.decode(response.content, type=VerifyAnswer))
        except ValueError as error:
            raise _Retry(f"invalid response: {error}") from error
        if received.id != check.id:
            raise _Retry("response to a different check")
        return received


def _reason(content: bytes) -> str:
    try:
        return msgspec.json.decode(content, type=Refusal).detail
    except msgspec.DecodeError:
        return "no reason given"


def _unavailable(check: Check, reason: str) -> Verdict:
    return Verdict(check.id, None, "unavailable", (Message("error", 1, 0, 1, 0, reason),), tier=check.tier)
