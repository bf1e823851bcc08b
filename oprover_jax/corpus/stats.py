"""`oprover corpus stats`: composition of a corpus, counted out of core without keeping text in memory.

A proof is counted once, as accepted if any of its rows is. Domain and difficulty are those of `tagging.TAGGED`, with counts by their
origin. Retrieval and feedback are counted in rounds of trajectories, as each round is a training sample.
"""

from collections.abc import Sequence

import duckdb
import msgspec

from oprover_jax.corpus.corpus import Commit, Corpus
from oprover_jax.corpus.tagging import TAGGED

DIMENSIONS = ("domain", "difficulty", "source", "licence", "lean")

_TABLES = f"""
create temp table texts as {TAGGED};
create temp table facts as
with counted as (from proofs select id, any_value(statement_id) as statement_id, any_value(source) as source,
        any_value(licence) as licence, arg_max(lean, (checked = 'accepted')::int) as lean, any_value(kind) as kind,
        any_value(length(proof)) as length, bool_or(checked = 'accepted') as accepted group by id)
from counted left join texts on texts.id = statement_id
select statement_id, counted.source, counted.licence, counted.lean, kind, length, accepted,
       coalesce(domain, '') as domain, coalesce(difficulty, 0) as difficulty;
create temp table proved as
from facts select statement_id, count(*) as proofs, count(*) filter (accepted) as accepted group by all;
"""

_ROUNDS = """
with played as (from trajectories select unnest(list_transform(rounds, lambda r, i: {
        'retrieval': coalesce(json_array_length(r, '$.retrieved') > 0, false),
        'feedback': i > 1,
        'accepted': coalesce(r->>'$.verdict.accepted' = 'true', false)})) as round)
from played select round.retrieval, round.feedback, count(*), count(*) filter (round.accepted) group by all order by all
"""


class Count(msgspec.Struct, frozen=True):
    """Counts of one value of a dimension. `proved`: statements with an accepted proof; `proofs`: accepted and unchecked ones."""

    value: str
    statements: int
    proved: int
    proofs: int
    accepted: int


class Bin(msgspec.Struct, frozen=True):
    """`count` items from `low` to `high`, both inclusive."""

    low: int
    high: int
    count: int

    @property
    def label(self) -> str:
        return str(self.low) if self.high == self.low else f"{self.low:,}–{self.high:,}"


class Rounds(msgspec.Struct, frozen=True):
    """Rounds with or without retrieved proofs in the prompt, either after a failed attempt (`feedback`) or first rounds."""

    retrieval: bool
    feedback: bool
    rounds: int
    accepted: int


class Totals(msgspec.Struct, frozen=True):
    """Total counts. `trajectories` end accepted, rejected, or undecided if the infrastructure failed."""

    statements: int
    proved: int
    proofs: int
    accepted: int
    unchecked: int
    trajectories: int
    trajectories_accepted: int
    trajectories_undecided: int
    quarantined: int


class Stats(msgspec.Struct, frozen=True):
    """Statistics of a corpus. `by` has the values of each dimension, largest first ("" and 0: unknown); `tagged_by` the origin."""

    totals: Totals
    by: dict[str, list[Count]]
    tagged_by: dict[str, int]
    kinds: dict[str, int]
    proof_length: list[Bin]
    proofs_per_statement: list[Bin]
    rounds: list[Rounds]


def corpus_stats(corpus: Corpus, commits: Sequence[Commit] | None = None) -> Stats:
    """Return the statistics of `corpus`, or of a snapshot of it."""
    with corpus.database(commits) as database:
        database.execute(_TABLES)
        return Stats(
            totals=_totals(database),
            by={dimension: _by(database, dimension) for dimension in DIMENSIONS},
            tagged_by=_counter(database, "from texts select domain_by, count(*) group by all order by 2 desc, 1"),
            kinds=_counter(database, "from facts select kind, count(*) group by all order by 2 desc, 1"),
            proof_length=_lengths(database),
            proofs_per_statement=_per_statement(database),
            rounds=[Rounds(*row) for row in database.sql(_ROUNDS).fetchall()],
        )


def _totals(database: duckdb.DuckDBPyConnection) -> Totals:
    [statements] = database.sql("from texts select count(*)").fetchall()
    [proved] = database.sql("from texts semi join (from proved where accepted > 0) on id = statement_id select count(*)").fetchall()
    [proofs] = database.sql("from facts select count(*), count(*) filter (accepted), count(*) filter (not accepted)").fetchall()
    played = "from trajectories select count(*), count(*) filter (accepted), count(*) filter (accepted is null)"
    [trajectories], [quarantined] = database.sql(played).fetchall(), database.sql("from quarantine select count(*)").fetchall()
    return Totals(*statements, *proved, *proofs, *trajectories, *quarantined)


def _by(database: duckdb.DuckDBPyConnection, dimension: str) -> list[Count]:
    """Count statements by their own value, and proofs by theirs, or by their statement's domain and difficulty."""
    rows = database.sql(
        f"""
        with s as (from texts left join proved on id = statement_id
                select {dimension}::text as value, count(*) as statements, count(*) filter (accepted > 0) as proved group by all),
             p as (from facts select {dimension}::text as value, count(*) as proofs, count(*) filter (accepted) as accepted group by all)
        from s full join p using (value)
        select value, coalesce(statements, 0), coalesce(proved, 0), coalesce(proofs, 0), coalesce(accepted, 0)
        order by coalesce(statements, 0) + coalesce(proofs, 0) desc, value
        """
    ).fetchall()
    return [Count(*row) for row in rows]


def _counter(database: duckdb.DuckDBPyConnection, query: str) -> dict[str, int]:
    return dict(database.sql(query).fetchall())


def _lengths(database: duckdb.DuckDBPyConnection) -> list[Bin]:
    """Count proofs by characters, in bins between powers of 2."""
    query = "from facts select floor(log2(greatest(length, 1)))::int, count(*) group by all"
    counts = _filled(dict(database.sql(query).fetchall()))
    return [Bin(2**power, 2 ** (power + 1) - 1, count) for power, count in counts]


def _per_statement(database: duckdb.DuckDBPyConnection) -> list[Bin]:
    """Count statements by their number of proofs: none, 1, 2, 3 to 4, 5 to 8, ..."""
    query = """
        from texts left join proved on id = statement_id
        select case when coalesce(proofs, 0) = 0 then -1 else ceil(log2(proofs))::int end, count(*) group by all
    """
    counts = _filled(dict(database.sql(query).fetchall()))
    return [Bin(0 if power < 0 else 2**power // 2 + 1, 0 if power < 0 else 2**power, count) for power, count in counts]


def _filled(counts: dict[int, int]) -> list[tuple[int, int]]:
    """Return the counts in order, including empty bins in between."""
    return [(power, counts.get(power, 0)) for power in range(min(counts), max(counts) + 1)] if counts else []
