"""A small corpus of real theorems with real proofs, each row with its licence and project, out of a data folder that is not part of
this project: `oprover corpus build --config configs/corpus_mini.py --corpus runs/corpus-mini --data DATA`.

What core Lean can judge is judged by the embedded one, twice; what needs Mathlib or Batteries is kept unchecked.
`core_verified_lean435` is left out: it is the part of the core files that is known to pass here, and `oprover iterate` scores policies on
it, so do not score on it what was trained on this corpus.
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
    "mathlib_minif2f_valid_dsp15",  # all of it flagged as part of a benchmark: none of it enters
)


def experiment() -> BuildConfig:
    return BuildConfig(sources=tuple(Source(name=name, kind="pairs", path=f"proofs/{name}.jsonl") for name in PAIRS))
