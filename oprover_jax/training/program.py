"""Compiled update of a job, traced from shapes alone before its first call, with its program texts stored in the run folder."""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from oprover_jax.data.rows import ROW_FIELDS
from oprover_jax.files import replacing
from oprover_jax.models.qwen3 import abstract_params
from oprover_jax.sharding import named
from oprover_jax.training.job import TrainingJob, loss_function
from oprover_jax.training.optimizer import make_optimizer
from oprover_jax.training.step import Metrics, TrainState, TrainStep, abstract_state, train_step

__all__ = ["Programs", "compile_update", "describe_batch", "describe_state", "trace_update"]

Function = TypeVar("Function")


class Programs:
    """Compiled functions by what determines them, so that jobs of one process that are computed alike compile once."""

    def __init__(self) -> None:
        self._made: dict[object, Any] = {}

    def get(self, key: object, make: Callable[[], Function]) -> Function:
        """Return the function of `key`, made at the first call."""
        if key not in self._made:
            self._made[key] = make()
        function: Function = self._made[key]
        return function


def describe_state(job: TrainingJob, mesh: Mesh) -> TrainState:
    """Return the job's state as ShapeDtypeStructs with shardings. Raises ShardingError if a size does not divide the mesh."""
    return abstract_state(abstract_params(job.model, mesh), make_optimizer(job.optimizer), mesh)


def describe_batch(job: TrainingJob, mesh: Mesh) -> dict[str, jax.ShapeDtypeStruct]:
    """Return the fields of a batch as ShapeDtypeStructs with shardings. Raises ShardingError if a size does not divide the mesh."""
    fields: dict[str, Any] = {name: (dtype, ("batch", "sequence")) for name, dtype in ROW_FIELDS.items()}
    if job.objective == "rl":
        names = ("old_logprob", "sampler_logprob", *(("reference_logprob",) if job.gspo.kl != "none" else ()))
        fields |= dict.fromkeys(names, (jnp.float32, ("batch", "sequence")))
        fields |= {"advantages": (jnp.float32, ("batch",))}
    shape = (job.batch_size, job.seq_len)

    def describe(name: str, dtype: Any, axes: tuple[str, ...]) -> jax.ShapeDtypeStruct:
        here = shape[: len(axes)]
        return jax.ShapeDtypeStruct(here, dtype, sharding=named(here, axes, mesh, f"batch field {name}"))

    return {name: describe(name, dtype, axes) for name, (dtype, axes) in fields.items()}


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
