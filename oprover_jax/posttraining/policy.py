"""Loading of policies: weights between training stages, policies of runs and model folders, and the engines and encoders made of them."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import jax
from jax.sharding import Mesh

from oprover_jax.data.codec import Codec, codec_of, load_codec
from oprover_jax.data.tokenizer import exported_tokenizer, load_tokenizer
from oprover_jax.errors import InputError
from oprover_jax.models.hf.config import read_config
from oprover_jax.models.hf.export import tokenizer_files
from oprover_jax.models.hf.load import load_hf
from oprover_jax.models.qwen3 import Params, Qwen3Config, abstract_params, init_params
from oprover_jax.posttraining.experiment import EngineConfig, Experiment, PolicyConfig
from oprover_jax.posttraining.plan import TRAINING, plan, policy_version
from oprover_jax.posttraining.run_folder import RunFolder, open_run
from oprover_jax.retrieval.encoder import Encoder, LexicalEncoder
from oprover_jax.retrieval.minilm import MiniLMEncoder
from oprover_jax.retrieval.policy_encoder import PolicyEncoder
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.training.checkpoint import latest, restore

MODEL_MAX_LEN = 4096


@dataclass(frozen=True)
class Weights:
    """Weights after a training stage, or those that a run begins with (stage "init"), under their version (`plan.policy_version`)."""

    stage: str
    version: int
    params: Params


def model_of(policy: PolicyConfig) -> Qwen3Config:
    """Return sizes and computation of a run's policy. Raises InputError if `init_from` is not a Qwen3 model folder."""
    if policy.model is not None:
        return policy.model
    try:
        return dataclasses.replace(read_config(Path(policy.init_from)), dtype=policy.dtype)
    except ValueError as error:
        raise InputError(f"policy.init_from: {error}") from error


def initial_policy(experiment: Experiment, model: Qwen3Config, mesh: Mesh) -> Weights:
    """Return the weights that a run begins with: those of `policy.init_from`, or random ones."""
    if experiment.policy.init_from:
        return Weights("init", 0, load_hf(Path(experiment.policy.init_from), mesh, model)[1])
    with jax.set_mesh(mesh):
        return Weights("init", 0, init_params(model, experiment.seed, mesh))


def load_policy(folder: RunFolder, experiment: Experiment, model: Qwen3Config, mesh: Mesh, after: str = "") -> Weights | None:
    """Return the weights of the last finished training stage, or of stage `after`, sharded over `mesh`; None if there are none."""
    for stage in reversed(plan(experiment, external=False)):
        if stage.kind in TRAINING and folder.done(stage.name) and after in ("", stage.name):
            weights = folder.stage(stage.name) / "weights"
            step = latest(weights)
            if step is not None:
                params = restore(weights, step, abstract_params(model, mesh))
                return Weights(stage.name, policy_version(experiment, stage.name, step), params)
    return None


def trained_policy(folder: RunFolder, experiment: Experiment, model: Qwen3Config, mesh: Mesh, after: str = "") -> Weights:
    """Return `load_policy`; raise InputError if there are no such weights."""
    policy = load_policy(folder, experiment, model, mesh, after)
    if policy is not None:
        return policy
    names = [stage.name for stage in plan(experiment, external=False) if stage.kind in TRAINING]
    if after and after not in names:
        raise InputError(f"stage {after!r} trains no policy in {folder.path}; choose one of {', '.join(names)}")
    which = f"of stage {after}" if after else "yet; let `oprover iterate` finish its first training stage"
    raise InputError(f"{folder.path} has no trained policy {which}")


def codec_of_run(folder: RunFolder, experiment: Experiment) -> Codec:
    """Return the tokenizer of a run with the chat template of the model that it began with."""
    path = folder.stage("tokenizer")
    return load_codec(path) if experiment.policy.init_from else codec_of(load_tokenizer(path / "tokenizer.json"))


def exported_files(folder: RunFolder, experiment: Experiment) -> tuple[dict[str, bytes], int]:
    """Return the tokenizer files for an exported policy of a run, by name, and the token that ends a text."""
    path = folder.stage("tokenizer")
    end_id = codec_of_run(folder, experiment).end_ids[0]
    if experiment.policy.init_from:
        return tokenizer_files(path), end_id
    return exported_tokenizer(path / "tokenizer.json", experiment.engine.max_len), end_id


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
    model = model_of(experiment.policy)
    weights = trained_policy(folder, experiment, model, mesh)
    return Policy(model, weights.params, codec_of_run(folder, experiment), weights.version, experiment.engine.max_len)


def open_encoder(name: str, fit: Callable[[], LexicalEncoder], mesh: Mesh) -> Encoder:
    """Return the encoder of a retrieval memory.

    Args:
      name: "minilm", "lexical", or the folder of a policy.
      fit: Makes a lexical encoder.
      mesh: Device mesh of a policy.

    Raises:
      InputError: The folder holds no policy.
    """
    if name == "minilm":
        return MiniLMEncoder()
    if name == "lexical":
        return fit()
    policy = open_policy(Path(name), mesh)
    return PolicyEncoder(policy.config, policy.params, mesh, policy.codec)


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
