"""Draw statements from the families: deterministic in the seed, each at most once by normalised content."""

import random
from collections.abc import Iterator

from oprover_jax.records import Statement
from oprover_jax.statements.normalize import statement_id
from oprover_jax.synthetic.families import FAMILIES
from oprover_jax.synthetic.textbook import LICENCE, Provable

_PATIENCE = 60  # draws in a row without anything new after which a family is exhausted at a difficulty


def drafts(family: str, difficulty: int, seed: int) -> Iterator[Provable]:
    """Endless statements with proofs; the name is that of the id, so that it says nothing about the family."""
    rng = random.Random(f"{seed}/{family}/{difficulty}")
    while True:
        draft = FAMILIES[family](rng, difficulty)
        key = statement_id(draft.statement("t"))
        name = f"t_{key[:4]}"
        statement = Statement(
            id=key, name=name, formal=draft.statement(name), family=family, difficulty=difficulty, source="generated", licence=LICENCE
        )
        yield Provable(statement, draft.proof)


def distinct(family: str, difficulty: int, count: int, seed: int, seen: set[str]) -> tuple[list[Provable], int]:
    """Up to `count` statements whose ids are not in `seen` (they are added to it), and how many duplicates were drawn."""
    found: list[Provable] = []
    duplicates = idle = 0
    source = drafts(family, difficulty, seed)
    while len(found) < count and idle < _PATIENCE:
        drawn = next(source)
        if drawn.statement.id in seen:
            duplicates, idle = duplicates + 1, idle + 1
            continue
        seen.add(drawn.statement.id)
        found.append(drawn)
        idle = 0
    return found, duplicates
