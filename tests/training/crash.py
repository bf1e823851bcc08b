"""A small training run as a program: `crash.py FOLDER DEVICES FSDP STEPS [SECONDS_A_STEP]`. The test kills it and starts it again."""

import sys
import time
from pathlib import Path

import jax

folder, devices, fsdp, steps = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
pause = float(sys.argv[5]) if len(sys.argv) > 5 else 0.0
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", devices)

from tiny import CONFIG, documents  # noqa: E402

from oprover_jax.data.loader import from_file  # noqa: E402
from oprover_jax.data.packing import write_packed  # noqa: E402
from oprover_jax.models.qwen3 import init_params  # noqa: E402
from oprover_jax.sharding import MeshConfig, make_mesh  # noqa: E402
from oprover_jax.training.loop import LoopConfig, run, stop_on_sigterm  # noqa: E402
from oprover_jax.training.objectives import cross_entropy  # noqa: E402
from oprover_jax.training.optimizer import OptimizerConfig, learning_rate, make_optimizer  # noqa: E402
from oprover_jax.training.step import init_state, make_train_step  # noqa: E402

mesh = make_mesh(MeshConfig(fsdp=fsdp))
rows = folder / "rows.array_record"
if not rows.exists():
    write_packed(rows, documents(60), 16)
optimizer_config = OptimizerConfig(warmup_steps=3)
optimizer = make_optimizer(optimizer_config)
data = from_file(rows, 8, seed=5)
with stop_on_sigterm() as stop:
    run(
        folder,
        LoopConfig(steps, save_every_seconds=0.3, keep=2),
        init_state(init_params(CONFIG, 0, mesh), optimizer, mesh),
        make_train_step(cross_entropy(CONFIG), optimizer, mesh),
        lambda start: data.stream(mesh, start),
        lambda step: learning_rate(optimizer_config, step, steps),
        on_progress=lambda *_: time.sleep(pause),
        stop=stop,
    )
