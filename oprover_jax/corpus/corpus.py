"""The corpus: tables of Parquet parts that grow by commits.

    corpus.json                              format version
    statements/source=NAME/part-*.parquet    the tables (`corpus.tables`), each part the rows of one source
    proofs/..., trajectories/..., quarantine/...
    commits/ID.json                          one for each append, written last; names the parts of all tables that it adds

A part that no commit names does not exist for readers, so an append over several tables is all or nothing. Writers take no locks and
never meet: names are unique, and of several commits under one key the first one counts. A snapshot is a list of commits.
"""

import hashlib
import time
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from oprover_jax.corpus.storage import ROW_GROUP_ROWS, Storage, open_storage
from oprover_jax.corpus.tables import TABLES, proof_of, statement_of, trajectory_of
from oprover_jax.errors import InputError
from oprover_jax.records import SCHEMA_VERSION, ProofRecord, Statement, Trajectory, utc_now

FORMAT = 1
PART_ROWS = 4 * ROW_GROUP_ROWS
PART_BYTES = 256 * 2**20  # in memory; zstd makes about a fifth of it
HELD_BYTES = 4 * PART_BYTES  # of all parts that are being filled
WEEK = 7 * 24 * 3600.0

Rows = pa.Table | Iterable[pa.RecordBatch]


class Part(msgspec.Struct, frozen=True):
    """One Parquet file: its path in the corpus, the source whose rows it holds, and its size."""

    path: str
    source: str
    rows: int
    bytes: int


class Commit(msgspec.Struct, frozen=True):
    """One append: what it says of itself, and its parts by table. `time` is the writer's, ISO 8601, UTC."""

    id: str
    time: str
    key: str
    note: dict[str, Any]
    parts: dict[str, list[Part]]
    schema: int = SCHEMA_VERSION

    def rows(self, table: str) -> int:
        return sum(part.rows for part in self.parts.get(table, []))


class _Header(msgspec.Struct, frozen=True):
    format: int


def open_corpus(where: str | Path, create: bool = False) -> "Corpus":
    """The corpus in the folder or at the fsspec URL `where`; with `create`, made where there is nothing yet.

    Raises:
      InputError: where there is no corpus, something else, or one of another format.
    """
    storage = open_storage(where)
    try:
        found = storage.read(["corpus.json"])["corpus.json"]
    except FileNotFoundError:
        if not create:
            raise InputError(
                f"{where} holds no corpus (no corpus.json); give the folder of one, or make one with `oprover corpus build`"
            ) from None
        names = [name.rsplit("/", 1)[-1] for name in storage.fs.ls(storage.root, detail=False)] if storage.fs.isdir(storage.root) else []
        if [name for name in names if name != "corpus.json" and not name.startswith(".")]:
            raise InputError(f"{where} is not empty and holds no corpus; give a new folder") from None
        with suppress(FileExistsError):  # another process made it at the same time
            storage.create("corpus.json", msgspec.json.encode(_Header(FORMAT)))
        return open_corpus(where)
    try:
        header = msgspec.json.decode(found, type=_Header)
    except msgspec.DecodeError as error:
        raise InputError(f"{storage.url('corpus.json')} cannot be read ({error}); restore it from a copy") from error
    if header.format != FORMAT:
        raise InputError(
            f"{where} is a corpus of format {header.format} and this version reads {FORMAT}; read it with the release that wrote it"
        )
    return Corpus(storage)


