import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oprover_jax.losses.gspo import GSPOConfig, group_advantages, gspo_loss
from oprover_jax.losses.vocab_head import token_logprobs
from oprover_jax.sharding import MeshConfig, make_mesh

CONFIG = GSPOConfig()


def oracle(logprob, old, mask, advantages, config):
    """The published objective, negated, one sequence at a time; and its gradient by the published formula (section 4.2)."""
    total, count, clipped, ratios = 0.0, 0, 0, []
    slope = np.zeros_like(logprob)
    for row, advantage in enumerate(advantages):
        tokens = np.flatnonzero(mask[row])
        if len(tokens) == 0:
            continue
        count += 1
        ratio = np.exp(sum(logprob[row, t] - old[row, t] for t in tokens) / len(tokens))
        ratios.append(ratio)
        bounded = min(max(ratio, 1 - config.clip_low), 1 + config.clip_high)
        if bounded * advantage < ratio * advantage:
            clipped += 1
            total -= bounded * advantage
        else:
            total -= ratio * advantage
            slope[row, tokens] = -ratio * advantage / len(tokens)
    return total, count, clipped, sum(ratios), slope


def batch(seed, scale):
    rng = np.random.default_rng(seed)
    old = rng.normal(-1, 0.3, (16, 7))
    mask = rng.random((16, 7)) < 0.6
    mask[[2, 9]] = False
    return old + rng.normal(0, scale, old.shape), old, mask, rng.normal(size=16)


def evaluate(logprob, old, mask, advantages, config=CONFIG):
    arrays = [jnp.asarray(x, jnp.float32) for x in (old, mask, advantages)]
    return jax.value_and_grad(lambda x: (lambda out: (out[0], out[1:]))(gspo_loss(x, *arrays, config)), has_aux=True)(
        jnp.asarray(logprob, jnp.float32)
    )


@pytest.mark.parametrize("scale", [1e-4, 1e-3, 0.3])
def test_value_gradient_and_metrics_equal_the_oracle_with_empty_masks(scale) -> None:
    arrays = batch(3, scale)
    rounded = [np.asarray(x, np.float32).astype(np.float64) for x in arrays]
    (total, (count, metrics)), slope = evaluate(*arrays)
    wanted_total, wanted_count, clipped, ratios, wanted_slope = oracle(*rounded[:2], arrays[2], rounded[3], CONFIG)
    np.testing.assert_allclose(total, wanted_total, rtol=2e-6, atol=2e-6)
    np.testing.assert_allclose(slope, wanted_slope, rtol=2e-6, atol=2e-6)
    assert int(count) == wanted_count == 14
    assert (int(metrics["clip_fraction"][0]), int(metrics["clip_fraction"][1])) == (clipped, 14)
    np.testing.assert_allclose(metrics["ratio"], (ratios, 14), rtol=1e-6)
    change = np.where(arrays[2], rounded[0] - rounded[1], 0)
    kl = metrics["approx_kl"]
    np.testing.assert_allclose(kl[0], (np.exp(change) - 1 - change).sum(), rtol=1e-3, atol=1e-6)
    assert int(kl[1]) == arrays[2].sum()


@pytest.mark.parametrize(
    ("advantage", "shift", "taken"), [(1.0, 1e-3, True), (1.0, -1e-3, False), (-1.0, 1e-3, False), (-1.0, -1e-3, True)]
)
def test_the_clip_acts_only_on_the_side_of_the_advantage(advantage, shift, taken) -> None:
    old = np.full((1, 4), -1.0)
    (_, (_, metrics)), slope = evaluate(old + shift, old, np.ones((1, 4)), np.array([advantage]))
    assert int(metrics["clip_fraction"][0]) == taken
    assert bool((slope == 0).all()) == taken


def test_all_tokens_of_an_attempt_weigh_the_same_and_length_does_not_weigh_attempts() -> None:
    old = np.full((2, 6), -1.0)
    mask = np.array([[1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0]])
    _, slope = evaluate(old, old, mask, np.array([1.0, 1.0]))
    np.testing.assert_allclose(slope, -mask / mask.sum(1, keepdims=True), rtol=1e-6)


def test_on_policy_the_ratio_is_exactly_one() -> None:
    rng = np.random.default_rng(0)
    mesh = make_mesh(MeshConfig(fsdp=4, tensor=2))
    with jax.set_mesh(mesh):
        hidden, head = jnp.asarray(rng.normal(size=(8, 6, 16)), jnp.float32), jnp.asarray(rng.normal(size=(32, 16)), jnp.float32)
        targets = jnp.asarray(rng.integers(0, 32, (8, 6)))
        old = jax.jit(lambda h: token_logprobs(h, head, targets, chunk=3).logprob)(hidden)

        def loss(hidden):
            logprob = token_logprobs(hidden, head, targets, chunk=3).logprob
            total, count, metrics = gspo_loss(logprob, old, jnp.ones((8, 6)), jnp.ones(8), CONFIG)
            return total / count, metrics

        (value, metrics), slope = jax.jit(jax.value_and_grad(loss, has_aux=True))(hidden)
    assert float(value) == -1.0
    assert float(metrics["ratio"][0]) == float(metrics["ratio"][1]) == 8.0
    assert float(metrics["clip_fraction"][0]) == float(metrics["approx_kl"][0]) == 0.0
    assert float(jnp.abs(slope).max()) > 0


def test_what_the_mask_hides_has_no_influence_even_when_infinite() -> None:
    logprob, old, mask, advantages = batch(5, 1e-3)
    (plain, _), _ = evaluate(logprob, old, mask, advantages)
    (hidden, _), slope = evaluate(np.where(mask, logprob, -np.inf), np.where(mask, old, np.nan), mask, advantages)
    assert float(plain) == float(hidden)
    assert np.isfinite(slope).all()


@pytest.mark.parametrize("change", [{"clip_low": 0.2}, {"clip_high": 0.1}, {"clip_low": 0.0}, {"clip_high": -1e-4}])
def test_clips_of_ppo_size_or_none_are_refused(change) -> None:
    with pytest.raises(ValueError, match="such as 3e-4"):
        GSPOConfig(**change)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.sampled_from([0.0, 0.8, 1.0]), min_size=4, max_size=4), min_size=1, max_size=4), st.randoms())
def test_advantages_are_standard_scores_within_the_group(rewards, random) -> None:
    rewards = np.array(rewards)
    valid = np.array([[random.random() < 0.8 for _ in row] for row in rewards])
    found = group_advantages(rewards, valid)
    assert found.shape == rewards.shape
    for row, group in enumerate(rewards):
        kept = group[valid[row]]
        assert (found[row][~valid[row]] == 0).all()
        if len(set(kept)) < 2:
            assert (found[row] == 0).all()
        else:
            np.testing.assert_allclose(found[row][valid[row]], (kept - kept.mean()) / kept.std(), rtol=1e-12)


def test_an_invalid_reward_may_be_nan() -> None:
    found = group_advantages(np.array([[1.0, np.nan, 0.0]]), np.array([[True, False, True]]))
    np.testing.assert_array_equal(found, [[1.0, 0.0, -1.0]])
