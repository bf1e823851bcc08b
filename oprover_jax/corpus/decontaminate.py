"""Keep benchmarks out of what is trained on, by the normal form of statements."""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from oprover_jax.corpus.normalize import statement_id
from oprover_jax.records import Statement

Item = TypeVar("Item")


def fingerprints(statements: Iterable[Statement]) -> set[str]:
    """Ids computed anew from the text, with and without the header: a stored id is not taken on trust."""
    found = set()
    for statement in statements:
        found |= {statement_id(statement.formal, statement.header), statement_id(statement.formal)}
    return found


def decontaminate(
    items: Sequence[Item], benchmark: Iterable[Statement], statement_of: Callable[[Item], Statement]
) -> tuple[list[Item], list[Item]]:
    """`items` whose statement is not in `benchmark` under any disguise that `normalise` sees through, and those removed."""
    held_out = fingerprints(benchmark)
    kept: list[Item] = []
    removed: list[Item] = []
    for item in items:
        (removed if fingerprints([statement_of(item)]) & held_out else kept).append(item)
    return kept, removed
