"""The chunked vocabulary head: log-probability and entropy of given targets, with full logits never materialised."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from oprover_jax.sharding import AXES, check_divides, current_mesh, gathered, mesh_axes, spec

VOCAB_AXES = mesh_axes("vocab")


def token_logprobs(
    hidden: Float[Array, "B S D"], head: Float[Array, "V D"], targets: Int[Array, "B S"], chunk: int, temperature: float = 1.0
) -> tuple[Float[Array, "B S"], Float[Array, "B S"]]:
    """(log-probability of each target, entropy in nats of its distribution), fp32, of softmax(hidden @ head.T / temperature).

    Each device works through its own tokens `chunk` at a time, forward and again backward, so that at most [chunk, V / tensor]
    logits exist on it. The product is in fp32, since a sequence ratio is clipped at 3e-4, below bfloat16's noise. The head may be
    split over fsdp and tensor; its gradient is summed on each device and reduced once. Runs under `jax.set_mesh`.
    """
    if chunk < 1:
        raise ValueError(f"chunk is {chunk}; give the head at least 1 token at a time")
    if not temperature > 0:
        raise ValueError(f"temperature is {temperature}; log-probabilities need one above 0 (greedy sampling is scored at 1)")
    mesh = current_mesh()
    check_divides(targets.shape, ("batch", "sequence"), mesh, "targets")
    check_divides(head.shape, ("vocab", None), mesh, "vocabulary head")
    tokens, weights = spec("batch", "sequence"), gathered("vocab", "embed")
    local = jax.shard_map(
        partial(_local_logprobs, chunk=chunk, temperature=temperature),
        in_specs=(spec("batch", "sequence", None), weights, tokens),
        out_specs=(tokens, tokens),
        axis_names=set(AXES),
    )
    hidden = jax.reshard(hidden.astype(jnp.float32), spec("batch", "sequence", None))
    return local(hidden, jax.reshard(head.astype(jnp.float32), weights), jax.reshard(targets, tokens))


def _local_logprobs(
    hidden: Float[Array, "b s D"], head: Float[Array, "v D"], targets: Int[Array, "b s"], *, chunk: int, temperature: float
) -> tuple[Float[Array, "b s"], Float[Array, "b s"]]:
    """One device's tokens against its part of the vocabulary."""
    count = targets.size
    chunk = min(chunk, count)
    chunks = -(-count // chunk)
    padding = chunks * chunk - count
    rows = jnp.pad(hidden.reshape(count, -1), ((0, padding), (0, 0))).reshape(chunks, chunk, -1)
    ids = jnp.pad(targets.reshape(count), (0, padding)).reshape(chunks, chunk)
    # the head differs from device to device once its gradient does: marked so, that gradient is reduced after the scan, not in it
    varying = tuple(axis for axis in AXES if axis not in VOCAB_AXES)
    head = jax.lax.pcast(head, varying, to="varying")
    ids_of_columns = jnp.arange(head.shape[0]) + jax.lax.axis_index(VOCAB_AXES) * head.shape[0]

    @jax.checkpoint
    def score(rows: Float[Array, "c D"], ids: Int[Array, "c"]) -> tuple[Float[Array, "c"], Float[Array, "c"]]:
        logits = jnp.einsum("cD,vD->cv", rows, head, precision=jax.lax.Precision.HIGHEST) / temperature
        top = jax.lax.stop_gradient(jax.lax.pmax(jax.lax.stop_gradient(logits).max(axis=-1), VOCAB_AXES))
        shifted = logits - top[:, None]
        exponentials = jnp.exp(shifted)
        hit = ids_of_columns[None] == ids[:, None]
        sums = jnp.stack([exponentials.sum(-1), (exponentials * shifted).sum(-1), jnp.where(hit, shifted, 0.0).sum(-1)])
        total, weighted, target = jax.lax.psum(sums, VOCAB_AXES)
        log_total = jnp.log(total)
        return target - log_total, log_total - weighted / total

    def step(_: None, inputs: tuple[Array, Array]) -> tuple[None, tuple[Array, Array]]:
        return None, score(*inputs)

    _, (logprob, entropy) = jax.lax.scan(step, None, (rows, ids))
    return logprob.reshape(-1)[:count].reshape(targets.shape), entropy.reshape(-1)[:count].reshape(targets.shape)
