"""The pool of Lean processes against a fresh process for every check: the same proofs, the same verdicts."""

import tyro
from common import report, seconds

from lean_worker.embedded.backend import ForkBackend
from lean_worker.embedded.build import ensure_core
from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict

PROOFS = ("by rw [Nat.add_comm a b, Nat.add_comm]", "by simp [Nat.add_comm]", "by\n  rw [Nat.add_comm]", "by rfl")


def checks(count: int) -> list[Check]:
    """Distinct small theorems about Nat, each with a proof that may or may not do."""
    return [
        Check(id=str(i), statement=f"theorem t (a b : Nat) : a + b + {i} = {i} + (b + a) := by sorry", proof=PROOFS[i % len(PROOFS)])
        for i in range(count)
    ]


def main(count: int = 400, processes: int = 20, workers: int = 2, timeout: float = 10.0) -> None:
    """Measures checks per second of both.

    Args:
      count: Checks that the pool makes.
      processes: Checks that are made in a process of their own; the first of the same.
      workers: Processes of the pool; as many fresh processes run at once.
      timeout: Wall clock of one check.
    """
    core, asked = ensure_core(), checks(count)

    def alone(check: Check) -> Verdict:
        with Pool(workers=1, timeout=timeout, batch=1, backend=ForkBackend(core)) as pool:
            return pool.submit(check).result()

    verdicts: list[Verdict] = []
    with Pool(workers=workers, timeout=timeout, backend=ForkBackend(core)) as pool:
        # The pool starts its processes with the first checks; that is paid once and not per check.
        pool.check_many(checks(workers))
        pool_seconds = seconds(lambda: verdicts.extend(pool.check_many(asked)))
    fresh: list[Verdict] = []
    process_seconds = seconds(lambda: fresh.extend(map(alone, asked[:processes])))
    same = all((a.accepted, a.kind) == (b.accepted, b.kind) for a, b in zip(verdicts, fresh))
    pool_rate, process_rate = count / pool_seconds, len(fresh) / process_seconds
    report(
        "lean_worker",
        checks=count,
        workers=workers,
        accepted=sum(v.accepted is True for v in verdicts),
        no_verdict=sum(v.accepted is None for v in verdicts),
        same_verdicts=same,
        checks_per_second_pool=pool_rate,
        checks_per_second_process=process_rate,
        ratio_pool_vs_process=pool_rate / process_rate,
    )


if __name__ == "__main__":
    tyro.cli(main)
