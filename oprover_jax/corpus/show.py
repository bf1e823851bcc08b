"""`oprover corpus show`: what a corpus holds, by source and licence, and the commits that brought it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from oprover_jax.corpus.corpus import Commit, Corpus
from oprover_jax.corpus.tables import TABLES


@dataclass(frozen=True)
class Holding:
    """Counts of one source under one licence. `proved` statements have a proof that Lean accepted; `unchecked` proofs Lean has not seen."""

    source: str
    licence: str
    statements: int
    proved: int
    accepted: int
    unchecked: int
    trajectories: int
    quarantined: int


_HOLDINGS = """
with seen as (from proofs select id, statement_id, source, licence, checked),
     accepted as (from seen where checked = 'accepted'),
     unchecked as (from seen anti join accepted using (id)),
     proved as (from accepted select distinct statement_id),
     texts as (from statements select distinct on (id) id, source, licence),
     counted as (
        from texts select source, licence, 'statements' as what, count(*) as n group by all
        union all from texts semi join proved on id = statement_id select source, licence, 'proved', count(*) group by all
        union all from accepted select source, licence, 'accepted', count(*) group by all
        union all from unchecked select source, licence, 'unchecked', count(*) group by all
        union all from trajectories as t left join texts on texts.id = t.statement_id
            select t.source, coalesce(texts.licence, ''), 'trajectories', count(*) group by all
        union all from quarantine select source, '', 'quarantined', count(*) group by all)
from counted select source, licence, what, n
"""


def holdings(corpus: Corpus, commits: Sequence[Commit] | None = None) -> list[Holding]:
    """One for each source and licence, by name; quarantined rows have no licence."""
    found: dict[tuple[str, str], Counter[str]] = {}
    with corpus.database(commits) as database:
        for source, licence, what, count in database.sql(_HOLDINGS).fetchall():
            found.setdefault((source, licence), Counter())[what] += count
    columns = ("statements", "proved", "accepted", "unchecked", "trajectories", "quarantined")
    return [Holding(*key, *(counted[column] for column in columns)) for key, counted in sorted(found.items())]


def show(corpus: Corpus, console: Console, last: int = 20) -> None:
    """Prints both tables; of the commits the `last` ones."""
    commits = corpus.commits()
    table = Table("source", "licence", title=f"{corpus!r}, {len(commits)} commits")
    found = holdings(corpus, commits)
    columns = ("statements", "proved", "accepted", "unchecked", "trajectories", "quarantined")
    headings = ("statements", "of these proved", "proofs accepted", "unchecked", "trajectories", "quarantined")
    for heading in headings:
        table.add_column(heading, justify="right")
    for one in found:
        table.add_row(one.source, one.licence, *(f"{getattr(one, column):,}" for column in columns))
    table.add_section()
    table.add_row("all", "", *(f"{sum(getattr(one, column) for one in found):,}" for column in columns), style="bold")
    console.print(table)
    history = Table(
        "time (UTC)", "commit", "note", title="commits" if len(commits) <= last else f"the last {last} of {len(commits)} commits"
    )
    for name in TABLES:
        history.add_column(name, justify="right")
    for commit in commits[-last:]:
        note = ", ".join(f"{key} {value}" for key, value in commit.note.items())
        history.add_row(commit.time[:19], commit.id[:8], note, *(f"{commit.rows(name):,}" for name in TABLES))
    console.print(history)
