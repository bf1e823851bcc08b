from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import NamedSharding

from oprover_jax.losses.vocab_head import Scores, token_logprobs
from oprover_jax.sharding import MeshConfig, ShardingError, make_mesh, spec

VOCAB, SHAPE, WIDTH, TEMPERATURE = 24, (8, 6), 16, 0.7
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
    drawn |= {f"on_{name}": rng.normal(size=SHAPE) for name in Scores._fields}
    return {name: x.astype(np.float32) for name, x in drawn.items()} | {"targets": rng.integers(0, VOCAB, SHAPE)}


@pytest.fixture(scope="module")
def expected(arrays):
    """Values and gradients in float64 numpy from full logits, with the derivatives by hand."""
    hidden, head = arrays["hidden"].astype(np.float64), arrays["head"].astype(np.float64)
    logits = hidden @ head.T / TEMPERATURE
    top = logits.max(-1)
    normalizer = top + np.log(np.exp(logits - top[..., None]).sum(-1))
    log_p = logits - normalizer[..., None]
    p = np.exp(log_p)
    hot = np.eye(VOCAB)[arrays["targets"]]
    entropy = -(p * log_p).sum(-1)
    on_logprob, on_entropy, on_normalizer = (arrays[f"on_{name}"][..., None] for name in Scores._fields)
    on_logits = on_logprob * (hot - p) - on_entropy * p * (log_p + entropy[..., None]) + on_normalizer * p
    on_logits /= TEMPERATURE
    return (log_p * hot).sum(-1), entropy, normalizer, on_logits @ head, np.einsum("bsv,bsd->vd", on_logits, hidden)


@pytest.mark.parametrize(("mesh_config", "chunk"), [(MeshConfig(), 1), (MeshConfig(), 1000), *((mesh, 5) for mesh in MESHES)], ids=str)
def test_chunked_head_equals_full_logits_in_value_and_gradient(mesh_config, chunk, arrays, expected) -> None:
    mesh = make_mesh(mesh_config)
    layouts = {"hidden": spec("batch", "sequence", None), "head": spec("vocab", "embed")}
    with jax.set_mesh(mesh):
        placed = {name: jax.device_put(x, NamedSharding(mesh, layouts.get(name, spec("batch", "sequence")))) for name, x in arrays.items()}

        def loss(hidden, head):
            scores = token_logprobs(hidden, head, placed["targets"], chunk=chunk, temperature=TEMPERATURE)
            return sum(jnp.sum(score * placed[f"on_{name}"]) for name, score in scores._asdict().items()), scores

        gradients, values = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))(placed["hidden"], placed["head"])
    assert gradients[1].sharding.spec == layouts["head"]
    for got, wanted in zip((*values, *gradients), expected):
        np.testing.assert_allclose(got, wanted, rtol=0, atol=2e-6 * np.abs(wanted).max())


def test_bfloat16_factors_come_near_the_fp32_result_on_a_split_head(arrays, expected) -> None:
    """Every sum but that of the head's gradient over fsdp is in fp32, so the error is that of the factors."""
    with jax.set_mesh(make_mesh(MeshConfig(fsdp=4, tensor=2))):
        placed = {name: jax.reshard(jnp.asarray(arrays[name]), spec("batch", "sequence")) for name in ("targets", "on_logprob")}
        hidden, head = (jnp.asarray(arrays[name]) for name in ("hidden", "head"))

        def loss(hidden, head):
            scores = token_logprobs(hidden, head, placed["targets"], chunk=5, temperature=TEMPERATURE, dtype=dtype)
            return jnp.sum(scores.logprob * placed["on_logprob"]), scores

        found = {}
        for dtype in ("float32", "bfloat16"):
            gradients, values = jax.jit(jax.grad(loss, argnums=(0, 1), has_aux=True))(hidden, head)
            found[dtype] = [np.asarray(x) for x in (*values, *gradients)]
    for half, wanted in zip(found["bfloat16"], found["float32"]):
        error = np.abs(half - wanted).max() / np.abs(wanted).max()
        assert half.dtype == np.float32 and 1e-6 < error < 2e-2


def test_full_logits_never_exist_forward_or_backward() -> None:
    """Temporary memory of value and gradient stays below one array of full logits."""
    tokens, vocab, width = 2048, 1024, 8
    mesh = make_mesh(MeshConfig())

    def loss(hidden, head, chunk):
        return token_logprobs(hidden, head, jnp.zeros((1, tokens), jnp.int32), chunk=chunk).logprob.sum()

    with jax.set_mesh(mesh):
        shapes = jax.ShapeDtypeStruct((1, tokens, width), jnp.float32), jax.ShapeDtypeStruct((vocab, width), jnp.float32)
        used = {
            chunk: jax.jit(jax.grad(partial(loss, chunk=chunk), argnums=(0, 1)))
            .lower(*shapes)
            .compile()
            .memory_analysis()
            .temp_size_in_bytes
            for chunk in (32, vocab)
        }
    full = tokens * vocab * 4
    assert used[32] < full / 4
    assert used[vocab] > full / 4


def test_saturated_logits_stay_finite(arrays) -> None:
    """Targets of probability zero in fp32 included."""
    mesh = make_mesh(MeshConfig())
    with jax.set_mesh(mesh):
        hidden, head = jnp.asarray(arrays["hidden"]) * 300, jnp.asarray(arrays["head"])
        value, slope = jax.value_and_grad(lambda h: token_logprobs(h, head, jnp.asarray(arrays["targets"]), chunk=4).logprob.sum())(hidden)
    assert np.isfinite(value) and np.isfinite(slope).all()


@pytest.mark.parametrize(("chunk", "temperature", "sentence"), [(0, 1.0, "chunk is 0"), (4, 0.0, "temperature is 0")])
def test_impossible_settings_are_refused(chunk, temperature, sentence, arrays) -> None:
    with pytest.raises(ValueError, match=sentence):
        given = (jnp.asarray(arrays[name]) for name in ("hidden", "head", "targets"))
        token_logprobs(*given, chunk=chunk, temperature=temperature)


def test_a_vocabulary_that_does_not_divide_is_refused(arrays) -> None:
    with jax.set_mesh(make_mesh(MeshConfig(tensor=5))), pytest.raises(ShardingError, match="vocabulary head: vocab is 24"):
        token_logprobs(jnp.asarray(arrays["hidden"]), jnp.asarray(arrays["head"]), jnp.asarray(arrays["targets"]), chunk=4)
