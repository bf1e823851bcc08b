"""Compiling for chips that are not here: the counts, and the whole command with the real compiler of TPUs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import PartitionSpec as P

from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.training.flops import matrix_flops
from oprover_jax.training.hlo import collectives

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
LIBTPU = ROOT / ".venv" / "tpu"


def products(x: jax.Array, weights: jax.Array) -> jax.Array:
    """Five layers of one [8, 8] x [8, 8] product, 1024 FLOPs each, under remat."""
    layer = jax.checkpoint(lambda x, w: (jnp.sin(x @ w), None))
    return jax.lax.scan(layer, x, weights)[0].sum()


@pytest.mark.parametrize(("function", "layers"), [(products, 5), (jax.grad(products, argnums=(0, 1)), 5 * 4)], ids=["forward", "gradient"])
def test_products_count_as_often_as_loops_and_remat_run_them(function, layers) -> None:
    traced = jax.jit(function).trace(jnp.ones((8, 8)), jnp.ones((5, 8, 8)))
    assert matrix_flops(traced.jaxpr) == layers * 2 * 8**3


def test_products_inside_a_shard_map_count_on_every_device() -> None:
    with jax.set_mesh(make_mesh(MeshConfig(fsdp=8))):
        local = jax.shard_map(lambda x, w: x @ w, in_specs=(P("fsdp"), P()), out_specs=P("fsdp"))
        traced = jax.jit(local).trace(jax.reshard(jnp.ones((16, 4)), P("fsdp", None)), jnp.ones((4, 4)))
    assert matrix_flops(traced.jaxpr) == 2 * 16 * 4 * 4


def test_collectives_count_as_often_as_the_loop_runs() -> None:
    def step(total: jax.Array, _: None) -> tuple[jax.Array, None]:
        return jax.lax.pcast(jax.lax.psum(jnp.sin(total), "fsdp"), "fsdp", to="varying"), None

    with jax.set_mesh(make_mesh(MeshConfig(fsdp=8))):
        summed = jax.shard_map(lambda x: jax.lax.scan(step, x, None, 7)[0], in_specs=P("fsdp"), out_specs=P("fsdp"))
        gathered = jax.shard_map(lambda x: jax.lax.all_gather(x, "fsdp", tiled=True), in_specs=P("fsdp"), out_specs=P(), check_vma=False)
        text = jax.jit(lambda x: gathered(summed(x))).lower(jax.reshard(jnp.ones(80), P("fsdp"))).compile().as_text()
    assert "known_trip_count" in text
    for program in (text, re.sub(r'"known_trip_count":\{"n":"7"\},?', "", text)):  # TPU programs do not say it: the condition does
        gather, reduce = collectives(program)
        assert (gather.kind, gather.places, gather.runs, gather.bytes) == ("all-gather", 1, 1, 80 * 4)
        assert (reduce.kind, reduce.places, reduce.runs, reduce.bytes) == ("all-reduce", 1, 7, 7 * 10 * 4)


@pytest.mark.parametrize(
    ("operation", "size"),
    [
        ("(f32[4,2]{1,0:T(8,128)}, bf16[3]{0}) all-reduce(%a, %b), to_apply=%sum", 4 * 2 * 4 + 3 * 2),
        ("(f32[4]{0}, f32[2]{0}) all-reduce-start(%a, %b), to_apply=%sum", 6 * 4),
        ("f32[] all-reduce(%a), to_apply=%sum", 4),
        ("((f32[2]{0}, bf16[4]{0}), (f32[8]{0}, bf16[16]{0})) all-gather-start(%a, %b), dimensions={0}", 8 * 4 + 16 * 2),
        ("(bf16[6]{0}, bf16[6]{0:S(1)}, u32[], u32[]) collective-permute-start(%a)", 6 * 2),
    ],
)
def test_combined_and_started_collectives_count_their_results(operation: str, size: int) -> None:
    (found,) = collectives(f"ENTRY %main (a: f32[2]) -> f32[8] {{\n  %x = {operation}\n}}\n")
    assert found.bytes == size


def compile_command(*words: str, libtpu: bool = True) -> subprocess.CompletedProcess[str]:
    paths = [str(ROOT), *([str(LIBTPU)] if libtpu else [])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "XLA_FLAGS": ""}
    command = [sys.executable, "-m", "oprover_jax.cli", "compile", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, cwd=ROOT)


def test_a_train_step_of_full_width_compiles_for_tpu_chips(tmp_path: Path) -> None:
    """Two layers as wide as Qwen3-0.6B's on four v6e. The vocabulary's matrices are 0.6 GiB each: neither may ever be whole on a chip."""
    assert (LIBTPU / "libtpu").is_dir(), "the compiler of TPUs is not installed; `make test` installs it"
    smaller = ("topology=v6e:2x2", "mesh.fsdp=4", "batch_size=4", "grad_accum_steps=1", "seq_len=1024", "head_chunk=2048")
    smaller += ("model.num_layers=2", "model.hidden_size=1024", "model.intermediate_size=3072", "model.num_heads=16")
    changes = [word for change in smaller for word in ("--set", change)]
    done = compile_command("--config", "configs/cpt_8b_v6e.py", "--out", str(tmp_path / "figures.json"), *changes)
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "figures.json").read_text())
    assert found["devices"] == 4 and found["device_kind"] == "TPU v6 lite" and found["fits"]
    weights = 12 * found["parameters"] / 4
    assert found["arguments"] == pytest.approx(weights, rel=1e-3)
    assert found["aliased"] == pytest.approx(weights, rel=1e-3)
    gradients = weights / 3
    assert found["peak"] - found["arguments"] - gradients < 0.3 * 2**30
    assert {"all-gather", "all-reduce"} <= {one["kind"] for one in found["collectives"]}
    assert "peak memory" in done.stdout


@pytest.mark.parametrize(
    ("words", "libtpu", "said"),
    [
        (("--config", "configs/cpt_8b_h100.py"), True, "has no topology"),
        (("--config", "configs/cpt_8b_v6e.py"), False, r"install \.\[tpu\]"),
        (("--config", "configs/cpt_8b_v6e.py", "--set", "topology=v6e:2x2"), True, "needs 16 devices but 4 are present"),
        (("--config", "configs/cpt_8b_v6e.py", "--set", "topology=v6e:4x8"), True, "has 32 chips, but the mesh takes 16"),
        (
            ("--config", "configs/cpt_8b_v6e.py", "--out", "no-folder/figures.json"),
            True,
            "--out: parent directory 'no-folder' does not exist",
        ),
    ],
    ids=["no topology", "no libtpu", "too few chips", "too many chips", "nowhere to write"],
)
def test_what_cannot_be_compiled_is_one_sentence_and_exit_code_2(words: tuple[str, ...], libtpu: bool, said: str) -> None:
    done = compile_command(*words, libtpu=libtpu)
    assert done.returncode == 2
    assert re.search(said, done.stderr.strip().splitlines()[-1])


def test_a_step_that_does_not_fit_is_one_sentence_and_exit_code_1() -> None:
    larger = ("topology=v6e:2x2", "mesh.fsdp=4", "batch_size=4", "grad_accum_steps=1", "seq_len=256", "model.num_layers=100")
    done = compile_command("--config", "configs/cpt_8b_v6e.py", *(word for change in larger for word in ("--set", change)))
    assert done.returncode == 1
    assert re.search("cpt-8b does not fit on v6e:2x2 .*HBM", done.stderr.strip().splitlines()[-1])
