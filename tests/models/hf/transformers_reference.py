"""What `transformers` makes of a Qwen3. Runs in the environment of requirements/transformers.txt, not in ours (`make test-transformers`).

`make OUT` writes tiny random models and what transformers says of them: `tests/models/hf/recorded` was made so, and is what the
tests of every run compare with. `judge FOLDER OUT` says the same of any folder. `tokenize FOLDER FILE` prints the ids of a text.
"""

import json
import sys
from pathlib import Path

import numpy as np
import torch
import transformers

SIZES = {
    "vocab_size": 64,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "rope_theta": 1e6,
    "max_position_embeddings": 128,
    "bos_token_id": None,
    "eos_token_id": None,
}
PROMPTS, PROMPT, NEW = 4, 10, 16


def make(out: Path) -> None:
    """`tied` in one file, `untied` in several with an index. Weights are drawn large, so that no choice between tokens is close."""
    for name, tied, file_size in (("tied", True, "1GB"), ("untied", False, "16KB")):
        torch.manual_seed(len(name))
        model = transformers.Qwen3ForCausalLM(transformers.Qwen3Config(**SIZES, tie_word_embeddings=tied))
        with torch.no_grad():
            for weight in model.parameters():
                weight.add_(torch.randn_like(weight) * 0.3)
        model.save_pretrained(out / name, max_shard_size=file_size)
        judge(out / name, out / name / "expected.npz")


@torch.no_grad()
def judge(folder: Path, out: Path) -> None:
    """Greedy continuations of random prompts and the logits of every position of them, in fp32."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    assert isinstance(model, transformers.Qwen3ForCausalLM)
    vocab = model.config.vocab_size
    prompts = torch.from_numpy(np.random.default_rng(0).integers(0, vocab, (PROMPTS, PROMPT)))
    tokens = model.generate(
        prompts, attention_mask=torch.ones_like(prompts), max_new_tokens=NEW, do_sample=False, eos_token_id=None, pad_token_id=0
    )
    logits = model(tokens).logits.numpy()
    best = np.sort(logits, axis=-1)
    versions = json.dumps({"transformers": transformers.__version__, "torch": torch.__version__})
    np.savez(out, tokens=tokens.numpy().astype(np.int32), logits=logits, prompt=PROMPT, versions=versions)
    margin = float((best[..., -1] - best[..., -2])[:, PROMPT - 1 : -1].min())
    print(f"{folder}: {tuple(tokens.shape)} tokens, closest choice {margin:.4f}, largest logit {np.abs(logits).max():.3f}, {versions}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["make"] and len(sys.argv) == 3:
        make(Path(sys.argv[2]))
    elif sys.argv[1:2] == ["judge"] and len(sys.argv) == 4:
        judge(Path(sys.argv[2]), Path(sys.argv[3]))
    elif sys.argv[1:2] == ["tokenize"] and len(sys.argv) == 4:
        tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[2])
        ids = tokenizer.encode(Path(sys.argv[3]).read_text())
        print(json.dumps({"ids": ids, "eos": tokenizer.eos_token_id, "pad": tokenizer.pad_token_id}))
    else:
        sys.exit(__doc__)
