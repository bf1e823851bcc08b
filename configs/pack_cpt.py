"""CPT mixture of the publication (arXiv 2605.17283): 30% Lean, 20% code, 40% math, 10% long chains of thought, 65B tokens in total.

The shares of the four parts and the rows of 8,192 tokens are published. Which subsets of the public sets were used is not: those below,
and the shares within a part, are ours. Set CPT_DATA to a folder with the downloads (Hugging Face names, in their own layout):

    opc-fineweb-code-corpus/data/*.parquet           OpenCoder-LLM/opc-fineweb-code-corpus, column `text`
    opc-annealing-corpus/algorithmic_corpus/*.arrow  OpenCoder-LLM/opc-annealing-corpus, column `text`; it has two more folders
    Nemotron-CC-Math-v1/4plus/*.parquet              nvidia/Nemotron-CC-Math-v1, column `text`; its terms must be accepted first
    long-cot/*.jsonl or *.parquet                    column `text`; see below

The Lean part is a corpus built from m-a-p/OProofs (`oprover corpus ingest --kind oproofs`), at OPROVER_CORPUS: its proofs, and what the
prover read and wrote, where the release has it.

The publication names ProLong-64K for the last part. Its release (princeton-nlp/prolong-data-64K) holds token ids of Llama 3 in MDS files
(columns `input_ids`, `indices`, `domain`), not text: decode `input_ids` with the tokenizer of Llama 3, document by document as `indices`
gives them, and write one row with `text` for each.

OPROVER_DATA holds the tokenizer of Qwen3 and the benchmarks: a document or a conversation that contains one is removed and counted.
"""

import os
from pathlib import Path

from oprover_jax.agent.prompted_source import Conversations
from oprover_jax.data.pack_config import PackConfig
from oprover_jax.data.sources import Proofs, Text
from oprover_jax.data.without_benchmarks import WithoutBenchmarks
from oprover_jax.training.recipes import PUBLISHED_CPT


def experiment() -> PackConfig:
    data, sets = Path(os.environ.get("OPROVER_DATA", "data")), Path(os.environ.get("CPT_DATA", "downloads"))
    corpus, tokenizer = os.environ.get("OPROVER_CORPUS", "corpora/oproofs"), str(data / "tokenizer-qwen3")
    share = PUBLISHED_CPT.mixture
    conversations = Conversations(corpus, tokenizer, weight=share["lean"] * 0.75, loss="all", data=str(data))
    return PackConfig(
        name="cpt",
        sources={
            "lean-proofs": Proofs(corpus, weight=share["lean"] * 0.25),
            "lean-conversations": conversations,
            "code-web": Text(str(sets / "opc-fineweb-code-corpus"), weight=share["code"] * 0.6),
            "code-algorithms": Text(str(sets / "opc-annealing-corpus"), weight=share["code"] * 0.4),
            "math": Text(str(sets / "Nemotron-CC-Math-v1" / "4plus"), weight=share["math"]),
            "long-cot": Text(str(sets / "long-cot"), weight=share["long_cot"]),
        },
        tokenizer=tokenizer,
        seq_len=PUBLISHED_CPT.seq_len,
        decontaminate=WithoutBenchmarks(str(data)),
    )
