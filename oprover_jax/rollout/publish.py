"""New weights from the trainer to those who sample: in place, or through a folder that servers read. Each way ends with proof that the new
weights are the ones in use, or with a PublishError; after one nobody may go on sampling as if nothing had happened."""

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
    """It is not certain that the new weights are in use; a server that could be reached stays paused."""


def publish_in_place(engine: JaxEngine, params: Params, version: int, timeout: float = 600.0) -> None:
    """Returns when the engine samples from a copy of `params`. What has started ends on the old weights, so this waits for it.

    Raises PublishError where that takes longer than `timeout` seconds, or the copy is not bit for bit the same.
    """
    try:
        engine.publish(params, version).result(timeout)
    except TimeoutError as error:
        raise PublishError(f"version {version} was not in use after {timeout:.0f} s; requests in flight take longer than that") from error
    _compare(f"the engine's version {version}", checksum(engine.params), checksum(params))


def publish_to_servers(
    urls: Sequence[str],
    config: Qwen3Config,
    params: Params,
    version: int,
    folder: Path,
    *,
    dtype: Dtype = "bfloat16",
    beside: Mapping[str, bytes] | None = None,
    end_id: int | None = None,
    key: str | None = None,
    restart: Restart | None = None,
    timeout: float = 1800.0,
) -> None:
    """Writes the weights to a new folder in `folder`, which the servers must see under the same name, and has every server load it.

    Each is paused (what is in flight comes back aborted, and `SGLangEngine` asks it again), loads, must report success and then the new
    version, and goes on; a server that states its weights' checksum must state the right one. A server without a route for this
    (SGL-JAX) is handed to `restart(url, folder)`, which returns when it answers again with those weights; set the `version` of its
    `SGLangEngine` afterwards. The last folders are kept, older ones are removed. `beside` and `end_id` as for `export_hf`, which every
    process of the trainer must take part in; the first one talks to the servers.

    Raises:
      PublishError: naming every server that does not serve the new weights for certain.
    """
    target = folder / f"version-{version:06}"
    export_hf(config, params, target, dtype=dtype, overwrite=True, beside=beside, end_id=end_id)
    expected = checksum(params, dtype)
    if jax.process_index() != 0:
        return

    def one(url: str) -> str | None:
        try:
            _publish(url.rstrip("/"), target, version, expected, key, restart, timeout)
        except (PublishError, httpx2.HTTPError) as error:
            return f"{url}: {error or type(error).__name__}"
        return None

    with ThreadPoolExecutor(len(urls)) as at_once:
        failures = [failure for failure in at_once.map(one, urls) if failure]
    if failures:
        raise PublishError(f"version {version} is not on every server ({'; '.join(failures)}); put that right before sampling goes on")
    for old in sorted(folder.glob("version-*"))[:-_KEPT]:
        if old < target:
            shutil.rmtree(old)


def _publish(url: str, folder: Path, version: int, expected: str, key: str | None, restart: Restart | None, timeout: float) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx2.Client(base_url=url, headers=headers, timeout=httpx2.Timeout(timeout, connect=_CONNECT_SECONDS)) as http:
        # the mode by name: mainstream SGLang wants a body
        _succeed(http.post("/pause_generation", json={"mode": "abort"}))
        asked = {"model_path": str(folder.resolve()), "weight_version": str(version), "flush_cache": True}
        answer = http.post("/update_weights_from_disk", json=asked)
        if answer.status_code in (404, 405):
            if restart is None:
                raise PublishError("the server has no /update_weights_from_disk and no way to restart it is given")
            restart(url, folder)
            return
        _succeed(answer)
        info = http.get("/model_info")
        found = _succeed(info if info.status_code != 404 else http.get("/get_model_info"))
        if found.get("weight_version") != str(version):
            raise PublishError(f"the server says that it serves version {found.get('weight_version')}")
        if "weights_checksum" in found:
            _compare("the server", found["weights_checksum"], expected)
        _succeed(http.post("/continue_generation", json={}))


def _succeed(answer: httpx2.Response) -> dict[str, Any]:
    """The answer's table. PublishError for a status that is not 200 and for `success` false: SGLang says that, too, where the new weights
    are live and its cache is stale."""
    try:
        found = msgspec.json.decode(answer.content) if answer.content else {}
    except msgspec.DecodeError:
        found = {}
    if answer.status_code != 200 or (isinstance(found, dict) and found.get("success") is False):
        raise PublishError(f"{answer.request.url.path} gave status {answer.status_code}: {reason_of(answer.content)}")
    return found if isinstance(found, dict) else {}


def _compare(who: str, found: str, expected: str) -> None:
    if found != expected:
        raise PublishError(f"{who} holds weights with checksum {found}, and {expected} were published")
