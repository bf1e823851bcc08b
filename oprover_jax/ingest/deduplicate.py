"""Deduplication of source rows into new statements and proofs: ids, copies, near duplicates and benchmarks, out of core.

    incoming parts ── identify ──► ids, contaminated texts ──► first copies (DuckDB) ──► new statements
    new statements ── features ─────► contaminated statements, near duplicates ──► statements/, proofs/, removed/

Copies are equal by id; the first one is kept, in the order of the parts and their rows, and existing rows of the corpus come first.
Row-wise work is kept in `work/` under the output folder until the end, so that an interrupted run resumes.
"""

import hashlib
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oprover_jax.corpus.corpus import Corpus
from oprover_jax.corpus.tables import CONVERSATIONS, INCOMING, PROOFS, STATEMENTS
from oprover_jax.errors import InputError
from oprover_jax.files import replacing
from oprover_jax.ingest.first_copies import FirstCopies
from oprover_jax.ingest.near import near_duplicates
from oprover_jax.ingest.rowwise import FEATURES
from oprover_jax.ingest.units import Runner, Work, run_units, save_index, units_of
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import Statement
from oprover_jax.statements.decontaminate import DecontaminationConfig, build_index

_VERSION = 2  # version of ids, canonical forms and sketches of the same rows
_WRITE_ROWS = 16_384
_LONG_ROWS = 1024  # rows with conversations, of tens of kilobytes each
_EMPTY: dict[pa.DataType, Any] = {pa.string(): "", pa.int32(): 0, pa.float64(): 0.0, pa.list_(pa.string()): []}


@dataclass(frozen=True)
class DeduplicateConfig:
    """Settings of deduplication; `near` decides whether a near duplicate is kept with a reference to its first, or dropped."""

    near: Literal["mark", "drop"] = "mark"
    near_share: float = 0.85
    """Jaccard similarity of runs of tokens above which statements are near duplicates, if their numerals are equal."""
    decontamination: DecontaminationConfig = field(default_factory=DecontaminationConfig)
    runner: Runner = "local"
    workers: int = os.cpu_count() or 1
    memory_gb: float = 4.0
    """Memory that DuckDB uses before it spills to disk, in GB; each process needs another 0.3 GB or so."""

    def __post_init__(self) -> None:
        if not 0 < self.near_share <= 1:
            raise InputError(f"deduplicate.near_share is {self.near_share}; give a fraction above 0 and up to 1")
        if self.workers < 1 or self.memory_gb <= 0:
            raise InputError(f"deduplicate.workers is {self.workers} and deduplicate.memory_gb is {self.memory_gb}; both must be above 0")


class SettleReport(msgspec.Struct, frozen=True):
    """Counts of one run; `removed` counts rows by reason, `benchmarks` contaminated rows by benchmark, `seconds` by phase."""

    rows: int
    statements: int
    proofs: int
    near: int
    removed: dict[str, int]
    benchmarks: dict[str, int]
    seconds: dict[str, float]


def deduplicate(
    incoming: Sequence[Path],
    corpus: Corpus | None,
    benchmarks: Sequence[Statement],
    out: Path,
    settings: DeduplicateConfig,
    console: ProgressConsole | None = None,
) -> SettleReport:
    """Write the new statements and proofs of `incoming` (files in the schema INCOMING) to `out`/statements and `out`/proofs.

    Proofs are unchecked; the conversations in which they were found go to `out`/conversations.
    Removed rows go to `out`/removed, in the schema `first_copies.REMOVED`, with the reason and the first copy
    or the benchmark. A finished run is not repeated; an interrupted one resumes.

    Raises:
      InputError: a file lacks a column.
    """
    for path in incoming:
        missing = set(INCOMING.names) - set(pq.read_schema(path).names)
        if missing:
            raise InputError(f"{path} lacks the columns {', '.join(sorted(missing))}; give files written by a source")
    fingerprint, done, work = _fingerprint(incoming, corpus, benchmarks, settings), out / "settled.json", out / "work"
    if done.exists() and (finished := msgspec.json.decode(done.read_bytes()))["fingerprint"] == fingerprint:
        return msgspec.convert(finished["report"], SettleReport)
    done.unlink(missing_ok=True)
    _begin(work, fingerprint)
    report = _Settling(incoming, corpus, benchmarks, work, settings, console or ProgressConsole()).run()
    for folder in ("statements", "proofs", "conversations", "removed"):
        shutil.rmtree(out / folder, ignore_errors=True)
        (work / "new" / folder).mkdir(exist_ok=True)
        os.replace(work / "new" / folder, out / folder)
    with replacing(done) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode({"fingerprint": fingerprint, "report": report}), indent=2))
    shutil.rmtree(work)
    return report


