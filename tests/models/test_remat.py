import dataclasses
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import AbstractMesh, AxisType, NamedSharding
from tiny_qwen3 import MESHES, put

from oprover_jax.models.qwen3 import abstract_params, hidden_states
from oprover_jax.sharding import AXES, make_mesh, spec
from oprover_jax.training.flops import matrix_flops

pytestmark = pytest.mark.slow


def trace_gradients(config, params, rows):
    def loss(params):
        inputs = (jnp.asarray(x) for x in (rows.tokens, rows.positions, rows.segment_ids))
        return jnp.sum(jnp.sin(3 * hidden_states(config, params, *inputs)))

    return jax.jit(jax.grad(loss)).trace(params)


def test_gradients_do_not_depend_on_the_policy(config, weights, rows) -> None:
    mesh = make_mesh(MESHES["4x2"])
    with jax.set_mesh(mesh):
        params = put(weights, config, mesh)
        found = {}
        for policy in ("none", "save:attention,gate", "save:qkv+offload:input,up"):
            traced = trace_gradients(dataclasses.replace(config, remat=policy), params, rows)
            found[policy] = jax.device_get(traced.lower().compile({"xla_backend_optimization_level": 0})(params))
    expected = found.pop("none")
    for got in found.values():
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5 * np.abs(b).max()), got, expected)


def test_what_is_kept_is_not_computed_again(config, weights, rows) -> None:
    """Matrix products in the program: 9 of a layer forward (7 of weights, 2 of attention) and twice that backward."""
    mesh = make_mesh(MESHES["1"])
    with jax.set_mesh(mesh):
        params = put(weights, config, mesh)

        def count(policy):
            return str(trace_gradients(dataclasses.replace(config, remat=policy), params, rows).jaxpr).count("dot_general")

        full = count("full")
        assert count("none") == 27
        assert full == 27 + 8  # the last product of a layer is not needed again
        assert count("save:qkv") == count("offload:qkv") == full - 3
        assert count("save:gate") == count("save:up") == count("offload:up") == full - 1
        assert count("save:attention") == full - 1
        assert count("save:qkv,attention+offload:gate,up") == full - 6
        assert count("save:input") == full


@pytest.mark.parametrize("name", ["8 fsdp", "4x2"])
def test_an_mlp_in_parts_gives_the_same_gradients_for_the_same_products(name, config, weights, rows) -> None:
    mesh = make_mesh(MESHES[name])
    whole, parts = (dataclasses.replace(config, remat="full", mlp_parts=parts) for parts in (1, 3))
    with jax.set_mesh(mesh):
        params = put(weights, config, mesh)
        traced = [trace_gradients(one, params, rows) for one in (whole, parts)]
        expected, got = (jax.device_get(one.lower().compile({"xla_backend_optimization_level": 0})(params)) for one in traced)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5 * np.abs(b).max()), got, expected)
    assert matrix_flops(traced[0].jaxpr) == matrix_flops(traced[1].jaxpr)
    shapes = [re.sub(r"@(\w+|\([^)]*\))", "", str(one.jaxpr)) for one in traced]
    whole_rows = f"[8,{rows.tokens.shape[1]},{config.intermediate_size}]"
    assert [whole_rows in text for text in shapes] == [True, False]


def test_parts_of_the_mlp_that_cannot_be_are_refused(config) -> None:
    with pytest.raises(ValueError, match="more than 1 needs remat='full'"):
        dataclasses.replace(config, mlp_parts=3)
    with pytest.raises(ValueError, match="intermediate_size is 24, which cannot be split into mlp_parts=5"):
        dataclasses.replace(config, remat="full", mlp_parts=5)


def tpu_program(config, policy):
    """The gradient of `config` with splash attention, lowered for 512 TPUs."""
    config = dataclasses.replace(
        config, remat=policy, attention="splash", num_heads=8, num_kv_heads=4, hidden_size=64, intermediate_size=64, dtype="bfloat16"
    )
    mesh = AbstractMesh((2, 32, 2, 4), AXES, axis_types=(AxisType.Explicit,) * 4)
    tokens = jax.ShapeDtypeStruct((64, 256), jnp.int32, sharding=NamedSharding(mesh, spec("batch", "sequence")))
    with jax.sharding.use_abstract_mesh(mesh):
        gradient = jax.grad(lambda params, *rows: jnp.sum(hidden_states(config, params, *rows).astype(jnp.float32)))
        return jax.jit(gradient).trace(abstract_params(config, mesh), *(tokens,) * 3).lower(lowering_platforms=("tpu",)).as_text()


def test_splash_runs_its_forward_pass_again_only_where_its_results_are_not_kept(config) -> None:
    kernels = {
        policy: re.findall(r'kernel_name = "splash_mha_(\w+?)_', tpu_program(config, policy))
        for policy in ("none", "full", "save:attention")
    }
    assert kernels == {"none": ["fwd", "dkv"], "full": ["fwd", "fwd", "dkv"], "save:attention": ["fwd", "dkv"]}


def test_what_is_offloaded_goes_to_pinned_memory_and_comes_back(config) -> None:
    moves = r'@annotate_device_placement.*_xla_buffer_placement = "(\w+)"'
    assert re.findall(moves, tpu_program(config, "offload:input")) == ["pinned_host", "device"]
    assert re.findall(moves, tpu_program(config, "save:input")) == []


@pytest.mark.parametrize(
    ("policy", "sentence"),
    [
        ("some", "choose none, full, save:NAMES"),
        ("save:", "choose none, full, save:NAMES"),
        ("keep:gate", "choose none, full, save:NAMES"),
        ("save:gate,mlp", "a layer has no tensor 'mlp'; choose from input, qkv, attention, gate, up"),
        ("save:gate+offload:up,gate", "lists 'gate' twice"),
    ],
)
def test_unknown_policies_are_refused(policy, sentence, config) -> None:
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(config, remat=policy)
