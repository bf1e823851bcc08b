"""A small training job, as `oprover cpt --config` takes it; the tests set its data and its mesh."""

from tiny import CONFIG

from oprover_jax.training.job import TrainingJob
from oprover_jax.training.loop import LoopConfig
from oprover_jax.training.optimizer import OptimizerConfig


def experiment() -> TrainingJob:
    return TrainingJob(
        name="tiny",
        objective="cpt",
        model=CONFIG,
        optimizer=OptimizerConfig(warmup_steps=3),
        loop=LoopConfig(steps=40, save_every_seconds=1e6, keep=2, keep_every=8),
        batch_size=8,
        seq_len=16,
        head_chunk=8,
        seed=3,  # of several, the one whose gradient norms move least with the last bits of the weights
    )
