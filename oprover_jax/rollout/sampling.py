"""Token sampling with one random key per (seed, sample, position), so that it never depends on concurrent requests."""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Shaped, UInt32

KEY_IMPLEMENTATION = "threefry2x32"

_TINY = float(np.finfo(np.float32).tiny)  # most devices flush smaller numbers to 0


def seed_words(seed: int) -> tuple[int, int]:
    """Return the low 64 bits of `seed` as (high, low) uint32 words, the key data of `jax.random.key(seed)` in 64-bit mode."""
    return (seed >> 32) & 0xFFFFFFFF, seed & 0xFFFFFFFF


def draw(
    logits: Float[Array, "N V"],
    seeds: UInt32[Array | np.ndarray, "N 2"],
    samples: Int[Array | np.ndarray, " N"],
    positions: Int[Array | np.ndarray, " N"],
    temperatures: Float[Array | np.ndarray, " N"],
    top_ps: Float[Array | np.ndarray, " N"],
    top_ks: Int[Array | np.ndarray, " N"],
    min_ps: Float[Array | np.ndarray, " N"],
    *,
    restricted: bool = True,
) -> tuple[Int[Array, " N"], Float[Array, " N"]]:
    """Sample one token per row and return tokens [N] and log-probabilities [N].

    Log-probabilities are computed in fp32 at the given temperature over the whole vocabulary, not renormalised for top-p, top-k and min-p
    (as in SGLang). Temperature 0 takes the most likely token and reports its log-probability at temperature 1.

    Args:
      logits: Logits [N, V].
      seeds: Seed words [N, 2].
      samples: Sample numbers [N].
      positions: Positions of the new tokens [N].
      temperatures: Temperatures [N].
      top_ps: Top-p limits [N]; 1 is off.
      top_ks: Top-k limits [N]; 0 is off.
      min_ps: Min-p limits [N]; 0 is off.
      restricted: False if no row uses these limits. They are then omitted from the program, because even unused they would cost a tenth
        of a step.
    """
    greedy = temperatures <= 0
    logits = logits.astype(jnp.float32)
    # the largest logit becomes 0 before the division, so that the result is finite at any temperature
    scaled = (logits - jnp.max(logits, axis=-1, keepdims=True)) / jnp.where(greedy, 1.0, temperatures)[:, None]
    logprobs = scaled - jnp.log(jnp.sum(jnp.exp(scaled), axis=-1, keepdims=True))
    keys = (jnp.asarray(column) for column in (seeds, samples, positions))
    candidates = jnp.exp(logprobs)
    if restricted:
        candidates = restrict(candidates, *(jnp.asarray(column) for column in (top_ps, top_ks, min_ps)))
    drawn = _invert_cdf(candidates, jax.vmap(_uniforms)(*keys))
    tokens = jnp.where(greedy, jnp.argmax(logprobs, axis=-1), drawn).astype(jnp.int32)
    return tokens, jnp.take_along_axis(logprobs, tokens[:, None], axis=-1)[:, 0]


def restrict(
    probabilities: Float[Array, "N V"], top_ps: Float[Array, " N"], top_ks: Int[Array, " N"], min_ps: Float[Array, " N"]
) -> Float[Array, "N V"]:
    """Return `probabilities` [N, V] with zeros for excluded tokens, not renormalised; top-p 1, top-k 0 and min-p 0 are off.

    Each limit applies to the given distribution, independent of the others. In order of probability and then of id, a token is kept while
    the tokens before it weigh less than top-p and are fewer than top-k; it also needs at least min-p times the largest probability.
    Nothing is sorted, because sorting 64 rows of 20,000 takes a second on a CPU.
    """
    p = probabilities
    top_ps = jnp.maximum(top_ps, _TINY)
    least_p = _largest_that_reaches(p, p, top_ps)
    least_k = _largest_that_reaches(p, jnp.ones_like(p), top_ks)
    heavier = jnp.sum(jnp.where(p > least_p, p, 0), axis=-1, keepdims=True)
    more = jnp.sum(p > least_k, axis=-1, keepdims=True)
    ties_p = jnp.where(least_p > 0, jnp.maximum(jnp.ceil((top_ps[:, None] - heavier) / least_p), 1), 0)
    kept = (top_ps >= 1)[:, None] | _above_or_first_ties(p, least_p, ties_p)
    kept &= (top_ks <= 0)[:, None] | _above_or_first_ties(p, least_k, top_ks[:, None] - more)
    kept &= p >= min_ps[:, None] * jnp.max(p, axis=-1, keepdims=True)
    return jnp.where(kept, p, 0)


