import jax
import jax.numpy as jnp
import numpy as np

from oprover_jax.losses.cross_entropy import weighted_nll


def test_sums_of_parts_are_the_sum_of_the_whole_and_unequal_parts_are_not_averaged() -> None:
    rng = np.random.default_rng(0)
    logprob, weights = jnp.asarray(rng.normal(size=(4, 6)), jnp.float32), jnp.asarray(rng.integers(0, 3, (4, 6)))
    total, count = weighted_nll(logprob, weights)
    np.testing.assert_allclose(total / count, -np.average(logprob, weights=weights), rtol=1e-6)
    parts = [weighted_nll(logprob[rows], weights[rows]) for rows in (slice(0, 1), slice(1, 4))]
    np.testing.assert_allclose((parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]), (total, count), rtol=1e-6)


def test_a_token_of_weight_zero_is_absent_even_when_impossible() -> None:
    logprob, weights = jnp.array([[-1.0, -jnp.inf, -2.0]]), jnp.array([[1.0, 0.0, 0.5]])
    total, slope = jax.value_and_grad(lambda x: weighted_nll(x, weights)[0])(logprob)
    assert float(total) == 2.0
    np.testing.assert_array_equal(slope, [[-1.0, 0.0, -0.5]])


def test_empty_weights_give_zero_over_zero_parts() -> None:
    assert [float(x) for x in weighted_nll(jnp.ones((2, 3)), jnp.zeros((2, 3)))] == [0.0, 0.0]
