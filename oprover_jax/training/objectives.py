"""What is minimised: CPT and SFT (cross-entropy) and GSPO, each from hidden states through the chunked head to (sum, denominator)."""

from collections.abc import Callable
from functools import partial

import jax
from jax.sharding import Mesh
from jaxtyping import Array, Float

from oprover_jax.losses.cross_entropy import weighted_nll
from oprover_jax.losses.gspo import GSPOConfig, gspo_loss
from oprover_jax.losses.vocab_head import token_logprobs
from oprover_jax.models.qwen3 import Params, Qwen3Config, head_matrix, hidden_states
from oprover_jax.training.step import Batch, LossFunction, LossTerms, split_batch

__all__ = ["LogprobFunction", "cross_entropy", "gspo", "make_logprob_fn"]

LogprobFunction = Callable[[Params, Batch], Float[Array, "B S"]]


def cross_entropy(config: Qwen3Config, chunk: int = 1024) -> LossFunction:
    """CPT and SFT: mean over weighted targets of -log p, in nats. The weights of the rows tell the two apart.

    Batch: tokens, targets, positions, segment_ids, weights, each [B, S]. Metrics: `loss`, `entropy`.
    """

    def loss(params: Params, batch: Batch) -> LossTerms:
        logprob, entropy = _score(config, chunk, 1.0, params, batch)
        total, denominator = weighted_nll(logprob, batch["weights"])
        entropy_sum, _ = weighted_nll(-entropy, batch["weights"])
        return total, denominator, {"loss": (total, denominator), "entropy": (entropy_sum, denominator)}

    return loss


def gspo(config: Qwen3Config, settings: GSPOConfig, chunk: int = 1024, temperature: float = 1.0) -> LossFunction:
    """GSPO on rows of one attempt each. `temperature` is the sampler's, at which the old log-probabilities were taken too.

    Batch: the fields of a row, whose weights are the mask of the attempt, `old_logprob` [B, S] from `make_logprob_fn`
    under the same temperature and micro-batch shape, and `advantages` [B]. Metrics: `loss`, `entropy`, those of `gspo_loss`.
    """

    def loss(params: Params, batch: Batch) -> LossTerms:
        logprob, entropy = _score(config, chunk, temperature, params, batch)
        total, denominator, metrics = gspo_loss(logprob, batch["old_logprob"], batch["weights"], batch["advantages"], settings)
        entropy_sum, tokens = weighted_nll(-entropy, batch["weights"])
        return total, denominator, metrics | {"loss": (total, denominator), "entropy": (entropy_sum, tokens)}

    return loss


def make_logprob_fn(config: Qwen3Config, mesh: Mesh, accumulation: int = 1, chunk: int = 1024, temperature: float = 1.0) -> LogprobFunction:
    """The old policy's pass: log-probabilities [B, S] of a batch's targets, micro-batch by micro-batch as the update takes them.

    Give it the batch size, `accumulation`, `chunk` and `temperature` of the update that will use the result: the same shapes
    make the same kernels, and the ratio of an unchanged policy is then exactly 1.
    """

    def logprobs(params: Params, batch: Batch) -> Float[Array, "B S"]:
        score = partial(_score, config, chunk, temperature, params)
        micro = jax.lax.map(lambda part: score(part)[0], split_batch(batch, accumulation))
        return micro.swapaxes(0, 1).reshape(batch["targets"].shape)

    compiled = jax.jit(logprobs)

    def scored(params: Params, batch: Batch) -> Float[Array, "B S"]:
        with jax.set_mesh(mesh):
            return compiled(params, batch)

    return scored


def _score(
    config: Qwen3Config, chunk: int, temperature: float, params: Params, batch: Batch
) -> tuple[Float[Array, "B S"], Float[Array, "B S"]]:
    hidden = hidden_states(config, params, batch["tokens"], batch["positions"], batch["segment_ids"])
    return token_logprobs(hidden, head_matrix(params), batch["targets"], chunk, temperature)