def _largest_that_reaches(
    p: Float[Array, "N V"], weights: Float[Array, "N V"], totals: Float[Array, " N"] | Int[Array, " N"]
) -> Float[Array, "N 1"]:
    """Return the largest t for which the weights of all p >= t reach the total, or 0 if all weights together do not.

    The value is found bit by bit, because non-negative floats are ordered like their bits.
    """

    def decide(i: Int[Array, ""], bits: Int[Array, "N 1"]) -> Int[Array, "N 1"]:
        tried = bits | (jnp.int32(1) << (30 - i))
        reached = jnp.sum(jnp.where(jax.lax.bitcast_convert_type(p, jnp.int32) >= tried, weights, 0), axis=-1)
        return jnp.where((reached >= totals)[:, None], tried, bits)

    bits = jax.lax.fori_loop(0, 31, decide, jnp.zeros((p.shape[0], 1), jnp.int32))
    return jax.lax.bitcast_convert_type(bits, jnp.float32)


def _above_or_first_ties(p: Float[Array, "N V"], least: Float[Array, "N 1"], ties: Shaped[Array, "N 1"]) -> Bool[Array, "N V"]:
    """Return which tokens are above `least`, or among the first `ties` tokens equal to it."""
    equal = p == least
    return (p > least) | (equal & (jnp.cumsum(equal, axis=-1) <= ties))


def _uniforms(seed: UInt32[Array, " 2"], sample: Int[Array, ""], position: Int[Array, ""]) -> Float[Array, " 2"]:
    key = jax.random.wrap_key_data(seed, impl=KEY_IMPLEMENTATION)
    return jax.random.uniform(jax.random.fold_in(jax.random.fold_in(key, sample), position), (2,), jnp.float32)


def _invert_cdf(probabilities: Float[Array, "N V"], uniforms: Float[Array, "N 2"]) -> Int[Array, " N"]:
    """Sample a block of about sqrt(V) tokens, then a token within it; the index is valid even for NaN weights.

    Two short cumulative sums have less rounding error than one over V, two uniforms reach probabilities below 2^-23, and on a CPU this is
    nine times faster than V Gumbel variates per row.
    """
    rows, vocabulary = probabilities.shape
    width = math.isqrt(vocabulary - 1) + 1
    padded = jnp.pad(probabilities, ((0, 0), (0, -vocabulary % width)))
    blocks = padded.reshape(rows, -1, width)
    block = _first_above(blocks.sum(axis=-1), uniforms[:, 0])
    within = jnp.take_along_axis(blocks, block[:, None, None], axis=1)[:, 0]
    return jnp.minimum(block * width + _first_above(within, uniforms[:, 1]), vocabulary - 1)


def _first_above(weights: Float[Array, "N W"], uniform: Float[Array, " N"]) -> Int[Array, " N"]:
    """Return the first index whose cumulative weight exceeds `uniform` times the total; never one with weight zero, unless all are."""
    cumulative = jnp.cumsum(weights, axis=-1)
    below = jnp.sum(cumulative <= (uniform * cumulative[:, -1])[:, None], axis=-1, dtype=jnp.int32)
    return jnp.minimum(below, weights.shape[-1] - 1)
