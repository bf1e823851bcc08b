"""Splitting of a stream of rows into parts: each of one source, fitting its table, and of bounded size."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from oprover_jax.corpus.storage import ROW_GROUP_ROWS
from oprover_jax.corpus.tables import TABLES, with_round_fields
from oprover_jax.errors import InputError

PART_ROWS = 4 * ROW_GROUP_ROWS
PART_BYTES = 256 * 2**20  # in memory; zstd compresses to about a fifth
HELD_BYTES = 4 * PART_BYTES  # total of all parts that are being filled

Rows = pa.Table | Iterable[pa.RecordBatch]


def by_source(
    rows: Rows, table: str, part_rows: int = PART_ROWS, part_bytes: int = PART_BYTES, held_bytes: int = HELD_BYTES
) -> Iterator[tuple[str, pa.Table]]:
    """Yield the rows for `table` by source, in tables of at most about `part_rows` or `part_bytes`; if more than `held_bytes` are held in
    total, the largest one is yielded first.

    Raises:
      InputError: rows do not fit the table (naming the column).
    """
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
            if sizes[source] >= part_bytes or sum(map(len, held[source])) >= part_rows:
                yield taken(source)
        while sum(sizes.values()) > held_bytes:
            yield taken(max(sizes, key=sizes.__getitem__))
    for source in list(held):
        yield taken(source)


def _fitted(batch: pa.RecordBatch, table: str) -> pa.RecordBatch:
    """Return `batch` with the table's columns in its order and types."""
    schema = TABLES[table]
    if table == "trajectories" and "rounds" in batch.schema.names:
        batch = with_round_fields(batch)
    missing, more = set(schema.names) - set(batch.schema.names), set(batch.schema.names) - set(schema.names)
    if missing or more:
        what = f"lack {', '.join(sorted(missing))}" if missing else f"have {', '.join(sorted(more))}, which the table lacks"
        raise InputError(f"rows for {table} {what}; its columns are {', '.join(schema.names)}")
    columns = []
    for field in schema:
        try:
            column = batch[field.name].cast(field.type)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InputError(f"column {field.name} of rows for {table} is not {field.type} ({error}); convert it first") from error
        if column.null_count and field.name != "accepted":  # null: the trajectory ended by an infrastructure failure
            raise InputError(
                f"column {field.name} of rows for {table} has {column.null_count} nulls; use '' for unknown text and 0 for unknown numbers"
            )
        columns.append(column)
    return pa.RecordBatch.from_arrays(columns, schema=schema)
