"""Clients take turns, whatever the others' checks do to their workers."""

import os
import signal
from collections.abc import Iterator

import pytest
from backends import BACKENDS
from watching import until

from lean_worker.pool import Pool
from lean_worker.protocol import Check

pytestmark = [pytest.mark.lean, pytest.mark.slow]

HANG = "theorem t (h : {i} = {i}) : Nat.div.go (2 ^ 60) (2 ^ 60) 1 = 0 := by sorry"
GOOD = Check("good", "theorem good (p : Prop) (h : p) : p := by sorry", "h")
LIMIT = 3.0


def hanging(count: int) -> list[Check]:
    return [Check(f"hang{i}", HANG.replace("{i}", str(i)), "by decide +kernel") for i in range(count)]


@pytest.fixture(scope="module", params=["embedded-fork", "embedded-server"])
def pool(request: pytest.FixtureRequest) -> Iterator[Pool]:
    with Pool(1, LIMIT, backend=BACKENDS[request.param]()) as running:
        assert running.submit(GOOD).result().kind == "accepted"
        yield running


def test_a_check_behind_a_thousand_hanging_ones_waits_for_two_at_most(pool: Pool) -> None:
    hangs = [pool.submit(check, "mallory") for check in hanging(1000)]
    try:
        for i in range(3):
            before = sum(future.done() for future in hangs)
            good = pool.submit(Check("good", f"theorem good{i} (p : Prop) (h : p) : p := by sorry", "h"), "alice")
            assert good.result().kind == "accepted"
            assert sum(future.done() for future in hangs) - before <= 2
    finally:
        for future in hangs:
            future.cancel()


def test_turns_are_fair_after_a_worker_was_killed(pool: Pool) -> None:
    hangs = [pool.submit(check, "mallory") for check in hanging(100)]
    try:
        until(lambda: bool(pool.worker_pids))
        good = pool.submit(GOOD, "alice")
        os.kill(pool.worker_pids[0], signal.SIGKILL)
        assert good.result().kind == "accepted"
        assert sum(future.done() for future in hangs) <= 3
    finally:
        for future in hangs:
            future.cancel()


def test_a_check_that_another_client_asked_last_is_answered_in_the_better_turn(pool: Pool) -> None:
    checks = [Check(str(i), f"theorem t : {i} + 0 = {i} := by sorry", "rfl") for i in range(300)]
    futures = [pool.submit(check, "mallory") for check in checks]
    twin = pool.submit(checks[-1], "alice")
    assert twin.result().kind == "accepted"
    assert sum(future.done() for future in futures) < 30
    for future in futures:
        future.cancel()
