import jax
import numpy as np
import pytest
from tiny import CONFIG, attempts, on, padded, weights

from oprover_jax.losses.gspo import GSPOConfig
from oprover_jax.models.qwen3 import head_matrix, hidden_states
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.training.objectives import cross_entropy, gspo, make_logprob_fn
from oprover_jax.training.optimizer import OptimizerConfig, make_optimizer
from oprover_jax.training.step import init_state, make_train_step

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


@pytest.mark.parametrize("mesh_config,accumulation", [(MeshConfig(), 2), (MeshConfig(fsdp=4, tensor=2), 2)], ids=["1", "4x2"])
def test_gspo_ratio_is_exactly_one_on_policy_and_learns_from_advantages(mesh_config: MeshConfig, accumulation: int) -> None:
    mesh = make_mesh(mesh_config)
    temperature = 0.8
    params = weights(mesh=mesh)
    batch = on(mesh, padded(attempts(16)))
    old = make_logprob_fn(CONFIG, mesh, accumulation, temperature=temperature)
    batch["old_logprob"] = old(params, batch)
    assert np.asarray(batch["old_logprob"]).shape == (16, 16)
    if mesh_config == MeshConfig():
        np.testing.assert_allclose(np.asarray(batch["old_logprob"]), full_logprobs(params, batch, temperature), atol=2e-5)
    advantages = np.where(np.arange(16) % 2 == 0, 1, -1).astype(np.float32)
    batch |= on(mesh, {"advantages": advantages})
    step = make_train_step(gspo(CONFIG, GSPOConfig(), temperature=temperature), OPTIMIZER, mesh, accumulation)
    before = np.asarray(batch["old_logprob"])
    state, metrics = step(init_state(params, OPTIMIZER, mesh), batch, 1e-3)
    assert float(metrics["ratio"]) == 1.0
    assert float(metrics["approx_kl"]) == 0.0
    assert float(metrics["clip_fraction"]) == 0.0
    assert float(metrics["objective"]) == 0.0  # the advantages add up to 0
    change = ((np.asarray(old(state.params, batch)) - before) * np.asarray(batch["weights"])).sum(-1)
    assert (change * advantages).mean() > 0
    _, metrics = step(state, batch, 1e-3)
    assert float(metrics["ratio"]) != 1.0
    assert float(metrics["clip_fraction"]) > 0  # one such step leaves the narrow band of the sequence ratio