@dataclass
class _Settling:
    """One run, phase by phase; each leaves files in `work`."""

    incoming: Sequence[Path]
    corpus: Corpus | None
    benchmarks: Sequence[Statement]
    work: Path
    settings: DeduplicateConfig
    console: ProgressConsole
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self) -> SettleReport:
        with self.phase("index"):
            index = self.index()
            known = self.known_statements()
        with self.phase("identify"):
            identified = self.rowwise("identify", self.incoming, "identified", index)
        with self.phase("copies"):
            copies = FirstCopies(self.incoming, identified, self.corpus, self.work, self.settings.memory_gb, self.settings.workers)
            candidates = [self.candidates(copies, number, path) for number, path in enumerate(self.incoming)]
        with self.phase("compare"):
            featured = self.rowwise("features", [known, *candidates], "featured", index)
        with self.phase("near"):
            verdicts = self.verdicts([known, *candidates], featured, copies.texts())
        with self.phase("write"):
            copies.deduplicate(_dropped(verdicts, self.settings.near))
            stays = verdicts.filter(_stays(verdicts, self.settings.near))
            for number, path in enumerate(candidates):
                _write_rows(path, _part(stays, number), STATEMENTS, self.work / "new" / "statements" / f"part-{number:05}.parquet")
            proofs = 0
            for number, path in enumerate(self.incoming):
                taken = copies.proofs(number)
                proofs += len(taken)
                _write_rows(path, taken, PROOFS, self.work / "new" / "proofs" / f"part-{number:05}.parquet")
                said = taken.filter(pc.is_in(taken["row"], value_set=_conversations(path)))
                _write_rows(path, said, CONVERSATIONS, self.work / "new" / "conversations" / f"part-{number:05}.parquet", _LONG_ROWS)
            (self.work / "new" / "removed").mkdir(parents=True)
            removed, by_benchmark = copies.write_removed(self.work / "new" / "removed" / "part-00000.parquet")
            copies.close()
        rows = sum(pq.read_metadata(path).num_rows for path in self.incoming)
        near = pc.sum(pc.not_equal(stays["near"], "")).as_py() or 0
        return SettleReport(rows, len(stays), proofs, near, removed, by_benchmark, self.seconds)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)

    def index(self) -> Path | None:
        """Write the benchmarks' index to a file, from which each process reads it."""
        if not self.benchmarks:
            return None
        path = self.work / "benchmarks.pickle"
        save_index(build_index(self.benchmarks, self.settings.decontamination), path)
        return path

    def known_statements(self) -> Path:
        """Write the statements of the corpus to one file, in order; they precede all new ones."""
        path, columns = self.work / "known.parquet", ["id", "formal", "header"]
        with pq.ParquetWriter(path, pa.schema([STATEMENTS.field(name) for name in columns]), compression="zstd") as writer:
            for batch in self.corpus.dataset("statements").to_batches(columns=columns) if self.corpus else []:
                writer.write_batch(batch)
        return path

    def rowwise(self, work: Work, files: Sequence[Path], folder: str, index: Path | None) -> list[Path]:
        """Run row-wise work on all rows of `files` and return its results in order."""
        units = units_of(files, self.work / folder)
        finished = 0
        with self.console.bar(f"{work:<8}") as bar:
            bar.total(sum(unit.rows for unit in units))
            for rows in run_units(units, work, index, self.settings.runner, self.settings.workers):
                finished += rows
                bar.update(finished, "rows")
        return [Path(unit.result) for unit in units]

    def candidates(self, copies: FirstCopies, number: int, path: Path) -> Path:
        """Write the first copies of new statements in one incoming file, as rows of STATEMENTS with an empty `near`."""
        result = self.work / "candidates" / f"{number:06}.parquet"
        _write_rows(path, copies.statements(number), STATEMENTS, result)
        return result

    def verdicts(self, files: Sequence[Path], featured: Sequence[Path], texts: Mapping[str, tuple[str, str]]) -> pa.Table:
        """Return for each new statement, in order: its file and row among `files`, id, benchmark and reason, id of its near first,
        likeness."""
        sizes = [pq.read_metadata(path).num_rows for path in files]
        ids = pa.concat_tables([pq.read_table(path, columns=["id"]) for path in files])["id"].combine_chunks()
        empty = pa.schema([FEATURES.field("benchmark"), FEATURES.field("reason")]).empty_table()
        hits = pa.concat_tables([empty, *(pq.read_table(path, columns=empty.schema.names) for path in featured)])
        contaminated = pa.array(list(texts), pa.string())
        places = pc.index_in(ids, contaminated)
        benchmark, reason = (
            pc.coalesce(hits[name].combine_chunks(), pa.array([texts[key][at] for key in texts], pa.string()).take(places))
            for at, name in enumerate(empty.schema.names)
        )
        ignored = np.array(benchmark.is_valid())
        ignored[: sizes[0]] = False  # statements of the corpus were checked when they were added
        first, likeness = near_duplicates(featured, self.settings.near_share, ignored)
        near = pc.if_else(pa.array(first == np.arange(len(first))), "", ids.take(pa.array(first)))
        file, row = np.repeat(np.arange(-1, len(files) - 1), sizes), np.concatenate([np.arange(size) for size in sizes])
        columns = {"file": file, "row": row, "id": ids, "benchmark": benchmark, "reason": reason, "near": near, "likeness": likeness}
        return pa.table(columns)[sizes[0] :]


