"""The queue: clients share the workers' time, headers take turns, withdrawn checks are not run, equal ones run once, all of it cheap."""

import heapq
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_resilience import GOOD, HANG, neighbours

from lean_worker.candidate import Candidate
from lean_worker.errors import LeanWorkerError
from lean_worker.jobs import Job, JobQueue, Question, QueueFull
from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict
from lean_worker.statement import split_statement
from lean_worker.verdict_cache import VerdictCache

STATEMENTS = [split_statement(GOOD.replace("good", f"good{i}")) for i in range(3)]
FOREVER = 3600.0


def job(client: str, header: str = "", opening: str = "o\n", name: str = "", statement: int = 0, scope: str = "") -> Job:
    return Job(Question(opening, header, STATEMENTS[statement], Candidate(name), scope=scope), client, [(name, Future())])


def a_queue(patience: float = 2.0) -> JobQueue:
    return JobQueue(lambda _: None, patience)


def taken(queue: JobQueue, **asked: object) -> Job:
    """Take a job that must be there."""
    one = queue.take(**asked)  # type: ignore[arg-type]
    assert one is not None
    return one


def filled(queue: JobQueue, client: str, jobs: int, **fields: object) -> list[Job]:
    """Put many jobs of a client."""
    new = [job(client, name=f"{client}{i}", **fields) for i in range(jobs)]  # type: ignore[arg-type]
    for one in new:
        queue.put(one)
    return new


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["put", "put", "put", "join", "cancel", "take", "lose", "charge"]),
        st.integers(0, 10_000),
        st.sampled_from("abc"),
        st.sampled_from(["", "h1", "h2"]),
        st.sampled_from(["o\n", "p\n"]),
        st.integers(0, 2),
    ),
    max_size=80,
)


@settings(deadline=None)
@given(STEPS, st.sampled_from([0.0, FOREVER]), st.sets(st.sampled_from(["o\n", "p\n"])))
def test_every_job_is_taken_exactly_once_or_dropped(
    steps: list[tuple[str, int, str, str, str, int]], patience: float, warm: set[str]
) -> None:
    dropped: list[Job] = []
    queue = JobQueue(dropped.append, patience)
    jobs: list[Job] = []
    waiting: set[Job] = set()
    running: list[Job] = []
    done: list[Job] = []
    near = None
    for step, number, client, header, opening, statement in steps:
        chosen = jobs[number % len(jobs)] if jobs else None
        if step == "put":
            jobs.append(job(client, header, opening, str(len(jobs)), statement))
            waiting.add(jobs[-1])
            queue.put(jobs[-1])
        elif step == "join" and chosen:
            queue.join(chosen, client)
        elif step == "cancel" and chosen:
            chosen.waiting[0][1].cancel()
        elif step == "take":
            one = queue.take(near, frozenset(warm))
            waiting -= set(dropped)
            assert (one is None) == (not waiting)
            if one is not None:
                assert one in waiting and one.wanted
                waiting.remove(one)
                running.append(one)
                near = one.question
        elif running:
            one = running.pop(number % len(running))
            if step == "lose":
                queue.put(one, front=True)
                waiting.add(one)
            else:
                done.append(one)
            queue.charge(one, number / 1_000)
        assert len(queue) == len(waiting)
    while (one := queue.take(near, frozenset(warm))) is not None:
        done.append(one)
    assert len(queue) == 0
    assert Counter(done + dropped + running) == Counter(jobs)
    assert not any(one.wanted for one in dropped)


@settings(deadline=None)
@given(st.integers(1, 8), st.lists(st.sampled_from([0.01, 1.0, 1.0, 100.0]), max_size=60), st.sets(st.integers(0, 7)), st.booleans())
def test_a_client_with_one_check_is_served_within_as_many_takes_as_there_are_workers(
    workers: int, lengths: list[float], lost: set[int], lost_before: bool
) -> None:
    """Behind a hundred checks of another client, some of which lose their workers and are put back in front, before or after it comes."""
    queue = a_queue()
    filled(queue, "many", 100)
    running = [taken(queue) for _ in range(workers)]
    for seconds in lengths:
        queue.charge(running.pop(0), seconds)
        running.append(taken(queue))
    mine = job("one", name="mine")
    if not lost_before:
        queue.put(mine)
    for one in [one for number, one in enumerate(running) if number in lost]:
        queue.charge(one, 0.5)
        queue.put(one, front=True)
    if lost_before:
        queue.put(mine)
    assert mine in [taken(queue) for _ in range(workers)]


