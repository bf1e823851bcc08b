"""First SFT rows from a corpus, in the agent's own prompts: proofs, repairs of failed attempts, and the published conversations.

Build the corpus at OPROVER_CORPUS, then its index (`oprover corpus index`). A source without rows is an error: remove it, such as `repair`
where the corpus has no rollouts yet and `conversations` where it has none of OProofs. OPROVER_MODEL is the model's folder, whose tokenizer
and chat template frame the prompts. OPROVER_DATA holds the benchmarks, which enter no row.

Published: the parts of a prompt and the loss on the new attempt only. The rest is ours: weights, eight retrieved proofs, the budget of
each part, and the length of rows.
"""

import os

from oprover_jax.agent.prompted_source import Conversations, Prompted
from oprover_jax.data.pack_config import PackConfig


def experiment() -> PackConfig:
    data, model = os.environ.get("OPROVER_DATA", "data"), os.environ.get("OPROVER_MODEL", "weights/Qwen3-8B")
    corpus = os.environ.get("OPROVER_CORPUS", "corpora/mini")
    return PackConfig(
        name="sft",
        sources={
            "first": Prompted(corpus, model, weight=2.0, data=data),
            "repair": Prompted(corpus, model, weight=1.0, rounds="repair", data=data),
            "conversations": Conversations(corpus, model, weight=7.0, data=data),
        },
        tokenizer=model,
        seq_len=16_384,
    )
