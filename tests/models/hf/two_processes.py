"""One of the processes that test_export.py starts: loads a folder onto a mesh over both, exports it again, says what it read."""

import json
import sys
from pathlib import Path

import jax

jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 2)

from oprover_jax.models.hf.export import export_hf  # noqa: E402
from oprover_jax.models.hf.load import load_hf  # noqa: E402
from oprover_jax.sharding import MeshConfig, make_mesh  # noqa: E402
from oprover_jax.training.distributed import initialize  # noqa: E402

initialize(timeout=60)
read = {"split": 0, "whole": 0}


def on_read(name: str, count: int) -> None:
    read["whole" if "norm" in name else "split"] += count


config, params = load_hf(Path(sys.argv[1]), make_mesh(MeshConfig(fsdp=4)), on_read=on_read)
export_hf(config, params, Path(sys.argv[2]), dtype="float32")
assert (Path(sys.argv[2]) / "config.json").is_file()
Path(f"{sys.argv[2]}.read{jax.process_index()}").write_text(json.dumps(read))
