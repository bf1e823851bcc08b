"""Engine over HTTP for SGLang, SGL-JAX or `oprover serve`, with several servers or one router; requests survive the loss of a server."""

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


class _RetryableError(Exception):
    """Error for a server that gave no usable response; `rest` is the delay in seconds that it requested."""

    def __init__(self, reason: str, rest: float = 0.0) -> None:
        super().__init__(reason)
        self.rest = rest


class SGLangEngine:
    """Engine that samples from SGLang-compatible servers, safe to call from any number of tasks and event loops.

    After a lost connection, a timeout, status 429 or 5xx, or an aborted response, a request is retried on another server, or on the same
    one with increasing delays. Servers that ignore `n` receive one request per sample. `oprover serve` samples exactly like the in-process
    engine; other servers sample without a seed. Use it as a context manager or call `close()`.

    Args:
      *urls: Addresses of the servers.
      key: Bearer key of the servers.
      connections: Maximum number of concurrent requests per server.
      timeout: Seconds to wait for a response.
      patience: Seconds after the first failure of a request until EngineError is raised.
      version: Policy version of servers that report none (SGL-JAX); see `publish`.
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
            raise InputError("urls is empty; give at least one server address such as http://127.0.0.1:30000")
        self.version = version
        self._patience, self._timeout = patience, timeout
        self._loop = LoopThread("sglang-engine")
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=connections * len(urls))
        self._http = httpx2.AsyncClient(headers=headers, limits=limits, timeout=httpx2.Timeout(timeout, connect=_CONNECT_SECONDS))
        self._servers = Servers(urls, connections)

    async def generate(self, request: Request) -> list[Completion]:
        """Return `request.num_samples` completions, in order, all of one version if the server supports `n`. Cancelling disconnects."""
        if self._loop.closed:
            raise EngineError("the engine is closed")
        if not request.prompt_ids or request.num_samples < 1:
            raise InputError("a request needs at least one prompt token and one sample")
        return await asyncio.wrap_future(self._loop.submit(self._generate(request)))

    def close(self) -> None:
        """Close all connections and cancel pending requests. Safe to call twice."""
        self._loop.close(self._http.aclose)

    def __enter__(self) -> "SGLangEngine":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    async def _generate(self, request: Request) -> list[Completion]:
        first = await self._with_retries(request, request.num_samples)
        if len(first) == request.num_samples:
            return first
        others = [asyncio.ensure_future(self._with_retries(request, 1)) for _ in range(request.num_samples - len(first))]
        try:
            return [*first, *(completion for [completion] in await asyncio.gather(*others))]
        finally:
            for task in others:
                task.cancel()

    async def _with_retries(self, request: Request, samples: int) -> list[Completion]:
        """Return `samples` completions, or one if the server ignores `n`, from the first server that responds."""
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
                        completions = await self._once(server, request, samples)
                        server.answered()
                        return completions
                    except Aborted:
                        reason = "the server aborted the request"
                    except _RetryableError as failed:
                        server.failed(failed.rest)
                        reason = str(failed)
                    failing_since = failing_since or loop.time()
            except TimeoutError:
                break
        urls = ", ".join(server.url for server in self._servers.all)
        raise EngineError(f"none of the servers {urls} answered within {self._patience:.0f} s; last failure: {reason}")

    async def _once(self, server: Server, request: Request, samples: int) -> list[Completion]:
        if server.seeded is None:
            server.seeded = await self._is_seeded(server)
        requested = samples if server.seeded or server.lists_samples is not False else 1
        content = msgspec.json.encode(body(request, requested, request.seed if server.seeded else None))
        answer = await self._send(server, "POST", "/generate", content)
        try:
            decoded = msgspec.json.decode(answer, type=list[Generated] | Generated)
            generated = decoded if isinstance(decoded, list) else [decoded]
            if requested > 1:
                server.lists_samples = len(generated) == requested
            if len(generated) not in (1, requested):
                raise WrongAnswer(f"{len(generated)} completions for {requested} requested")
            return [completion(sample, request, self.version) for sample in generated]
        except (msgspec.DecodeError, WrongAnswer) as error:
            raise _RetryableError(f"{server.url} returned an invalid response ({error})") from error

    async def _is_seeded(self, server: Server) -> bool:
        answer = await self._send(server, "GET", "/get_model_info")
        try:
            return msgspec.json.decode(answer, type=ModelInfo).seeded_draws
        except msgspec.DecodeError as error:
            raise _RetryableError(f"{server.url} returned invalid model info ({error})") from error

    async def _send(self, server: Server, method: str, path: str, content: bytes | None = None) -> bytes:
        try:
            response = await self._http.request(method, server.url + path, content=content)
        except httpx2.TransportError as error:
            raise _RetryableError(f"{server.url}: {type(error).__name__} {error}".strip()) from error
        status = response.status_code
        if status == 429 or status >= 500:
            later = response.headers.get("retry-after", "")
            raise _RetryableError(f"{server.url}: status {status}", float(later) if later.isdigit() else 0.0)
        if status in (400, 413, 422):
            raise InputError(f"{server.url} rejected the request: {reason_of(response.content)}")
        if status != 200:
            raise EngineError(f"{server.url} returned status {status}: {reason_of(response.content)}")
        return response.content


def reason_of(content: bytes) -> str:
    """Return the message of an error response: `{"error": {"message": ...}}`, `{"error": ...}`, `{"message": ...}` or other content."""
    try:
        reason: Any = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return content[:200].decode(errors="replace") or "no reason given"
    for name in ("error", "message", "detail"):
        reason = reason.get(name, reason) if isinstance(reason, dict) else reason
    return str(reason)
