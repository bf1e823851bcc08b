"""Loading and saving of policies: weights between training stages, and policies with tokenizers from runs and model folders."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path

from jax.sharding import Mesh

from oprover_jax.data.codec import Codec, codec_of, load_codec
from oprover_jax.data.tokenizer import load_tokenizer
from oprover_jax.errors import InputError
from oprover_jax.models.hf.config import read_config
from oprover_jax.models.hf.load import load_hf
from oprover_jax.models.qwen3 import Params, Qwen3Config, abstract_params
from oprover_jax.posttraining.experiment import EngineConfig, Experiment
from oprover_jax.posttraining.plan import TRAINING, plan, policy_version
from oprover_jax.posttraining.run_folder import RunFolder, open_run
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.training.checkpoint import latest, restore, save

MODEL_MAX_LEN = 4096


def save_policy(folder: RunFolder, stage: str, params: Params, version: int) -> None:
    """Save the weights of a finished training stage, without optimizer state."""
    save(folder.stage(stage) / "weights", version, params, {"stage": stage})


def load_policy(folder: RunFolder, experiment: Experiment, mesh: Mesh) -> tuple[str, Params] | None:
    """Return (stage, weights) of the last finished training stage, sharded over `mesh`; None if there is none."""
    for stage in reversed(plan(experiment, external=False)):
        if stage.kind in TRAINING and folder.done(stage.name):
            weights = folder.stage(stage.name) / "weights"
            version = latest(weights)
            if version is not None:
                return stage.name, restore(weights, version, abstract_params(experiment.model, mesh))
    return None


def trained_policy(folder: RunFolder, experiment: Experiment, mesh: Mesh) -> tuple[str, Params]:
    """Return `load_policy`; raise InputError if no training stage is finished."""
    policy = load_policy(folder, experiment, mesh)
    if policy is None:
        raise InputError(f"{folder.path} has no trained policy yet; let `oprover iterate` finish its first training stage")
    return policy


@dataclass(frozen=True)
class Policy:
    """Weights with their tokenizer. `max_len` is the maximum sequence length in tokens; `folder` the model folder, None for a run."""

    config: Qwen3Config
    params: Params
    codec: Codec
    version: int
    max_len: int
    folder: Path | None = None


def open_policy(path: Path, mesh: Mesh, dtype: str = "float32") -> Policy:
    """Open the latest policy of a run, or a Qwen3 model folder in Hugging Face format with computation in `dtype`.

    Raises:
      InputError: The folder is neither.
    """
    if (path / "run.json").is_file():
        return policy_of_run(path, mesh)
    if not (path / "tokenizer.json").is_file():
        raise InputError(f"{path} is neither a run folder nor a Hugging Face model folder with tokenizer.json; give one of the two")
    return policy_of_model(path, mesh, dtype)


def policy_of_model(folder: Path, mesh: Mesh, dtype: str, version: int = 0) -> Policy:
    """Load a Qwen3 model folder in Hugging Face format.

    Args:
      folder: Model folder.
      mesh: Device mesh of the weights.
      dtype: Data type of the computation.
      version: Version number of the weights.

    Raises:
      InputError: The folder has no tokenizer or no Qwen3 model.
    """
    codec = load_codec(folder)  # first, because it is fast and reports errors before the weights are read
    try:
        config = dataclasses.replace(read_config(folder), dtype=dtype)
    except ValueError as error:
        raise InputError(f"{folder}: {error}") from error
    return Policy(*load_hf(folder, mesh, config), codec, version, MODEL_MAX_LEN, folder)


def policy_of_run(run: Path, mesh: Mesh) -> Policy:
    """Load the latest policy of a run."""
    folder, experiment = open_run(run)
    stage, params = trained_policy(folder, experiment, mesh)
    codec = codec_of(load_tokenizer(folder.stage("tokenizer") / "tokenizer.json"))
    return Policy(experiment.model, params, codec, policy_version(experiment, stage), experiment.engine.max_len)


def engine_of(config: Qwen3Config, params: Params, mesh: Mesh, settings: EngineConfig, version: int) -> JaxEngine:
    """Return an in-process engine on `mesh`, which the caller must close."""
    return JaxEngine(
        config,
        params,
        mesh,
        slots=settings.slots,
        max_len=settings.max_len,
        decode_chunk=settings.decode_chunk,
        prefill_batches=(settings.prefill_batch,),
        version=version,
    )
