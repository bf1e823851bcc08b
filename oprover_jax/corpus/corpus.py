"""Corpus: tables of Parquet parts that grow by commits.

    corpus.json                              format version
    statements/source=NAME/part-*.parquet    the tables (`corpus.tables`), each part with the rows of one source
    proofs/..., trajectories/..., quarantine/...
    commits/ID.json                          one for each append, written last; lists the parts of all tables that it adds

Readers ignore parts that no commit lists, so an append over several tables is atomic. Writers need no locks and do not conflict: names are
unique, and of several commits under one key the first one counts. A snapshot is a list of commits.
"""

import hashlib
import tempfile
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from oprover_jax.corpus.database import open_database
from oprover_jax.corpus.parts import Rows, by_source
from oprover_jax.corpus.storage import Storage, open_storage
from oprover_jax.corpus.tables import TABLES, proof_of, statement_of, trajectory_of
from oprover_jax.errors import InputError
from oprover_jax.records import READABLE, SCHEMA_VERSION, ProofRecord, Statement, Trajectory, utc_now

FORMAT = 1
WEEK = 7 * 24 * 3600.0


class Part(msgspec.Struct, frozen=True):
    """One Parquet file: its path in the corpus, the source of its rows, and its size."""

    path: str
    source: str
    rows: int
    bytes: int


class Commit(msgspec.Struct, frozen=True):
    """One append: its note, and its parts by table. `time` is the writer's, ISO 8601, UTC."""

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
    """Open the corpus in the folder or at the fsspec URL `where`; with `create`, create it in an empty place.

    Raises:
      InputError: there is no corpus, something else, or a corpus of another format.
    """
    storage = open_storage(where)
    try:
        content = storage.read(["corpus.json"])["corpus.json"]
    except FileNotFoundError:
        if not create:
            raise InputError(
                f"{where} contains no corpus (no corpus.json); give the folder of one, or create one with `oprover corpus build`"
            ) from None
        names = [name.rsplit("/", 1)[-1] for name in storage.fs.ls(storage.root, detail=False)] if storage.fs.isdir(storage.root) else []
        if [name for name in names if name != "corpus.json" and not name.startswith(".")]:
            raise InputError(f"{where} is not empty and contains no corpus; give a new folder") from None
        with suppress(FileExistsError):  # another process created it at the same time
            storage.create("corpus.json", msgspec.json.encode(_Header(FORMAT)))
        return open_corpus(where)
    try:
        header = msgspec.json.decode(content, type=_Header)
    except msgspec.DecodeError as error:
        raise InputError(f"{storage.url('corpus.json')} cannot be read ({error}); restore it from a copy") from error
    if header.format != FORMAT:
        raise InputError(
            f"{where} is a corpus of format {header.format}, but this version reads {FORMAT}; read it with the release that wrote it"
        )
    return Corpus(storage)


