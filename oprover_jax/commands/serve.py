"""`oprover serve`: serve a model folder or the latest policy of a run over the HTTP APIs of SGLang and OpenAI."""

import socket
import time
from pathlib import Path

import jax

from oprover_jax.errors import InputError
from oprover_jax.posttraining.policy import policy_of_model, policy_of_run
from oprover_jax.progress import ProgressConsole
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.server.serve import serve
from oprover_jax.server.service import Service
from oprover_jax.server.settings import ServerSettings
from oprover_jax.sharding import MeshConfig, make_mesh

_MAX_STOP_IDS = 16


def serve_policy(
    model: Path | None,
    run: Path | None,
    bound: socket.socket,
    settings: ServerSettings,
    mesh: MeshConfig,
    *,
    dtype: str,
    version: int,
    max_len: int,
    slots: int,
    console: ProgressConsole,
) -> None:
    """Serve a policy until SIGINT or SIGTERM.

    Args:
      model: Model folder in Hugging Face format, or None.
      run: Run folder, or None.
      bound: Listening socket.
      settings: Name, key, allowed hosts and queue limit.
      mesh: Device mesh of the engine.
      dtype: Data type of the computation, for `model`.
      version: Initial version number of the weights, for `model`.
      max_len: Maximum length of prompt and completion together, in tokens; 0 selects the policy's own.
      slots: Number of completions decoded concurrently.
      console: Receives one line with the address.

    Raises:
      InputError: Not exactly one of `model` and `run` is given.
    """
    if (model is None) == (run is None):
        raise InputError("give exactly one of --model (a model folder in Hugging Face format) and --run (a run folder)")
    began = time.monotonic()
    on = make_mesh(mesh)
    policy = policy_of_model(model, on, dtype, version) if model is not None else policy_of_run(run or Path(), on)
    engine = JaxEngine(
        policy.config,
        policy.params,
        on,
        slots=slots,
        max_len=max_len or policy.max_len,
        max_stop_ids=_MAX_STOP_IDS,
        version=policy.version,
    )
    service = Service(engine, policy.codec, settings, policy.folder)
    host, port = bound.getsockname()[:2]
    where = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    console.line(
        f"serving {settings.model} on {where}: version {policy.version}, {policy.config.parameters:,} parameters, "
        f"{slots} slots of {engine.limits.max_len} tokens on {on.size} {jax.devices()[0].platform}; "
        f"loaded in {time.monotonic() - began:.1f} s"
    )
    serve(service, bound)
