"""Small CPT mixture in the proportions of the publication (arXiv 2605.17283), without its chains of thought: 3 Lean, 2 code, 4 math.

The Lean part is the corpus at OPROVER_CORPUS and a textbook; the code part is taken from Python's standard library. Texts and the Qwen3
tokenizer are read from the folder OPROVER_DATA.
"""

import os
import sysconfig
from pathlib import Path

from oprover_jax.data.pack_config import PackConfig
from oprover_jax.data.sources import Files, Proofs, Text


def experiment() -> PackConfig:
    data = Path(os.environ.get("OPROVER_DATA", "data"))
    return PackConfig(
        name="mini",
        sources={
            "lean": Proofs(os.environ.get("OPROVER_CORPUS", "corpora/mini"), weight=2.5),
            "textbook": Text(str(data / "cpt" / "lean_textbook_tpil.jsonl"), weight=0.5, flag="contaminates"),
            "code": Files(sysconfig.get_path("stdlib") + "/asyncio", weight=2.0, suffixes=(".py",)),
            "math": Text(str(data / "cpt" / "math_champ.jsonl"), weight=4.0, flag="contaminates"),
        },
        tokenizer=str(data / "tokenizer-qwen3"),
        seq_len=8192,
        unit_bytes=8 * 2**20,
    )