def test_what_was_put_back_goes_to_the_front_of_its_own_line_only() -> None:
    queue = a_queue()
    filled(queue, "a", 3, header="h1")
    filled(queue, "a", 3, header="h2")
    lost = taken(queue)
    filled(queue, "b", 3)
    since = lost.since
    queue.charge(lost, 5.0)
    queue.put(lost, front=True)
    order = [taken(queue) for _ in range(9)]
    assert order[0].client == "b"
    assert next(one for one in order if one.client == "a") is lost and lost.since == since


@settings(deadline=None)
@given(st.integers(0, 12), st.integers(0, 12))
def test_a_twin_is_served_at_the_better_of_both_turns(mine: int, others: int) -> None:
    def place(clients: list[str]) -> int:
        queue = a_queue()
        filled(queue, "a", mine)
        filled(queue, "b", others)
        twin = job(clients[0], name="twin")
        queue.put(twin)
        for client in clients[1:]:
            queue.join(twin, client)
        assert len(queue) == mine + others + 1
        order = []
        while (one := queue.take()) is not None:
            queue.charge(one, 1.0)
            order.append(one)
        assert len(order) == mine + others + 1
        return order.index(twin)

    assert place(["a", "b"]) == min(place(["a"]), place(["b"]))


def test_those_who_wait_for_the_same_share_its_costs() -> None:
    queue = a_queue()
    twin = job("a", name="twin")
    queue.put(twin)
    queue.join(twin, "b")
    for client in "abc":
        filled(queue, client, 8)
    assert taken(queue) is twin
    queue.charge(twin, 4.0)
    served: Counter[str] = Counter()
    for _ in range(2 + 3 * 3):
        one = taken(queue)
        queue.charge(one, 1.0)
        served[one.client] += 1
    assert served == {"a": 3, "b": 3, "c": 5}


def test_who_joins_a_running_job_waits_in_no_line() -> None:
    queue = a_queue()
    queue.put(job("a"))
    running = taken(queue)
    queue.join(running, "b")
    assert len(queue) == 0 and queue.take() is None


@settings(deadline=None)
@given(st.integers(1, 4), st.lists(st.sampled_from([0.5, 1.0, 2.0, 7.0]), min_size=2, max_size=5))
def test_in_the_long_run_backlogged_clients_get_equal_time(workers: int, lengths: list[float]) -> None:
    """Within one check, once each client had one: before that nobody knows how long its checks take."""
    queue = a_queue()
    for number in range(len(lengths)):
        filled(queue, str(number), 160)
    used: Counter[str] = Counter()
    running: list[tuple[float, int, Job]] = []
    clock = 0.0
    for number in range(150):
        if len(running) == (workers if number > len(lengths) else 1):
            clock, _, ended = heapq.heappop(running)
            queue.charge(ended, lengths[int(ended.client)])
        one = taken(queue)
        length = lengths[int(one.client)]
        used[one.client] += length
        heapq.heappush(running, (clock + length, number, one))
    assert len(used) == len(lengths)
    assert max(used.values()) - min(used.values()) <= max(lengths)


@pytest.mark.parametrize(("newcomers", "least"), [(1, 15), (3, 3)])
def test_a_stream_of_newcomers_starves_nobody(newcomers: int, least: int) -> None:
    """More newcomers come than can be served, so all shares shrink (to about the 12th and the 75th part here), but none to nothing."""
    queue = a_queue()
    filled(queue, "old", 400)
    served = 0
    for number in range(300):
        for each in range(newcomers):
            queue.put(job(f"new {number} {each}"))
        one = taken(queue)
        queue.charge(one, 1.0)
        served += one.client == "old"
    assert served >= least


