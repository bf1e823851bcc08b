"""Soak test: thousands of checks, some of which hang, exhaust memory or crash, while workers are killed; each needs one right answer."""

import os
import random
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future

import msgspec

from lean_worker.pool import Pool
from lean_worker.processes import kill, tree_memory
from lean_worker.protocol import Check, Kind, Verdict
from lean_worker.tools.benchmark import sample_checks

HANG = ("theorem t (h : {i} = {i}) : Nat.div.go (2 ^ 60) (2 ^ 60) 1 = 0 := by sorry", "by decide +kernel")
HOG = ("theorem t (h : {i} = {i}) : Nat.shiftLeft 1 (2 ^ 38) = 0 := by sorry", "by decide +kernel")
CRASH = ("theorem t (h : {i} = {i}) : Nat.pow 2 (2 ^ 63) = Nat.shiftLeft 1 (2 ^ 38) := by sorry", "by decide +kernel")
_ALLOWED: dict[str, set[Kind]] = {
    "right": {"accepted", "unavailable"},
    "wrong": {"error", "unavailable"},
    "hang": {"timeout", "unavailable"},
    "hog": {"crash", "timeout", "error", "heartbeats", "unavailable"},
    "crash": {"crash", "timeout", "error", "heartbeats", "unavailable"},
}


class SoakReport(msgspec.Struct, frozen=True):
    """Result of a soak test. `mistakes` are verdicts that must not occur: a wrong proof accepted, a right one rejected, a missing or double
    answer.

    `memory_bytes`: resident bytes of Lean and of this process, early and at the end.
    """

    checks: int
    seconds: float
    verdicts: dict[str, int]
    workers_killed: int
    mistakes: tuple[str, ...]
    memory_early_bytes: int
    memory_end_bytes: int


def soak_checks(count: int, trouble: float, seed: int) -> list[tuple[str, Check]]:
    """Return small theorems, one in five wrong; `trouble` is the fraction of each kind of trouble."""
    rng = random.Random(seed)
    out = []
    for i, check in enumerate(sample_checks(count)):
        draw = rng.random()
        for number, (name, (statement, proof)) in enumerate((("hang", HANG), ("hog", HOG), ("crash", CRASH))):
            if number * trouble <= draw < (number + 1) * trouble:
                out.append((name, Check(check.id, statement.replace("{i}", str(i)), proof)))
                break
        else:
            out.append(("wrong" if i % 5 == 4 else "right", check))
    return out


def soak(
    pool: Pool,
    count: int,
    *,
    trouble: float = 0.01,
    kill_every: float = 5.0,
    seed: int = 0,
    in_flight: int = 512,
    on_progress: Callable[[int], None] = lambda _: None,
) -> SoakReport:
    """Run all checks with `in_flight` of them in progress, and kill a random worker every `kill_every` seconds."""
    asked = soak_checks(count, trouble, seed)
    answers: Counter[int] = Counter()
    stop, killed = threading.Event(), Counter[str]()
    killer = threading.Thread(target=_kill_now_and_then, args=(pool, kill_every, stop, killed, seed), daemon=True)
    killer.start()
    began, early = time.monotonic(), 0
    verdicts: Counter[str] = Counter()
    mistakes: list[str] = []
    flying: deque[tuple[int, str, Future[Verdict]]] = deque()

    def answered(number: int) -> Callable[[object], None]:
        return lambda _: answers.update([number])

    def land() -> None:
        number, kind, future = flying.popleft()
        verdict = future.result(timeout=600)
        verdicts[verdict.kind] += 1
        if verdict.kind not in _ALLOWED[kind] or verdict.id != str(number):
            mistakes.append(f"{kind} {number}: {verdict.kind} {[message.text[:80] for message in verdict.messages]}")

    for number, (kind, check) in enumerate(asked):
        future = pool.submit(check)
        future.add_done_callback(answered(number))
        flying.append((number, kind, future))
        while len(flying) >= in_flight:
            land()
        if number == count // 5:
            early = _memory(pool)
        if number % 100 == 0:
            on_progress(number)
    while flying:
        land()
    stop.set()
    killer.join()
    mistakes += [f"check {number} was answered {answers[number]} times" for number in range(count) if answers[number] != 1]
    return SoakReport(count, time.monotonic() - began, dict(verdicts), killed["workers"], tuple(mistakes), early, _memory(pool))


def _kill_now_and_then(pool: Pool, every: float, stop: threading.Event, killed: Counter[str], seed: int) -> None:
    rng = random.Random(seed)
    while not stop.wait(every):
        if pids := pool.worker_pids:
            killed["workers"] += kill(rng.choice(pids))


def _memory(pool: Pool) -> int:
    return pool.status().memory_bytes + tree_memory(os.getpid(), descend=False)
