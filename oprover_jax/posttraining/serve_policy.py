"""`oprover serve`: a model's folder, or the last policy of a run, behind SGLang's and OpenAI's HTTP APIs."""

import dataclasses
import socket
import time
from dataclasses import dataclass
from pathlib import Path

import jax
from jax.sharding import Mesh

from oprover_jax.data.tokenizer import load_tokenizer
from oprover_jax.errors import InputError
from oprover_jax.models.hf.config import read_config
from oprover_jax.models.hf.load import load_hf
from oprover_jax.models.qwen3 import Params, Qwen3Config
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.plan import policy_version
from oprover_jax.posttraining.policy import load_policy
from oprover_jax.posttraining.run_folder import open_run
from oprover_jax.progress import Screen
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.rollout.server.codec import Codec, codec_of, load_codec
from oprover_jax.rollout.server.serve import serve
from oprover_jax.rollout.server.service import Service
from oprover_jax.rollout.server.settings import ServerSettings
from oprover_jax.sharding import MeshConfig, make_mesh

_MAX_LEN = 4096
_MAX_STOP_IDS = 16


@dataclass(frozen=True)
class Policy:
    """What is served: weights and tokenizer. `max_len` is the longest sequence that they were made for, as far as that is known."""

    config: Qwen3Config
    params: Params
    codec: Codec
    version: int
    max_len: int
    folder: Path | None = None


def policy_of_model(folder: Path, mesh: Mesh, dtype: str, version: int) -> Policy:
    """A Hugging Face folder, computed in `dtype`."""
    codec = load_codec(folder)  # first: it is quick, and what is wrong with it shows before the weights are read
    try:
        config = dataclasses.replace(read_config(folder), dtype=dtype)
    except ValueError as error:
        raise InputError(f"{folder}: {error}") from error
    return Policy(*load_hf(folder, mesh, config), codec, version, _MAX_LEN, folder)


def policy_of_run(run: Path, mesh: Mesh) -> Policy:
    """The last policy of a run."""
    folder, experiment = open_run(run, Experiment)
    found = load_policy(folder, experiment, mesh)
    if found is None:
        raise InputError(f"{run} holds no trained policy yet; let `oprover iterate` finish its first training stage")
    stage, params = found
    codec = codec_of(load_tokenizer(folder.stage("tokenizer") / "tokenizer.json"))
    return Policy(experiment.model, params, codec, policy_version(experiment, stage), experiment.engine.max_len)


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
    screen: Screen,
) -> None:
    """Serves on `bound` until SIGINT or SIGTERM. InputError unless exactly one of `model` and `run` is given."""
    if (model is None) == (run is None):
        raise InputError("give either --model FOLDER, a model as transformers writes it, or --run RUN")
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
    screen.line(
        f"serving {settings.model} on {where}: version {policy.version}, {policy.config.parameters:,} weights, "
        f"{slots} slots of {engine.limits.max_len} tokens on {on.size} {jax.devices()[0].platform}; "
        f"loaded in {time.monotonic() - began:.1f} s"
    )
    serve(service, bound)
