"""`oprover corpus tag`: tag statements whose source gives no domain or difficulty, in the table `tags` of the corpus.

Statements are never rewritten: `TAGGED` joins each with its last tag. The source takes precedence over an engine, an engine over the rules.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass

from oprover_jax.corpus.corpus import Corpus
from oprover_jax.corpus.tables import TABLES, rows_to_table, statement_of
from oprover_jax.corpus.tag_rules import BY_RULES, DOMAINS, difficulty_by_rules, domain_by_rules
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import Statement, utc_now

TAGGED = """
with ranked as (from tags select *, (tagged_by <> 'rules')::int || tagged_at as rank),
     last as (from ranked select statement_id, arg_max(struct_pack(domain, difficulty, tagged_by), rank) as tag group by all),
     texts as (from statements select distinct on (id) id, source, licence, lean, domain, difficulty)
from texts left join last on id = statement_id
select id, source, licence, lean,
       coalesce(nullif(domain, ''), tag.domain, '') as domain,
       case when domain <> '' then 'source' else coalesce(tag.tagged_by, '') end as domain_by,
       coalesce(nullif(difficulty, 0), tag.difficulty, 0) as difficulty,
       case when difficulty <> 0 then 'source' else coalesce(tag.tagged_by, '') end as difficulty_by
"""
"""A query over the tables of `Corpus.database`: each statement once, with its domain and difficulty and their origin ("": none)."""

_UNTAGGED = """
create temp table untagged as
with texts as (from statements select distinct on (id) * where domain = '' or difficulty = 0),
     done as (from tags select distinct statement_id where $asked = '' or asked = $asked)
from texts anti join done on id = statement_id
select id, name, formal, header, informal, source order by source, id limit $limit
"""

_DOMAIN = re.compile(rf"^\W*domain\W*:\W*({'|'.join(DOMAINS)})\W*$", re.IGNORECASE | re.MULTILINE)
_DIFFICULTY = re.compile(r"^\W*difficulty\W*:\W*(10|[1-9])(?:\s*/\s*10)?\W*$", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True)
class Tag:
    """A tag; `tagged_by` and `asked` as in the table: its origin, and the engine that was queried ("" for the rules alone)."""

    domain: str
    difficulty: int
    tagged_by: str
    asked: str = ""


Tagger = Callable[[Sequence[Statement]], list[Tag]]


def tags_by_rules(statements: Sequence[Statement]) -> list[Tag]:
    """Return the tags by the rules, in order."""
    return [Tag(domain_by_rules(s.formal, s.header), difficulty_by_rules(s.formal), BY_RULES) for s in statements]


def tag_prompt(statement: Statement) -> str:
    """Return the prompt for a policy; `read_tag` parses its answer."""
    informal = f"\nIn words: {statement.informal}\n" if statement.informal else ""
    lean = "\n".join(part.strip("\n") for part in (statement.header, statement.formal) if part.strip())
    return (
        "Classify this Lean 4 theorem. Answer in two lines:\n"
        f"Domain: one of {', '.join(DOMAINS)}\n"
        "Difficulty: from 1 (immediate) to 10 (a hard olympiad problem or research)\n"
        f"\n```lean4\n{lean}\n```\n{informal}\nAnswer:\n"
    )


def read_tag(answer: str) -> tuple[str, int] | None:
    """Return domain and difficulty from the last line of each kind, or None if one is missing or not among the permitted values."""
    domains, difficulties = _DOMAIN.findall(answer), _DIFFICULTY.findall(answer)
    return (domains[-1].lower(), int(difficulties[-1])) if domains and difficulties else None


def tag_corpus(corpus: Corpus, tagger: Tagger, asked: str, batch: int, limit: int | None, console: ProgressConsole) -> Counter[str]:
    """Tag the statements that lack a domain or a difficulty, one commit per `batch`; return the counts by origin.

    Rules (`asked` "") process statements without any tag, an engine those it has not processed yet. A kill loses one batch.
    """
    counted: Counter[str] = Counter()
    with corpus.database() as database, console.bar("tag") as progress:
        database.execute(_UNTAGGED, {"asked": asked, "limit": limit if limit is not None else 2**62})
        [[total]] = database.sql("select count(*) from untagged").fetchall()
        progress.total(total)
        with closing(database.sql("from untagged").to_arrow_reader(batch)) as reader:
            for rows in reader:
                statements = [statement_of(row) for row in rows.to_pylist()]
                counted.update(_commit(corpus, statements, tagger(statements)))
                progress.update(counted.total(), ", ".join(f"{count:,} by {by}" for by, count in counted.items()))
    console.line(f"{total:,} statements tagged" + "".join(f", {count:,} by {by}" for by, count in sorted(counted.items())))
    return counted


def _commit(corpus: Corpus, statements: Sequence[Statement], tags: Sequence[Tag]) -> Counter[str]:
    now = utc_now()
    rows = [
        {
            "statement_id": s.id,
            "domain": t.domain,
            "difficulty": t.difficulty,
            "tagged_by": t.tagged_by,
            "asked": t.asked,
            "tagged_at": now,
            "source": s.source,
        }
        for s, t in zip(statements, tags, strict=True)
    ]
    counted = Counter(tag.tagged_by for tag in tags)
    corpus.commit({"tags": rows_to_table(rows, TABLES["tags"])}, {"command": "tag", **counted})
    return counted
