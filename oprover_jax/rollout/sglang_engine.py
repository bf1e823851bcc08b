"""The `Engine` over HTTP: SGLang, SGL-JAX or `oprover serve`, several servers or one router's address. A lost server loses no request."""

import asyncio
from types import TracebackType
from typing import Any

import httpx2
import msgspec

from lean_worker.loop_thread import LoopThread
from oprover_jax.errors import InputError
from oprover_jax.rollout.engine import Completion, EngineError, Request
from oprover_jax.rollout.servers import Server, Servers
from oprover_jax.rollout.sglang_wire import Aborted, Generated, ModelInfo, WrongAnswer, body, completion

_CONNECT_SECONDS = 10.0


class _TryAgain(Exception):
    """The server gave no answer that counts; `rest` is how long it asked to be left alone."""

    def __init__(self, reason: str, rest: float = 0.0) -> None:
        super().__init__(reason)
        self.rest = rest


class SGLangEngine:
    """Asks the servers at `urls` with at most `connections` requests in flight on each; `key` is their bearer key.

    A request that meets a lost connection, a silence of `timeout` seconds, 429, 5xx or an aborted answer goes to another server, or to the
    same after a pause that grows; EngineError where `patience` seconds have passed since its first failure. `version` is the policy
    version of servers that name none (SGL-JAX); see `publish`. Servers that return one answer whatever `n` says are asked once for each
    sample. The draws of `oprover serve` are those of the in-process engine; other servers draw without a seed.

    Safe to call from any number of tasks and event loops; use as a context manager or `close()`.
    """

    def __init__(
        self,
        *urls: str,
        key: str | None = None,
        connections: int = 256,
        timeout: float = 600.0,
        patience: float = 600.0,
        version: int = 0,
    ) -> None:
        if not urls:
            raise InputError("no server is given; name at least one address such as http://127.0.0.1:30000")
        self.version = version
        self._patience, self._timeout = patience, timeout
        self._loop = LoopThread("sglang-engine")
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=connections * len(urls))
        self._http = httpx2.AsyncClient(headers=headers, limits=limits, timeout=httpx2.Timeout(timeout, connect=_CONNECT_SECONDS))
        self._servers = Servers(urls, connections)

    async def generate(self, request: Request) -> list[Completion]:
        """`request.samples` completions, in order, all of one version where the server answers `n` at once. Cancelling hangs up."""
        if self._loop.closed:
            raise EngineError("the engine is closed")
        if not request.prompt_ids or request.num_samples < 1:
            raise InputError("a request needs at least one prompt token and one sample")
        return await asyncio.wrap_future(self._loop.submit(self._generate(request)))

    def close(self) -> None:
        """Hangs up; requests still awaited are cancelled. May be called twice."""
        self._loop.close(self._http.aclose)

    def __enter__(self) -> "SGLangEngine":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    async def _generate(self, request: Request) -> list[Completion]:
        first = await self._persist(request, request.num_samples)
        if len(first) == request.num_samples:
            return first
        others = [asyncio.ensure_future(self._persist(request, 1)) for _ in range(request.num_samples - len(first))]
        try:
            return [*first, *(one for [one] in await asyncio.gather(*others))]
        finally:
            for task in others:
                task.cancel()

    async def _persist(self, request: Request, samples: int) -> list[Completion]:
        """`samples` completions, or one from a server that cannot do better, of whichever server answers."""
        loop = asyncio.get_running_loop()
        asked_before: Server | None = None
        failing_since: float | None = None
        reason = ""
        while failing_since is None or loop.time() - failing_since < self._patience:
            left = None if failing_since is None else failing_since + self._patience - loop.time()
            try:
                async with asyncio.timeout(left) as limit, self._servers.turn(asked_before) as server:
                    limit.reschedule(None)
                    asked_before = server
                    try:
                        found = await self._once(server, request, samples)
                        server.answered()
                        return found
                    except Aborted:
                        reason = "the server aborted it"
                    except _TryAgain as failed:
                        server.failed(failed.rest)
                        reason = str(failed)
                    failing_since = failing_since or loop.time()
            except TimeoutError:
                break
        urls = ", ".join(server.url for server in self._servers.all)
        raise EngineError(f"no server of {urls} answered within {self._patience:.0f} s; the last failure: {reason}")

    async def _once(self, server: Server, request: Request, samples: int) -> list[Completion]:
        if server.seeded is None:
            server.seeded = await self._is_seeded(server)
        several = samples if server.seeded or server.lists_samples is not False else 1
        content = msgspec.json.encode(body(request, several, request.seed if server.seeded else None))
        answer = await self._ask(server, "POST", "/generate", content)
        try:
            found = msgspec.json.decode(answer, type=list[Generated] | Generated)
            answers = found if isinstance(found, list) else [found]
            if several > 1:
                server.lists_samples = len(answers) == several
            if len(answers) not in (1, several):
                raise WrongAnswer(f"{len(answers)} answers where {several} were asked for")
            return [completion(one, request, self.version) for one in answers]
        except (msgspec.DecodeError, WrongAnswer) as error:
            raise _TryAgain(f"{server.url} gave an answer that is none ({error})") from error

    async def _is_seeded(self, server: Server) -> bool:
        answer = await self._ask(server, "GET", "/get_model_info")
        try:
            return msgspec.json.decode(answer, type=ModelInfo).seeded_draws
        except msgspec.DecodeError as error:
            raise _TryAgain(f"{server.url} does not say what it serves ({error})") from error

    async def _ask(self, server: Server, method: str, path: str, content: bytes | None = None) -> bytes:
        try:
            response = await self._http.request(method, server.url + path, content=content)
        except httpx2.TransportError as error:
            raise _TryAgain(f"{server.url}: {type(error).__name__} {error}".strip()) from error
        status = response.status_code
        if status == 429 or status >= 500:
            later = response.headers.get("retry-after", "")
            raise _TryAgain(f"{server.url}: status {status}", float(later) if later.isdigit() else 0.0)
        if status in (400, 413, 422):
            raise InputError(f"{server.url} refuses the request: {reason_of(response.content)}")
        if status != 200:
            raise EngineError(f"{server.url} refuses with status {status}: {reason_of(response.content)}")
        return response.content


def reason_of(content: bytes) -> str:
    """The sentence in a refusal: `{"error": {"message": ...}}`, `{"error": ...}`, `{"message": ...}` or whatever is there."""
    try:
        found: Any = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return content[:200].decode(errors="replace") or "no reason given"
    for name in ("error", "message", "detail"):
        found = found.get(name, found) if isinstance(found, dict) else found
    return str(found)
