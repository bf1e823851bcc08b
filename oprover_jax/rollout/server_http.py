"""HTTP requests to inference servers: which failures pass, and how a server is brought to the wanted weights."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from oprover_jax.errors import InputError
from oprover_jax.rollout.engine import EngineError
from oprover_jax.rollout.sglang_wire import ModelInfo
from oprover_jax.rollout.versions import PublishedWeights

Restart = Callable[[str, Path], None]
"""Called as (url, folder) for a server that cannot load weights; returns when the server responds with those of the folder."""

_CONNECT_SECONDS = 10.0
_CONTROL_SECONDS = 30.0
_LOADING_SECONDS = 1800.0


class PublishError(EngineError):
    """Error raised if new weights are not in use."""


class RetryableError(Exception):
    """Error for a server that gave no usable response.

    Args:
      reason: What happened.
      rest: Delay in seconds that the server requested.
      lost: Whether another server may have taken its place since it was examined.
    """

    def __init__(self, reason: str, rest: float = 0.0, *, lost: bool = True) -> None:
        super().__init__(reason)
        self.rest, self.lost = rest, lost


class ServerHttp:
    """Connections to servers that share one key; must be used and closed on one event loop.

    Args:
      key: Bearer key of the servers.
      connections: Maximum number of idle connections.
      timeout: Seconds to wait for a response to /generate.
    """

    def __init__(self, key: str | None, connections: int, timeout: float) -> None:
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        limits = httpx2.Limits(max_connections=None, max_keepalive_connections=connections)
        self._client = httpx2.AsyncClient(headers=headers, limits=limits)
        self._timeout = timeout

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def generate(self, url: str, body: dict[str, Any]) -> bytes:
        """Return the response to a /generate request.

        Raises:
          RetryableError: The server is unreachable or busy, or failed.
          InputError: The server rejected the request.
          EngineError: The server refuses for another reason, such as a missing key.
        """
        response = await self._request(url, "POST", "/generate", body, self._timeout)
        if response.status_code in (400, 413, 422):
            raise InputError(f"{url} rejected the request: {reason_of(response.content)}")
        try:
            return _succeeded(response).content
        except EngineError as error:
            raise EngineError(f"{url}: {error}") from error

    async def model_info(self, url: str) -> ModelInfo:
        """Return what a server says about its model; a server that offers neither address says nothing. Raises errors like `generate`."""
        for path in ("/model_info", "/get_model_info"):  # the second is deprecated in SGLang and the only one of SGL-JAX
            response = await self._request(url, "GET", path, None, _CONTROL_SECONDS)
            if response.status_code not in (404, 405):
                try:
                    return msgspec.json.decode(_succeeded(response).content, type=ModelInfo)
                except msgspec.DecodeError as error:
                    raise RetryableError(f"invalid model info ({error})") from error
        return ModelInfo()

    async def bring(self, url: str, weights: PublishedWeights, restart: Restart | None) -> ModelInfo:
        """Make a server serve `weights`, unless it does already, and return what it then says about its model.

        The server is paused while it loads, and resumed in any case: what it serves is checked before every use, so it must not keep
        others waiting. Running requests are aborted.

        Raises:
          RetryableError: The server is unreachable or failed.
          PublishError: The server refuses the weights, or reports others afterwards.
          EngineError: The server refuses for another reason, such as a missing key.
        """
        info = await self.model_info(url)
        if serves(info, weights):
            await self._resume(url)  # the process that paused it may have been killed before it resumed it
            return info
        has_route = True
        try:
            _succeeded(await self._request(url, "POST", "/pause_generation", {"mode": "abort"}, _CONTROL_SECONDS), also=(404, 405))
            asked = {"model_path": str(weights.folder), "weight_version": str(weights.version), "flush_cache": True}
            response = await self._request(url, "POST", "/update_weights_from_disk", asked, _LOADING_SECONDS)
            has_route = response.status_code not in (404, 405)
            if has_route:
                _loaded(response)
        finally:
            await self._resume(url)
        if not has_route:
            if restart is None:
                raise PublishError("it has no /update_weights_from_disk and no restart function is given")
            try:
                await asyncio.to_thread(restart, url, weights.folder)
            except Exception as error:
                raise PublishError(f"it could not be restarted ({error})") from error
        info = await self.model_info(url)
        if not serves(info, weights) and (has_route or (info.weight_version, info.model_path) != (None, None)):
            raise PublishError(
                f"it reports version {info.weight_version} and checksum {info.weights_checksum} after loading version {weights.version} "
                f"with checksum {weights.checksum}"
            )
        return info

    async def _resume(self, url: str) -> None:
        with suppress(RetryableError):
            await self._request(url, "POST", "/continue_generation", {}, _CONTROL_SECONDS)

    async def _request(self, url: str, method: str, path: str, body: Any, seconds: float) -> httpx2.Response:
        content = None if body is None else msgspec.json.encode(body)
        timeout = httpx2.Timeout(seconds, connect=_CONNECT_SECONDS)
        try:
            response = await self._client.request(method, url + path, content=content, timeout=timeout)
        except httpx2.TransportError as error:
            raise RetryableError(f"{type(error).__name__} {error}".strip()) from error
        status = response.status_code
        if status == 429 or status >= 500:
            later = response.headers.get("retry-after", "")
            reason = f"{path} returned status {status}: {reason_of(response.content)}"
            raise RetryableError(reason, float(later) if later.isdigit() else 0.0, lost=status != 429)
        return response


def serves(info: ModelInfo, weights: PublishedWeights) -> bool:
    """Return True if a server says that it serves `weights`: by version and checksum, or by folder if it reports no version.

    SGLang reports the version "default" until it has loaded weights under a version, so that a restarted server does not serve them.
    """
    if info.weight_version is None:
        return info.model_path is not None and Path(info.model_path) == weights.folder
    return info.weight_version == str(weights.version) and info.weights_checksum in (None, weights.checksum)


def reason_of(content: bytes) -> str:
    """Return the message of an error response: `{"error": {"message": ...}}`, `{"error": ...}`, `{"message": ...}` or other content."""
    try:
        reason: Any = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return content[:200].decode(errors="replace") or "no reason given"
    for name in ("error", "message", "detail"):
        reason = reason.get(name, reason) if isinstance(reason, dict) else reason
    return str(reason)


def _succeeded(response: httpx2.Response, also: tuple[int, ...] = ()) -> httpx2.Response:
    if response.status_code not in (200, *also):
        path = response.request.url.path
        raise EngineError(f"{path} returned status {response.status_code}: {reason_of(response.content)}")
    return response


def _loaded(response: httpx2.Response) -> None:
    """Raise PublishError unless a weight update succeeded; SGLang also reports failure if the weights are live but its cache is stale."""
    try:
        success = msgspec.json.decode(response.content).get("success")
    except (msgspec.DecodeError, AttributeError):
        success = None
    if response.status_code != 200 or success is not True:
        raise PublishError(f"/update_weights_from_disk returned status {response.status_code}: {reason_of(response.content)}")