def test_newcomers_do_not_wait_for_what_others_were_expected_to_use() -> None:
    """A client's checks turn out to be far shorter than those before them."""
    queue = a_queue()
    filled(queue, "busy", 100)
    running = [taken(queue) for _ in range(4)]
    for one in running:
        queue.charge(one, 100.0)
    for one in [taken(queue) for _ in range(4)]:
        queue.charge(one, 0.01)
    filled(queue, "first", 1)
    assert taken(queue).client == "first"
    filled(queue, "second", 1)
    assert "second" in [taken(queue).client for _ in range(2)]


def test_who_was_idle_neither_catches_up_nor_waits() -> None:
    queue = a_queue()
    filled(queue, "back", 1)
    queue.charge(taken(queue), 1.0)
    filled(queue, "busy", 600)
    for _ in range(500):
        queue.charge(taken(queue), 1.0)
    filled(queue, "back", 50)
    order = []
    for _ in range(40):
        order.append(taken(queue))
        queue.charge(order[-1], 1.0)
    assert "back" in [one.client for one in order[:2]]
    assert sum(one.client == "back" for one in order) == pytest.approx(20, abs=2)


def test_idle_clients_are_forgotten() -> None:
    queue = a_queue()
    for number in range(2_000):
        filled(queue, f"client {number}", 1)
        queue.charge(taken(queue), 1.0)
    assert len(queue._shares) < 100


def test_one_client_does_not_take_all_workers_before_its_first_charge() -> None:
    queue = a_queue()
    filled(queue, "hangs", 100)
    filled(queue, "other", 100)
    assert Counter(taken(queue).client for _ in range(8)) == {"hangs": 4, "other": 4}


def test_a_job_that_outlives_its_estimate_counts_with_what_it_took() -> None:
    queue = a_queue()
    filled(queue, "hangs", 100)
    filled(queue, "quick", 400)
    hanging = 0
    for _ in range(100):
        time.sleep(0.005)
        one = taken(queue)
        if one.client == "quick":
            queue.charge(one, 0.004)
        else:
            hanging += 1
    assert hanging <= 4  # by estimates alone each 0.05 s of the other client would let another one in


def test_headers_of_a_client_take_turns() -> None:
    queue = a_queue(FOREVER)
    for header in ("h1", "h2", "h3"):
        filled(queue, "a", 3, header=header)
    assert [taken(queue).question.header for _ in range(9)] == ["h1", "h2", "h3"] * 3


@pytest.mark.parametrize("patience", [0.0, FOREVER])
def test_attempts_on_the_statement_at_hand_go_first_until_patience_ends(patience: float) -> None:
    queue = a_queue(patience)
    for statement in (0, 1, 0):
        filled(queue, "a", 1, statement=statement)
    first = taken(queue)
    assert taken(queue, near=first.question).question.statement == STATEMENTS[0 if patience else 1]


def test_only_attempts_of_the_same_scope_are_at_hand() -> None:
    queue = a_queue(FOREVER)
    filled(queue, "a", 1, header="h")
    filled(queue, "a", 1, scope="a", statement=1)
    filled(queue, "a", 1, statement=1)
    near = job("a", scope="a", statement=1).question
    assert taken(queue, near=near).question.scope == "a"
    assert taken(queue, near=near).question.header == "h"


def test_a_run_of_attempts_on_one_statement_ends() -> None:
    queue = a_queue(FOREVER)
    filled(queue, "a", 1)
    filled(queue, "a", 1, header="h")
    filled(queue, "a", 200)
    near, runs = None, []
    for _ in range(60):
        near = taken(queue, near=near).question
        runs.append(near.header)
    assert 30 <= runs.index("h") <= 34


def test_the_statement_at_hand_of_one_client_gives_no_turn_to_it() -> None:
    queue = a_queue(FOREVER)
    filled(queue, "a", 10)
    first = taken(queue)
    filled(queue, "b", 10, header="h")
    assert taken(queue, near=first.question).client == "b"


@pytest.mark.parametrize("patience", [0.0, FOREVER])
def test_warm_headers_go_first_until_patience_ends(patience: float) -> None:
    queue = a_queue(patience)
    cold, warm = job("a", opening="cold\n"), job("a", opening="warm\n")
    queue.put(cold)
    queue.put(warm)
    assert queue.take(warm=frozenset({"warm\n"})) is (cold if patience == 0.0 else warm)


