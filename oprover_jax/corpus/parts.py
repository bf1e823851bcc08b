"""From a stream of rows to parts: each of one source, fitting its table, and of bounded size."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from oprover_jax.corpus.storage import ROW_GROUP_ROWS
from oprover_jax.corpus.tables import TABLES
from oprover_jax.errors import InputError

PART_ROWS = 4 * ROW_GROUP_ROWS
PART_BYTES = 256 * 2**20  # in memory; zstd makes about a fifth of it
HELD_BYTES = 4 * PART_BYTES  # of all parts that are being filled

Rows = pa.Table | Iterable[pa.RecordBatch]


def by_source(
    rows: Rows, table: str, part_rows: int = PART_ROWS, part_bytes: int = PART_BYTES, held_bytes: int = HELD_BYTES
) -> Iterator[tuple[str, pa.Table]]:
    """The rows for `table` parted by source, in tables of about `part_rows` or `part_bytes` at most; the largest one goes first where
    more than `held_bytes` are held in all.

    Raises:
      InputError: for rows that do not fit the table, naming the column.
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
