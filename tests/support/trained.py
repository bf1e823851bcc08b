"""A run whose policy is given."""

from oprover_jax.models.qwen3 import Params
from oprover_jax.posttraining.run_folder import RunFolder
from oprover_jax.training.checkpoint import save


def finish_training(run: RunFolder, stage: str, params: Params, steps: int = 1) -> None:
    """Makes `params` the weights of a finished training stage."""
    save(run.stage(stage) / "weights", steps, params, {"name": stage})
    run.finish(stage, 1.0, {})