def test_warm_headers_take_turns() -> None:
    queue = a_queue(FOREVER)
    for opening, header in (("cold\n", ""), ("p\n", "h1"), ("o\n", "h2"), ("p\n", "h3")):
        filled(queue, "a", 2, opening=opening, header=header)
    warm = frozenset({"o\n", "p\n", "q\n"})
    assert [taken(queue, warm=warm).question.header for _ in range(8)] == ["h1", "h2", "h3"] * 2 + ["", ""]


def test_a_dropped_job_is_not_counted_and_not_taken() -> None:
    dropped: list[Job] = []
    queue = JobQueue(dropped.append)
    jobs = filled(queue, "a", 3)
    for one in jobs[:2]:
        one.waiting[0][1].cancel()
    assert queue.take() is jobs[2] and dropped == jobs[:2] and len(queue) == 0


def work_through(queue: JobQueue, jobs: list[Job]) -> None:
    """Put, join, take and charge all jobs, as a pool does that asks for the length with each of them."""
    for one in jobs:
        queue.put(one)
        queue.join(one, "everybody")
        len(queue)
    near = None
    for _ in jobs:
        one = taken(queue, near=near, warm=frozenset({"o\n"}))
        near = one.question
        queue.charge(one, 0.01)
        len(queue)


def lines_run(work: Callable[[], None]) -> int:
    """How many lines of Python `work` runs: its cost, whatever else the machine does meanwhile."""
    lines = 0

    def tracer(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal lines
        lines += event == "line"
        return tracer

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        work()
    finally:
        sys.settrace(before)
    return lines


MANY: dict[str, Callable[[int], Job]] = {
    "clients": lambda i: job(f"client {i}", name=str(i)),
    "headers": lambda i: job("a", header=f"-- {i}", name=str(i)),
    "cold headers": lambda i: job("a", header=f"-- {i}", opening=f"import M{i % 2}\n", name=str(i)),
    "openings": lambda i: job("a", opening=f"import M{i}\n", name=str(i)),
    "scopes": lambda i: job("a", scope=str(i), name=str(i)),
    "jobs": lambda i: job("a", name=str(i)),
}


@pytest.mark.parametrize("kind", MANY)
def test_ten_times_as_many_cost_about_ten_times_as_much(kind: str) -> None:
    """A queue that is linear in what waits would need a hundred times as much."""

    def cost(count: int) -> int:
        jobs = [MANY[kind](i) for i in range(count)]
        return lines_run(lambda: work_through(a_queue(), jobs))

    assert cost(2_000) < 15 * cost(200)


def test_a_job_that_thousands_wait_for_costs_each_of_them_once() -> None:
    def cost(count: int) -> int:
        queue = a_queue()
        shared, others = job("first", name="shared"), [job("busy", name=str(i)) for i in range(count)]

        def work() -> None:
            queue.put(shared)
            for number in range(count):
                queue.join(shared, f"client {number}")
            for one in others:
                queue.put(one)
            for _ in range(count):
                taken(queue)
            queue.charge(shared, 1.0)

        return lines_run(work)

    assert cost(2_000) < 15 * cost(200)


def test_a_full_queue_says_when_to_come_back() -> None:
    with Pool(1, timeout=60, queue_limit=3) as pool:
        futures = [pool.submit(HANG)]
        with pytest.raises(QueueFull, match="queue is full") as caught:
            for check in neighbours(8):
                futures.append(pool.submit(Check(check.id, GOOD.replace("good", check.id), "h")))
        assert 1 <= caught.value.retry_after <= 60
    assert all(future.result(timeout=5).kind in ("unavailable", "accepted") for future in futures)


def test_a_withdrawn_check_is_not_run() -> None:
    with Pool(1, timeout=3) as pool:
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
    with Pool(1, timeout=60, heartbeats=4_000) as pool:
        threads = [threading.Thread(target=lambda i=i: answers.append(pool.submit(Check(str(i), GOOD, "h")))) for i in range(8)]
        hang = pool.submit(Check("slow", "theorem t (h : ∀ p : Prop, p → p) : False := by sorry", "by repeat apply h"))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {future.result().id for future in answers} == {str(i) for i in range(8)}
        assert hang.result().accepted is False
        assert sum(pool.status().verdicts.values()) <= 3
