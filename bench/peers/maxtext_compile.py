"""MaxText's own ahead-of-time compilation of its train step, with the same figures as `oprover compile`.

Run by bench/compile.py in MaxText's environment. Everything is MaxText's except the last step, which is traced first, so that its matrix
products are counted by the same function as ours.
"""

import json
import sys
from pathlib import Path

import jax
from maxtext.configs import __file__ as configs
from maxtext.trainers.pre_train import train_compile

from oprover_jax.training.flops import matrix_flops


def main() -> None:
    model, topology, length, out = sys.argv[1:]
    figures = {}

    def jit_and_compile(func, args, kwargs, mesh, in_shardings, out_shardings, static_argnums, donate_argnums, config, rules):
        with jax.set_mesh(mesh), rules:
            jitted = jax.jit(
                func,
                in_shardings=in_shardings,
                out_shardings=out_shardings,
                static_argnums=static_argnums,
                donate_argnums=donate_argnums,
            )
            traced = jitted.trace(*args, **kwargs)
            compiled = traced.lower().compile()
        memory = compiled.memory_analysis()
        figures.update(
            allocated=memory.argument_size_in_bytes + memory.temp_size_in_bytes + memory.output_size_in_bytes - memory.alias_size_in_bytes,
            peak=memory.peak_memory_in_bytes,
            flops=matrix_flops(traced.jaxpr) / mesh.size,
            devices=mesh.size,
        )
        return compiled

    train_compile.jit_and_compile = jit_and_compile
    settings = {
        "model_name": model,
        "compile_topology": topology,
        "compile_topology_num_slices": 1,
        "per_device_batch_size": 1,
        "max_target_length": length,
        "remat_policy": "full",
        "attention": "flash",
        "dtype": "bfloat16",
        "weight_dtype": "float32",
        "opt_type": "adamw",
        "ici_fsdp_parallelism": -1,
        "dataset_type": "synthetic",
        "enable_checkpointing": "false",
        "base_output_directory": Path(out).parent,
        "run_name": "compile",
    }
    base = Path(configs).parent / "base.yml"
    train_compile.main(["train_compile", str(base), *(f"{name}={value}" for name, value in settings.items())])
    Path(out).write_text(json.dumps(figures))


if __name__ == "__main__":
    main()
