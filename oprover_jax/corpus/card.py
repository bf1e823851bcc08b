"""Dataset card of an export: README.md of a Hugging Face dataset, with YAML header and text, computed from the exported files."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb

from oprover_jax.corpus.database import open_database
from oprover_jax.corpus.manifest import Manifest
from oprover_jax.corpus.tables import TABLES

_HUB_LICENCES = frozenset(
    ("apache-2.0", "mit", "bsd-2-clause", "bsd-3-clause", "cc-by-4.0", "cc-by-sa-4.0", "cc-by-nc-4.0", "cc0-1.0", "isc", "unlicense")
)
_SIZES = ((10**3, "n<1K"), (10**4, "1K<n<10K"), (10**5, "10K<n<100K"), (10**6, "100K<n<1M"), (10**7, "1M<n<10M"), (10**8, "10M<n<100M"))

_TABLES = {
    "statements": "Theorems to prove, deduplicated.",
    "proofs": "Proofs, joined to their statements by `statement_id`.",
    "trajectories": "Rollouts of an agent on a statement, round by round: its input, its output and Lean's answer; failed ones included.",
    "conversations": "What a prover read and wrote when it found a proof, as text, joined to `proofs` by `id`.",
    "tags": "Domain and difficulty where the source gives none. Engines take precedence over rules, and later tags over earlier ones.",
}

_COLUMNS = {
    "statements.id": "hash of the normalised statement",
    "proofs.id": "hash of the statement's id and the normalised proof",
    "conversations.id": "`id` in `proofs`",
    "prompt": "what the prover read",
    "conversations.answer": "what it wrote, with its reasoning",
    "statement_id": "`id` in `statements`",
    "name": "name of the theorem in its source",
    "formal": "the statement, ending in `:= by sorry`",
    "header": "text required before the statement: imports, definitions",
    "family": "family of a generated statement",
    "difficulty": "1 to 10; 0 if unknown",
    "domain": "field of mathematics, as named by the source",
    "source": "data set of origin",
    "licence": "SPDX identifier",
    "informal": "the statement in natural language",
    "statements.lean": "version of Lean or Mathlib that the statement was written for",
    "proofs.lean": "version of Lean that accepted the proof; for unchecked proofs, the version it was written for",
    "near": "id of the first statement of its group of near duplicates, which may not be in this export",
    "proof": "text that replaces `by sorry`",
    "kind": "`tactic`, `term` or `match`",
    "library": "version of the library that was loaded",
    "axioms": "axioms that the proof uses",
    "seconds": "duration of the check",
    "origin": "origin of the proof: repository, commit and file, or the run that found it",
    "verified_at": "time of acceptance by Lean, UTC",
    "checked": "`accepted` by Lean for this corpus, or `unchecked`: kept without a check, because the required Lean was unavailable",
    "run": "run whose policy produced the trajectory",
    "sample": "number of the rollout on this statement",
    "stage": "stage of the run",
    "version": "version of the record's schema",
    "accepted": "whether a round was accepted; null if the infrastructure failed",
    "prompt_ids": "token ids of the prompt, by round",
    "attempt_ids": "token ids of the attempt, by round",
    "logprobs": "sampler's log-probabilities of the attempt, by round",
    "rounds": "remaining fields of each round as JSON: proof, verdict, feedback, retrieved ids, policy version, reward",
    "tokenizer": "hash of the tokenizer of the token ids, empty if unknown",
    "temperature": "sampling temperature; this and the following are 0 if unknown",
    "top_p": "share of the probability mass that was sampled from",
    "max_new_tokens": "maximum length of an attempt, in tokens",
    "kinds": "kind of Lean's verdict, by round; empty if the attempt had no proof",
    "well_formed": "whether the attempt had the required form, by round",
    "proof_keys": "hash of the proof, by accepted round; equal for equal proofs",
    "tagged_by": "`rules`, or `engine:` and its policy",
    "asked": "engine that was queried; differs from `tagged_by` if its answer could not be parsed",
    "tagged_at": "when, UTC",
    "text_id": "id of the passage that the statement was formalized from",
    "url": "URL of the page that contains the passage",
    "where": "position in the source: file and row, or position in the page",
    "place": "number of the passage on its page",
    "classifier": "classifier's score of the passage as a mathematical statement, 0 to 1",
    "formalizer": "policy that wrote the statement",
    "answer": "its complete answer",
    "critic": "policy that judged whether the statement matches the passage",
    "faithful": "the critic's mean score, 0 to 1",
    "judgements": "the critic's answers",
    "tried": "tactics that the checks for vacuous statements tried, with Lean's verdicts",
    "trivial": "tactic that closed the goal by itself, empty if none did",
}


def card_text(name: str, folder: Path, manifest: Manifest, keys: Mapping[str, Sequence[str]]) -> str:
    """Return README.md for the export in `folder`, whose shards are written. `keys` are the identifying columns of each table."""
    with open_database() as database:
        for table, shards in manifest.tables.items():
            database.read_parquet([str(folder / shard.path) for shard in shards]).create_view(table)
        lean, licences, sources = _lean(database, manifest), _licences(database, manifest), _sources(database, manifest)
    sections = [
        _header(name, manifest, sorted({row[0] for row in licences})),
        f"# {name}\n",
        "Formal statements in Lean 4, proofs, and trajectories of an agent that searched for proofs.\n",
        "## Contents\n",
        _table(("config", "rows", "description"), [(t, f"{manifest.rows(t):,}", _TABLES.get(t, "")) for t in manifest.tables]),
        _usage(manifest),
        "## Licences and attribution\n",
        "Each row carries the licence of its source, which applies to that row; the column `origin` of proofs gives their origin. When"
        " redistributing rows, name the source and keep its licence with them.\n",
        _table(("licence", *manifest.tables), licences),
        _table(("source", "licence", *manifest.tables), sources),
        _left_out(manifest),
        *(["## Lean versions of the proofs\n", _table(("Lean", "library", "checked", "proofs"), lean)] if lean else []),
        "## Columns\n",
        *(_columns(table, keys.get(table)) for table in manifest.tables),
        "## Method\n",
        "Statements are identified by a hash of their normalised content: comments, white space and the names of bound variables and of the"
        " theorem make no difference. A proof marked `accepted` was accepted by Lean's kernel for exactly its statement, with no axiom"
        " beyond `propext`, `Classical.choice` and `Quot.sound`. The corpus was built by these commands:\n",
        _table(("`oprover corpus ...`", "commits"), [(command, f"{count:,}") for command, count in sorted(manifest.commits.items())]),
        f"Exported {manifest.made_at} by `oprover corpus export` (snapshot {manifest.made_from}, schema {manifest.schema}); `manifest.json`"
        " contains the SHA-256 of every file, and `oprover corpus import` imports the folder row by row.\n",
    ]
    return "\n".join(section for section in sections if section)


def _header(name: str, manifest: Manifest, licences: Iterable[str]) -> str:
    lines = ["---", f"pretty_name: {json.dumps(name)}", "license:"]
    lines += [
        f"- {licence}" for licence in sorted({lic.lower() if lic.lower() in _HUB_LICENCES else "other" for lic in licences} or {"other"})
    ]
    rows = sum(manifest.rows(table) for table in manifest.tables)
    size = next((size for limit, size in _SIZES if rows < limit), "100M<n<1B")
    lines += ["task_categories:", "- text-generation", "tags:", "- lean4", "- theorem-proving", "size_categories:", f"- {size}"]
    if manifest.tables:
        lines.append("configs:")
    default = "proofs" if "proofs" in manifest.tables else next(iter(manifest.tables), "")
    for table in manifest.tables:
        lines += [f"- config_name: {table}", *(["  default: true"] if table == default else [])]
        lines += ["  data_files:", "  - split: train", f"    path: {table}/train-*.parquet"]
    return "\n".join([*lines, "---", ""])


def _usage(manifest: Manifest) -> str:
    if not {"statements", "proofs"} <= set(manifest.tables):
        return ""
    return (
        "```python\n"
        "from datasets import load_dataset\n\n"
        'proofs = load_dataset("REPOSITORY OR FOLDER", "proofs", split="train")\n'
        'statements = load_dataset("REPOSITORY OR FOLDER", "statements", split="train")\n'
        "```\n"
    )


def _licences(database: duckdb.DuckDBPyConnection, manifest: Manifest) -> list[tuple[str, ...]]:
    return [(licence, *counts) for (licence,), counts in _counted(database, manifest, ("licence",))]


def _sources(database: duckdb.DuckDBPyConnection, manifest: Manifest) -> list[tuple[str, ...]]:
    return [(*both, *counts) for both, counts in _counted(database, manifest, ("source", "licence"))]


def _counted(database: duckdb.DuckDBPyConnection, manifest: Manifest, by: Sequence[str]) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Count the rows of every table by columns of their own, or by those of their statements."""
    counts: dict[tuple[str, ...], Counter[str]] = {}
    for table in manifest.tables:
        joined = table if "licence" in TABLES[table].names else f"{table} join statements on statements.id = statement_id"
        named = ", ".join(f"{'statements' if column not in TABLES[table].names else table}.{column}" for column in by)
        for row in database.sql(f"from {joined} select {named}, count(*) group by all").fetchall():
            counts.setdefault(row[:-1], Counter())[table] += row[-1]
    return [(key, tuple(f"{counted[table]:,}" for table in manifest.tables)) for key, counted in sorted(counts.items())]


