"""The queue: clients take turns, headers share batches, the bound holds, withdrawn checks are not run, equal ones run once."""

import threading
from concurrent.futures import Future
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_resilience import GOOD, HANG, neighbours

from lean_worker.candidate import Candidate
from lean_worker.errors import LeanWorkerError
from lean_worker.jobs import Job, JobQueue, Question, QueueFull
from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict
from lean_worker.statement import split_statement
from lean_worker.verdict_cache import VerdictCache

STATEMENT = split_statement(GOOD)


def job(client: str, header: str = "", opening: str = "o\n", name: str = "") -> Job:
    return Job(Question(opening, header, STATEMENT, Candidate(name)), client, [(name, Future())])


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "h1", "h2"]), st.booleans()), max_size=40), st.integers(1, 7))
def test_everything_is_taken_once_in_batches_of_one_header(asked: list[tuple[str, str, bool]], most: int) -> None:
    dropped: list[Job] = []
    queue = JobQueue(dropped.append)
    jobs = [job(client, header, name=str(i)) for i, (client, header, _) in enumerate(asked)]
    for one, (_, _, cancelled) in zip(jobs, asked, strict=True):
        queue.put(one)
        if cancelled:
            one.waiting[0][1].cancel()
    taken: list[Job] = []
    while len(queue):
        batch = queue.take(most)
        assert len(batch) <= most and len({one.question.header for one in batch}) <= 1
        taken += batch
    assert sorted(map(id, taken + dropped)) == sorted(map(id, jobs))
    assert {id(one) for one in dropped} == {id(one) for one, (_, _, cancelled) in zip(jobs, asked, strict=True) if cancelled}


def test_a_client_with_one_check_does_not_wait_for_the_rest_of_anothers() -> None:
    queue = JobQueue(lambda _: None)
    for i in range(100):
        queue.put(job("many", name=str(i)))
    queue.put(job("one", name="mine"))
    assert Candidate("mine") in [one.question.candidate for one in queue.take(2)]


@pytest.mark.parametrize("patience", [0.0, 3600.0])
def test_warm_headers_go_first_until_patience_ends(patience: float) -> None:
    queue = JobQueue(lambda _: None, patience)
    cold, warm = job("a", opening="cold\n"), job("a", opening="warm\n")
    queue.put(cold)
    queue.put(warm)
    assert queue.take(1, {"warm\n"}) == [cold if patience == 0.0 else warm]


def test_a_full_queue_says_when_to_come_back() -> None:
    with Pool(1, timeout=60, batch=1, queue_limit=3) as pool:
        futures = [pool.submit(HANG)]
        with pytest.raises(QueueFull, match="wait already") as caught:
            for check in neighbours(8):
                futures.append(pool.submit(Check(check.id, GOOD.replace("good", check.id), "h")))
        assert 1 <= caught.value.retry_after <= 60
    assert all(future.result(timeout=5).kind in ("unavailable", "accepted") for future in futures)


def test_a_withdrawn_check_is_not_run() -> None:
    with Pool(1, timeout=3, batch=1) as pool:
        hang = pool.submit(HANG)
        waiting = [pool.submit(Check(str(i), GOOD.replace("good", f"good{i}"), "h")) for i in range(3)]
        assert waiting[1].cancel()
        assert hang.result().kind == "timeout"
        assert [waiting[i].result().kind for i in (0, 2)] == ["accepted", "accepted"]
        assert pool.status().verdicts == {"timeout": 1, "accepted": 2}


def test_the_cache_answers_for_the_kernel_and_only_for_what_it_decided(tmp_path: Path) -> None:
    checks = [Check("good", GOOD, "h"), Check("bad", GOOD, "by rfl"), HANG]
    first = VerdictCache(tmp_path / "verdicts.sqlite")
    with Pool(1, timeout=2, cache=first) as pool:
        before = pool.check_many(checks)
    first.close()
    second = VerdictCache(tmp_path / "verdicts.sqlite")
    with Pool(1, timeout=2, cache=second) as pool:
        answers = [pool.submit(Check(f"again-{check.id}", check.statement, check.proof)) for check in checks[:2]]
        assert all(future.done() for future in answers) and pool.worker_pids == []
        assert [future.result().kind for future in answers] == ["accepted", "error"]
        assert not pool.submit(Check("other", GOOD, "h", header="open Nat\n")).done()
        assert not pool.submit(HANG).done()
    with Pool(1, timeout=2, cache=second, heartbeats=5_000) as pool:
        assert not pool.submit(checks[1]).done()  # another limit might have let it through
    second.close()
    assert [verdict.kind for verdict in before] == ["accepted", "error", "timeout"]


def test_a_file_that_is_no_cache_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("no database" * 100)
    with pytest.raises(LeanWorkerError, match=r"notes\.txt cannot be used"):
        VerdictCache(path)


def test_equal_checks_in_flight_run_once() -> None:
    answers: list[Future[Verdict]] = []
    with Pool(1, timeout=30) as pool:
        threads = [threading.Thread(target=lambda i=i: answers.append(pool.submit(Check(str(i), GOOD, "h")))) for i in range(8)]
        hang = pool.submit(Check("slow", "theorem t (h : ∀ p : Prop, p → p) : False := by sorry", "by repeat apply h"))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {future.result().id for future in answers} == {str(i) for i in range(8)}
        assert hang.result().kind == "error"
        assert sum(pool.status().verdicts.values()) <= 3
