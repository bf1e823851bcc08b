"""Names and layouts of the weights on Hugging Face (`transformers`' Qwen3ForCausalLM), as one table to go with `describe_weights`.

There, a linear layer is a matrix [out, in] and every layer has arrays of its own; here, heads are an axis and layers are stacked.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped

from oprover_jax.models.qwen3 import Qwen3Config, Weight, describe_weights

# our weight -> (its name there, its dimensions there in our axes; `+` joins axes into one dimension)
TABLE = {
    "embedding": ("model.embed_tokens.weight", "vocab embed"),
    "layers.attention.q": ("model.layers.{}.self_attn.q_proj.weight", "q_heads+head_dim embed"),
    "layers.attention.k": ("model.layers.{}.self_attn.k_proj.weight", "kv_heads+head_dim embed"),
    "layers.attention.v": ("model.layers.{}.self_attn.v_proj.weight", "kv_heads+head_dim embed"),
    "layers.attention.out": ("model.layers.{}.self_attn.o_proj.weight", "embed q_heads+head_dim"),
    "layers.attention.q_norm.scale": ("model.layers.{}.self_attn.q_norm.weight", "scale"),
    "layers.attention.k_norm.scale": ("model.layers.{}.self_attn.k_norm.weight", "scale"),
    "layers.mlp.gate": ("model.layers.{}.mlp.gate_proj.weight", "mlp embed"),
    "layers.mlp.up": ("model.layers.{}.mlp.up_proj.weight", "mlp embed"),
    "layers.mlp.down": ("model.layers.{}.mlp.down_proj.weight", "embed mlp"),
    "layers.attention_norm.scale": ("model.layers.{}.input_layernorm.weight", "scale"),
    "layers.mlp_norm.scale": ("model.layers.{}.post_attention_layernorm.weight", "scale"),
    "final_norm.scale": ("model.norm.weight", "scale"),
    "head": ("lm_head.weight", "vocab embed"),
}


@dataclass(frozen=True)
class HFTensor:
    """One tensor of a published model: its name and shape there, and its place in our tree: `weight`, at `layer` if stacked.

    `order` lists our axes (without that of the layers) in the order of the tensor there.
    """

    name: str
    shape: tuple[int, ...]
    weight: Weight
    layer: int | None
    order: tuple[int, ...]

    @property
    def own_shape(self) -> tuple[int, ...]:
        """Our shape, without the axis of the layers."""
        return self.weight.shape if self.layer is None else self.weight.shape[1:]

    def to_ours(self, stored: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
        """Return a view of `stored` (shape `shape`) in our layout; nothing is copied, so a slice of it reads only that slice."""
        split = stored.reshape([self.own_shape[axis] for axis in self.order])
        return split.transpose(np.argsort(self.order))


def hf_tensors(config: Qwen3Config, table: Mapping[str, tuple[str, str]] = TABLE) -> list[HFTensor]:
    """Return every tensor of a published model of these sizes, in the order of its layers, without a tied head. Raises KeyError for a
    weight of ours that is missing from `table`."""
    weights = {weight.name: weight for weight in describe_weights(config)}
    names = [name for name in table if name in weights]
    if len(names) != len(weights):
        raise KeyError(f"no name on Hugging Face for {sorted(weights.keys() - table.keys())}; add it to the table")
    first, stacked, last = _around_layers(names)
    tensors = [_tensor(weights[name], table[name]) for name in first]
    tensors += [_tensor(weights[name], table[name], layer) for layer in range(config.num_layers) for name in stacked]
    return tensors + [_tensor(weights[name], table[name]) for name in last]


def _around_layers(names: list[str]) -> tuple[list[str], list[str], list[str]]:
    stacked = [name for name in names if name.startswith("layers.")]
    start = names.index(stacked[0])
    return names[:start], stacked, names[start + len(stacked) :]


def _tensor(weight: Weight, place: tuple[str, str], layer: int | None = None) -> HFTensor:
    pattern, dimensions = place
    shape, logical = (weight.shape, weight.logical) if layer is None else (weight.shape[1:], weight.logical[1:])
    ours = ["scale" if axis is None else axis for axis in logical]
    joined = [[ours.index(axis) for axis in dimension.split("+")] for dimension in dimensions.split()]
    there = tuple(math.prod(shape[axis] for axis in axes) for axes in joined)
    return HFTensor(pattern.format(layer), there, weight, layer, tuple(axis for axes in joined for axis in axes))
