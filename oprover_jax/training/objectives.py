"""Loss functions: CPT and SFT (cross-entropy) and GSPO, each from hidden states through the chunked head to (sum, denominator)."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Float

from oprover_jax.losses.cross_entropy import weighted_nll
from oprover_jax.losses.gspo import GSPOConfig, gspo_loss
from oprover_jax.losses.vocab_head import CHUNK, Scores, token_logprobs
from oprover_jax.models.qwen3 import Params, Qwen3Config, head_matrix, hidden_states
from oprover_jax.training.step import Batch, LossFunction, LossTerms, split_batch

__all__ = ["LogprobFunction", "cross_entropy", "gspo", "make_logprob_fn"]

LogprobFunction = Callable[[Params, Batch], Float[Array, "B S"]]


def cross_entropy(config: Qwen3Config, chunk: int = CHUNK, z_loss: float = 0.0) -> LossFunction:
    """Return the loss of CPT and SFT: mean over weighted targets of -log p, in nats. The rows' weights distinguish the two.

    `z_loss` weighs the mean square of the log-normaliser (PaLM, arXiv 2204.02311, section 5: 1e-4), which keeps logits from drifting.
    Batch: tokens, targets, positions, segment_ids, weights, each [B, S]. Metrics: `loss` (without the z-loss), `entropy`, `z_loss`.
    """

    def loss(params: Params, batch: Batch) -> LossTerms:
        scores = _score(config, params, batch, chunk=chunk, dtype=config.dtype)
        total, denominator = weighted_nll(scores.logprob, batch["weights"])
        entropy, _ = weighted_nll(-scores.entropy, batch["weights"])
        square, _ = weighted_nll(-jnp.square(scores.log_normalizer), batch["weights"])
        metrics = {"loss": (total, denominator), "entropy": (entropy, denominator), "z_loss": (square, denominator)}
        return total + z_loss * square, denominator, metrics

    return loss


def gspo(config: Qwen3Config, settings: GSPOConfig, chunk: int = CHUNK, temperature: float = 1.0) -> LossFunction:
    """Return the GSPO loss on rows of one attempt each. `temperature` is the sampler's, also used for the old log-probabilities.

    Batch: the fields of a row, whose weights are the mask of the attempt, `old_logprob` [B, S] from `make_logprob_fn`
    under the same temperature and micro-batch shape, and `advantages` [B], at token level also [B, S]; with a KL `reference_logprob`
    [B, S], the same pass over the reference's weights; with a sampler cap `sampler_logprob` [B, S], the engine's.
    Metrics: `loss`, `entropy`, those of `gspo_loss`.
    """

    def loss(params: Params, batch: Batch) -> LossTerms:
        scores = _score(config, params, batch, chunk=chunk, temperature=temperature)
        given = (scores.logprob, batch["old_logprob"], batch["weights"], batch["advantages"])
        total, denominator, metrics = gspo_loss(*given, settings, batch.get("reference_logprob"), batch.get("sampler_logprob"))
        entropy_sum, tokens = weighted_nll(-scores.entropy, batch["weights"])
        return total, denominator, metrics | {"loss": (total, denominator), "entropy": (entropy_sum, tokens)}

    return loss


def make_logprob_fn(
    config: Qwen3Config, mesh: Mesh, grad_accum_steps: int = 1, chunk: int = CHUNK, temperature: float = 1.0
) -> LogprobFunction:
    """Return the old policy's pass: log-probabilities [B, S] of a batch's targets, by the same micro-batches as the update.

    Pass the batch size, `grad_accum_steps`, `chunk` and `temperature` of the update that will use the result: the same shapes
    yield the same kernels, and the ratio of an unchanged policy is then exactly 1.
    """

    def scores(params: Params, batch: Batch) -> Scores:
        score = partial(_score, config, params, chunk=chunk, temperature=temperature)
        micro = jax.lax.map(score, split_batch(batch, grad_accum_steps))
        return jax.tree.map(lambda x: x.swapaxes(0, 1).reshape(batch["targets"].shape), micro)

    compiled = jax.jit(scores)

    def scored(params: Params, batch: Batch) -> Float[Array, "B S"]:
        with jax.set_mesh(mesh):
            # compute all scores as in the update; without one of them the compiler would round the others differently
            return compiled(params, batch).logprob

    return scored


def _score(config: Qwen3Config, params: Params, batch: Batch, **head: Any) -> Scores:
    hidden = hidden_states(config, params, batch["tokens"], batch["positions"], batch["segment_ids"])
    return token_logprobs(hidden, head_matrix(params), batch["targets"], **head)
