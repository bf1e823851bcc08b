"""Small corpus of real theorems and proofs, each row with its licence and project.

Build it with `oprover corpus build --config configs/corpus_mini.py --corpus runs/corpus-mini --data DATA`; the data folder is not part of
this project. The embedded core Lean verifies core proofs twice; proofs that need Mathlib or Batteries are stored unchecked.
`core_verified_lean435` is excluded: it is the verified part of the core files, and `oprover iterate` evaluates on it. Do not evaluate a
model trained on this corpus on it.
"""

from oprover_jax.ingest.config import BuildConfig, Source

PAIRS = (
    "core_tpil",
    "core_logic_game",
    "core_nng4_ported",
    "core_love",
    "core_sf_kuotsanhsu",
    "batteries",
    "nng4",
    "mathlib_mil",
    "mathlib_compfiles",
    "mathlib_love",
    "mathlib_lean_workbook_goedel",
    "mathlib_minicodeprops",
    "mathlib_minif2f_valid_dsp15",  # flagged as part of a benchmark, so none of it enters the corpus
)


def experiment() -> BuildConfig:
    return BuildConfig(sources=tuple(Source(name=name, kind="pairs", path=f"proofs/{name}.jsonl") for name in PAIRS))
