from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_qwen3 import MESHES, put

from oprover_jax.losses.vocab_head import token_logprobs
from oprover_jax.models import cache as kv
from oprover_jax.models.qwen3 import head_matrix, hidden_states
from oprover_jax.sharding import MeshConfig, ShardingError, make_mesh

pytestmark = pytest.mark.slow

LENGTHS = np.array([3, 8, 5, 1, 7, 2, 4, 6])
SLOTS, STEPS, PROMPT = 16, 4, 8


@pytest.fixture(scope="module")
def tokens(config) -> np.ndarray:
    return np.random.default_rng(4).integers(0, config.vocab_size, (8, 12)).astype(np.int32)


@pytest.fixture(scope="module")
def full(config, weights, tokens) -> np.ndarray:
    """Hidden states of the whole rows, computed at once."""
    mesh = make_mesh(MeshConfig())
    positions = jnp.asarray(np.tile(np.arange(12), (8, 1)))
    with jax.set_mesh(mesh):
        return np.asarray(hidden_states(config, put(weights, config, mesh), jnp.asarray(tokens), positions, jnp.ones((8, 12), jnp.int32)))


@pytest.mark.parametrize(("name", "block"), [("1", 64), ("4x2", 8), ("context", 5)])
def test_prefill_insert_and_decode_equal_the_full_forward(name, block, config, weights, tokens, full) -> None:
    """Two slots share a row's prefill, slots are in no order, one insertion is skipped, other slots hold nothing. The last block of a
    cache of 13 positions begins within the one before, and some slots are read as far as that."""
    rows = np.array([0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2])
    slots = np.array([15, 14, 13, 12, 11, 10, 9, 8, 0, 1, SLOTS])
    mesh = make_mesh(MESHES[name])
    with jax.set_mesh(mesh):
        params = put(weights, config, mesh)
        prompts = jnp.asarray(tokens[:, :PROMPT])
        last, k, v = jax.jit(partial(kv.prefill, config))(params, prompts, jnp.asarray(LENGTHS))
        np.testing.assert_allclose(last, full[np.arange(8), LENGTHS - 1], atol=2e-5)
        cache = kv.init_cache(config, SLOTS, 13, mesh)
        cache = jax.jit(kv.insert, donate_argnums=0)(cache, k, v, jnp.asarray(rows), jnp.asarray(slots))
        step = jax.jit(partial(kv.decode, config, block=block), donate_argnums=1)
        for offset in range(STEPS):
            token, position = np.zeros(SLOTS, np.int32), np.zeros(SLOTS, np.int32)
            token[slots[:-1]], position[slots[:-1]] = tokens[rows, LENGTHS[rows] + offset][:-1], LENGTHS[rows][:-1] + offset
            hidden, cache = step(params, cache, jnp.asarray(token), jnp.asarray(position))
            np.testing.assert_allclose(np.asarray(hidden)[slots[:-1]], full[rows, LENGTHS[rows] + offset][:-1], atol=2e-5)
        assert cache.k.sharding == kv.init_cache(config, SLOTS, 13, mesh).k.sharding


def test_decoded_log_probabilities_are_those_of_the_trainer(config, weights, tokens, full) -> None:
    mesh = make_mesh(MeshConfig())
    with jax.set_mesh(mesh):
        params = put(weights, config, mesh)
        targets = jnp.asarray(np.roll(tokens, -1, axis=1))
        trained = token_logprobs(jnp.asarray(full), head_matrix(params), targets, chunk=16).logprob
        last, _, _ = kv.prefill(config, params, jnp.asarray(tokens[:, :PROMPT]), jnp.asarray(LENGTHS))
        drawn = jax.nn.log_softmax(jnp.einsum("bD,VD->bV", last, head_matrix(params)), axis=-1)
    index = np.arange(8)
    sampled = np.asarray(drawn)[index, np.asarray(targets)[index, LENGTHS - 1]]
    np.testing.assert_allclose(sampled, np.asarray(trained)[index, LENGTHS - 1], atol=5e-5)


def test_a_slot_gets_the_same_bits_however_long_the_others_are(config, weights, tokens) -> None:
    mesh = make_mesh(MeshConfig())
    with jax.set_mesh(mesh):
        params = put(weights, config, mesh)
        fresh = kv.init_cache(config, 8, 20, mesh)
        cache = jax.tree.map(lambda x: jax.device_put(np.random.default_rng(5).standard_normal(x.shape, np.float32), x.sharding), fresh)
        step = jax.jit(partial(kv.decode, config, block=8))
        alone, beside = (step(params, cache, jnp.asarray(tokens[:, 0]), jnp.full(8, other).at[2].set(6))[0] for other in (0, 20))
    np.testing.assert_array_equal(alone[2], beside[2])


def test_insert_and_decode_touch_only_their_own_entries(config, weights, tokens) -> None:
    mesh = make_mesh(MESHES["4x2"])
    with jax.set_mesh(mesh):
        params = put(weights, config, mesh)
        marked = jax.tree.map(lambda x: jax.device_put(x + 9, x.sharding), kv.init_cache(config, SLOTS, 20, mesh))
        _, k, v = jax.jit(partial(kv.prefill, config))(params, jnp.asarray(tokens[:, :PROMPT]), jnp.asarray(LENGTHS))
        inserted = jax.jit(kv.insert)(marked, k, v, jnp.array([6, 6]), jnp.array([5, SLOTS]))
        position = np.full(SLOTS, 20)
        position[3] = 7
        _, decoded = jax.jit(partial(kv.decode, config))(params, marked, jnp.zeros(SLOTS, jnp.int32), jnp.asarray(position))
    trees = (jax.tree.map(np.array, tuple(tree)) for tree in (marked, (k, v), inserted, decoded))
    for time_axis, *arrays in zip((4, 3), *trees):
        old, fresh, after, stepped = (np.moveaxis(x, time_axis, 2).copy() for x in arrays)
        np.testing.assert_array_equal(after[:, 5, :PROMPT], fresh[:, 6])
        after[:, 5, :PROMPT] = 9
        np.testing.assert_array_equal(after, old)
        assert (stepped[:, 3, 7] != 9).all()
        stepped[:, 3, 7] = 9
        np.testing.assert_array_equal(stepped, old)


def test_a_cache_that_does_not_divide_the_mesh_is_refused(config) -> None:
    with pytest.raises(ShardingError, match="KV cache: batch is 6"):
        kv.init_cache(config, 6, 20, make_mesh(MeshConfig(fsdp=8)))
