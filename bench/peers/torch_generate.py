"""transformers' `generate` with torch on the CPU: fp32, all prompts in one batch, padded on the left.

Run by bench/engine.py in an environment of its own.
"""

import os

import generation
import torch
import transformers


def main() -> None:
    a = generation.arguments()
    torch.set_num_threads(os.cpu_count() or 1)
    model = transformers.AutoModelForCausalLM.from_pretrained(a.model, dtype=torch.float32)  # its attention is torch's own fused kernel
    model.eval()
    settings = transformers.GenerationConfig(do_sample=False, max_new_tokens=a.new_tokens, eos_token_id=None, pad_token_id=0)

    @torch.inference_mode()
    def answer(asked: list[list[int]]) -> list[list[int]]:
        width = max(map(len, asked))
        tokens = torch.tensor([[0] * (width - len(ids)) + ids for ids in asked])
        mask = torch.tensor([[0] * (width - len(ids)) + [1] * len(ids) for ids in asked])
        return model.generate(input_ids=tokens, attention_mask=mask, generation_config=settings)[:, width:].tolist()

    generation.compete(answer, a, f"{transformers.__version__}, torch {torch.__version__}")


if __name__ == "__main__":
    main()
