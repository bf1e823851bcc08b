from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from gspo_oracle import oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from oprover_jax.losses.gspo import GSPOConfig, gspo_loss, sampler_mismatch
from oprover_jax.losses.vocab_head import token_logprobs
from oprover_jax.sharding import MeshConfig, make_mesh

CONFIG = GSPOConfig()
TOKEN = GSPOConfig(level="token")
K2 = GSPOConfig(kl="k2_loss", kl_weight=0.3)
K1 = GSPOConfig(kl="k1_reward", kl_weight=0.3)
CAPPED = GSPOConfig(sampler_cap=1.05)
MASKED = GSPOConfig(sampler_mask=1.1)
OFF_POLICY = GSPOConfig(sampler_cap=1.05, sampler_mask=1.1)
EVERYTHING = GSPOConfig(level="token", kl="k2_loss", kl_weight=0.3, sampler_cap=1.05, sampler_mask=1.12)
OPTIONS = {"published": CONFIG, "token": TOKEN, "k2": K2, "k1": K1, "capped": CAPPED, "masked": MASKED, "off policy": OFF_POLICY}
OPTIONS |= {"everything": EVERYTHING}


def batch(seed, scale, per_token=False):
    """16 attempts of up to 7 tokens, two of them masked altogether and four of advantage 0 (a group of equal rewards)."""
    rng = np.random.default_rng(seed)
    old = rng.normal(-1, 0.3, (16, 7)).astype(np.float32)
    mask = rng.random((16, 7)) < 0.6
    mask[[2, 9]] = False
    advantages = rng.normal(size=(16, 7) if per_token else 16).astype(np.float32)
    advantages[4:8] = 0
    moved = [(old + rng.normal(0, size, old.shape)).astype(np.float32) for size in (scale, 0.2, 0.2)]
    return {"logprob": moved[0], "old": old, "mask": mask, "advantages": advantages, "reference": moved[1], "sampler": moved[2]}


def evaluate(given, config=CONFIG):
    """((sum, (denominator, metrics)), gradient by the policy's log-probabilities)"""
    arrays = [given[name] for name in ("logprob", "old", "mask", "advantages")]
    return _evaluate(*arrays, config, given.get("reference"), given.get("sampler"))


@partial(jax.jit, static_argnums=4)
def _evaluate(logprob, *rest):
    def loss(logprob):
        total, count, metrics = gspo_loss(logprob, *rest)
        return total, (count, metrics)

    return jax.value_and_grad(loss, has_aux=True)(logprob)


def close(found, wanted, rtol=3e-6, atol=3e-6) -> None:
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=atol), found, wanted)


@pytest.mark.parametrize("scale", [1e-4, 1e-3, 0.3])
@pytest.mark.parametrize("per_token", [False, True], ids=["scalar", "per-token"])
@pytest.mark.parametrize("config", OPTIONS.values(), ids=OPTIONS)
def test_value_gradient_and_metrics_equal_the_oracle(config: GSPOConfig, per_token: bool, scale: float) -> None:
    """With empty masks, groups of advantage 0, and advantages of both signs on both sides of the clips."""
    if per_token and config.level == "sequence":
        with pytest.raises(ValueError, match="set it to 'token'"):
            evaluate(batch(3, scale, per_token), config)
        return
    given = batch(3, scale, per_token)
    wanted = oracle(
        *(given[k].astype(np.float64) for k in ("logprob", "old", "mask", "advantages")), config, given["reference"], given["sampler"]
    )
    (total, (count, metrics)), slope = evaluate(given, config)
    close((total, slope), (wanted["total"], wanted["slope"]))
    assert int(count) == wanted["rows"] == 14
    assert metrics.keys() == wanted["metrics"].keys()
    for name, fraction in wanted["metrics"].items():
        np.testing.assert_allclose(metrics[name], fraction, rtol=1e-3 if name.endswith("kl") else 2e-6, atol=1e-6, err_msg=name)
    if scale > 1e-4:
        assert 0 < wanted["metrics"]["clip_fraction"][0] < 12
    if config.sampler_cap is not None:
        assert 0 < wanted["metrics"]["sampler_capped"][0] < 14
    if config.sampler_mask is not None:
        assert 0 < wanted["metrics"]["sampler_masked"][0] < 14


