"""What exactly is run: a train step compiled ahead of its first call, with its texts kept beside the run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from oprover_jax.files import replacing
from oprover_jax.training.step import Metrics, TrainState, TrainStep

__all__ = ["compile_step"]

Step = Callable[[TrainState, Any, Any], tuple[TrainState, Metrics]]


def compile_step(step: Step, state: TrainState, batch: Any, mesh: Mesh, folder: Path) -> TrainStep:
    """Compiles `step` (a function of state, batch and learning rate that consumes the state) once, for these shapes.

    `state` and `batch` are described, not given: ShapeDtypeStructs with shardings. Leaves `jaxpr.txt`, `stablehlo.txt` (what the compiler
    was given) and `hlo.txt` (what it made) in `folder`.
    """
    with jax.set_mesh(mesh):
        traced = jax.jit(step, donate_argnums=0).trace(state, batch, jax.ShapeDtypeStruct((), jnp.float32))
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
