"""`oprover corpus export`: write a corpus as a folder in the layout of a Hugging Face dataset, which `datasets` loads.

    README.md                                   the card: configs, licences, counts, columns
    manifest.json                               files with their hashes, excluded rows; used by `oprover corpus import` for verification
    statements/train-00000-of-00002.parquet     one folder for each table that has rows
    proofs/..., trajectories/..., tags/...

Rows are those of the corpus, unchanged, each once, in order, restricted to redistributable licences. Quarantined rows are not exported.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from oprover_jax.corpus.card import card_text
from oprover_jax.corpus.corpus import Commit, Corpus
from oprover_jax.corpus.manifest import LeftOut, Manifest, Shard, check_files, read_manifest, sha256, write_manifest
from oprover_jax.corpus.storage import PARQUET
from oprover_jax.corpus.tables import TABLES
from oprover_jax.errors import InputError
from oprover_jax.files import replacing_folder
from oprover_jax.progress import ProgressConsole, StageProgress
from oprover_jax.records import SCHEMA_VERSION, utc_now

PERMITTED = (
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC-BY-4.0",
    "CC-BY-SA-4.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "PSF-2.0",
    "Unlicense",
)
"""Licences (SPDX) that permit redistribution with attribution."""

EXPORTED = tuple(table for table in TABLES if table != "quarantine")
KEYS = {
    "statements": ("id",),
    "proofs": ("id", "checked"),
    "trajectories": ("statement_id", "run", "stage", "sample"),
    "conversations": ("id",),
}
"""Columns that identify a row; in other tables, all columns."""

SHARD_BYTES = 400_000_000
GROUP_BYTES = 64 * 2**20  # in memory; a row group of a shard
BATCH_ROWS = 8192


@dataclass(frozen=True)
class ExportConfig:
    """Settings of an export. `licences` select the rows, ignoring case; a shard is closed when it exceeds `shard_bytes`."""

    licences: tuple[str, ...] = PERMITTED
    shard_bytes: int = SHARD_BYTES

    def __post_init__(self) -> None:
        if not self.licences:
            raise InputError("licences is empty, so no row could be exported; give at least one")
        if self.shard_bytes < 1:
            raise InputError(f"shard_bytes is {self.shard_bytes}; give at least 1")


def export_corpus(corpus: Corpus, folder: Path, config: ExportConfig, overwrite: bool, console: ProgressConsole) -> Manifest:
    """Write the export to `folder` atomically. If `folder` already contains this export, verify it and leave it unchanged.

    Raises:
      InputError: `folder` contains something else; an older export is replaced if `overwrite` allows it.
    """
    commits = corpus.commits()
    made_from = _made_from(commits, config)
    there = _there(folder, made_from, overwrite)
    if there is not None:
        check_files(folder, there)
        console.line(f"{folder} already contains this export")
        return there
    licences = [licence.lower() for licence in config.licences]
    with replacing_folder(folder) as temporary, console.bar("export") as progress:
        progress.total(sum(commit.rows(table) for commit in commits for table in EXPORTED))
        with corpus.database(commits) as database:
            permitted, left_out = _permitted(database, licences), _left_out(database, licences)
            doubled = {table: _doubled(database, table) for table in KEYS}
        writer = _Writer(temporary, config.shard_bytes, progress)
        tables: dict[str, list[Shard]] = {}
        for table in EXPORTED:
            allowed = _rows(corpus.dataset(table, commits), table, permitted, licences)
            shards = writer.write(table, _first_copies(allowed, doubled[table], KEYS[table]) if table in KEYS else allowed)
            tables |= {table: shards} if shards else {}
        commands = Counter(str(commit.note.get("command", "other")) for commit in commits)
        manifest = Manifest(made_from, utc_now(), sorted(config.licences), tables, left_out, dict(commands))
        (temporary / "README.md").write_text(card_text(folder.name, temporary, manifest, KEYS), encoding="utf-8")
        write_manifest(temporary, manifest)
    for excluded in left_out:
        console.line(f"excluded: {excluded.rows:,} {excluded.table} under the licence {excluded.licence!r}")
    console.line(f"{folder}: " + (", ".join(f"{manifest.rows(table):,} {table}" for table in tables) or "no rows"))
    return manifest


def _made_from(commits: Sequence[Commit], config: ExportConfig) -> str:
    inputs = [SCHEMA_VERSION, [commit.id for commit in commits], sorted(licence.lower() for licence in config.licences), config.shard_bytes]
    return hashlib.sha256(msgspec.json.encode(inputs)).hexdigest()[:24]


def _there(folder: Path, made_from: str, overwrite: bool) -> Manifest | None:
    """Return the manifest of `folder` if it contains this export, or None if it may be written."""
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder")
    if not folder.exists() or not any(folder.iterdir()):
        return None
    try:
        manifest = read_manifest(folder)
    except InputError as error:
        raise InputError(f"{folder} is not empty and contains no export that could be replaced ({error}); give another folder") from error
    if manifest.made_from == made_from:
        return manifest
    if not overwrite:
        raise InputError(f"{folder} contains another export; give another folder, or --overwrite to replace it")
    return None


def _permitted(database: duckdb.DuckDBPyConnection, licences: Sequence[str]) -> pa.Array:
    """Return the ids of the statements that may be redistributed."""
    query = "from statements select distinct id where list_contains($licences, lower(licence))"
    return database.sql(query, params={"licences": licences}).to_arrow_table()["id"].combine_chunks()


def _left_out(database: duckdb.DuckDBPyConnection, licences: Sequence[str]) -> list[LeftOut]:
    """Count the rows that licences exclude: by the statement's licence, or by the row's own if the statement's permits it."""
    excluded: list[LeftOut] = []
    database.execute("create temp table licences as from statements select distinct on (id) id, licence")
    for table in EXPORTED:
        key, own = ("id" if table == "statements" else "statement_id"), "licence" in TABLES[table].names
        query = f"""
            with stated as (from {table} left join licences on licences.id = {table}.{key}
                select coalesce(licences.licence, '') as of_statement, {f"{table}.licence" if own else "of_statement"} as own),
                 judged as (from stated select *, list_contains($licences, lower(of_statement)) as first,
                    list_contains($licences, lower(own)) as second)
            from judged select case when first then own else of_statement end as licence, count(*)
            where not (first and second) group by all order by 1
        """
        rows = database.execute(query, {"licences": licences}).fetchall()
        excluded += [LeftOut(table, licence, count) for licence, count in rows]
    return excluded


