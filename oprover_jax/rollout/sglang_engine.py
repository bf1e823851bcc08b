"""Engine over HTTP for SGLang, SGL-JAX or `oprover serve`, with several servers or one router; requests survive the loss of a server."""

import asyncio
from collections.abc import Sequence
from types import TracebackType
from urllib.parse import urlsplit

import msgspec

from lean_worker.loop_thread import LoopThread
from oprover_jax.errors import InputError
from oprover_jax.rollout.engine import Completion, EngineError, Request
from oprover_jax.rollout.server_http import PublishError, Restart, RetryableError, ServerHttp
from oprover_jax.rollout.servers import Server, Servers, Unavailable
from oprover_jax.rollout.sglang_wire import Aborted, Generated, WrongAnswer, body, completion
from oprover_jax.rollout.versions import PublishedWeights

_PATIENCE_SECONDS = 600.0  # as long as a large model takes to load


def open_engine(
    urls: Sequence[str],
    weights: PublishedWeights | None = None,
    *,
    key: str | None = None,
    connections: int = 256,
    patience: float = _PATIENCE_SECONDS,
    restart: Restart | None = None,
) -> "SGLangEngine":
    """Return an engine over the servers at `urls`, all of which serve `weights` if given.

    Args:
      urls: Addresses of SGLang, SGL-JAX or `oprover serve` servers.
      weights: Weights that the servers must serve, from `versions.write_version`; None for those that they have.
      key: Bearer key of the servers.
      connections: Maximum number of concurrent requests per server.
      patience: Seconds without a usable response until EngineError is raised.
      restart: Restarts a server on new weights, for SGL-JAX.

    Raises:
      InputError: An address is not valid.
      PublishError: A server refuses the weights, or none of them responds.
    """
    engine = SGLangEngine(*urls, key=key, connections=connections, patience=patience, restart=restart)
    if weights is not None:
        try:
            engine.publish(weights)
        except BaseException:
            engine.close()
            raise
    return engine


