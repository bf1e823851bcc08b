"""Training jobs of a run's stages: what `oprover cpt`, `sft` and `rl` run by themselves, `oprover iterate` runs one after another."""

from dataclasses import replace

from oprover_jax.models.qwen3 import Qwen3Config
from oprover_jax.posttraining.experiment import Experiment, TrainingConfig
from oprover_jax.posttraining.plan import TRAINING, Stage, plan
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.loop import LoopConfig


def job_of(experiment: Experiment, model: Qwen3Config, stage: Stage, data: dict[str, float] | str = "") -> TrainingJob:
    """Return the job of a training stage; `data` are its rows, empty for GSPO, which draws its own."""
    if stage.kind == "gspo":
        return _gspo_job(experiment, model, stage)
    config = getattr(experiment, stage.kind)
    assert isinstance(config, TrainingConfig)  # else the plan has no such stage
    return TrainingJob(
        name=stage.name,
        objective="cpt" if stage.kind == "cpt" else "sft",
        model=model,
        optimizer=config.optimizer,
        loop=LoopConfig(config.steps, loggers=experiment.loggers),
        batch_size=config.batch_size,
        seq_len=config.seq_len,
        grad_accum_steps=config.grad_accum_steps,
        mesh=experiment.mesh,
        data=data,
        topology=experiment.topology,
        seed=experiment.seed + stage.iteration,
    )


def _gspo_job(experiment: Experiment, model: Qwen3Config, stage: Stage) -> TrainingJob:
    config = experiment.gspo
    return TrainingJob(
        name=stage.name,
        objective="rl",
        model=model,
        optimizer=config.optimizer,
        loop=LoopConfig(max(config.steps, 1), loggers=experiment.loggers),
        batch_size=config.batch_size,
        seq_len=config.seq_len,
        grad_accum_steps=config.grad_accum_steps,
        mesh=experiment.mesh,
        gspo=config.loss,
        temperature=experiment.rollout.temperature,
        minibatches=config.minibatches,
        topology=experiment.topology,
        seed=experiment.seed + stage.iteration,
    )


def jobs_of(experiment: Experiment, model: Qwen3Config) -> list[TrainingJob]:
    """Return the jobs of all training stages that are computed differently, in order."""
    jobs: dict[object, TrainingJob] = {}
    for stage in plan(experiment, external=False):
        if stage.kind in TRAINING:
            job = job_of(experiment, model, stage)
            jobs.setdefault(job.program, replace(job, name=f"{experiment.name}/{job.name}"))
    return list(jobs.values())
