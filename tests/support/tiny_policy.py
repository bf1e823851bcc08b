"""A tiny policy with decided opinions, and what its full forward pass says of a sequence."""

from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_model import write_tiny_model

from oprover_jax.models.qwen3 import Params, Qwen3Config, head_matrix, hidden_states, init_params
from oprover_jax.sharding import MeshConfig, make_mesh

CONFIG = Qwen3Config(vocab_size=32, num_layers=2, hidden_size=16, num_heads=4, num_kv_heads=2, head_dim=8, intermediate_size=32)
ROW = 32


@pytest.fixture(scope="session")
def config() -> Qwen3Config:
    return CONFIG


@pytest.fixture(scope="session")
def mesh(devices: list[jax.Device]) -> jax.sharding.Mesh:
    return make_mesh(MeshConfig(), devices[:1])


@pytest.fixture(scope="session")
def params(mesh: jax.sharding.Mesh) -> Params:
    """Weights whose logits are far apart, so that another history gives other tokens."""
    params = init_params(CONFIG, 0, mesh)
    with jax.set_mesh(mesh):
        return {**params, "embedding": 20 * params["embedding"]}


@pytest.fixture
def other_params(params: Params) -> Params:
    """A policy that says other things; nobody else holds its arrays."""
    return jax.tree.map(jnp.copy, {**params, "embedding": jnp.roll(params["embedding"], 1, axis=1)})


@pytest.fixture(scope="session")
def logits(mesh: jax.sharding.Mesh) -> Callable[[Params, tuple[int, ...]], np.ndarray]:
    """(weights, ids) -> the full forward pass's fp32 logits [len(ids), vocab]; row i is what follows ids[: i + 1]."""

    @jax.jit
    def forward(params: Params, tokens: jax.Array, real: jax.Array) -> jax.Array:
        hidden = hidden_states(CONFIG, params, tokens[None], jnp.arange(ROW)[None], real[None])[0]
        return jax.reshard(hidden, jax.P(None, None)) @ jax.reshard(head_matrix(params), jax.P(None, None)).T

    def of(params: Params, ids: tuple[int, ...]) -> np.ndarray:
        row = np.zeros(ROW, np.int32)
        row[: len(ids)] = ids
        with jax.set_mesh(mesh):
            return np.asarray(forward(params, row, (np.arange(ROW) < len(ids)).astype(np.int32)))[: len(ids)]

    return of


@pytest.fixture(scope="session")
def model_folder(mesh: jax.sharding.Mesh, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen3 with its tokenizer as transformers writes it, whose logits are far apart too."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    write_tiny_model(folder, mesh, seed=0)
    return folder


@pytest.fixture(scope="session")
def other_folder(mesh: jax.sharding.Mesh, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with other weights."""
    folder = tmp_path_factory.mktemp("models") / "other"
    write_tiny_model(folder, mesh, seed=1)
    return folder