class Corpus:
    """Corpus, opened by `open_corpus`. Methods that read take `commits`, a snapshot; by default they read the present state."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self._read: dict[str, Commit] = {}

    def __repr__(self) -> str:
        return f"Corpus({self.storage.url('')!r})"

    def commits(self) -> list[Commit]:
        """Return all commits in the order of their time.

        Raises:
          InputError: a commit cannot be read, or was written by another version.
        """
        names = self.storage.sizes("commits")
        unread = [name for name in names if name not in self._read]
        self._read.update((name, _decoded(self.storage.url(name), data)) for name, data in self.storage.read(unread).items())
        return sorted((self._read[name] for name in names), key=lambda commit: (commit.time, commit.id))

    def has(self, key: str) -> bool:
        """Return whether there is a commit under `key`."""
        self.storage.fs.invalidate_cache()
        return bool(self.storage.fs.exists(self.storage.path(_commit_path(_keyed(key)))))

    def commit(self, rows: Mapping[str, Rows], note: Mapping[str, Any], key: str = "") -> Commit | None:
        """Append rows to one or several tables atomically and in bounded memory. Return None if nothing was added.

        With a `key`, such as a hash of a source and the settings, the work is done only once: if `has(key)`, or if another writer finishes
        first, nothing is added. A commit without rows is then kept as well, to record that the work was done.

        Raises:
          InputError: rows do not fit their table (naming the column); nothing is added.
        """
        if key and self.has(key):
            return None
        identity = _keyed(key) if key else uuid.uuid4().hex[:24]
        written: list[str] = []
        try:
            parts = {table: list(self._write(table, batches, written)) for table, batches in rows.items()}
            commit = Commit(
                identity, utc_now(), key, dict(note), {table: written_parts for table, written_parts in parts.items() if written_parts}
            )
            if commit.parts or key:
                self._check([part for written_parts in parts.values() for part in written_parts], self.storage.sizes_of(written))
                self.storage.create(_commit_path(identity), msgspec.json.format(msgspec.json.encode(commit), indent=2))
                return commit
        except FileExistsError:
            self.storage.remove(written)
        except BaseException:
            self.storage.remove(written)
            raise
        return None

    def paths(self, table: str, commits: Sequence[Commit] | None = None) -> list[str]:
        """Return the committed parts of one table in order, as paths or URLs, after checking their sizes.

        Raises:
          InputError: a part is missing or torn.
        """
        return [self.storage.url(part.path) for part in self._parts(table, commits)]

    def dataset(self, table: str, commits: Sequence[Commit] | None = None) -> ds.Dataset:
        """Return all committed rows of one table, for pyarrow, DuckDB and Polars. Raises InputError like `paths`."""
        files = [self.storage.path(part.path) for part in self._parts(table, commits)]
        options = ds.ParquetFragmentScanOptions(page_checksum_verification=True)
        format = ds.ParquetFileFormat(default_fragment_scan_options=options)
        return ds.dataset(files, schema=TABLES[table], format=format, filesystem=self.storage.arrow())

    def statements(self, commits: Sequence[Commit] | None = None) -> Iterator[Statement]:
        """Yield all statements in order of writing; of equal ids, which concurrent writers may add, only the first."""
        seen: set[str] = set()
        for row in _rows(self.dataset("statements", commits).scanner().to_reader()):
            if row["id"] not in seen:
                seen.add(row["id"])
                yield statement_of(row)

    def near(self, commits: Sequence[Commit] | None = None) -> dict[str, str]:
        """Map each statement that is a near duplicate to the id of the first of its group."""
        rows = self.dataset("statements", commits).scanner(columns=["id", "near"], filter=pc.field("near") != "").to_table()
        return dict(zip(rows["id"].to_pylist(), rows["near"].to_pylist(), strict=True))

    def proofs(
        self, commits: Sequence[Commit] | None = None, origin: str = "", only: Sequence[Commit] | None = None, ordered: bool = False
    ) -> Iterator[ProofRecord]:
        """Yield the proofs that Lean accepted, each with its statement; joined out of core.

        Unchecked ones are in `dataset` only. A proof that two writers added concurrently occurs twice, with one id.

        Args:
          commits: Snapshot; by default the present state.
          origin: Only proofs of this origin, if given.
          only: Commits of the proofs, if fewer than the snapshot's; their statements may be in any commit of the snapshot.
          ordered: Sort by statement and proof id; by default the order is not fixed.
        """
        condition = (pc.field("checked") == "accepted") & ((pc.field("origin") == origin) if origin else pc.scalar(True))
        for row, statement in self._joined("proofs", commits, condition, only, "statement_id, facts.id" if ordered else ""):
            yield proof_of(row, statement)

    def trajectories(self, commits: Sequence[Commit] | None = None) -> Iterator[Trajectory]:
        """Yield all trajectories, each with its statement, in no fixed order; joined out of core."""
        for row, statement in self._joined("trajectories", commits, pc.scalar(True)):
            yield trajectory_of(row, statement)

    @contextmanager
    def database(self, commits: Sequence[Commit] | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
        """Yield a DuckDB connection with the tables by name; data that does not fit into memory spills to the temporary folder."""
        commits = self.commits() if commits is None else commits
        with tempfile.TemporaryDirectory() as folder, open_database(Path(folder)) as database:
            for table in TABLES:
                database.register(table, self.dataset(table, commits))
            yield database

    def known(self, table: str, ids: Iterable[str]) -> set[str]:
        """Return which of `ids` exist: statements, or proofs that Lean accepted."""
        condition = pc.field("id").isin(pa.array(sorted(set(ids)), pa.string()))
        if table == "proofs":
            condition &= pc.field("checked") == "accepted"
        return set(self.dataset(table).scanner(columns=["id"], filter=condition).to_table()["id"].to_pylist())

    def tidy(self, older: float = WEEK) -> list[str]:
        """Remove parts that no commit lists, and incomplete commits, written more than `older` seconds ago: leftovers of crashes.

        An active writer has such parts too; `older` must exceed the duration of a commit. Returns what was removed.
        """
        existing = {name for table in TABLES for name in self.storage.sizes(table)} | set(self.storage.sizes("commits", hidden=True))
        kept = {part.path for commit in self.commits() for parts in commit.parts.values() for part in parts}
        before = time.time() - older
        orphans = sorted(name for name in existing - kept if _written(name) < before)
        self.storage.remove(orphans)
        return orphans

    def _parts(self, table: str, commits: Sequence[Commit] | None) -> list[Part]:
        if table not in TABLES:
            raise ValueError(f"unknown table {table!r}; choose from {', '.join(TABLES)}")
        parts = [part for commit in (self.commits() if commits is None else commits) for part in commit.parts.get(table, [])]
        self._check(parts, self.storage.sizes(table) if parts else {})
        return parts

    def _check(self, parts: Sequence[Part], there: Mapping[str, int]) -> None:
        for part in parts:
            size = there.get(part.path)
            if size != part.bytes:
                what = "is missing" if size is None else f"is torn ({size:,} bytes of {part.bytes:,})"
                raise InputError(f"{self.storage.url(part.path)} {what}; restore it from a copy, or remove the commit that lists it")

    def _write(self, table: str, rows: Rows, written: list[str]) -> Iterator[Part]:
        """Write `rows` as parts; each is recorded in `written` before it is begun."""
        if table not in TABLES:
            raise ValueError(f"unknown table {table!r}; choose from {', '.join(TABLES)}")
        metadata = {"oprover.table": table, "oprover.version": str(SCHEMA_VERSION)}
        for source, held in by_source(rows, table):
            path = f"{table}/source={quote(source, safe='')}/part-{time.time_ns():020d}-{uuid.uuid4().hex}.parquet"
            written.append(path)
            size = self.storage.write_parquet(path, held.replace_schema_metadata(metadata))
            yield Part(path, source, len(held), size)

    def _joined(
        self, table: str, commits: Sequence[Commit] | None, where: pc.Expression, only: Sequence[Commit] | None = None, order: str = ""
    ) -> Iterator[tuple[dict[str, Any], Statement]]:
        """Yield rows of `table`, each with its statement. A statement that two writers added occurs twice but is joined once."""
        commits = self.commits() if commits is None else commits
        with self.database(commits) as database:
            database.register("facts", self.dataset(table, commits if only is None else only).filter(where))
            reader = database.sql(
                "select facts.*, statement from facts"
                " left join (select distinct on (id) * from statements) as statement on statement.id = facts.statement_id"
                + (f" order by {order}" if order else "")
            ).to_arrow_reader(1024)
            for row in _rows(reader):
                statement = row.pop("statement")
                if statement["id"] is None:
                    raise InputError(f"{self!r} has {table} of the statement {row['statement_id']}, but not the statement; add it again")
                yield row, statement_of(statement)


def _rows(reader: pa.RecordBatchReader) -> Iterator[dict[str, Any]]:
    for batch in reader:
        yield from batch.to_pylist()


def _keyed(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:24]


def _commit_path(identity: str) -> str:
    return f"commits/{identity}.json"


def _decoded(where: str, data: bytes) -> Commit:
    try:
        commit = msgspec.json.decode(data, type=Commit)
    except msgspec.DecodeError as error:
        raise InputError(f"{where} is not a valid commit ({error}); restore it from a copy, or remove it with its parts") from error
    if commit.schema not in READABLE:
        raise InputError(
            f"{where} has rows of version {commit.schema}, but this version reads {SCHEMA_VERSION}; read it with the release that wrote it"
        )
    return commit


def _written(name: str) -> float:
    """Return when a part was begun, in seconds, according to its name; infinity for other files."""
    stamp = name.rsplit("/", 1)[1].removeprefix(".").removeprefix("part-").split("-")[0]
    return int(stamp) / 1e9 if stamp.isdigit() else float("inf")
