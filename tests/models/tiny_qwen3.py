"""Meshes, packed rows and weight placement that the model tests share."""

from dataclasses import dataclass

import jax
import numpy as np

from oprover_jax.models.qwen3 import Params, Qwen3Config, abstract_params
from oprover_jax.sharding import MeshConfig

MESHES = {
    "1": MeshConfig(),
    "8 fsdp": MeshConfig(fsdp=8),
    "4x2": MeshConfig(fsdp=4, tensor=2),
    "2x2x2": MeshConfig(dcn=2, fsdp=2, tensor=2),
    "context": MeshConfig(fsdp=2, context=2, tensor=2),
}


@dataclass(frozen=True)
class Rows:
    """Two documents a row, of uneven lengths, then padding."""

    tokens: np.ndarray
    positions: np.ndarray
    segment_ids: np.ndarray


def put(weights: Params, config: Qwen3Config, mesh: jax.sharding.Mesh) -> Params:
    return jax.tree.map(lambda x, a: jax.device_put(x, a.sharding), weights, abstract_params(config, mesh))