@pytest.mark.parametrize("config", [CONFIG, TOKEN], ids=["sequence", "token"])
@pytest.mark.parametrize(
    ("advantage", "shift", "taken"), [(1.0, 1e-3, True), (1.0, -1e-3, False), (-1.0, 1e-3, False), (-1.0, -1e-3, True)]
)
def test_the_clip_acts_only_on_the_side_of_the_advantage(advantage, shift, taken, config) -> None:
    old = np.full((1, 4), -1.0, np.float32)
    given = {"logprob": old + np.float32(shift), "old": old, "mask": np.ones((1, 4)), "advantages": np.array([advantage], np.float32)}
    (_, (_, metrics)), slope = evaluate(given, config)
    assert int(metrics["clip_fraction"][0]) == taken
    assert bool((slope == 0).all()) == taken


def test_the_two_clips_have_their_own_sides() -> None:
    config = GSPOConfig(clip_low=1e-3, clip_high=1e-2)
    old = np.full((4, 4), -1.0, np.float32)
    shifts = np.array([[5e-3], [-5e-3], [2e-2], [-5e-4]], np.float32)
    given = {"logprob": old + shifts, "old": old, "mask": np.ones((4, 4)), "advantages": np.array([1, -1, 1, -1], np.float32)}
    _, slope = evaluate(given, config)
    assert (slope != 0).any(1).tolist() == [True, False, False, True]


@pytest.mark.parametrize("scale", [1e-4, 0.3])
def test_gspo_token_with_one_advantage_for_each_attempt_is_gspo(scale) -> None:
    given = batch(4, scale)
    close(evaluate(given, TOKEN), evaluate(given, CONFIG))


def test_an_advantage_of_one_token_moves_that_token_alone() -> None:
    given = batch(4, 1e-4, per_token=True)
    given["advantages"][:] = 0
    row, token = np.argwhere(given["mask"])[0]
    given["advantages"][row, token] = 1
    _, slope = evaluate(given, TOKEN)
    assert np.argwhere(np.asarray(slope)).tolist() == [[row, token]]


@pytest.mark.parametrize("config", OPTIONS.values(), ids=OPTIONS)
def test_order_padding_and_accumulation_change_nothing(config: GSPOConfig) -> None:
    """Sums over any split of the rows, in any order, in rows of any length, are those of the whole batch; gradients with them."""
    given = batch(6, 1e-3, per_token=config.level == "token")
    whole, slope = evaluate(given, config)
    order = np.random.default_rng(0).permutation(16)
    padded = {k: np.pad(x, [(0, 0), (3, 2)], constant_values=0 if k == "mask" else -7) if x.ndim == 2 else x for k, x in given.items()}
    parts = np.split(order, 4)
    found = [evaluate({name: x[rows] for name, x in padded.items()}, config) for rows in parts]
    close(jax.tree.map(lambda *sums: sum(sums), *(value for value, _ in found)), whole)
    for rows, (_, part) in zip(parts, found, strict=True):
        close(part[:, 3:-2], slope[rows])
        assert not part[:, :3].any() and not part[:, -2:].any()


@pytest.mark.parametrize("config", OPTIONS.values(), ids=OPTIONS)
def test_all_attempts_weigh_the_same_whatever_their_length(config: GSPOConfig) -> None:
    """An attempt with every token twice has the same loss and half the gradient on each of its tokens."""
    given = batch(7, 1e-3, per_token=config.level == "token")
    twice = {name: np.repeat(x, 2, axis=1) if x.ndim == 2 else x for name, x in given.items()}
    (total, (count, _)), slope = evaluate(given, config)
    (longer, (same, _)), halved = evaluate(twice, config)
    close((longer, same, 2 * halved), (total, count, np.repeat(slope, 2, axis=1)))


def test_all_tokens_of_an_attempt_weigh_the_same() -> None:
    old, mask = np.full((2, 6), -1.0, np.float32), np.array([[1, 1, 1, 1, 1, 1], [1, 1, 0, 0, 0, 0]])
    for config in (CONFIG, TOKEN):
        _, slope = evaluate({"logprob": old, "old": old, "mask": mask, "advantages": np.ones(2, np.float32)}, config)
        np.testing.assert_allclose(slope, -mask / mask.sum(1, keepdims=True), rtol=1e-6)


