"""Attention and its gradients in float64 numpy, one head at a time, and what stands in for cuDNN where there is none."""

import jax
import jax.numpy as jnp
import numpy as np


def visible(segment_ids, causal):
    """[batch, query, key]"""
    seen = segment_ids[:, :, None] == segment_ids[:, None, :]
    index = np.arange(segment_ids.shape[1])
    return seen & (index[:, None] >= index[None]) if causal else seen


def attention(q, k, v, segment_ids, causal, cotangent):
    """(outputs, dq, dk, dv) of sum(outputs * cotangent)."""
    q, k, v, cotangent = (x.astype(np.float64) for x in (q, k, v, cotangent))
    scale, groups = q.shape[-1] ** -0.5, q.shape[2] // k.shape[2]
    out, dq, dk, dv = np.zeros_like(q), np.zeros_like(q), np.zeros_like(k), np.zeros_like(v)
    seen = visible(segment_ids, causal)
    for b in range(q.shape[0]):
        for h in range(q.shape[2]):
            g = h // groups
            scores = np.where(seen[b], q[b, :, h] @ k[b, :, g].T * scale, -np.inf)
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            weights /= weights.sum(axis=1, keepdims=True)
            out[b, :, h] = weights @ v[b, :, g]
            dv[b, :, g] += weights.T @ cotangent[b, :, h]
            dweights = cotangent[b, :, h] @ v[b, :, g].T
            dscores = weights * (dweights - (dweights * weights).sum(axis=1, keepdims=True)) * scale
            dq[b, :, h] = dscores @ k[b, :, g]
            dk[b, :, g] += dscores.T @ q[b, :, h]
    return out, dq, dk, dv


def cudnn_stand_in(offsets_for_cudnn):
    """cuDNN's packed attention as NVIDIA describes it: segment i has lengths[i] tokens and starts at element offsets[i] of the
    flattened batch. `offsets_for_cudnn` is JAX's own translation of the arguments, so what is handed to it is tried too."""

    def kernel(q, k, v, q_seqlen, kv_seqlen, q_offsets, kv_offsets, scale, mask_type):
        b, s, heads, d = q.shape
        lengths, kv_lengths, starts, kv_starts = offsets_for_cudnn(q_seqlen, kv_seqlen, q_offsets, kv_offsets, q, k)
        index = jnp.arange(b * s)[:, None]

        def member(starts, lengths, heads):  # [token, segment]
            first = starts.reshape(-1)[: lengths.size][None] // (heads * d)
            return (index >= first) & (index < first + lengths.reshape(-1)[None])

        mine, theirs = member(starts, lengths, heads), member(kv_starts, kv_lengths, k.shape[2])
        seen = jnp.einsum("im,jm->ij", mine.astype(jnp.int32), theirs.astype(jnp.int32)) > 0
        if mask_type.name == "PADDING_CAUSAL":
            seen &= index >= index.T
        q, k, v = (x.reshape(b * s, -1, d) for x in (q, k, v))
        scores = jnp.where(seen[None], jnp.einsum("ihd,jhd->hij", q, k) * scale, -jnp.inf)
        return jnp.einsum("hij,jhd->ihd", jax.nn.softmax(scores, axis=-1), v).reshape(b, s, heads, d)

    return kernel
