import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny import CONFIG, attempts, on, padded, weights

from oprover_jax.losses.gspo import GSPOConfig
from oprover_jax.models.qwen3 import head_matrix, hidden_states
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.training.objectives import cross_entropy, gspo, make_logprob_fn
from oprover_jax.training.optimizer import OptimizerConfig, make_optimizer
from oprover_jax.training.step import init_state, make_train_step

pytestmark = pytest.mark.slow

OPTIMIZER = make_optimizer(OptimizerConfig())


def full_logprobs(params: dict, batch: dict, temperature: float) -> np.ndarray:
    """Oracle with full logits, in float64 from the hidden states on."""
    with jax.set_mesh(make_mesh(MeshConfig())):
        hidden = np.asarray(hidden_states(CONFIG, params, batch["tokens"], batch["positions"], batch["segment_ids"]), np.float64)
    logits = hidden @ np.asarray(head_matrix(params), np.float64).T / temperature
    logits -= logits.max(-1, keepdims=True)
    logprobs = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    return np.take_along_axis(logprobs, np.asarray(batch["targets"])[..., None], -1)[..., 0]


def test_cross_entropy_is_the_mean_over_weighted_targets() -> None:
    mesh = make_mesh(MeshConfig())
    params = weights(mesh=mesh)
    batch = on(mesh, padded(attempts(8)))
    expected = -(full_logprobs(params, batch, 1.0) * np.asarray(batch["weights"])).sum() / np.asarray(batch["weights"]).sum()
    with jax.set_mesh(mesh):
        total, denominator, metrics = jax.jit(cross_entropy(CONFIG, chunk=16))(params, batch)
    assert float(total / denominator) == pytest.approx(expected, rel=1e-5)
    assert denominator == sum(len(e.ids[e.weights > 0]) for e in attempts(8))
    assert 0 < float(metrics["entropy"][0] / metrics["entropy"][1]) <= np.log(CONFIG.vocab_size)


EVERYTHING = GSPOConfig(level="token", kl="k2_loss", kl_weight=0.5, sampler_cap=2.0)
DEVICES_4X2 = MeshConfig(fsdp=4, tensor=2)


@pytest.mark.parametrize(
    "mesh_config,grad_accum_steps,settings",
    [(MeshConfig(), 2, GSPOConfig()), (DEVICES_4X2, 2, GSPOConfig()), (DEVICES_4X2, 1, EVERYTHING)],
    ids=["1", "4x2", "4x2-everything"],
)
def test_gspo_ratio_is_exactly_one_on_policy_and_learns_from_advantages(
    mesh_config: MeshConfig, grad_accum_steps: int, settings: GSPOConfig
) -> None:
    """With every option too: neither the reference nor the sampler is apart from the policy yet."""
    mesh = make_mesh(mesh_config)
    temperature = 0.8
    params = weights(mesh=mesh)
    rows = on(mesh, padded(attempts(16)))
    old = make_logprob_fn(CONFIG, mesh, grad_accum_steps, temperature=temperature)
    batch = rows | dict.fromkeys(("old_logprob", "reference_logprob", "sampler_logprob"), old(params, rows))
    assert np.asarray(batch["old_logprob"]).shape == (16, 16)
    if mesh_config == MeshConfig():
        np.testing.assert_allclose(np.asarray(batch["old_logprob"]), full_logprobs(params, batch, temperature), atol=2e-5)
    advantages = np.where(np.arange(16) % 2 == 0, 1, -1).astype(np.float32)
    batch |= on(mesh, {"advantages": advantages})
    step = make_train_step(gspo(CONFIG, settings, temperature=temperature), OPTIMIZER, mesh, grad_accum_steps)
    before = np.asarray(batch["old_logprob"])
    state, metrics = step(init_state(params, OPTIMIZER, mesh), batch, 1e-3)
    assert float(metrics["ratio"]) == 1.0
    assert float(metrics["approx_kl"]) == 0.0
    assert float(metrics["clip_fraction"]) == 0.0
    assert float(metrics["objective"]) == 0.0  # the advantages add up to 0
    if settings == EVERYTHING:
        assert float(metrics["sampler_weight"]) == 1.0
        assert float(metrics["reference_kl"]) == 0.0
    change = ((np.asarray(old(state.params, rows)) - before) * np.asarray(batch["weights"])).sum(-1)
    assert (change * advantages).mean() > 0
    _, metrics = step(state, batch, 1e-3)
    assert float(metrics["ratio"]) != 1.0
    assert float(metrics["clip_fraction"]) > 0  # one such step leaves the narrow band of the sequence ratio


def test_gspo_is_invariant_to_order_padding_accumulation_and_mesh() -> None:
    """With every option on and an advantage for each token. Plain gradient descent: equal weights afterwards are equal gradients."""
    sgd = optax.GradientTransformation(lambda params: (), lambda grads, state, params: (jax.tree.map(jnp.negative, grads), state))
    rng = np.random.default_rng(0)
    count, longest = 16, 16
    fields = {"advantages": rng.normal(size=(count, longest)).astype(np.float32)}
    base = rng.normal(-np.log(CONFIG.vocab_size), 0.2, (count, longest))
    for name in ("old_logprob", "reference_logprob", "sampler_logprob"):
        fields[name] = (base + rng.normal(0, 0.01, base.shape)).astype(np.float32)

    def one_step(order: np.ndarray, length: int, grad_accum_steps: int, config: MeshConfig) -> tuple[dict, dict[str, float]]:
        mesh = make_mesh(config)
        rows = padded(attempts(count), length) | {n: np.pad(x, [(0, 0), (0, length - longest)]) for n, x in fields.items()}
        step = make_train_step(gspo(CONFIG, EVERYTHING, chunk=8), sgd, mesh, grad_accum_steps)
        batch = on(mesh, {name: array[order] for name, array in rows.items()})
        state, metrics = step(init_state(weights(mesh=mesh), sgd, mesh), batch, 1.0)
        return jax.tree.map(np.asarray, state.params), {name: float(value) for name, value in metrics.items()}

    expected_params, expected = one_step(np.arange(count), longest, 1, MeshConfig())
    assert 0 < expected["clip_fraction"] < 1 and expected["reference_kl"] > 0
    mask = padded(attempts(count))["weights"]
    gap = ((fields["old_logprob"] - fields["sampler_logprob"]) * mask).sum(1) / mask.sum(1)
    assert expected["sampler_weight"] == pytest.approx(np.exp(gap).mean(), rel=1e-5)
    params, metrics = one_step(rng.permutation(count), 24, 4, MeshConfig(fsdp=2, context=2, tensor=2))
    assert metrics == pytest.approx(expected, rel=2e-5)
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-4, atol=2e-6), params, expected_params)
