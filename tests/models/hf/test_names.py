import numpy as np
import pytest

from oprover_jax.models.hf.names import TABLE, hf_tensors
from oprover_jax.models.qwen3 import describe_weights
from oprover_jax.models.sizes import PUBLISHED, published


@pytest.mark.parametrize("size", PUBLISHED)
def test_every_weight_has_a_name_and_no_name_stands_for_two(size) -> None:
    config = published(size)
    tensors = hf_tensors(config)
    called = [tensor.name for tensor in tensors]
    assert len(set(called)) == len(called) == 11 * config.num_layers + (2 if config.tie_embeddings else 3)
    places = [(tensor.weight.name, tensor.layer) for tensor in tensors]
    expected = [
        (weight.name, layer)
        for weight in describe_weights(config)
        for layer in (range(config.num_layers) if weight.name.startswith("layers.") else [None])
    ]
    assert sorted(places, key=str) == sorted(expected, key=str)
    assert sum(int(np.prod(tensor.shape)) for tensor in tensors) == config.parameters
    assert ("lm_head.weight" in called) is not config.tie_embeddings


def test_shapes_of_qwen3_8b_are_those_of_its_files() -> None:
    shapes = {tensor.name: tensor.shape for tensor in hf_tensors(published("8B"))}
    assert shapes["model.embed_tokens.weight"] == shapes["lm_head.weight"] == (151_936, 4096)
    assert shapes["model.norm.weight"] == (4096,)
    here = {name.removeprefix("model.layers.35."): shape for name, shape in shapes.items() if ".35." in name}
    assert here == {
        "self_attn.q_proj.weight": (4096, 4096),
        "self_attn.k_proj.weight": (1024, 4096),
        "self_attn.v_proj.weight": (1024, 4096),
        "self_attn.o_proj.weight": (4096, 4096),
        "self_attn.q_norm.weight": (128,),
        "self_attn.k_norm.weight": (128,),
        "mlp.gate_proj.weight": (12_288, 4096),
        "mlp.up_proj.weight": (12_288, 4096),
        "mlp.down_proj.weight": (4096, 12_288),
        "input_layernorm.weight": (4096,),
        "post_attention_layernorm.weight": (4096,),
    }


def test_a_linear_layer_there_is_the_product_here(config) -> None:
    """W x of a matrix [out, in] equals our einsum with its view; heads are blocks of rows of q, k, v and of columns of o."""
    rng = np.random.default_rng(0)
    tensors = {tensor.name.removeprefix("model.layers.1."): tensor for tensor in hf_tensors(config) if tensor.layer == 1}
    for name, product in (
        ("self_attn.q_proj.weight", "D,Dhd->hd"),
        ("self_attn.v_proj.weight", "D,Dhd->hd"),
        ("self_attn.o_proj.weight", "hd,hdD->D"),
        ("mlp.gate_proj.weight", "D,Df->f"),
        ("mlp.down_proj.weight", "f,fD->D"),
    ):
        stored = rng.normal(size=tensors[name].shape)
        ours = tensors[name].to_ours(stored)
        assert ours.shape == tensors[name].own_shape and np.shares_memory(ours, stored)
        x = rng.normal(size=stored.shape[1])
        inputs = product.split(",")[0]
        got = np.einsum(product, x.reshape(ours.shape[: len(inputs)]), ours)
        np.testing.assert_allclose(got.reshape(-1), stored @ x)


def test_a_weight_without_a_name_is_noticed(config) -> None:
    without = {name: place for name, place in TABLE.items() if name != "layers.mlp.up"}
    with pytest.raises(KeyError, match=r"layers\.mlp\.up"):
        hf_tensors(config, without)
