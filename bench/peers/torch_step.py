"""A training step of transformers' Qwen3 with torch on the CPU: fp32, AdamW (fused), random tokens.

Run by bench/train_step.py in an environment of its own.
"""

import argparse
import json
import os
import resource
import time

import numpy as np
import torch
import transformers


def main() -> None:
    parser = argparse.ArgumentParser()
    for name in ("vocab", "layers", "embed", "q_heads", "kv_heads", "head_dim", "mlp", "rows", "length", "steps"):
        parser.add_argument(f"--{name}", type=int, required=True)
    a = parser.parse_args()
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
    losses, seconds = [], []
    for _ in range(a.steps + 3):
        start = time.perf_counter()
        logits = model(tokens[:, :-1]).logits
        loss = torch.nn.functional.cross_entropy(logits.reshape(-1, a.vocab), tokens[:, 1:].reshape(-1))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        seconds.append(time.perf_counter() - start)
    parameters = sum(weight.numel() for weight in model.parameters())
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    version = f"{transformers.__version__}, torch {torch.__version__}"
    print(json.dumps({"version": version, "parameters": parameters, "seconds": min(seconds[3:]), "mib": memory, "loss": losses[-1]}))


if __name__ == "__main__":
    main()
