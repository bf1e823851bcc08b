"""What the tests of `oprover pack` pack: JSONL, Parquet and files, with a tokenizer trained on them. `experiment()` reads PACK_FOLDER."""

import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from oprover_jax.data.pack_config import PackConfig
from oprover_jax.data.sources import Files, Text
from oprover_jax.data.tokenizer import END, train_tokenizer

UNIT = 20_000


def write_sources(folder: Path) -> dict[str, list[str]]:
    """Writes the sources and a tokenizer into `folder`, and returns the documents that are to be packed, by source."""
    rng = np.random.default_rng(0)
    words = ["theorem", "lemma", "∀ x", "rfl", "simp", "omega", "a + b", "\n  exact"]

    def texts(count: int) -> list[str]:
        return [" ".join(rng.choice(words, rng.integers(1, 200))) + f" {i}" for i in range(count)]

    math, long, code = texts(90), [" ".join(rng.choice(words, 900)) for _ in range(6)], texts(25)
    flagged = [{"text": "from a benchmark", "contaminates": ["minif2f"]}, {"text": ""}, {"text": "taboo theorem"}]
    rows = [*({"text": text, "contaminates": []} for text in math), *flagged]
    (folder / "math.jsonl").write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    pq.write_table(pa.table({"body": long, "more": [0] * len(long)}), folder / "long.parquet", row_group_size=4)
    for i, text in enumerate(code):
        path = folder / "code" / f"part{i % 3}" / f"{i}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    (folder / "code" / "latin.py").write_bytes("é".encode("latin-1"))
    train_tokenizer([*math, *code], 400, []).save(folder / "tokenizer.json")
    return {"math": math, "long": long, "code": code}


def taboo(text: str) -> str:
    """The decontamination of the tests."""
    return "names what it must not" if "taboo" in text else ""


def job(folder: Path) -> PackConfig:
    return PackConfig(
        name="tiny",
        sources={
            "math": Text(str(folder / "math.jsonl"), 4.0, flag="contaminates"),
            "long": Text(str(folder / "long.parquet"), 1.0, column="body"),
            "code": Files(str(folder / "code"), 2.0, (".py",)),
        },
        tokenizer=str(folder / "tokenizer.json"),
        end=END,
        seq_len=128,
        unit_bytes=UNIT,
        workers=2,
    )


def experiment() -> PackConfig:
    return job(Path(os.environ["PACK_FOLDER"]))
