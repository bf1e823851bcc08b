import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from qwen3_oracle import forward
from tiny_qwen3 import MESHES, put

from oprover_jax.models.qwen3 import Qwen3Config, abstract_params, head_matrix, hidden_states, init_params
from oprover_jax.sharding import MeshConfig, ShardingError, make_mesh, spec

pytestmark = pytest.mark.slow


def run(config, params, tokens, positions, segment_ids):
    return jax.jit(partial(hidden_states, config))(params, jnp.asarray(tokens), jnp.asarray(positions), jnp.asarray(segment_ids))


@pytest.fixture(scope="module")
def expected(config, weights, rows):
    return np.stack([forward(config, weights, *row) for row in zip(rows.tokens, rows.positions, rows.segment_ids)])


@pytest.mark.parametrize("name", MESHES)
def test_forward_equals_the_float64_oracle_on_every_mesh(name, config, weights, rows, expected) -> None:
    mesh = make_mesh(MESHES[name])
    with jax.set_mesh(mesh):
        got = run(config, put(weights, config, mesh), rows.tokens, rows.positions, rows.segment_ids)
    assert got.sharding.spec[0] == ("dcn", "fsdp")
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_gradients_agree_on_every_mesh_and_with_remat(config, weights, rows) -> None:
    def loss(params, config):
        hidden = hidden_states(config, params, *(jnp.asarray(x) for x in (rows.tokens, rows.positions, rows.segment_ids)))
        return jnp.sum(jnp.sin(3 * hidden))

    def gradients(name, config):
        mesh = make_mesh(MESHES[name])
        with jax.set_mesh(mesh):
            params = put(weights, config, mesh)
            found = jax.jit(partial(jax.grad(loss), config=config))(params)
        jax.tree.map(lambda g, p: np.testing.assert_equal(g.sharding.spec, p.sharding.spec), found, params)
        return jax.device_get(found)

    whole = gradients("1", config)
    for name, variant in (
        ("8 fsdp", config),
        ("4x2", dataclasses.replace(config, remat="full")),
        ("2x2x2", config),
        ("context", config),
    ):
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-5 * np.abs(b).max()), gradients(name, variant), whole)


@pytest.mark.parametrize("name", ["1", "context"])
def test_no_gradient_crosses_a_segment_or_a_row_or_flows_from_later_tokens(name, config, weights, rows) -> None:
    """Influence of each token's embedding on each output of the first row: not zero exactly within the segment and not later."""
    tokens = jnp.arange(32).reshape(2, 16)  # every token its own row of the table
    positions, segments = jnp.asarray(rows.positions[:2]), jnp.asarray(rows.segment_ids[:2])
    probe = np.random.default_rng(0).normal(size=config.hidden_size).astype(np.float32)
    mesh = make_mesh(MESHES[name])
    with jax.set_mesh(mesh):
        params = put(weights, config, mesh)

        @jax.jit
        @jax.grad
        def influence(table, chosen):
            hidden = hidden_states(config, params | {"embedding": table}, tokens, positions, segments)
            return jnp.sum(hidden * chosen)

        found = np.zeros((16, 48))
        for s in range(16):
            chosen = np.zeros((2, 16, config.hidden_size), np.float32)
            chosen[0, s] = probe
            chosen = jax.device_put(chosen, jax.sharding.NamedSharding(mesh, spec("batch", "sequence", None)))
            found[s] = np.abs(influence(params["embedding"], chosen)).sum(axis=-1)
    ids, index = rows.segment_ids[0], np.arange(16)
    allowed = np.zeros((16, 48), bool)
    allowed[:, :16] = (ids[:, None] == ids[None]) & (index[:, None] >= index[None])
    np.testing.assert_array_equal(found > 0, allowed)