def _doubled(database: duckdb.DuckDBPyConnection, table: str) -> set[tuple[object, ...]]:
    """Return keys that concurrent writers have both added."""
    return set(database.sql(f"from {table} select {', '.join(KEYS[table])} group by all having count(*) > 1").fetchall())


def _rows(dataset: ds.Dataset, table: str, permitted: pa.Array, licences: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield the rows of one table that may be redistributed, in order."""
    allowed = pc.field("id" if table == "statements" else "statement_id").isin(permitted)
    if "licence" in TABLES[table].names:
        allowed &= pc.utf8_lower(pc.field("licence")).isin(pa.array(licences))
    scanner = dataset.scanner(filter=allowed, batch_size=BATCH_ROWS, batch_readahead=2, fragment_readahead=1)
    return (batch for batch in scanner.to_batches() if len(batch))


def _first_copies(batches: Iterable[pa.RecordBatch], doubled: set[tuple[object, ...]], keys: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Yield `batches` without the second and later rows of the keys in `doubled`."""
    seen: set[tuple[object, ...]] = set()
    for batch in batches:
        if doubled:
            keep = []
            for row in zip(*(batch[key].to_pylist() for key in keys), strict=True):
                keep.append(row not in seen)
                seen.update({row} & doubled)
            batch = batch.filter(pa.array(keep, pa.bool_()))
        yield batch


class _Writer:
    """Writer of tables as shards of bounded size, in bounded memory."""

    def __init__(self, folder: Path, shard_bytes: int, progress: StageProgress) -> None:
        self._folder = folder
        self._shard_bytes = shard_bytes
        self._progress = progress
        self._rows = 0

    def write(self, table: str, batches: Iterable[pa.RecordBatch]) -> list[Shard]:
        """Write and return the shards of one table, none if it has no rows. They are named last, as names contain their number."""
        written: list[tuple[Path, int]] = []
        groups = _groups(batches, TABLES[table], min(GROUP_BYTES, self._shard_bytes))
        group = next(groups, None)
        while group is not None:
            path = self._folder / table / f"{len(written)}.parquet"
            path.parent.mkdir(exist_ok=True)
            rows = 0
            with path.open("wb") as file, pq.ParquetWriter(file, TABLES[table], **PARQUET) as writer:
                while group is not None and file.tell() < self._shard_bytes:
                    writer.write_table(group, row_group_size=len(group))
                    rows += len(group)
                    self._rows += len(group)
                    self._progress.update(self._rows, table)
                    group = next(groups, None)
            written.append((path, rows))
        shards = []
        for number, (path, rows) in enumerate(written):
            named = path.rename(path.with_name(f"train-{number:05d}-of-{len(written):05d}.parquet"))
            shards.append(Shard(f"{table}/{named.name}", rows, named.stat().st_size, sha256(named)))
        return shards


def _groups(batches: Iterable[pa.RecordBatch], schema: pa.Schema, size: int) -> Iterator[pa.Table]:
    """Yield `batches` gathered into row groups of about `size` bytes in memory."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(part.nbytes for part in held) >= size:
            yield pa.Table.from_batches(held, schema)
            held = []
    if held:
        yield pa.Table.from_batches(held, schema)
