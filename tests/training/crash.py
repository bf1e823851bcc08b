"""A small training run, as a function and as a program: `crash.py FOLDER DEVICES SECONDS_A_STEP`. The test kills it and starts it again."""

import sys
import time
from pathlib import Path

import jax
from tiny import CONFIG, documents, weights

from oprover_jax.data.loader import from_file
from oprover_jax.data.packing import write_packed
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.training.loop import LoopConfig, run, stop_on_sigterm
from oprover_jax.training.objectives import cross_entropy
from oprover_jax.training.optimizer import OptimizerConfig, learning_rate, make_optimizer
from oprover_jax.training.step import init_state, make_train_step

STEPS = 24


def train(folder: Path, fsdp: int, pause: float = 0.0) -> None:
    mesh = make_mesh(MeshConfig(fsdp=fsdp))
    rows = folder / "rows.array_record"
    if not rows.exists():
        write_packed(rows, documents(60), 16)
    settings = OptimizerConfig(warmup_steps=3)
    optimizer = make_optimizer(settings)
    data = from_file(rows, 8, seed=5)
    with stop_on_sigterm() as stop:
        run(
            folder,
            LoopConfig(STEPS, save_every_seconds=0.3, keep=2),
            init_state(weights(mesh=mesh), optimizer, mesh),
            make_train_step(cross_entropy(CONFIG), optimizer, mesh),
            lambda start: data.stream(mesh, start),
            lambda step: learning_rate(settings, step, STEPS),
            on_progress=lambda *_: time.sleep(pause),
            stop=stop,
        )


if __name__ == "__main__":
    devices = int(sys.argv[2])
    jax.config.update("jax_platforms", "cpu")
    jax.config.update("jax_num_cpu_devices", devices)
    train(Path(sys.argv[1]), devices, float(sys.argv[3]))
