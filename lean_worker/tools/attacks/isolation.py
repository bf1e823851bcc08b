"""Isolation test: the verdict of a check must not depend on other checks before, with or after it, nor on their clients."""

import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import msgspec

from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict
from lean_worker.tools.attacks import attacks
from lean_worker.tools.benchmark import sample_checks

_CLIENTS = ("alice", "bob", "mallory")
_SIZES = (2, 32)


class Told(NamedTuple):
    """The part of a verdict that must be independent of other checks."""

    accepted: bool | None
    kind: str
    axioms: tuple[str, ...]
    messages: tuple[str, ...]


def told(verdict: Verdict) -> Told:
    """Return the part of a verdict that must be independent of other checks."""
    return Told(verdict.accepted, verdict.kind, verdict.axioms, tuple(message.text for message in verdict.messages))


def isolation_checks() -> list[Check]:
    """Return attacks, their accomplices, and correct and wrong proofs, each under a unique name; none that only exhausts Lean."""
    checks = [check for attack in attacks() if not attack.may_end_without_verdict for check in (attack.check, *attack.accomplices)]
    checks += [msgspec.structs.replace(check, id=f"sample {check.id}") for check in sample_checks(40)]
    return list({check.id: msgspec.structs.replace(check, tier="fast") for check in checks}.values())


def tell_alone(make_pool: Callable[[], AbstractContextManager[Pool]], checks: Sequence[Check]) -> dict[str, Told]:
    """Return the verdict of each check alone, as the only one that a fresh pool ever gets."""
    alone = {}
    for check in checks:
        with make_pool() as pool:
            alone[check.id] = told(pool.submit(check, _CLIENTS[0]).result())
    return alone


def groupings(checks: Sequence[Check], seed: int) -> Iterator[list[tuple[Check, str]]]:
    """Yield random groups of checks forever, each check with a client, in random order."""
    rng = random.Random(seed)
    while True:
        chosen = rng.sample(checks, min(len(checks), rng.randint(*_SIZES)))
        yield [(check, rng.choice(_CLIENTS)) for check in chosen]


def try_grouping(pool: Pool, group: Sequence[tuple[Check, str]], alone: dict[str, Told]) -> list[str]:
    """Check a group concurrently and return a line for each verdict that differs from the one alone."""
    futures = [(check, client, pool.submit(check, client)) for check, client in group]
    wrong = []
    for check, client, future in futures:
        verdict = told(future.result())
        if verdict != alone[check.id]:
            wrong.append(f"{check.id} of {client}: alone {alone[check.id]}, with {len(group) - 1} others {verdict}")
    return wrong