def _conversations(path: Path) -> pa.Array:
    """Return the numbers of the rows that have a prompt and an answer."""
    with pq.ParquetFile(path) as file:
        has = [batch["answer"].is_valid() for batch in file.iter_batches(_LONG_ROWS, columns=["answer"])]
    return pa.array(np.flatnonzero(pa.chunked_array(has, pa.bool_()).to_numpy()))


def _stays(verdicts: pa.Table, near: str) -> pa.ChunkedArray:
    clean = verdicts["benchmark"].is_null()
    return pc.and_(clean, pc.equal(verdicts["near"], "")) if near == "drop" else clean


def _dropped(verdicts: pa.Table, near: str) -> pa.Table:
    """Return the statements that are not kept: id, reason, of."""
    goes = verdicts.filter(pc.invert(_stays(verdicts, near)))
    alike = pa.array([f"near duplicate {share:.2f}" for share in goes["likeness"].to_pylist()], pa.string())
    return pa.table({"id": goes["id"], "reason": pc.coalesce(goes["reason"], alike), "of": pc.coalesce(goes["benchmark"], goes["near"])})


def _part(verdicts: pa.Table, file: int) -> pa.Table:
    """Return the row and the near first of the statements in one file."""
    return verdicts.filter(pc.equal(verdicts["file"], file)).select(["row", "near"])


def _write_rows(path: Path, taken: pa.Table, schema: pa.Schema, result: Path, at_once: int = _WRITE_ROWS) -> None:
    """Write some rows of the file `path` as rows of `schema`: `taken` has their numbers, ascending, as `row`, and columns that override.

    Columns that neither has are empty text, 0 or an empty list; a proof from a source is unchecked.
    """
    result.parent.mkdir(parents=True, exist_ok=True)
    numbers, begin = taken["row"].to_numpy(), 0
    columns = [name for name in pq.read_schema(path).names if name in schema.names and name not in taken.column_names]
    with pq.ParquetWriter(result, schema, compression="zstd") as writer:
        for batch in pq.ParquetFile(path).iter_batches(at_once, columns=columns):
            low, high = np.searchsorted(numbers, [begin, begin + len(batch)])
            begin += len(batch)
            if low == high:
                continue
            own = taken[int(low) : int(high)].combine_chunks()
            rows = batch.take(pa.array(numbers[low:high] - (begin - len(batch))))
            given = {name: rows[name] for name in columns} | {name: own[name].combine_chunks() for name in own.column_names}
            writer.write_table(pa.table([_column(given.get(field.name), field, len(rows)) for field in schema], schema=schema))


def _column(given: pa.Array | None, field: pa.Field, rows: int) -> pa.Array:
    empty = {"checked": "unchecked"}.get(field.name, _EMPTY[field.type])
    if given is None:
        return pa.array([empty] * rows, field.type)
    return pc.fill_null(given.cast(field.type), empty)


def _fingerprint(incoming: Sequence[Path], corpus: Corpus | None, benchmarks: Sequence[Statement], settings: DeduplicateConfig) -> str:
    """Return a hash of everything that the result depends on."""
    own = {name: value for name, value in asdict(settings).items() if name not in ("runner", "workers", "memory_gb")}
    files = [(str(path), path.stat().st_size, path.stat().st_mtime_ns) for path in incoming]
    held = [commit.id for commit in corpus.commits()] if corpus else []
    return hashlib.sha256(msgspec.json.encode([_VERSION, files, held, benchmarks, own])).hexdigest()


def _begin(work: Path, fingerprint: str) -> None:
    """Keep the results of an earlier run of the same work, and remove everything else."""
    mark = work / "fingerprint"
    if not mark.exists() or mark.read_text() != fingerprint:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        mark.write_text(fingerprint)
    for name in ("new", "candidates"):
        shutil.rmtree(work / name, ignore_errors=True)
