"""Starts a real SGL-JAX server on CPU: `sglang-jax` 0.0.1.post1 from PyPI with nine corrections, made to its modules before it starts.

Run by `make test-sglang` in an environment of its own, with the command line of `sgl_jax.launch_server`. The version is the newest on PyPI
that runs here; unmodified it does not serve Qwen3 on a CPU, and newer source has most of this put right. It is a test bed for our client.
The scheduler is a process that imports this file again ("spawn"), so that the corrections reach it too.
"""

import os
import sys

os.environ.setdefault("JAX_PLATFORMS", "cpu")

import jax
import jax.numpy as jnp
import numpy as np
import sgl_jax.srt.layers.logits_processor as logits_processor
import sgl_jax.srt.layers.sampler as sampler
import sgl_jax.srt.managers.schedule_batch as schedule_batch
import sgl_jax.srt.mem_cache.memory_pool as memory_pool
import sgl_jax.srt.models.qwen3 as qwen3
import sgl_jax.srt.sampling.sampling_batch_info as sampling_batch_info


def only_hidden_states(self, input_ids, positions, forward_batch):
    """The model calls its logits processor without a mesh, a TypeError; the runner computes the logits anyway."""
    return self.transformer(input_ids, positions, forward_batch)


def neox_rotary(*arguments, make=qwen3.RotaryEmbedding, **settings):
    """Qwen3 rotates the two halves of a head against each other, not neighbours."""
    return make(*arguments, **{**settings, "is_neox_style": True})


def tied_load(self, rng_key, load=qwen3.Qwen3ForCausalLM.load_weights):
    """A tied head stays random. A copy, since buffers are donated."""
    load(self, rng_key)
    if getattr(self.config.hf_config, "tie_word_embeddings", False):
        self.lm_head.embedding.value = jnp.array(self.transformer.embed_tokens.embedding.value, copy=True)


def fp32_head(*arguments, make=qwen3.ParallelLMHead, **settings):
    """The head computes in bfloat16 whatever --dtype says."""
    return make(*arguments, **{"dtype": jnp.float32, "param_dtype": jnp.float32, **settings})


class RandomOfLogits:
    """`jax.random` as the sampler uses it, which hands probabilities to `categorical`, where logits belong."""

    def __getattr__(self, name):
        return getattr(jax.random, name)

    @staticmethod
    def categorical(key, probabilities, *arguments, **settings):
        return jax.random.categorical(key, jnp.log(probabilities), *arguments, **settings)


def scatter_kv(k, v, loc, k_cache, v_cache, page_size, kv_partition_axis="tensor"):
    """Keys and values are written by a Pallas kernel for TPUs. Padding has negative places and is dropped."""
    places = jnp.where(loc < 0, k_cache.shape[0], loc)
    return k_cache.at[places].set(k, mode="drop"), v_cache.at[places].set(v, mode="drop")


def decode_positions(self, *arguments, make=schedule_batch.ScheduleBatch.get_model_worker_batch, **settings):
    """When decoding, positions are one too high."""
    batch = make(self, *arguments, **settings)
    if self.forward_mode.is_decode_or_idle():
        positions = np.asarray(batch.positions)
        batch.positions = np.maximum(positions - 1, 0).astype(positions.dtype)
    return batch


def first_rows(self, rows, truncate=logits_processor.LogitsProcessorOutput.truncate_logits_processor_output):
    """After a prefill of several prompts the logits, one row a prompt, are picked by the offsets of the prompts' tokens."""
    return truncate(self, np.arange(len(rows)))


def own_top_p(cls, batch, *arguments, make=sampling_batch_info.SamplingBatchInfo.from_schedule_batch.__func__, **settings):
    """top_p is filled with the values of top_k."""
    info = make(cls, batch, *arguments, **settings)
    asked = np.array([request.sampling_params.top_p for request in batch.reqs], np.float32)
    info.top_ps = sampling_batch_info.device_array(batch.mesh, asked)
    return info


qwen3.Qwen3ForCausalLM.__call__ = only_hidden_states
qwen3.RotaryEmbedding = neox_rotary
qwen3.Qwen3ForCausalLM.load_weights = tied_load
qwen3.ParallelLMHead = fp32_head
sampler.random = RandomOfLogits()
memory_pool._set_kv_buffer = scatter_kv
schedule_batch.ScheduleBatch.get_model_worker_batch = decode_positions
logits_processor.LogitsProcessorOutput.truncate_logits_processor_output = first_rows
sampling_batch_info.SamplingBatchInfo.from_schedule_batch = classmethod(own_top_p)

if __name__ == "__main__":
    from sgl_jax.srt.entrypoints.http_server import launch_server
    from sgl_jax.srt.server_args import prepare_server_args

    launch_server(prepare_server_args(sys.argv[1:]))
