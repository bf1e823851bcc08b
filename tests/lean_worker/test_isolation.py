"""A verdict is a function of header, statement, candidate, Lean and settings, and of nothing else."""

import random
from collections.abc import Iterator
from itertools import islice

import pytest
from backends import BACKENDS

from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.tools.attacks.isolation import Told, groupings, isolation_checks, tell_alone, try_grouping

pytestmark = [pytest.mark.lean, pytest.mark.slow]

# `lean-worker attack --groupings 2000` draws from all of them
CHECKS = random.Random(0).sample(isolation_checks(), 80)
EMBEDDED = ["embedded-fork", "embedded-server"]


class _Alone(dict[str, Told]):
    """What the fork backend tells a check in a fresh process, asked when it is needed; the server must tell it the same."""

    def __missing__(self, identity: str) -> Told:
        self.update(tell_alone(lambda: Pool(1), [check for check in CHECKS if check.id == identity]))
        return self[identity]


ALONE = _Alone()


@pytest.fixture(scope="module", params=[(name, batch, workers) for name in EMBEDDED for batch, workers in ((1, 2), (32, 1))], ids=str)
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    name, batch, workers = request.param
    with Pool(workers, backend=BACKENDS[name](), batch=batch) as running:
        yield running


def test_no_grouping_changes_a_verdict(pool: Pool) -> None:
    found = [line for group in islice(groupings(CHECKS, seed=pool.workers), 8) for line in try_grouping(pool, group, ALONE)]
    assert found == []


def test_helpers_of_one_client_are_unknown_to_the_next(pool: Pool) -> None:
    """The same names in every check."""
    helper = "def Nat.mine : Nat := {i}\ntheorem mine_is : Nat.mine = {i} := rfl\n"
    checks = [
        Check(str(i), f"theorem t : {i} = {i} := by sorry", helper.format(i=i) + f"theorem t : {i} = {i} := mine_is ▸ rfl", helpers=True)
        for i in range(6)
    ]
    stolen = Check("stolen", "theorem t : 3 = 3 := by sorry", "mine_is ▸ rfl")
    kinds = [
        future.result().kind
        for future in [pool.submit(check, f"client {i % 2}") for i, check in enumerate([*checks, stolen, *checks[::-1]])]
    ]
    assert kinds == ["accepted"] * 6 + ["error"] + ["accepted"] * 6
