"""The policy between stages: each training stage leaves its weights in its folder, and the next one starts from the newest."""

from jax.sharding import Mesh

from oprover_jax.models.qwen3 import Params, abstract_params
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.plan import TRAINING, plan
from oprover_jax.posttraining.run_folder import RunFolder
from oprover_jax.training.checkpoint import latest, restore, save


def save_policy(folder: RunFolder, stage: str, params: Params, version: int) -> None:
    """Writes the weights of a finished training stage; a checkpoint of the weights alone, without optimizer state."""
    save(folder.stage(stage) / "weights", version, params, {"stage": stage})


def load_policy(folder: RunFolder, experiment: Experiment, mesh: Mesh) -> tuple[str, Params] | None:
    """(stage, weights) of the last training stage that is done, laid out on `mesh`; None before the first."""
    for stage in reversed(plan(experiment, external=False)):
        if stage.kind in TRAINING and folder.done(stage.name):
            weights = folder.stage(stage.name) / "weights"
            version = latest(weights)
            if version is not None:
                return stage.name, restore(weights, version, abstract_params(experiment.model, mesh))
    return None
