"""`oprover corpus import`: add an export to a corpus, row by row."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import duckdb
import pyarrow as pa

from oprover_jax.corpus.corpus import Commit, open_corpus
from oprover_jax.corpus.export import BATCH_ROWS, EXPORTED, KEYS
from oprover_jax.corpus.manifest import Manifest, check_files, read_manifest
from oprover_jax.corpus.tables import TABLES
from oprover_jax.errors import InputError
from oprover_jax.progress import ProgressConsole


def take_export(folder: Path, where: str | Path, console: ProgressConsole) -> Commit | None:
    """Add the rows of the export in `folder` that the corpus at `where` lacks, in one commit. Return None if it was imported before.

    All files are checked first. The verdicts of the export are trusted, without running Lean again.

    Raises:
      InputError: a file or table is missing, torn or unknown. The corpus is then unchanged.
    """
    manifest = read_manifest(folder)
    unknown = sorted(set(manifest.tables) - set(EXPORTED))
    if unknown:
        raise InputError(f"{folder} has the unknown tables {', '.join(unknown)}; import it with the release that wrote it")
    with console.bar("check") as progress:
        progress.total(sum(shard.bytes for shards in manifest.tables.values() for shard in shards))
        check_files(folder, manifest, lambda read: progress.update(read, "bytes"))
    corpus, key = open_corpus(where, create=True), f"import {manifest.content}"
    if corpus.has(key):
        console.line(f"{folder}: already imported")
        return None
    with ExitStack() as stack:
        database = stack.enter_context(corpus.database())
        rows = {table: _new(database, folder, manifest, table) for table in manifest.tables}
        commit = corpus.commit(rows, {"command": "import", "export": folder.resolve().name, "made_from": manifest.made_from}, key)
    if commit is not None:
        held = {table: (commit.rows(table), manifest.rows(table)) for table in manifest.tables}
        console.line(f"{folder}: " + ", ".join(f"{new:,} of {rows:,} {table}" for table, (new, rows) in held.items()) + " are new")
    return commit


def _new(database: duckdb.DuckDBPyConnection, folder: Path, manifest: Manifest, table: str) -> Iterator[pa.RecordBatch]:
    """Yield rows of one table of the export that the corpus lacks."""
    keys = ", ".join(KEYS.get(table, TABLES[table].names))
    files = [str(folder / shard.path) for shard in manifest.tables[table]]
    database.read_parquet(files).create_view(f"taken_{table}")
    query = f"from taken_{table} anti join (from {table} select distinct {keys}) using ({keys})"
    yield from database.sql(query).to_arrow_reader(BATCH_ROWS)