@pytest.mark.parametrize("config", [CONFIG, EVERYTHING], ids=["published", "everything"])
def test_on_policy_the_ratio_is_exactly_one(config: GSPOConfig) -> None:
    rng = np.random.default_rng(0)
    mesh = make_mesh(MeshConfig(fsdp=4, tensor=2))
    with jax.set_mesh(mesh):
        hidden, head = jnp.asarray(rng.normal(size=(8, 6, 16)), jnp.float32), jnp.asarray(rng.normal(size=(32, 16)), jnp.float32)
        targets = jnp.asarray(rng.integers(0, 32, (8, 6)))
        old = jax.jit(lambda h: token_logprobs(h, head, targets, chunk=3).logprob)(hidden)

        def loss(hidden):
            logprob = token_logprobs(hidden, head, targets, chunk=3).logprob
            total, count, metrics = gspo_loss(logprob, old, jnp.ones((8, 6)), jnp.ones(8), config, old, old)
            return total / count, metrics

        (value, metrics), slope = jax.jit(jax.value_and_grad(loss, has_aux=True))(hidden)
    assert float(value) == -1.0
    assert float(metrics["ratio"][0]) == float(metrics["ratio"][1]) == 8.0
    assert float(metrics["clip_fraction"][0]) == float(metrics["approx_kl"][0]) == 0.0
    assert float(jnp.abs(slope).max()) > 0


@pytest.mark.parametrize("config", OPTIONS.values(), ids=OPTIONS)
def test_what_the_mask_hides_has_no_influence_even_when_infinite(config: GSPOConfig) -> None:
    given = batch(5, 1e-3, per_token=config.level == "token")
    hidden = dict(given)
    for name, value in (("logprob", -np.inf), ("old", np.nan), ("reference", -np.inf), ("sampler", np.nan), ("advantages", np.nan)):
        if given[name].ndim == 2:
            hidden[name] = np.where(given["mask"], given[name], np.float32(value))
    (plain, _), _ = evaluate(given, config)
    (found, _), slope = evaluate(hidden, config)
    assert float(plain) == float(found)
    assert np.isfinite(slope).all()


VOCABULARY, LENGTH = 4, 3


def tree_policy(logits, first, second, third):
    """Log-probabilities [3] of a sequence of three tokens; each next-token distribution has logits of its own, [4], [4, 4], [4, 4, 4]."""
    rows = (logits[0], logits[1][first], logits[2][first, second])
    return jnp.stack([jax.nn.log_softmax(row)[token] for row, token in zip(rows, (first, second, third))])


def every_sequence(function):
    """`function(first, second, third)` on all 64 sequences, [64, ...]."""
    return jax.vmap(function)(*(grid.ravel() for grid in jnp.meshgrid(*(jnp.arange(VOCABULARY),) * LENGTH, indexing="ij")))


@jax.jit
def expected_gradients(policy, reference):
    """By enumeration of all 64 sequences: the exact gradient of the KL divergence of whole sequences, per token, and with the prefixes
    held fixed; and what `gspo_loss` gives in expectation on policy with no reward but k1, and with k2."""

    def divergence(logits, *held):
        logprobs = every_sequence(lambda *s: tree_policy(logits, *s))
        drift = logprobs - every_sequence(lambda *s: tree_policy(reference, *s))
        if not held:
            return jnp.sum(jnp.exp(logprobs.sum(1)) * drift.sum(1)) / LENGTH
        prefixes = every_sequence(lambda *s: tree_policy(held[0], *s))
        reached = jnp.exp(jnp.cumsum(prefixes, axis=1) - prefixes)  # probability of each token's prefix
        spread = jnp.array([VOCABULARY ** (LENGTH - 1 - t) for t in range(LENGTH)])  # sequences that share a prefix and a token
        return jnp.sum(jnp.exp(logprobs) * drift * reached / spread[None]) / LENGTH

    def expected(config, advantage):
        def one(*sequence):
            old, other = tree_policy(policy, *sequence)[None], tree_policy(reference, *sequence)[None]

            def loss(logits):
                return gspo_loss(tree_policy(logits, *sequence)[None], old, jnp.ones((1, LENGTH)), advantage(old, other), config, other)[0]

            return jax.tree.map(lambda g: g * jnp.exp(old.sum()), jax.grad(loss)(policy))

        return jax.tree.map(lambda g: g.sum(0), every_sequence(one))

    by_k2 = expected(GSPOConfig(kl="k2_loss", kl_weight=1.0), lambda old, other: jnp.zeros(1))
    by_k1 = expected(GSPOConfig(kl="k1_reward", kl_weight=1.0), lambda old, other: -jnp.sum(old - other, axis=1))
    return jax.grad(divergence)(policy), jax.grad(divergence)(policy, policy), by_k1, by_k2


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**31), st.sampled_from([0.3, 1.0, 2.0]))
def test_both_forms_of_the_kl_have_its_exact_gradient_in_expectation(seed: int, scale: float) -> None:
    """k2 in the loss: the gradient of KL(policy || reference) of each token, given its prefix; the first token's is that of one
    softmax. k1 in the reward: the gradient of the divergence of whole sequences."""
    rng = np.random.default_rng(seed)
    policy, reference = ([jnp.asarray(rng.normal(0, scale, (VOCABULARY,) * n), jnp.float32) for n in (1, 2, 3)] for _ in range(2))
    whole, held, by_k1, by_k2 = expected_gradients(policy, reference)
    close(by_k1, whole, rtol=1e-4, atol=2e-6)
    close(by_k2, held, rtol=1e-4, atol=2e-6)
    assert max(float(jnp.abs(x).max()) for x in held) > 1e-3


