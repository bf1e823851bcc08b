"""A training step of transformers' Qwen3 with torch on the CPU: fp32, AdamW (fused), random tokens.

Run by bench/train_step.py in an environment of its own.
"""

import os

import contest
import numpy as np
import torch
import transformers


def main() -> None:
    a = contest.arguments()
    torch.set_num_threads(os.cpu_count() or 1)
    torch.manual_seed(0)
    config = transformers.Qwen3Config(
        vocab_size=a.vocab,
        hidden_size=a.embed,
        intermediate_size=a.mlp,
        num_hidden_layers=a.layers,
        num_attention_heads=a.q_heads,
        num_key_value_heads=a.kv_heads,
        head_dim=a.head_dim,
        tie_word_embeddings=True,
        rope_theta=1e6,
        use_cache=False,
        bos_token_id=None,
        eos_token_id=None,
    )
    model = transformers.Qwen3ForCausalLM(config)  # its attention is torch's own fused kernel
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, fused=True)
    tokens = torch.from_numpy(np.random.default_rng(0).integers(1, a.vocab, (a.rows, a.length + 1)))

    def step() -> float:
        logits = model(tokens[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, a.vocab), tokens[:, 1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return loss.item()

    parameters = sum(weight.numel() for weight in model.parameters())
    contest.run(step, a.steps, version=f"{transformers.__version__}, torch {torch.__version__}", parameters=parameters)


if __name__ == "__main__":
    main()