def _lean(database: duckdb.DuckDBPyConnection, manifest: Manifest) -> list[tuple[str, ...]]:
    if "proofs" not in manifest.tables:
        return []
    counts = database.sql("from proofs select lean, library, checked, count(*) group by all order by 4 desc, 1, 2, 3").fetchall()
    return [(lean or "unknown", library, checked, f"{count:,}") for lean, library, checked, count in counts]


def _left_out(manifest: Manifest) -> str:
    taken = f"Included are rows under {', '.join(manifest.licences)}."
    if not manifest.left_out:
        return f"{taken} No rows were excluded.\n"
    rows = [(excluded.licence or "(none)", excluded.table, f"{excluded.rows:,}") for excluded in manifest.left_out]
    return f"{taken} Excluded because of their licence:\n\n" + _table(("licence", "config", "rows"), rows)


def _columns(table: str, key: Sequence[str] | None) -> str:
    identified = f", one row per ({', '.join(key)})" if key else ""
    rows = [(f"`{field.name}`", str(field.type).replace("item: ", ""), _described(table, field.name)) for field in TABLES[table]]
    return f"**{table}**{identified}\n\n" + _table(("column", "type", "description"), rows)


def _described(table: str, column: str) -> str:
    return _COLUMNS.get(f"{table}.{column}") or _COLUMNS.get(column, "")


def _table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines) + "\n"
