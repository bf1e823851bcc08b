"""Publication of new weights to an engine, in place or through a folder that servers read.

Both ways verify that the new weights are in use, or raise PublishError; sampling must not continue after a PublishError.
"""

from collections.abc import Mapping
from pathlib import Path

from oprover_jax.models.hf.export import Dtype
from oprover_jax.models.qwen3 import Params, Qwen3Config
from oprover_jax.rollout.checksum import checksum
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.rollout.server_http import PublishError
from oprover_jax.rollout.sglang_engine import SGLangEngine
from oprover_jax.rollout.versions import PublishedWeights, write_version


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
    found, expected = checksum(engine.params), checksum(params)
    if found != expected:
        raise PublishError(f"the engine's version {version} has weights with checksum {found}, but {expected} was published")


def publish_to_servers(
    engine: SGLangEngine | None,
    config: Qwen3Config,
    params: Params,
    version: int,
    folder: Path,
    *,
    dtype: Dtype = "bfloat16",
    extra_files: Mapping[str, bytes] | None = None,
    end_id: int | None = None,
) -> PublishedWeights:
    """Write the weights to a new folder in `folder`, make the servers of `engine` load it, and return what was published.

    Every process of the trainer must call this function; the one that talks to the servers gives the engine, the others None.

    Args:
      engine: Engine over the servers, or None.
      config: Model configuration.
      params: New weights.
      version: Version number of the weights; different weights have different numbers.
      folder: Folder of the versions, which the servers can read under the same path.
      dtype: Data type of the exported weights.
      extra_files: Further files of the model folder, as for `export_hf`.
      end_id: End token, as for `export_hf`.

    Raises:
      PublishError: A server refuses the weights, or none responds; the message names the servers.
    """
    weights = write_version(folder, config, params, version, dtype=dtype, extra_files=extra_files, end_id=end_id)
    if engine is not None:
        engine.publish(weights)
    return weights