def test_packing_does_not_change_a_document(config, weights, rows) -> None:
    second = rows.segment_ids == 2
    alone = [np.zeros_like(rows.tokens) for _ in range(3)]
    for row, here in enumerate(second):
        for target, source in zip(alone, (rows.tokens, rows.positions, rows.segment_ids)):
            target[row, : here.sum()] = source[row, here]
    mesh = make_mesh(MeshConfig())
    with jax.set_mesh(mesh):
        params = put(weights, config, mesh)
        packed = np.asarray(run(config, params, rows.tokens, rows.positions, rows.segment_ids))
        padded = np.asarray(run(config, params, *alone))
    for row, here in enumerate(second):
        np.testing.assert_allclose(packed[row, here], padded[row, : here.sum()], atol=2e-5)


def test_bfloat16_computes_in_bfloat16_near_the_fp32_result(config, weights, rows, expected) -> None:
    half = dataclasses.replace(config, dtype="bfloat16")
    mesh = make_mesh(MeshConfig())
    with jax.set_mesh(mesh):
        got = run(half, put(weights, config, mesh), rows.tokens, rows.positions, rows.segment_ids)
    assert got.dtype == jnp.bfloat16
    error = np.abs(np.asarray(got, np.float32) - expected)
    assert error.mean() < 0.05 * np.abs(expected).mean()


@pytest.mark.parametrize("tied", [True, False])
def test_description_and_weights_agree_and_count(tied, config) -> None:
    config = dataclasses.replace(config, tie_embeddings=tied)
    mesh = make_mesh(MESHES["2x2x2"])
    described, params = abstract_params(config, mesh), init_params(config, 3, mesh)
    assert jax.tree.structure(described) == jax.tree.structure(params)
    for a, b in zip(jax.tree.leaves(described), jax.tree.leaves(params)):
        assert (a.shape, a.dtype, a.sharding) == (b.shape, b.dtype, b.sharding)
    assert config.parameters == sum(x.size for x in jax.tree.leaves(params))
    assert ("head" in params) is not tied
    assert head_matrix(params) is (params["embedding"] if tied else params["head"])


def test_initial_weights_do_not_depend_on_the_mesh(config) -> None:
    one, many = (jax.device_get(init_params(config, 5, make_mesh(MESHES[name]))) for name in ("1", "2x2x2"))
    jax.tree.map(np.testing.assert_array_equal, one, many)
    layers = one["layers"]["mlp"]["up"]
    assert np.abs(layers[0] - layers[1]).max() > 0.01


def test_published_sizes_are_counted_without_allocation() -> None:
    """Qwen3-8B has 8,190,735,360 weights (its safetensors index on Hugging Face)."""
    big = Qwen3Config(151_936, 36, 4096, 32, 8, 128, 12_288, tie_embeddings=False, dtype="bfloat16")
    assert big.parameters == 8_190_735_360
    matmul = big.parameters - 151_936 * 4096 - 36 * (2 * 4096 + 2 * 128) - 4096
    assert big.flops_per_token(0) == 6 * matmul
    assert big.flops_per_token(8192) - big.flops_per_token(0) == 3 * 36 * 2 * 2 * 32 * 128 * 8192 / 2


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"num_heads": 3}, "not a multiple of num_kv_heads"),
        ({"head_dim": 7}, "make it even"),
        ({"num_layers": 0}, "at least 1"),
        ({"dtype": "float16"}, "'float32' or 'bfloat16'"),
        ({"remat": "some"}, "choose none, full"),
        ({"attention": "flash"}, "choose one of reference"),
    ],
)
def test_impossible_configurations_are_refused(change, sentence, config) -> None:
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(config, **change)


def test_sizes_that_do_not_divide_the_mesh_are_refused_by_name(config) -> None:
    with pytest.raises(ShardingError, match=r"layers\.attention\.k: kv_heads is 2, .*tensor 4; make it a multiple of 4"):
        abstract_params(config, make_mesh(MeshConfig(tensor=4)))
    mesh = make_mesh(MeshConfig(fsdp=8))
    with jax.set_mesh(mesh), pytest.raises(ShardingError, match="batch of tokens: batch is 6"):
        hidden_states(config, abstract_params(config, mesh), *(jnp.zeros((6, 4), jnp.int32),) * 3)
