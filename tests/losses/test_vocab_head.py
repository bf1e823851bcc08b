from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding

from oprover_jax.losses.vocab_head import token_logprobs
from oprover_jax.sharding import MeshConfig, ShardingError, make_mesh, spec

VOCAB, SHAPE, WIDTH, TEMPERATURE = 24, (8, 6), 5, 0.7
MESHES = [
    MeshConfig(),
    MeshConfig(fsdp=8),
    MeshConfig(fsdp=4, tensor=2),
    MeshConfig(dcn=2, fsdp=2, tensor=2),
    MeshConfig(context=2, tensor=4),
]


@pytest.fixture(scope="module")
def arrays() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    drawn = {"hidden": rng.normal(size=(*SHAPE, WIDTH)), "head": 2 * rng.normal(size=(VOCAB, WIDTH))}
    drawn |= {"on_logprob": rng.normal(size=SHAPE), "on_entropy": rng.normal(size=SHAPE)}
    return {name: x.astype(np.float32) for name, x in drawn.items()} | {"targets": rng.integers(0, VOCAB, SHAPE)}


@pytest.fixture(scope="module")
def expected(arrays):
    """Values and gradients in float64 numpy from full logits, with the derivatives of log p and of the entropy by hand."""
    hidden, head = arrays["hidden"].astype(np.float64), arrays["head"].astype(np.float64)
    logits = hidden @ head.T / TEMPERATURE
    logits -= logits.max(-1, keepdims=True)
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    p = np.exp(log_p)
    hot = np.eye(VOCAB)[arrays["targets"]]
    entropy = -(p * log_p).sum(-1)
    on_logits = arrays["on_logprob"][..., None] * (hot - p) - arrays["on_entropy"][..., None] * p * (log_p + entropy[..., None])
    on_logits /= TEMPERATURE
    return (log_p * hot).sum(-1), entropy, on_logits @ head, np.einsum("bsv,bsd->vd", on_logits, hidden)


@pytest.mark.parametrize(("mesh_config", "chunk"), [(MeshConfig(), 1), (MeshConfig(), 1000), *((mesh, 4) for mesh in MESHES)], ids=str)
def test_chunked_head_equals_full_logits_in_value_and_gradient(mesh_config, chunk, arrays, expected) -> None:
    mesh = make_mesh(mesh_config)
    width = spec("vocab", "embed") if WIDTH % mesh_config.fsdp == 0 else spec("vocab", None)
    layouts = {"hidden": spec("batch", "sequence", None), "head": width}
    with jax.set_mesh(mesh):
        placed = {name: jax.device_put(x, NamedSharding(mesh, layouts.get(name, spec("batch", "sequence")))) for name, x in arrays.items()}

        def loss(hidden, head):
            logprob, entropy = token_logprobs(hidden, head, placed["targets"], chunk, TEMPERATURE)
            return jnp.sum(logprob * placed["on_logprob"] + entropy * placed["on_entropy"]), (logprob, entropy)

        gradients, values = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))(placed["hidden"], placed["head"])
    assert gradients[1].sharding.spec == width
    for got, wanted in zip((*values, *gradients), expected):
        np.testing.assert_allclose(got, wanted, atol=2e-5)


def test_full_logits_never_exist_forward_or_backward() -> None:
    """Temporary memory of value and gradient stays below one array of full logits."""
    tokens, vocab, width = 2048, 1024, 8
    mesh = make_mesh(MeshConfig())

    def loss(hidden, head, chunk):
        return token_logprobs(hidden, head, jnp.zeros((1, tokens), jnp.int32), chunk)[0].sum()

    with jax.set_mesh(mesh):
        shapes = jax.ShapeDtypeStruct((1, tokens, width), jnp.float32), jax.ShapeDtypeStruct((vocab, width), jnp.float32)
        used = {
            chunk: jax.jit(jax.grad(partial(loss, chunk=chunk), argnums=(0, 1)))
            .lower(*shapes)
            .compile()
            .memory_analysis()
            .temp_size_in_bytes
            for chunk in (64, tokens)
        }
    full = tokens * vocab * 4
    assert used[64] < full / 4
    assert used[tokens] > full / 4


def test_saturated_logits_stay_finite(arrays) -> None:
    """Targets of probability zero in fp32 included."""
    mesh = make_mesh(MeshConfig())
    with jax.set_mesh(mesh):
        hidden, head = jnp.asarray(arrays["hidden"]) * 300, jnp.asarray(arrays["head"])
        value, slope = jax.value_and_grad(lambda h: token_logprobs(h, head, jnp.asarray(arrays["targets"]), 4)[0].sum())(hidden)
    assert np.isfinite(value) and np.isfinite(slope).all()


@pytest.mark.parametrize(("chunk", "temperature", "sentence"), [(0, 1.0, "chunk is 0"), (4, 0.0, "temperature is 0")])
def test_impossible_settings_are_refused(chunk, temperature, sentence, arrays) -> None:
    with pytest.raises(ValueError, match=sentence):
        token_logprobs(jnp.asarray(arrays["hidden"]), jnp.asarray(arrays["head"]), jnp.asarray(arrays["targets"]), chunk, temperature)


def test_a_vocabulary_that_does_not_divide_is_refused(arrays) -> None:
    with jax.set_mesh(make_mesh(MeshConfig(tensor=5))), pytest.raises(ShardingError, match="vocabulary head: vocab is 24"):
        token_logprobs(jnp.asarray(arrays["hidden"]), jnp.asarray(arrays["head"]), jnp.asarray(arrays["targets"]), 4)
