import jax
import numpy as np
import pytest
from tiny_qwen3 import Rows

from oprover_jax.models.qwen3 import Params, Qwen3Config, init_params
from oprover_jax.sharding import MeshConfig, make_mesh


@pytest.fixture(scope="session")
def config() -> Qwen3Config:
    return Qwen3Config(
        vocab_size=48, num_layers=2, hidden_size=16, num_heads=4, num_kv_heads=2, head_dim=8, intermediate_size=24, rope_theta=1e4
    )


@pytest.fixture(scope="session")
def weights(config: Qwen3Config) -> Params:
    """On the host; norm scales and embeddings are redrawn so that no weight is 1 or small, and a missing one shows."""
    params = jax.device_get(init_params(config, 0, make_mesh(MeshConfig())))
    rng = np.random.default_rng(7)
    return jax.tree.map(lambda x: x + rng.normal(0, 0.3, x.shape).astype(np.float32), params)


@pytest.fixture(scope="session")
def rows(config: Qwen3Config) -> Rows:
    rng = np.random.default_rng(1)
    tokens, positions, segments = (np.zeros((8, 16), np.int32) for _ in range(3))
    for row in range(8):
        first = int(rng.integers(3, 8))
        second = int(rng.integers(3, 8))
        used = first + second
        tokens[row, :used] = rng.integers(0, config.vocab_size, used)
        positions[row, :used] = np.concatenate([np.arange(first), np.arange(second)])
        segments[row, :used] = np.repeat([1, 2], [first, second])
    return Rows(tokens, positions, segments)
