"""`oprover corpus show`: print the contents of a corpus by source and licence, and its commits."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from oprover_jax.corpus.corpus import Commit, Corpus
from oprover_jax.corpus.tables import TABLES


@dataclass(frozen=True)
class Holding:
    """Counts of one source under one licence. `proved` statements have an accepted proof; `unchecked` proofs have no verdict."""

    source: str
    licence: str
    statements: int
    proved: int
    accepted: int
    unchecked: int
    trajectories: int
    quarantined: int


_COUNTS = tuple(field.name for field in fields(Holding) if field.type is int)

_HOLDINGS = """
with seen as (select id, statement_id, source, licence, checked from proofs),
     accepted as (select * from seen where checked = 'accepted'),
     unchecked as (select * from seen anti join accepted using (id)),
     texts as (select distinct on (id) id, source, licence from statements),
     proved as (select * from texts semi join accepted on texts.id = accepted.statement_id),
     tried as (select t.source, coalesce(licence, '') as licence from trajectories as t left join texts on texts.id = t.statement_id)
          select source, licence, 'statements' as what, count(*) as n from texts group by all
union all select source, licence, 'proved', count(*) from proved group by all
union all select source, licence, 'accepted', count(*) from accepted group by all
union all select source, licence, 'unchecked', count(*) from unchecked group by all
union all select source, licence, 'trajectories', count(*) from tried group by all
union all select source, '', 'quarantined', count(*) from quarantine group by all
"""


def holdings(corpus: Corpus, commits: Sequence[Commit] | None = None) -> list[Holding]:
    """Return one entry for each source and licence, by name; quarantined rows have no licence."""
    counts: dict[tuple[str, str], Counter[str]] = {}
    with corpus.database(commits) as database:
        for source, licence, what, count in database.sql(_HOLDINGS).fetchall():
            counts.setdefault((source, licence), Counter())[what] += count
    return [Holding(*key, *(counted[column] for column in _COUNTS)) for key, counted in sorted(counts.items())]


def show(corpus: Corpus, console: Console, last: int = 20) -> None:
    """Print the tables of contents and of the `last` commits."""
    commits = corpus.commits()
    entries = holdings(corpus, commits)
    table = Table("source", "licence", title=f"{corpus!r}, {len(commits)} commits", box=SIMPLE_HEAD)
    for column in _COUNTS:
        table.add_column(column, justify="right", no_wrap=True)
    for entry in entries:
        table.add_row(entry.source, entry.licence, *(f"{getattr(entry, column):,}" for column in _COUNTS))
    table.add_section()
    table.add_row("all", "", *(f"{sum(getattr(entry, column) for entry in entries):,}" for column in _COUNTS), style="bold")
    title = "commits" if len(commits) <= last else f"the last {last} of {len(commits)} commits"
    history = Table("time (UTC)", "commit", "rows", "note", title=title, box=SIMPLE_HEAD)
    for commit in commits[-last:]:
        rows = ", ".join(f"{commit.rows(name):,} {name}" for name in TABLES if commit.rows(name))
        note = ", ".join(f"{key} {value}" for key, value in commit.note.items())
        history.add_row(commit.time[:19], commit.id[:8], rows or "none", note)
    wide = console if console.is_terminal else Console(file=console.file, width=160)  # a pipe has no meaningful width
    for shown in (table, history):
        wide.print(shown)
