"""Client of remote lean-worker services, with the interface of the local pool."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import product
from types import TracebackType
from typing import TypeVar

import httpx2
import msgspec

from lean_worker.errors import LeanWorkerError
from lean_worker.files import FileReport
from lean_worker.kinds import refused_unread
from lean_worker.loop_thread import LoopThread
from lean_worker.pool import PoolStatus, StatementReport
from lean_worker.protocol import NO_VERDICT, Check, Kind, LeanDescription, Message, Verdict
from lean_worker.service.wire import FileRequest, Refusal, VerifyAnswer, VerifyRequest, verdict

_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 10.0
_ASIDE_SECONDS = 1.0  # how long a service that failed is used only if no other is there
_STATE_SECONDS = 10.0  # for a description or a status, which waits for no Lean

_DECIDING = ("lean", "library", "imports", "heartbeats", "tiers")  # what verdicts depend on

T = TypeVar("T")


class RemoteRefused(LeanWorkerError):
    """The service permanently refuses this client; the message gives the reason."""


class _Unread(Exception):
    """The service does not read the request, and would not if asked again."""


class _Retry(Exception):
    def __init__(self, reason: str, seconds: float = 0.0) -> None:
        super().__init__(reason)
        self.seconds = seconds


@dataclass(eq=False)
class _Service:
    """A service: its address, the checks in flight to it, and the time of the event loop until which others are preferred."""

    url: str
    in_flight: int = 0
    aside_until: float = 0.0


class RemotePool:
    """Client of one or several services, each check going to the one with the fewest checks of this client in flight. Thread-safe.

    A check that meets a lost connection, 429 or 5xx is retried, preferably by another service, after growing pauses of at most `patience`
    seconds in total; then its verdict is None with kind "unavailable", never a rejection.

    Args:
        urls: address of the service, http://HOST:PORT, or several addresses.
        key: bearer key of the services.
        connections: checks in flight to each service.
        patience: seconds of pauses after which a check that no service answers has no verdict.
        name: name of this client in the services' fair queues.
    """

    def __init__(
        self, urls: str | Sequence[str], key: str | None = None, *, connections: int = 128, patience: float = 120.0, name: str = ""
    ) -> None:
        addresses = [urls] if isinstance(urls, str) else list(urls)
        if not addresses or connections < 1:
            raise ValueError(f"urls and connections are {addresses} and {connections}; give at least one of each")
        headers = {"Content-Type": "application/json"}
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        headers |= {"X-Client": name} if name else {}
        most = connections * len(addresses)
        limits = httpx2.Limits(max_connections=most + len(addresses), max_keepalive_connections=most)
        # a check may wait in the service's queue for any time, so only connecting has a time limit
        self._http = httpx2.AsyncClient(headers=headers, limits=limits, timeout=httpx2.Timeout(None, connect=10.0))
        self._services = [_Service(address.rstrip("/")) for address in addresses]
        self._patience = patience
        self._described: LeanDescription | None = None
        self._turn = asyncio.Semaphore(most)
        self._loop = LoopThread("remote-lean-pool")

    def __enter__(self) -> "RemotePool":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def submit(self, check: Check, client: str = "", *, retry: bool = True) -> "Future[Verdict]":
        """Submit one check. Cancelling the future disconnects. The future raises RemoteRefused for a wrong key.

        `client`, if given, is the name in the service's fair queue instead of this pool's. Without `retry`, each service is asked once at
        most, without a pause, and the caller decides when to ask again.
        """
        self._require_open()
        return self._loop.submit(self._ask(check, client, retry))

    def check_many(self, checks: Iterable[Check]) -> list[Verdict]:
        """Return the verdicts of all checks in input order."""
        return [future.result() for future in [self.submit(check) for check in checks]]

    def read_file(self, text: str, *, tactics: bool = False, seconds: float | None = None, client: str = "") -> "Future[FileReport]":
        """Let Lean read a whole file, as `Pool.read_file` does. The service decides what the file may contain."""
        self._require_open()
        return self._loop.submit(self._ask_file(FileRequest(text, seconds, tactics), client))

    def check_statement(self, statement: str, header: str = "") -> StatementReport:
        """Return whether one statement, which ends in `:= by sorry` or `:= sorry`, elaborates."""
        return self.check_statements([statement], header)[0]

    def check_statements(self, statements: Sequence[str], header: str = "") -> list[StatementReport]:
        """Return whether each statement elaborates, in input order: what is wrong with it is told apart from a proof that does nothing."""
        return [_report(tried) for tried in self.check_many(Check("", statement, "by skip", header) for statement in statements)]

    def describe(self) -> LeanDescription:
        """Return which Lean all services have, asking them once. Raises LeanWorkerError if none answers or if their Leans differ."""
        if self._described is None:
            self._described = self._ask_services()
        return self._described

    def _ask_services(self) -> LeanDescription:
        answers = self._ask_all("/v1/lean", LeanDescription)
        first = next(iter(answers.values()))
        for (url, answer), name in product(answers.items(), _DECIDING):
            if getattr(answer, name) != getattr(first, name):
                raise LeanWorkerError(
                    f"urls: {next(iter(answers))} and {url} differ in {name} ({getattr(first, name)} and {getattr(answer, name)}); give "
                    "services with the same Lean and limits"
                )
        return first

    def status(self) -> PoolStatus:
        """Return the state of all services that answer, summed. Raises LeanWorkerError if none does."""
        states = list(self._ask_all("/v1/status", PoolStatus).values())
        verdicts = sum((Counter(state.verdicts) for state in states), Counter[str]())
        counts = {name: sum(getattr(state, name) for state in states) for name in PoolStatus.__struct_fields__ if name != "verdicts"}
        return PoolStatus(**counts, verdicts=dict(verdicts))

    def close(self) -> None:
        """Disconnect and cancel the checks in progress."""
        self._loop.close(self._http.aclose)

    def _require_open(self) -> None:
        if self._loop.closed:
            raise RuntimeError("the remote pool is closed")

    async def _ask(self, check: Check, client: str, retry: bool) -> Verdict:
        unread = refused_unread(check)
        if unread is not None:
            return _unsent(check, *unread)

        def received(content: bytes) -> Verdict:
            found = verdict(msgspec.json.decode(content, type=VerifyAnswer))
            if found.id != check.id:
                raise ValueError("response to a different check")
            return found

        body = msgspec.json.encode(msgspec.convert(check, VerifyRequest, from_attributes=True))
        return await self._send("/v1/verify", body, client, received, lambda kind, reason: _unsent(check, kind, reason), retry)

    async def _ask_file(self, request: FileRequest, client: str) -> FileReport:
        def received(content: bytes) -> FileReport:
            return msgspec.json.decode(content, type=FileReport)

        def unsent(kind: Kind, reason: str) -> FileReport:
            return FileReport(kind, (Message("error", 1, 0, 1, 0, reason),))

        return await self._send("/v1/verify/file", msgspec.json.encode(request), client, received, unsent)

    async def _send(
        self, path: str, body: bytes, client: str, received: Callable[[bytes], T], unsent: Callable[[Kind, str], T], retry: bool = True
    ) -> T:
        """Return the answer to a request from any service, trying others and, with `retry`, again; `unsent` makes one if none answers."""
        headers = {"X-Client": client} if client else {}
        last: _Service | None = None
        async with self._turn:
            pause, waited, tries = _FIRST_PAUSE_SECONDS, 0.0, 0
            while True:
                tries += 1
                last = self._choose(last)
                last.in_flight += 1
                try:
                    return await self._send_once(last, path, body, headers, received)
                except _Unread as unread:
                    return unsent("unreadable", str(unread))
                except _Retry as failed:
                    last.aside_until = max(last.aside_until, asyncio.get_running_loop().time() + max(failed.seconds, _ASIDE_SECONDS))
                    least = failed.seconds if len(self._services) == 1 else 0.0
                    wait = max(least, pause * random.uniform(0.5, 1.0)) if retry else 0.0
                    if waited + wait > self._patience or (not retry and tries >= len(self._services)):
                        return unsent("unavailable", f"no Lean service gave a valid response; retried for {waited:.0f} s: {failed}")
                finally:
                    last.in_flight -= 1
                await asyncio.sleep(wait)
                waited += wait
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _choose(self, last: _Service | None) -> _Service:
        """Return the least loaded service, preferably one that has not just failed, and another one than `last`."""
        now = asyncio.get_running_loop().time()
        return min(self._services, key=lambda service: (service.aside_until > now, service is last, service.in_flight, random.random()))

    async def _send_once(self, service: _Service, path: str, body: bytes, headers: dict[str, str], received: Callable[[bytes], T]) -> T:
        try:
            response = await self._http.post(service.url + path, content=body, headers=headers)
        except httpx2.TransportError as error:
            raise _Retry(f"{service.url}: {type(error).__name__} {error}".strip()) from error
        status = response.status_code
        if status == 429 or status >= 500:
            later = response.headers.get("retry-after", "")
            raise _Retry(f"{service.url}: status {status}", float(later) if later.isdigit() else 0.0)
        if status in (413, 422):
            raise _Unread(f"the Lean service does not read the check: {_reason(response.content)}")
        if status != 200:
            raise RemoteRefused(f"{service.url} refused the request (status {status}): {_reason(response.content)}")
        try:
            return received(response.content)
        except ValueError as error:
            raise _Retry(f"{service.url}: invalid response: {error}") from error

    def _ask_all(self, path: str, kind: type[T]) -> dict[str, T]:
        """Return the answers of all services that give one, by address. Raises LeanWorkerError with the reasons if there is none."""
        self._require_open()
        answers, reasons = self._loop.submit(self._get_all(path, kind)).result()
        if not answers:
            raise LeanWorkerError(f"urls: no Lean service answers ({'; '.join(reasons)}); start one with `lean-worker serve`")
        return answers

    async def _get_all(self, path: str, kind: type[T]) -> tuple[dict[str, T], list[str]]:
        answers: dict[str, T] = {}
        reasons: list[str] = []

        async def ask(service: _Service) -> None:
            try:
                response = await self._http.get(service.url + path, timeout=_STATE_SECONDS)
                if response.status_code in (401, 403):
                    raise RemoteRefused(f"{service.url} refused the request (status {response.status_code}): {_reason(response.content)}")
                if response.status_code == 200:
                    answers[service.url] = msgspec.json.decode(response.content, type=kind)
                else:
                    reasons.append(f"{service.url}: status {response.status_code}")
            except (httpx2.TransportError, msgspec.DecodeError) as error:
                reasons.append(f"{service.url}: {type(error).__name__} {error}".strip())

        await asyncio.gather(*map(ask, self._services))
        return {service.url: answers[service.url] for service in self._services if service.url in answers}, reasons


def _reason(content: bytes) -> str:
    try:
        return msgspec.json.decode(content, type=Refusal).detail
    except msgspec.DecodeError:
        return "no reason given"


def _report(tried: Verdict) -> StatementReport:
    if tried.kind == "statement":
        return StatementReport(False, tried.messages)
    return StatementReport(None if tried.accepted is None else True, tried.messages if tried.accepted is None else ())


def _unsent(check: Check, kind: Kind, reason: str) -> Verdict:
    accepted = None if kind in NO_VERDICT else False
    return Verdict(check.id, accepted, kind, (Message("error", 1, 0, 1, 0, reason),), tier=check.tier)