def test_the_sampler_weight_is_a_mean_over_tokens_and_truncated() -> None:
    """A gap of 0.01 on each of 500 tokens is a weight of 1.01, where the sum over tokens would give 148."""
    old = np.full((2, 500), -1.0, np.float32)
    given = {"logprob": old, "old": old, "mask": np.ones((2, 500)), "advantages": np.ones(2, np.float32)}
    given["sampler"] = old - np.array([[0.01], [0.5]], np.float32)
    (total, (_, metrics)), _ = evaluate(given, GSPOConfig(sampler_cap=1.2))
    assert float(total) == pytest.approx(-(np.exp(0.01) + 1.2), rel=1e-5)
    assert float(metrics["sampler_capped"][0]) == 1
    (uncorrected, _), _ = evaluate(given)
    assert float(uncorrected) == -2.0


def test_the_mismatch_of_sampler_and_trainer_is_measured() -> None:
    given = batch(9, 1e-3)
    gaps = [float(o) - float(s) for o, s, m in zip(*(given[k].ravel() for k in ("old", "sampler", "mask"))) if m]
    found = sampler_mismatch(*(jnp.asarray(given[name]) for name in ("old", "sampler")), jnp.asarray(given["mask"], jnp.float32))
    assert float(found["sampler_gap"]) == pytest.approx(np.abs(gaps).mean(), rel=1e-5)
    assert float(found["sampler_gap_max"]) == pytest.approx(np.abs(gaps).max(), rel=1e-5)
    assert float(found["sampler_kl"]) == pytest.approx((np.exp(gaps) - 1 - gaps).mean(), rel=1e-4)
    nothing = sampler_mismatch(jnp.zeros((2, 3)), jnp.ones((2, 3)), jnp.zeros((2, 3)))
    assert all(float(value) == 0 for value in nothing.values())


@pytest.mark.parametrize(
    ("change", "remedy"),
    [
        ({"clip_low": 0.2}, "such as 3e-4"),
        ({"clip_high": 0.1}, "such as 3e-4"),
        ({"clip_low": 0.0}, "such as 3e-4"),
        ({"clip_high": -1e-4}, "such as 3e-4"),
        ({"clip_high": 0.2, "level": "token"}, "such as 3e-4"),
        ({"level": "word"}, "give 'sequence'"),
        ({"kl": "k1_loss"}, "'k2_loss' or 'k1_reward'"),
        ({"kl": "k3"}, "'k2_loss' or 'k1_reward'"),
        ({"kl_weight": 0.1}, "set kl to"),
        ({"kl": "k2_loss", "kl_weight": -0.1}, "positive number"),
        ({"kl": "k2_loss", "kl_weight": float("nan")}, "positive number"),
        ({"kl": "k2_loss", "kl_weight": float("inf")}, "positive number"),
        ({"sampler_cap": 1.0}, "above 1"),
        ({"sampler_cap": 0.5}, "above 1"),
        ({"sampler_cap": float("inf")}, "above 1"),
        ({"sampler_cap": float("nan")}, "above 1"),
        ({"sampler_mask": 1.0}, "above 1"),
        ({"sampler_mask": float("inf")}, "above 1"),
    ],
)
def test_impossible_settings_are_refused_with_a_remedy(change, remedy) -> None:
    with pytest.raises(ValueError, match=remedy) as caught:
        GSPOConfig(**change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("config", "lacking"), [(K2, "reference"), (K1, "reference"), (CAPPED, "sampler"), (MASKED, "sampler")])
def test_what_an_option_needs_is_asked_for(config, lacking) -> None:
    given = batch(3, 1e-3)
    del given[lacking]
    with pytest.raises(ValueError, match=f"add the batch field {lacking}_logprob"):
        evaluate(given, config)
