"""Isolation: the verdict of a check must not depend on what else is asked, before, with or after it, nor by whom."""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict
from lean_worker.tools.attacks import attacks
from lean_worker.tools.benchmark import sample_checks

_CLIENTS = ("alice", "bob", "mallory")
_SIZES = (2, 32)


class Told(NamedTuple):
    """What of a verdict must be the same whatever else is asked."""

    accepted: bool | None
    kind: str
    axioms: tuple[str, ...]
    messages: tuple[str, ...]


def told(verdict: Verdict) -> Told:
    """Return what a verdict says."""
    return Told(verdict.accepted, verdict.kind, verdict.axioms, tuple(message.text for message in verdict.messages))


def isolation_checks() -> list[Check]:
    """Return attacks, their accomplices, right and wrong proofs, each under a name of its own; none that only exhausts Lean."""
    found = [check for attack in attacks() if not attack.may_end_without_verdict for check in (attack.check, *attack.accomplices)]
    found += [msgspec.structs.replace(check, id=f"sample {check.id}") for check in sample_checks(40)]
    return list({check.id: msgspec.structs.replace(check, tier="fast") for check in found}.values())


def tell_alone(make_pool: Callable[[], Pool], checks: Sequence[Check]) -> dict[str, Told]:
    """Return what each check is told alone, as the only one that a fresh pool ever gets."""
    alone = {}
    for check in checks:
        with make_pool() as pool:
            alone[check.id] = told(pool.submit(check, _CLIENTS[0]).result())
    return alone


def groupings(checks: Sequence[Check], seed: int) -> Iterator[list[tuple[Check, str]]]:
    """Yield random groups of checks, each check with a client, in random order, without end."""
    rng = random.Random(seed)
    while True:
        chosen = rng.sample(checks, min(len(checks), rng.randint(*_SIZES)))
        yield [(check, rng.choice(_CLIENTS)) for check in chosen]


def try_grouping(pool: Pool, group: Sequence[tuple[Check, str]], alone: dict[str, Told]) -> list[str]:
    """Ask a group at once and return a line for each check that is told something else than alone."""
    futures = [(check, client, pool.submit(check, client)) for check, client in group]
    wrong = []
    for check, client, future in futures:
        found = told(future.result())
        if found != alone[check.id]:
            wrong.append(f"{check.id} of {client}: alone {alone[check.id]}, with {len(group) - 1} others {found}")
    return wrong
