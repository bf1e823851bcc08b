"""google-tunix's training step on the CPU: full weights, fp32, AdamW, random tokens.

Run by bench/train_step.py in an environment of its own.
"""

import importlib.metadata
import os

os.environ["JAX_PLATFORMS"] = "cpu"

import contest
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from tunix.models.qwen3 import model as qwen3
from tunix.sft import peft_trainer, utils


def model_input(batch: peft_trainer.TrainingInput) -> dict:
    """Return the input of Tunix's loss: positions and a dense causal mask, from the mask of valid tokens."""
    valid = batch.input_tokens != 0
    return {
        "input_tokens": batch.input_tokens,
        "input_mask": batch.input_mask,
        "positions": utils.build_positions_from_mask(valid),
        "attention_mask": utils.make_causal_attn_mask(valid),
    }


def main() -> None:
    a = contest.arguments()
    config = qwen3.ModelConfig(
        num_layers=a.layers,
        vocab_size=a.vocab,
        embed_dim=a.embed,
        hidden_dim=a.mlp,
        num_heads=a.q_heads,
        head_dim=a.head_dim,
        num_kv_heads=a.kv_heads,
        rope_theta=1_000_000,
        norm_eps=1e-6,
        use_tied_embedding=True,
    )
    with jax.make_mesh((1, 1), ("fsdp", "tp"), axis_types=(jax.sharding.AxisType.Auto,) * 2, devices=jax.devices()[:1]):
        model = qwen3.Qwen3(config, rngs=nnx.Rngs(0))
        optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(1e-3))
        trainer = peft_trainer.PeftTrainer(model, optimizer, peft_trainer.TrainingConfig(eval_every_n_steps=10**9, max_steps=10**9))
        trainer = trainer.with_gen_model_input_fn(model_input)
        tokens = np.random.default_rng(0).integers(1, a.vocab, (a.rows, a.length + 1)).astype(np.int32)  # of which `length` are targets
        batch = peft_trainer.TrainingInput(input_tokens=jnp.asarray(tokens), input_mask=jnp.ones(tokens.shape, bool))
        train_step, _ = trainer.jit_train_and_eval_step(cache_nnx_graph=True)  # as its train() calls for each batch

        def step() -> float:
            loss = train_step(batch)[0]
            jax.block_until_ready(nnx.state(model))
            return float(loss)

        version = importlib.metadata.version("google-tunix")
        parameters = sum(weight.size for weight in jax.tree.leaves(nnx.state(model, nnx.Param)))
        contest.run(step, a.steps, version=version, parameters=parameters)


if __name__ == "__main__":
    main()
