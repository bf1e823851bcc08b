from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from oprover_jax.rollout.sampling import draw, restrict, seed_words


def columns(
    n: int, seed: int = 3, position: int = 5, temperature: float = 1.0, top_p: float = 1.0, top_k: int = 0, min_p: float = 0.0
) -> tuple:
    seeds = np.tile(np.array(seed_words(seed), np.uint32), (n, 1))
    numbers = (np.full(n, value, np.float32) for value in (temperature, top_p, min_p))
    temperatures, top_ps, min_ps = numbers
    return seeds, np.arange(n, dtype=np.int32), np.full(n, position, np.int32), temperatures, top_ps, np.full(n, top_k, np.int32), min_ps


def candidates(probabilities: np.ndarray, top_p: float, top_k: int, min_p: float) -> set[int]:
    """One row by the definition, in float64, one token at a time."""
    kept: list[int] = []
    for token in sorted(range(len(probabilities)), key=lambda i: (-probabilities[i], i)):
        enough = (top_p < 1 and probabilities[kept].sum() >= top_p) or (top_k and len(kept) >= top_k)
        if enough or probabilities[token] < min_p * probabilities.max():
            break
        kept.append(token)
    return set(kept)


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


@pytest.mark.parametrize(
    "limits", [(0.5, 0, 0.0), (0.9, 0, 0.0), (1.0, 3, 0.0), (1.0, 0, 0.3), (0.8, 4, 0.2), (0.3, 40, 0.0), (1.0, 1, 0.0), (1e-9, 0, 0.0)]
)
def test_only_the_candidates_of_top_p_top_k_and_min_p_are_left(limits: tuple[float, int, float]) -> None:
    # eighths of a distribution: sums are exact, and every row has ties
    rng = np.random.default_rng(2)
    probabilities = np.stack([rng.multinomial(64, np.full(37, 1 / 37)) / 64 for _ in range(40)])
    top_p, top_k, min_p = limits
    rows = (np.full(40, top_p, np.float32), np.full(40, top_k, np.int32), np.full(40, min_p, np.float32))
    left = np.asarray(jax.jit(restrict)(jnp.asarray(probabilities, jnp.float32), *map(jnp.asarray, rows)))
    for row, kept in zip(probabilities, left):
        expected = np.zeros(37)
        chosen = list(candidates(row, *limits))
        expected[chosen] = row[chosen]
        np.testing.assert_array_equal(kept, expected)


def test_restricted_draws_follow_the_renormalised_candidates_and_report_the_whole_distribution() -> None:
    n, vocabulary, limits = 20_000, 30, (0.8, 9, 0.05)
    logits = 1.5 * np.random.default_rng(5).standard_normal(vocabulary).astype(np.float32)
    tokens, logprobs = jax.jit(draw)(
        jnp.tile(logits, (n, 1)), *columns(n, temperature=0.7, top_p=limits[0], top_k=limits[1], min_p=limits[2])
    )
    whole = np.exp(logits.astype(np.float64) / 0.7) / np.exp(logits.astype(np.float64) / 0.7).sum()
    kept = sorted(candidates(whole, *limits))
    counts, expected = np.bincount(tokens, minlength=vocabulary), n * whole[kept] / whole[kept].sum()
    assert counts.sum() == counts[kept].sum() and 3 < len(kept) < 10
    degrees = len(kept) - 1
    assert ((counts[kept] - expected) ** 2 / expected).sum() < degrees + 5 * np.sqrt(2 * degrees)
    np.testing.assert_allclose(logprobs, np.log(whole)[np.asarray(tokens)], atol=1e-5)


def test_a_row_without_limits_draws_as_if_no_other_row_had_any() -> None:
    logits = jnp.asarray(np.random.default_rng(1).standard_normal((64, 40)), jnp.float32)
    free, half = columns(64), list(columns(64))
    half[4] = np.where(np.arange(64) % 2, 0.4, 1.0).astype(np.float32)
    alone, mixed = (np.asarray(jax.jit(draw)(logits, *these)[0]) for these in (free, half))
    np.testing.assert_array_equal(mixed[::2], alone[::2])
    np.testing.assert_array_equal(jax.jit(partial(draw, restricted=False))(logits, *free)[0], alone)
    assert (mixed[1::2] != alone[1::2]).any()


TINIEST = (1e-300, 5e-324, 1e-45, 1e-40, 1e-38, float(np.finfo(np.float32).tiny))


@pytest.mark.parametrize("top_p", TINIEST)
@pytest.mark.parametrize("also", [{}, {"top_k": 5}, {"min_p": 0.1}, {"top_k": 1, "min_p": 1.0}])
def test_the_smallest_top_p_leaves_the_most_likely_token(top_p: float, also: dict) -> None:
    logits = np.random.default_rng(3).standard_normal((40, 50)).astype(np.float32)
    logits[:, 30] = logits[:, 7] = logits.max(axis=1)  # a tie: the first of the two
    tokens, logprobs = jax.jit(draw)(jnp.asarray(logits), *columns(40, top_p=top_p, **also))
    whole = np.exp(logits.astype(np.float64)) / np.exp(logits.astype(np.float64)).sum(axis=1, keepdims=True)
    for row, token, logprob in zip(whole, np.asarray(tokens), np.asarray(logprobs)):
        assert {int(token)} == candidates(row, top_p, also.get("top_k", 0), also.get("min_p", 0.0))
        assert logprob == pytest.approx(np.log(row[token]), abs=1e-5)


@pytest.mark.parametrize("temperature", [1.2e-38, 1e-30, 1e-10, 1e-6, 1e6, 1e30, 8.5e37])
@pytest.mark.parametrize("top_p", [1.0, 0.5])
def test_any_temperature_draws_by_the_definition(temperature: float, top_p: float) -> None:
    logits = 5 * np.random.default_rng(4).standard_normal((300, 20)).astype(np.float32)
    logits[:, 11] = -np.inf
    tokens, logprobs = (np.asarray(x) for x in jax.jit(draw)(jnp.asarray(logits), *columns(300, temperature=temperature, top_p=top_p)))
    with np.errstate(over="ignore"):
        scaled = (logits.astype(np.float64) - logits.max(axis=1, keepdims=True)) / np.float64(np.float32(temperature))
    expected = scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(logprobs, np.take_along_axis(expected, tokens[:, None], axis=1)[:, 0], atol=1e-5)
    if temperature < 1:
        np.testing.assert_array_equal(tokens, logits.argmax(axis=1))
    else:
        assert 11 not in tokens and len(np.unique(tokens)) > 8


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_a_draw_is_a_token_of_the_vocabulary_even_where_the_model_is_broken(value: float) -> None:
    for vocabulary in (2, 5, 37, 1024):
        logits = jnp.full((8, vocabulary), value, jnp.float32)
        for limits in ({}, {"top_p": 0.4}, {"top_k": 3}, {"min_p": 0.2}, {"temperature": 0.0}):
            tokens, _ = jax.jit(draw)(logits, *columns(8, **limits))
            assert ((np.asarray(tokens) >= 0) & (np.asarray(tokens) < vocabulary)).all()
