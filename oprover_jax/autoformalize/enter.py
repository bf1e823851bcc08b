"""Last step of the pipeline: commit the new statements and their lineage to the corpus."""

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from oprover_jax.autoformalize.lineage import Formalization
from oprover_jax.autoformalize.mining.funnel import Step
from oprover_jax.autoformalize.pipeline import Settings, chosen
from oprover_jax.autoformalize.stages import statement_of
from oprover_jax.corpus.corpus import Corpus
from oprover_jax.corpus.tables import FORMALIZATIONS, INCOMING, STATEMENTS, rows_to_table
from oprover_jax.files import replacing
from oprover_jax.ingest.deduplicate import DeduplicateConfig, SettleReport, deduplicate
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import Statement


def enter(work: Path, settings: Settings, corpus: Corpus, benchmarks: Sequence[Statement], console: ProgressConsole) -> Step:
    """Commit the statements of `work` that are neither in the corpus nor in a benchmark, and return the funnel step.

    A second call makes no new commit and reports the existing one.

    Args:
      work: Work folder of the pipeline.
      settings: Settings of the pipeline.
      corpus: Corpus to extend.
      benchmarks: Benchmark statements, which never enter the corpus.
      console: Receives progress.
    """
    rows = list(chosen(work))
    key = _key(settings, rows)
    if not corpus.has(key):
        incoming = _incoming(work, settings, rows)
        report = deduplicate([incoming], corpus, benchmarks, work / "settled", DeduplicateConfig(), console)
        parts = sorted((work / "settled" / "statements").glob("*.parquet"))
        new = {identity for part in parts for identity in pq.read_table(part, columns=["id"], partitioning=None)["id"].to_pylist()}
        note = {"verb": "formalize", "settings": msgspec.to_builtins(settings), "settled": msgspec.to_builtins(report)}
        corpus.commit({"statements": _batches(parts), "formalizations": _lineage(rows, new, settings)}, note, key)
    commit = next(commit for commit in corpus.commits() if commit.key == key)
    report = msgspec.convert(commit.note["settled"], SettleReport)
    return Step("enter", "statements", len(rows), commit.rows("statements"), report.removed)


def _incoming(work: Path, settings: Settings, rows: Sequence[Formalization]) -> Path:
    """Write the rows in the format of any other source and return the file."""
    target = work / "incoming.parquet"
    with replacing(target) as temporary:
        pq.write_table(rows_to_table([_as_incoming(row, settings.config.source) for row in rows], INCOMING), temporary)
    return target


def _as_incoming(row: Formalization, source: str) -> dict[str, Any]:
    statement = statement_of(row, source)
    named = {name: getattr(statement, name) for name in ("name", "formal", "header", "informal", "difficulty", "source", "licence")}
    return {**named, "proof": None, "kind": "", "domain": "", "lean": row.lean, "origin": "formalize", "where": row.lineage}


def _lineage(rows: Sequence[Formalization], new: set[str], settings: Settings) -> pa.Table:
    """Return one row per formalization of each new statement."""
    lineage = []
    for row in rows:
        identity = statement_of(row).id
        if identity in new:
            own = {name: getattr(row, name) for name in FORMALIZATIONS.names if name in Formalization.__struct_fields__}
            tried = [f"{attempt.check}, {attempt.tactic}: {attempt.verdict}" for attempt in row.tried]
            judged = {"critic": settings.critic, "faithful": row.critic, "judgements": list(row.judgements), "tried": tried}
            lineage.append({**own, **judged, "statement_id": identity, "formalizer": settings.formalizer, "source": settings.config.source})
    return rows_to_table(lineage, FORMALIZATIONS)


def _batches(parts: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    for part in parts:
        yield from pq.ParquetFile(part).iter_batches(columns=STATEMENTS.names)


def _key(settings: Settings, rows: Sequence[Formalization]) -> str:
    """Return a commit key that is equal for equal statements and settings."""
    digest = hashlib.sha256(msgspec.json.encode(settings.deciding))
    for row in rows:
        digest.update(msgspec.json.encode((row.text_id, row.sample, row.formal, row.header)))
    return f"formalize {digest.hexdigest()}"
