"""Benchmark of a pool on distinct small theorems, one in five with a wrong proof: throughput, latency and memory."""

import time
from collections import deque
from concurrent.futures import Future
from itertools import islice

import msgspec

from lean_worker.lean_pool import LeanPool
from lean_worker.protocol import Check, Verdict

# statement with {i} for a number, right proof, wrong proof
_THEOREMS = (
    ("(a b : Nat) : a + b + {i} = {i} + (b + a)", "by rw [Nat.add_comm a b, Nat.add_comm]", "by rfl"),
    ("(p q r : Prop) (h : p ∧ q ∧ r) (k : {i} = {i}) : r ∧ p", "⟨h.2.2, h.1⟩", "⟨h.1, h.2.2⟩"),
    (
        "(p q : Prop) (n : Nat) (h : p ∨ q) (k : n = {i}) : q ∨ p",
        "by\n  cases h with\n  | inl hp => exact Or.inr hp\n  | inr hq => exact Or.inl hq",
        "h",
    ),
    ("(n : Nat) : 0 + n + {i} = n + {i}", "by\n  induction n with\n  | zero => rfl\n  | succ n ih => simp", "by exact ih"),
    ("(l m : List Nat) : (l ++ m ++ [{i}]).length = 1 + m.length + l.length", "by simp [Nat.add_comm, Nat.add_left_comm]", "by rfl"),
    ("(f : Nat → Nat) (a b : Nat) (h : a = b) : f a + {i} = f b + {i}", "by rw [h]", "by simp"),
    ("(p : Nat → Prop) (h : ∀ n, p n → p (n + 1)) (z : p {i}) : p ({i} + 2)", "h _ (h _ z)", "h _ z"),
    ("(a b c : Nat) (h : a ≤ b) (k : b ≤ c) : a ≤ c + {i}", "Nat.le_trans (Nat.le_trans h k) (Nat.le_add_right c {i})", "Nat.le_trans h k"),
)


class Speed(msgspec.Struct, frozen=True):
    """Speed of a pool: checks per second when all are submitted at once; latency in seconds with `workers` checks in flight; resident bytes
    of Lean."""

    checks_per_second: float
    p50: float
    p99: float
    memory_bytes: int
    accepted: int
    rejected: int
    no_verdict: int


def sample_checks(count: int) -> list[Check]:
    """Return distinct checks, one in five wrong."""
    checks = []
    for i in range(count):
        statement, right, wrong = _THEOREMS[i // 5 % len(_THEOREMS)]
        proof = wrong if i % 5 == 4 else right
        checks.append(Check(str(i), f"theorem t {statement.replace('{i}', str(i))} := by sorry", proof.replace("{i}", str(i))))
    return checks


def grouped_checks(count: int, attempts: int) -> list[Check]:
    """Return distinct checks in groups of `attempts` on one statement, one in five wrong."""
    checks = []
    for i in range(count):
        statement, right, wrong = _THEOREMS[i // attempts % len(_THEOREMS)]
        number = str(i // attempts)
        proof = (wrong if i % 5 == 4 else right).replace("{i}", number)
        checks.append(Check(str(i), f"theorem t {statement.replace('{i}', number)} := by sorry", f"{proof}  -- attempt {i}"))
    return checks


def latencies(pool: LeanPool, checks: list[Check]) -> tuple[list[float], list[Verdict]]:
    """Return sorted latencies in seconds, with as many checks in flight as the pool has workers, and the verdicts in order."""
    waiting: deque[tuple[float, Future[Verdict]]] = deque()
    ended: dict[int, float] = {}
    verdicts: list[Verdict] = []
    times: list[float] = []
    left, workers = iter(checks), pool.status().workers
    while True:
        for check in islice(left, workers - len(waiting)):
            future = pool.submit(check)
            future.add_done_callback(lambda done: ended.__setitem__(id(done), time.perf_counter()))
            waiting.append((time.perf_counter(), future))
        if not waiting:
            return sorted(times), verdicts
        began, future = waiting.popleft()
        verdicts.append(future.result())
        times.append(ended.pop(id(future), time.perf_counter()) - began)


def measure(pool: LeanPool, checks: list[Check]) -> tuple[Speed, list[Verdict]]:
    """Return the figures of a pool after a warm-up, and the verdicts. A quarter of the checks is run one by one for the latency."""
    pool.check_many(sample_checks(2 * pool.status().workers))
    start = time.perf_counter()
    verdicts = pool.check_many(checks)
    rate = len(checks) / (time.perf_counter() - start)
    times, _ = latencies(pool, sample_checks(max(8, len(checks) // 4)))
    answers = [verdict.accepted for verdict in verdicts]
    return Speed(
        checks_per_second=rate,
        p50=times[len(times) // 2],
        p99=times[min(len(times) - 1, len(times) * 99 // 100)],
        memory_bytes=pool.status().memory_bytes,
        accepted=answers.count(True),
        rejected=answers.count(False),
        no_verdict=answers.count(None),
    ), verdicts
