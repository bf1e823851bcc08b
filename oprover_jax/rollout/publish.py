"""Publication of new weights to engines, in place or through a folder that servers read.

Both ways verify that the new weights are in use, or raise PublishError; sampling must not continue after a PublishError.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import jax
import msgspec

from oprover_jax.models.hf.export import Dtype, export_hf
from oprover_jax.models.qwen3 import Params, Qwen3Config
from oprover_jax.rollout.checksum import checksum
from oprover_jax.rollout.engine import EngineError
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.rollout.sglang_engine import reason_of

Restart = Callable[[str, Path], None]

_CONNECT_SECONDS = 10.0
_KEPT = 2


class PublishError(EngineError):
    """Error raised if the new weights may not be in use; servers that were reached stay paused."""


def publish_in_place(engine: JaxEngine, params: Params, version: int, timeout: float = 600.0) -> None:
    """Publish a copy of `params` and wait until the engine uses it; started requests finish with the old weights first.

    Args:
      engine: Engine to update.
      params: New weights.
      version: Version number recorded in completions.
      timeout: Seconds to wait.

    Raises:
      PublishError: The timeout expired, or the copy is not bit-identical.
    """
    try:
        engine.publish(params, version).result(timeout)
    except TimeoutError as error:
        raise PublishError(f"version {version} is not in use after {timeout:.0f} s, because running requests take longer") from error
    _compare(f"the engine's version {version}", checksum(engine.params), checksum(params))


def publish_to_servers(
    urls: Sequence[str],
    config: Qwen3Config,
    params: Params,
    version: int,
    folder: Path,
    *,
    dtype: Dtype = "bfloat16",
    extra_files: Mapping[str, bytes] | None = None,
    end_id: int | None = None,
    key: str | None = None,
    restart: Restart | None = None,
    timeout: float = 1800.0,
) -> None:
    """Write the weights to a new folder in `folder` and make every server load it.

    Each server is paused, loads the weights, must report success and the new version, and resumes. Requests in flight are aborted, and
    `SGLangEngine` retries them. A server that reports a checksum must report the right one. The latest folders are kept, older ones are
    removed. Every process of the trainer must call this function; the first one communicates with the servers.

    Args:
      urls: Addresses of the servers.
      config: Model configuration.
      params: New weights.
      version: Version number of the weights.
      folder: Folder that the servers can read under the same path.
      dtype: Data type of the exported weights.
      extra_files: Further files of the model folder, as for `export_hf`.
      end_id: End token, as for `export_hf`.
      key: Bearer key of the servers.
      restart: Called as `restart(url, folder)` for servers without a weight update endpoint (SGL-JAX); returns when the server responds
        with the new weights. Set the `version` of its `SGLangEngine` afterwards.
      timeout: Seconds to wait for a response.

    Raises:
      PublishError: At least one server may not serve the new weights; the message names all of them.
    """
    target = folder / f"version-{version:06}"
    export_hf(config, params, target, dtype=dtype, overwrite=True, extra_files=extra_files, end_id=end_id)
    expected = checksum(params, dtype)
    if jax.process_index() != 0:
        return

    def update(url: str) -> str | None:
        try:
            _publish(url.rstrip("/"), target, version, expected, key, restart, timeout)
        except (PublishError, httpx2.HTTPError) as error:
            return f"{url}: {error or type(error).__name__}"
        return None

    with ThreadPoolExecutor(len(urls)) as threads:
        failures = [failure for failure in threads.map(update, urls) if failure]
    if failures:
        raise PublishError(f"version {version} is not on every server ({'; '.join(failures)}); fix this before sampling continues")
    for old in sorted(folder.glob("version-*"))[:-_KEPT]:
        if old < target:
            shutil.rmtree(old)


def _publish(url: str, folder: Path, version: int, expected: str, key: str | None, restart: Restart | None, timeout: float) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx2.Client(base_url=url, headers=headers, timeout=httpx2.Timeout(timeout, connect=_CONNECT_SECONDS)) as http:
        # mainstream SGLang requires a body with the mode
        _succeed(http.post("/pause_generation", json={"mode": "abort"}))
        asked = {"model_path": str(folder.resolve()), "weight_version": str(version), "flush_cache": True}
        answer = http.post("/update_weights_from_disk", json=asked)
        if answer.status_code in (404, 405):
            if restart is None:
                raise PublishError("the server has no /update_weights_from_disk and no restart function is given")
            restart(url, folder)
            return
        _succeed(answer)
        info = http.get("/model_info")
        model_info = _succeed(info if info.status_code != 404 else http.get("/get_model_info"))
        if model_info.get("weight_version") != str(version):
            raise PublishError(f"the server reports version {model_info.get('weight_version')}")
        if "weights_checksum" in model_info:
            _compare("the server", model_info["weights_checksum"], expected)
        _succeed(http.post("/continue_generation", json={}))


def _succeed(answer: httpx2.Response) -> dict[str, Any]:
    """Return the JSON object of a response.

    Raises:
      PublishError: The status is not 200 or `success` is false. SGLang also reports false if the new weights are live but its cache is
        stale.
    """
    try:
        decoded = msgspec.json.decode(answer.content) if answer.content else {}
    except msgspec.DecodeError:
        decoded = {}
    if answer.status_code != 200 or (isinstance(decoded, dict) and decoded.get("success") is False):
        raise PublishError(f"{answer.request.url.path} returned status {answer.status_code}: {reason_of(answer.content)}")
    return decoded if isinstance(decoded, dict) else {}


def _compare(owner: str, actual: str, expected: str) -> None:
    if actual != expected:
        raise PublishError(f"{owner} has weights with checksum {actual}, but {expected} was published")
