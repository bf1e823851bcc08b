"""Compiled update of a job, traced from shapes alone before its first call, with its program texts stored in the run folder."""

from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from oprover_jax.files import replacing
from oprover_jax.models.qwen3 import abstract_params
from oprover_jax.training.job import TrainingJob, loss_function
from oprover_jax.training.optimizer import make_optimizer
from oprover_jax.training.step import Metrics, TrainState, TrainStep, abstract_state, train_step

__all__ = ["compile_update", "describe_state", "trace_update"]


def describe_state(job: TrainingJob, mesh: Mesh) -> TrainState:
    """Return the job's state as ShapeDtypeStructs with shardings. Raises ShardingError if a size does not divide the mesh."""
    return abstract_state(abstract_params(job.model, mesh), make_optimizer(job.optimizer), mesh)


def trace_update(job: TrainingJob, batch: Any, mesh: Mesh) -> Any:
    """Trace the job's update: a `jax.stages.Traced` of state, batch and learning rate that consumes the state. `batch` consists of
    ShapeDtypeStructs with shardings."""
    update = partial(train_step, loss_function(job), make_optimizer(job.optimizer), job.grad_accum_steps, job.optimizer.spike_factor)
    with jax.set_mesh(mesh):
        return jax.jit(update, donate_argnums=0).trace(describe_state(job, mesh), batch, jax.ShapeDtypeStruct((), jnp.float32))


def compile_update(job: TrainingJob, batch: Any, mesh: Mesh, folder: Path) -> TrainStep:
    """Compile `trace_update` once, for these shapes. Writes `jaxpr.txt`, `stablehlo.txt` (the compiler's input) and `hlo.txt` (its output)
    to `folder`."""
    traced = trace_update(job, batch, mesh)
    lowered = traced.lower()
    compiled = lowered.compile()
    if jax.process_index() == 0:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("jaxpr", str(traced.jaxpr)), ("stablehlo", lowered.as_text()), ("hlo", compiled.as_text())):
            with replacing(folder / f"{name}.txt") as temporary:
                temporary.write_text(text, encoding="utf-8")

    def call(state: TrainState, batch: Any, learning_rate: float) -> tuple[TrainState, Metrics]:
        done: tuple[TrainState, Metrics] = compiled(state, batch, np.float32(learning_rate))
        return done

    return call
