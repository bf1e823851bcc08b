import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oprover_jax.rollout.sampling import draw, seed_words


def columns(n: int, seed: int = 3, position: int = 5, temperature: float = 1.0) -> tuple:
    seeds = np.tile(np.array(seed_words(seed), np.uint32), (n, 1))
    return seeds, np.arange(n, dtype=np.int32), np.full(n, position, np.int32), np.full(n, temperature, np.float32)


@pytest.mark.parametrize("vocabulary", [2, 16, 23, 37])
@pytest.mark.parametrize("temperature", [0.7, 1.0, 2.5])
def test_draws_follow_the_tempered_softmax(vocabulary: int, temperature: float) -> None:
    n = 20_000
    logits = 1.5 * np.random.default_rng(vocabulary).standard_normal(vocabulary).astype(np.float32)
    tokens, logprobs = jax.jit(draw)(jnp.tile(logits, (n, 1)), *columns(n, temperature=temperature))
    expected = np.exp(logits / temperature) / np.exp(logits / temperature).sum()
    counts = np.bincount(tokens, minlength=vocabulary)
    chi_square = ((counts - n * expected) ** 2 / (n * expected)).sum()
    degrees = vocabulary - 1
    assert chi_square < degrees + 5 * np.sqrt(2 * degrees)
    np.testing.assert_allclose(logprobs, np.log(expected)[np.asarray(tokens)], atol=1e-5)


def test_temperature_zero_takes_the_most_likely_token_and_reports_its_untempered_logprob() -> None:
    logits = np.random.default_rng(0).standard_normal((9, 50)).astype(np.float32)
    tokens, logprobs = jax.jit(draw)(jnp.asarray(logits), *columns(9, temperature=0.0))
    np.testing.assert_array_equal(tokens, logits.argmax(axis=1))
    np.testing.assert_allclose(logprobs, logits.max(axis=1) - np.log(np.exp(logits).sum(axis=1)), atol=1e-5)


def test_a_draw_depends_on_its_own_row_only() -> None:
    logits = np.random.default_rng(1).standard_normal((64, 40)).astype(np.float32)
    keys = columns(64)
    tokens, logprobs = jax.jit(draw)(jnp.asarray(logits), *keys)
    picked = np.array([7, 60, 0, 33])
    again, same = jax.jit(draw)(jnp.asarray(logits[picked]), *(column[picked] for column in keys))
    np.testing.assert_array_equal(again, tokens[picked])
    np.testing.assert_allclose(same, logprobs[picked], rtol=1e-6)


@pytest.mark.parametrize("other", [{"seed": 4}, {"seed": 3 + 2**32}, {"position": 6}])
def test_seed_and_position_each_change_the_draws(other: dict[str, int]) -> None:
    logits = jnp.zeros((200, 64))
    assert (
        np.mean(np.asarray(jax.jit(draw)(logits, *columns(200))[0]) == np.asarray(jax.jit(draw)(logits, *columns(200, **other))[0])) < 0.2
    )


def test_tokens_of_probability_zero_are_never_drawn() -> None:
    logits = np.full(30, -np.inf, np.float32)
    logits[[4, 19]] = 0
    tokens, _ = jax.jit(draw)(jnp.tile(logits, (500, 1)), *columns(500))
    assert set(np.asarray(tokens).tolist()) == {4, 19}
