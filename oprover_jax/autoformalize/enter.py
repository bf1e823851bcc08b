"""The last step: what is left and new goes into the corpus, statements and their lineage in one commit."""

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
    """Commits the statements of `work` that neither the corpus nor a benchmark has. Done once: the second time it reads what it did."""
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
    """The rows as any other source would give them."""
    target = work / "incoming.parquet"
    with replacing(target) as temporary:
        pq.write_table(rows_to_table([_as_incoming(row, settings.config.source) for row in rows], INCOMING), temporary)
    return target


def _as_incoming(row: Formalization, source: str) -> dict[str, Any]:
    statement = statement_of(row, source)
    named = {name: getattr(statement, name) for name in ("name", "formal", "header", "informal", "difficulty", "source", "licence")}
    return {**named, "proof": None, "kind": "", "domain": "", "lean": row.lean, "origin": "formalize", "where": row.lineage}


def _lineage(rows: Sequence[Formalization], new: set[str], settings: Settings) -> pa.Table:
    """One row for each formalization of a statement that enters."""
    found = []
    for row in rows:
        identity = statement_of(row).id
        if identity in new:
            own = {name: getattr(row, name) for name in FORMALIZATIONS.names if name in Formalization.__struct_fields__}
            tried = [f"{one.check}, {one.tactic}: {one.verdict}" for one in row.tried]
            judged = {"critic": settings.critic, "faithful": row.critic, "judgements": list(row.judgements), "tried": tried}
            found.append({**own, **judged, "statement_id": identity, "formalizer": settings.formalizer, "source": settings.config.source})
    return rows_to_table(found, FORMALIZATIONS)


def _batches(parts: Sequence[Path]) -> Iterator[pa.RecordBatch]:
    for part in parts:
        yield from pq.ParquetFile(part).iter_batches(columns=STATEMENTS.names)


def _key(settings: Settings, rows: Sequence[Formalization]) -> str:
    """The same for the same statements out of the same settings."""
    digest = hashlib.sha256(msgspec.json.encode(settings.deciding))
    for row in rows:
        digest.update(msgspec.json.encode((row.text_id, row.sample, row.formal, row.header)))
    return f"formalize {digest.hexdigest()}"
