"""Hangs, crashes, killed workers: each check gets exactly one answer, nobody else's answer changes, and nothing is left running."""

import os
import signal
import threading
from pathlib import Path

import pytest
from watching import alive, children, until

from lean_worker.candidate import Candidate
from lean_worker.embedded.backend import ForkBackend
from lean_worker.embedded.build import OPENING, ensure_core
from lean_worker.embedded.process import LeanTree
from lean_worker.jobs import Question
from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.sandbox.sandbox import SandboxConfig, detect
from lean_worker.session import Limits
from lean_worker.statement import split_statement

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess]

GOOD = "theorem good (p : Prop) (h : p) : p := by sorry"
HANG = Check("hang", "theorem t : Nat.div.go (2 ^ 60) (2 ^ 60) 1 = 0 := by sorry", "by decide +kernel")
CRASH = Check("crash", "theorem t : Nat.shiftLeft 1 (2 ^ 38) = 0 := by sorry", "by decide +kernel")
RUNAWAY = Check("runaway", "theorem t (h : ∀ p : Prop, p → p) : False := by sorry", "by repeat apply h")


def neighbours(count: int) -> list[Check]:
    return [Check(f"good{i}", GOOD, "h" if i % 2 else "by exact h") for i in range(count)]


def test_a_hang_is_no_verdict_and_spoils_nobody() -> None:
    with Pool(1, timeout=3.0) as pool:
        verdicts = pool.check_many([*neighbours(4), HANG, *neighbours(4)])
    assert [v.kind for v in verdicts] == ["accepted"] * 4 + ["timeout"] + ["accepted"] * 4
    assert verdicts[4].accepted is None


def test_a_crash_is_no_verdict_and_spoils_nobody(pool: Pool) -> None:
    verdicts = pool.check_many([*neighbours(4), CRASH, *neighbours(4)])
    assert [v.kind for v in verdicts] == ["accepted"] * 4 + ["crash"] + ["accepted"] * 4
    assert verdicts[4].accepted is None


def test_a_runaway_proof_is_a_failed_proof() -> None:
    with Pool(1, timeout=60, heartbeats=4_000) as pool:
        verdict = pool.submit(RUNAWAY).result()
    assert verdict.accepted is False and "maximum number of heartbeats (4000)" in verdict.messages[0].text


def test_a_flood_of_messages_is_cut_off() -> None:
    statement = split_statement(GOOD)
    flood, quiet = Candidate("by\n" + "  trace_state\n" * 500 + "  exact h"), Candidate("h")
    tree = LeanTree(ensure_core(), OPENING, Limits(output_bytes=20_000))
    try:
        for candidate, outcome, axioms in ((flood, "flood", None), (quiet, "exit", ()), (flood, "flood", None)):
            found = tree.run(Question(OPENING, "", statement, candidate))
            assert (found.outcome, found.answer.axioms) == (outcome, axioms)
    finally:
        tree.kill()


def test_killed_workers_are_replaced_and_their_checks_run_again() -> None:
    checks = [Check(f"{i}", f"theorem t{i} (a b : Nat) : a + b = b + a := by sorry", "by simp [Nat.add_comm]") for i in range(120)]
    with Pool(2) as pool:
        futures = [pool.submit(check) for check in checks]
        killed = set()
        for _ in range(3):
            until(lambda: bool(set(pool.worker_pids) - killed))
            victim = (set(pool.worker_pids) - killed).pop()
            os.kill(victim, signal.SIGKILL)
            killed.add(victim)
        assert {future.result(timeout=60).kind for future in futures} == {"accepted"}


def descendants(pid: int) -> list[int]:
    return [each for child in children(pid) for each in (child, *descendants(child))]


def test_the_whole_tree_dies_with_its_root() -> None:
    with Pool(1, timeout=30) as pool:
        future = pool.submit(HANG)
        until(lambda: any(len(descendants(pid)) == 3 for pid in pool.worker_pids))  # header, statement, candidate
        worker = pool.worker_pids[0]
        below = descendants(worker)
        os.kill(worker, signal.SIGKILL)
        until(lambda: not any(alive(pid) for pid in below))
        assert not future.done()
    assert future.result(timeout=5).kind == "unavailable"


def test_closing_ends_everything_at_once() -> None:
    pool = Pool(2, timeout=60)
    futures = [pool.submit(HANG), *(pool.submit(check) for check in neighbours(3))]
    until(lambda: any(children(pid) for pid in pool.worker_pids))
    processes = pool.worker_pids + [child for pid in pool.worker_pids for child in descendants(pid)]
    pool.close()
    until(lambda: not any(alive(pid) for pid in processes))
    assert all(future.result(timeout=5).kind in ("unavailable", "accepted") for future in futures)
    with pytest.raises(RuntimeError, match="closed"):
        pool.submit(HANG)


def test_many_threads_share_a_pool(pool: Pool) -> None:
    answers: dict[str, str] = {}

    def ask(name: str) -> None:
        for i in range(5):
            right = i % 2 == 0
            statement = f"theorem t{name}_{i} : {i} + 1 = {i + 1 if right else i} := by sorry"
            answers[f"{name}.{i}"] = pool.submit(Check("x", statement, "by decide")).result().kind

    threads = [threading.Thread(target=ask, args=(str(n),)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == {f"{n}.{i}": "accepted" if i % 2 == 0 else "error" for n in range(8) for i in range(5)}


def test_equal_checks_in_flight_all_get_the_answer_under_their_own_id(pool: Pool) -> None:
    verdicts = pool.check_many([Check(str(i), GOOD, "h") for i in range(20)])
    assert [v.id for v in verdicts] == [str(i) for i in range(20)]
    assert {v.kind for v in verdicts} == {"accepted"}


@pytest.mark.parametrize("wrong", [{"workers": 0}, {"timeout": 0.0}, {"batch": 0}, {"heartbeats": 1}])
def test_impossible_settings_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"must be at least 1|seconds is 0\.0|heartbeats is 1,"):
        Pool(**wrong)  # type: ignore[arg-type]


def test_a_backend_that_cannot_start_leaves_nobody_waiting(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A sandbox is required that is not there: every check is told so, at first and afterwards."""
    monkeypatch.setenv("PATH", str(tmp_path))
    detect.cache_clear()
    try:
        with Pool(1, backend=ForkBackend(sandbox=SandboxConfig("bubblewrap", required=True))) as pool:
            verdicts = pool.check_many(neighbours(3)) + pool.check_many(neighbours(1))
    finally:
        detect.cache_clear()
    assert {(v.accepted, v.kind) for v in verdicts} == {(None, "unavailable")}
    assert all("a sandbox is required" in v.messages[0].text for v in verdicts)