class SGLangEngine:
    """Engine that samples from SGLang-compatible servers, safe to call from any number of tasks and event loops.

    After a lost connection, a timeout, status 429 or 5xx, or an aborted response, a request is retried on another server, or on the same
    one with increasing delays. Servers that ignore `n` receive one request per sample. `oprover serve` samples exactly like the in-process
    engine; other servers sample without a seed. Use it as a context manager or call `close()`.

    After `publish`, the engine owns the weights of its servers. A server receives requests only once it has reported the published
    version, and again after every failure. One that was restarted with other weights is brought to the published ones first. A completion
    by other weights is drawn again. Without `publish`, completions have the version that their server reports.

    Args:
      *urls: Addresses of the servers.
      key: Bearer key of the servers.
      connections: Maximum number of concurrent requests per server.
      timeout: Seconds to wait for a response.
      patience: Seconds after the first failure of a request, or without any ready server, until EngineError is raised.
      version: Policy version of servers that report none, until `publish`.
      restart: Restarts a server that cannot load weights (SGL-JAX); see `publish`.
    """

    def __init__(
        self,
        *urls: str,
        key: str | None = None,
        connections: int = 256,
        timeout: float = 600.0,
        patience: float = _PATIENCE_SECONDS,
        version: int = 0,
        restart: Restart | None = None,
    ) -> None:
        addresses = checked_urls(urls)
        self._version, self._patience, self._restart = version, patience, restart
        self._weights: PublishedWeights | None = None
        self._loop = LoopThread("sglang-engine")
        self._http = ServerHttp(key, connections * len(addresses), timeout)
        self._servers = Servers(addresses, connections, patience, self._prepare)
        self._preparing: dict[str, asyncio.Task[None]] = {}

    @property
    def version(self) -> int:
        """Version of the published weights, or the one given for servers that report none."""
        return self._version if self._weights is None else self._weights.version

    async def generate(self, request: Request) -> list[Completion]:
        """Return `request.num_samples` completions, in order, all of one version if the server supports `n`. Cancelling disconnects.

        Raises:
          InputError: A server rejected the request.
          EngineError: The engine is closed, a server refused, or none answered in time; the message names the servers.
        """
        if self._loop.closed:
            raise EngineError("the engine is closed")
        if not request.prompt_ids or request.num_samples < 1:
            raise InputError("a request needs at least one prompt token and one sample")
        return await asyncio.wrap_future(self._loop.submit(self._generate(request)))

    def publish(self, weights: PublishedWeights) -> None:
        """Make every server that responds serve `weights`; return once at least one does.

        Requests in progress are aborted and drawn again by the new weights. A server that does not respond is brought to them when it is
        back, before it receives requests.

        Raises:
          PublishError: A server refuses the weights or reports others, or none responds within `patience`. The others serve them.
        """
        if self._loop.closed:
            raise EngineError("the engine is closed")
        self._loop.submit(self._publish(weights)).result()

    def close(self) -> None:
        """Close all connections and cancel pending requests. Safe to call twice."""
        self._loop.close(self._http.close)

    def __enter__(self) -> "SGLangEngine":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    async def _publish(self, weights: PublishedWeights) -> None:
        self._weights = weights
        self._servers.wanted += 1
        await asyncio.gather(*(self._examine(server) for server in self._servers.all))
        refusals = [f"{server.url}: {server.reason}" for server in self._servers.all if server.refuses]
        if refusals:
            raise PublishError(f"version {weights.version} is not on every server ({'; '.join(refusals)}); fix this and publish it again")
        try:
            async with self._servers.turn():
                pass
        except Unavailable as error:
            raise PublishError(f"version {weights.version} is on no server after {self._patience:.0f} s ({error}); start one") from error

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
        deadline: float | None = None
        try:
            while True:
                async with self._servers.turn(asked_before, deadline) as server:
                    asked_before = server
                    try:
                        completions = await self._once(server, request, samples)
                    except Aborted:
                        server.reason = "it aborted the request"
                    except RetryableError as error:
                        server.failed(str(error), error.rest)
                        if error.lost:
                            server.lost()
                    else:
                        server.answered()
                        return completions
                    deadline = deadline or loop.time() + self._patience
        except Unavailable as error:
            raise EngineError(f"no server answered within {self._patience:.0f} s ({error}); start one and run again") from error

    async def _once(self, server: Server, request: Request, samples: int) -> list[Completion]:
        weights, wanted = self._weights, self._servers.wanted
        requested = samples if server.seeded or server.lists_samples is not False else 1
        answer = await self._http.generate(server.url, body(request, requested, request.seed if server.seeded else None))
        try:
            decoded = msgspec.json.decode(answer, type=list[Generated] | Generated)
            generated = decoded if isinstance(decoded, list) else [decoded]
            if requested > 1:
                server.lists_samples = len(generated) == requested
            if len(generated) not in (1, requested):
                raise WrongAnswer(f"{len(generated)} completions for {requested} requested")
            completions = [completion(sample, request, self.version, published=weights is not None) for sample in generated]
        except (msgspec.DecodeError, WrongAnswer) as error:
            raise RetryableError(f"invalid response ({error})") from error
        if self._servers.wanted != wanted or (weights is not None and {c.policy_version for c in completions} != {weights.version}):
            raise RetryableError(f"it sampled from version {completions[0].policy_version} instead of {self.version}")
        return completions

    def _prepare(self, server: Server) -> None:
        """Examine a server until it is ready, in the background."""
        task = self._preparing.get(server.url)
        if task is None or task.done():
            self._preparing[server.url] = asyncio.ensure_future(self._keep_examining(server))

    async def _keep_examining(self, server: Server) -> None:
        while server.ready_for != self._servers.wanted:
            await asyncio.sleep(max(0.0, server.rest_until - asyncio.get_running_loop().time()))
            await self._examine(server)

    async def _examine(self, server: Server) -> None:
        """Find out whether a server is there and what it can do, and bring it to the published weights."""
        async with server.loading:
            weights, wanted = self._weights, self._servers.wanted
            if server.ready_for == wanted:
                return
            try:
                if weights is None:
                    info = await self._http.model_info(server.url)
                else:
                    info = await self._http.bring(server.url, weights, self._restart)
            except RetryableError as error:
                server.failed(str(error), error.rest)
            except EngineError as error:
                server.failed(str(error), refuses=True)
            else:
                server.answered()
                server.seeded, server.ready_for = info.seeded_draws, wanted
        await self._servers.notify()


def checked_urls(urls: Sequence[str]) -> list[str]:
    """Return the addresses without a slash at the end.

    Raises:
      InputError: There is none, or one is no HTTP address or given twice.
    """
    if not urls:
        raise InputError("urls is empty; give at least one server address such as http://127.0.0.1:30000")
    addresses = [url.rstrip("/") for url in urls]
    for number, url in enumerate(addresses):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.netloc:
            raise InputError(f"urls: {url!r} is not an HTTP address; give one such as http://127.0.0.1:30000")
        if url in addresses[:number]:
            raise InputError(f"urls: {url} is given twice; give every server once")
    return addresses
