"""Selection of the first copy of each statement and proof, and of the reason for removing all others, by joins in DuckDB."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from oprover_jax.corpus.corpus import Corpus
from oprover_jax.corpus.database import open_database
from oprover_jax.ingest.units import FILE_SHIFT

REMOVED = pa.schema([(name, pa.string()) for name in ("id", "proof_id", "source", "where", "reason", "of")])
"""Removed rows: ids of statement and proof (null: none), where the row came from, the reason, and the benchmark or first copy."""

_HEX = "format('{{:016x}}', {})"
_NUMBER = "('0x' || {})::ubigint"


class FirstCopies:
    """Rows of `incoming` by statement and proof. A row is identified by its `place`, as in `units`; lower ones come first."""

    def __init__(
        self, incoming: Sequence[Path], identified: Sequence[Path], corpus: Corpus | None, spill: Path, memory_gb: float, threads: int
    ) -> None:
        self.database = open_database(spill / "spill", memory_limit=f"{memory_gb}GB", threads=threads, preserve_insertion_order=False)
        run = self.database.execute
        for table, column in (("statements", "statement"), ("proofs", "proof")):
            if corpus:
                self.database.register("held", corpus.dataset(table))
                run(f"create table known_{table} as select distinct {_NUMBER.format('id')} as {column} from held")
                self.database.unregister("held")
            else:
                run(f"create table known_{table} ({column} ubigint)")
        run(f"create view rows as select * from read_parquet({_files(identified)})" if identified else _NO_ROWS)
        run(
            f'create view incoming as select (file_index::bigint << {FILE_SHIFT}) + file_row_number as place, source, "where"'
            f" from read_parquet({_files(incoming)}, file_row_number = true)"
            if incoming
            else "create view incoming as select 0::bigint as place, '' as source, '' as \"where\" where false"
        )
        run(
            "create table first_statements as select statement, min(place) as place from rows"
            " where statement not in (from known_statements) group by statement"
        )

    def statements(self, file: int) -> pa.Table:
        """Return the first copies of new statements in one incoming file: row, id; in order."""
        return self._of_file(file, f"select place, {_HEX.format('statement')} as id from first_statements")

    def texts(self) -> dict[str, tuple[str, str]]:
        """Return the statements whose own texts are contaminated in any copy: id to benchmark and reason."""
        contaminated = self.database.execute(
            f"select {_HEX.format('statement')}, min(benchmark), arg_min(reason, benchmark) from rows"
            " where benchmark is not null group by statement"
        ).fetchall()
        return {key: (benchmark, reason) for key, benchmark, reason in contaminated}

    def deduplicate(self, dropped: pa.Table) -> None:
        """Drop new statements, given as id, reason and of, together with their proofs."""
        self.database.register("given", dropped)
        self.database.execute(f"create table dropped as select {_NUMBER.format('id')} as statement, reason, of from given")
        self.database.unregister("given")
        self.database.execute(  # statements of the corpus have no features, but their new texts were searched
            "insert into dropped select statement, arg_min(reason, benchmark), min(benchmark) from rows"
            " where benchmark is not null and statement not in (select statement from dropped) group by statement"
        )
        self.database.execute(
            "create table first_proofs as select proof, min(place) as place, any_value(statement) as statement from rows"
            " where proof is not null and proof_benchmark is null and statement not in (select statement from dropped)"
            " and proof not in (from known_proofs) group by proof"
        )

    def proofs(self, file: int) -> pa.Table:
        """Return the first copies of new proofs in one incoming file, after `deduplicate`: row, id, statement_id; in order."""
        return self._of_file(
            file, f"select place, {_HEX.format('proof')} as id, {_HEX.format('statement')} as statement_id from first_proofs"
        )

    def write_removed(self, path: Path) -> tuple[dict[str, int], dict[str, int]]:
        """Write all removed rows, after `deduplicate`; return counts by kind of reason, and of contaminated ones by benchmark."""
        self.database.execute(_REMOVED)
        self.database.sql("select * exclude (place) from removed order by place").write_parquet(str(path), compression="zstd")
        kinds: Counter[str] = Counter()
        named: Counter[str] = Counter()
        for reason, of, count in self.database.execute(
            "select regexp_replace(reason, ' [0-9.]+$', ''), split_part(of, '/', 1), count(*) from removed group by all"
        ).fetchall():
            kinds[reason] += count
            if reason not in ("same statement", "same proof", "near duplicate"):
                named[of] += count
        return dict(kinds), dict(named)

    def close(self) -> None:
        self.database.close()

    def _of_file(self, file: int, query: str) -> pa.Table:
        begin, end = file << FILE_SHIFT, (file + 1) << FILE_SHIFT
        return self.database.sql(
            f"select place - {begin} as row, * exclude (place) from ({query}) where place >= {begin} and place < {end} order by place"
        ).to_arrow_table()


def _files(paths: Sequence[Path]) -> str:
    return "[" + ", ".join("'" + str(path).replace("'", "''") + "'" for path in paths) + "]"


_NO_ROWS = (
    "create view rows as select 0::bigint as place, 0::ubigint as statement, 0::ubigint as proof,"
    " '' as benchmark, '' as reason, '' as proof_benchmark, '' as proof_reason where false"
)

_REMOVED = f"""
create table removed as
with featured as (
    select rows.place, rows.statement, rows.proof,
        case
            when dropped.statement is not null then dropped.reason
            when rows.proof_benchmark is not null then rows.proof_reason
            when rows.proof is not null and rows.place is distinct from first_proofs.place then 'same proof'
            when rows.proof is null and rows.place is distinct from first_statements.place then 'same statement'
        end as reason,
        coalesce(dropped.of, rows.proof_benchmark) as of,
        case when rows.proof is not null then first_proofs.place else first_statements.place end as copy
    from rows
    left join dropped using (statement)
    left join first_proofs using (proof)
    left join first_statements on first_statements.statement = rows.statement
)
select featured.place, {_HEX.format("featured.statement")} as id, {_HEX.format("featured.proof")} as proof_id,
    incoming.source, incoming."where",
    featured.reason, coalesce(featured.of, first_copy.source || ' ' || first_copy."where", 'in the corpus') as of
from featured
join incoming on incoming.place = featured.place
left join incoming as first_copy on first_copy.place = featured.copy
where featured.reason is not null
"""