class Corpus:
    """Open one with `open_corpus`. Methods that read take `commits`, a snapshot; without it they read what is there when called."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._read: dict[str, Commit] = {}

    def __repr__(self) -> str:
        return f"Corpus({self.storage.url('')!r})"

    def commits(self) -> list[Commit]:
        """All commits, in the order of their time.

        Raises:
          InputError: naming a commit that cannot be read, or was written by another version.
        """
        names = self.storage.sizes("commits")
        unread = [name for name in names if name not in self._read]
        self._read.update((name, _decoded(self.storage.url(name), data)) for name, data in self.storage.read(unread).items())
        return sorted((self._read[name] for name in names), key=lambda commit: (commit.time, commit.id))

    def has(self, key: str) -> bool:
        """Whether a commit under `key` is done."""
        self.storage.fs.invalidate_cache()
        return bool(self.storage.fs.exists(self.storage.path(_commit_path(_keyed(key)))))

    def commit(self, rows: Mapping[str, Rows], note: Mapping[str, Any], key: str = "") -> Commit | None:
        """Appends rows to one or several tables, all or nothing, in bounded memory; None where nothing was added.

        With a `key`, such as the hash of a source and the settings, the work is done once: if `has(key)`, or another writer gets there
        first, nothing is added; and a commit without rows is kept, to say that the work was done.

        Raises:
          InputError: for rows that do not fit their table, naming the column. Nothing is added then.
        """
        if key and self.has(key):
            return None
        identity = _keyed(key) if key else uuid.uuid4().hex[:24]
        written: list[str] = []
        try:
            parts = {table: list(self._write(table, batches, written)) for table, batches in rows.items()}
            commit = Commit(identity, utc_now(), key, dict(note), {table: found for table, found in parts.items() if found})
            if commit.parts or key:
                self._check(commit.parts)
                self.storage.create(_commit_path(identity), msgspec.json.format(msgspec.json.encode(commit), indent=2))
                return commit
        except FileExistsError:
            self.storage.remove(written)
        except BaseException:
            self.storage.remove(written)
            raise
        return None

    def paths(self, table: str, commits: Sequence[Commit] | None = None) -> list[str]:
        """The committed parts of one table in order, as paths or URLs, each seen to be there in its full size.

        Raises:
          InputError: naming the part that is missing or torn.
        """
        return [self.storage.url(part.path) for part in self._parts(table, commits)]

    def dataset(self, table: str, commits: Sequence[Commit] | None = None) -> ds.Dataset:
        """All committed rows of one table, for pyarrow, DuckDB and Polars. Raises InputError as `paths` does."""
        found = [self.storage.path(part.path) for part in self._parts(table, commits)]
        options = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
        format = ds.ParquetFileFormat(default_fragment_scan_options=options)
        return ds.dataset(found, schema=TABLES[table], format=format, filesystem=self.storage.arrow())

    def statements(self, commits: Sequence[Commit] | None = None) -> Iterator[Statement]:
        """All statements, in order of writing; of equal ids, as two writers at once may add, the first."""
        seen: set[str] = set()
        for row in _rows(self.dataset("statements", commits).scanner().to_reader()):
            if row["id"] not in seen:
                seen.add(row["id"])
                yield statement_of(row)

    def proofs(self, commits: Sequence[Commit] | None = None) -> Iterator[ProofRecord]:
        """All proofs that Lean accepted, each with its statement, in no fixed order; joined out of core. Unchecked ones: `dataset`."""
        for row, statement in self._joined("proofs", commits, "where checked = 'accepted'"):
            yield proof_of(row, statement)

    def trajectories(self, commits: Sequence[Commit] | None = None) -> Iterator[Trajectory]:
        """All trajectories, each with its statement, in no fixed order; joined out of core."""
        for row, statement in self._joined("trajectories", commits):
            yield trajectory_of(row, statement)

    def tidy(self, older: float = WEEK) -> list[str]:
        """Removes parts that no commit names and that were written more than `older` seconds ago: what crashed writers left behind.

        A writer at work has such parts too; `older` must exceed the time that a commit takes. Returns what was removed.
        """
        found = {name for table in TABLES for name in self.storage.sizes(table)}
        kept = {part.path for commit in self.commits() for parts in commit.parts.values() for part in parts}
        before = time.time() - older
        orphans = sorted(name for name in found - kept if _written(name) < before)
        self.storage.remove(orphans)
        return orphans

    def _parts(self, table: str, commits: Sequence[Commit] | None) -> list[Part]:
        if table not in TABLES:
            raise ValueError(f"a corpus has no table {table!r}; it has {', '.join(TABLES)}")
        found = [part for commit in (self.commits() if commits is None else commits) for part in commit.parts.get(table, [])]
        self._check({table: found})
        return found

    def _check(self, parts: Mapping[str, Sequence[Part]]) -> None:
        for table, named in parts.items():
            there = self.storage.sizes(table) if named else {}
            for part in named:
                size = there.get(part.path)
                if size != part.bytes:
                    what = "is missing" if size is None else f"is torn ({size:,} bytes of {part.bytes:,})"
                    raise InputError(f"{self.storage.url(part.path)} {what}; restore it from a copy, or remove the commit that names it")

    def _write(self, table: str, rows: Rows, written: list[str]) -> Iterator[Part]:
        """Writes `rows` as parts; each is noted in `written` before it is begun."""
        if table not in TABLES:
            raise ValueError(f"a corpus has no table {table!r}; it has {', '.join(TABLES)}")
        metadata = {"oprover.table": table, "oprover.version": str(SCHEMA_VERSION)}
        for source, held in _by_source(rows, table):
            path = f"{table}/source={quote(source, safe='')}/part-{time.time_ns():020d}-{uuid.uuid4().hex}.parquet"
            written.append(path)
            size = self.storage.write_parquet(path, held.replace_schema_metadata(metadata))
            yield Part(path, source, len(held), size)

    def _joined(self, table: str, commits: Sequence[Commit] | None, where: str = "") -> Iterator[tuple[dict[str, Any], Statement]]:
        """Rows of `table`, each with its statement. A statement that two writers added is there twice and counts once."""
        commits = self.commits() if commits is None else commits
        with duckdb.connect() as database:
            database.register("facts", self.dataset(table, commits))
            database.register("statements", self.dataset("statements", commits))
            reader = database.sql(
                f"select facts.*, statement from (from facts {where}) as facts"
                " left join (select distinct on (id) * from statements) as statement on statement.id = facts.statement_id"
            ).to_arrow_reader(1024)
            for row in _rows(reader):
                found = row.pop("statement")
                if found["id"] is None:
                    raise InputError(f"{self!r} has {table} of the statement {row['statement_id']} and not the statement; add it again")
                yield row, statement_of(found)


def _rows(reader: pa.RecordBatchReader) -> Iterator[dict[str, Any]]:
    for batch in reader:
        yield from batch.to_pylist()


def _by_source(rows: Rows, table: str) -> Iterator[tuple[str, pa.Table]]:
    """`rows` parted by source into tables of bounded size; the largest one goes first where memory gets short."""
    held: dict[str, list[pa.RecordBatch]] = defaultdict(list)
    sizes: dict[str, int] = defaultdict(int)

    def taken(source: str) -> tuple[str, pa.Table]:
        sizes.pop(source)
        return source, pa.Table.from_batches(held.pop(source))

    for batch in rows.to_batches(max_chunksize=ROW_GROUP_ROWS) if isinstance(rows, pa.Table) else rows:
        fitted = _fitted(batch, table)
        for source in fitted["source"].unique().to_pylist():
            own = fitted.filter(pc.equal(fitted["source"], source))
            held[source].append(own)
            sizes[source] += own.nbytes
            if sizes[source] >= PART_BYTES or sum(map(len, held[source])) >= PART_ROWS:
                yield taken(source)
        while sum(sizes.values()) > HELD_BYTES:
            yield taken(max(sizes, key=sizes.__getitem__))
    for source in list(held):
        yield taken(source)


def _fitted(batch: pa.RecordBatch, table: str) -> pa.RecordBatch:
    """`batch` with the table's columns in its order and types."""
    schema = TABLES[table]
    missing, more = set(schema.names) - set(batch.schema.names), set(batch.schema.names) - set(schema.names)
    if missing or more:
        what = f"lack {', '.join(sorted(missing))}" if missing else f"have {', '.join(sorted(more))}, which the table has not"
        raise InputError(f"rows for {table} {what}; its columns are {', '.join(schema.names)}")
    columns = []
    for field in schema:
        try:
            column = batch[field.name].cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(f"column {field.name} of rows for {table} is no {field.type} ({error}); convert it first") from error
        if column.null_count and field.name != "accepted":  # a trajectory that infrastructure ended is neither accepted nor rejected
            raise InputError(
                f"column {field.name} of rows for {table} has {column.null_count} nulls; unknown text is '', unknown numbers are 0"
            )
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _keyed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:24]


def _commit_path(identity: str) -> str:
    return f"commits/{identity}.json"


def _decoded(where: str, data: bytes) -> Commit:
    try:
        commit = msgspec.json.decode(data, type=Commit)
    except msgspec.DecodeError as error:
        raise InputError(f"{where} is no commit ({error}); restore it from a copy, or remove it and what it added") from error
    if commit.schema != SCHEMA_VERSION:
        raise InputError(
            f"{where} has rows of version {commit.schema} and this version reads {SCHEMA_VERSION}; read it with the release that wrote it"
        )
    return commit


def _written(name: str) -> float:
    """When a part was begun, in seconds, out of its name; never, for a file that is no part of ours."""
    stamp = name.rsplit("/", 1)[1].removeprefix("part-").split("-")[0]
    return int(stamp) / 1e9 if stamp.isdigit() else float("inf")
