"""Heartbeats: how many proofs of core Lean each limit accepts, and how long a runaway lasts under it.

A heartbeat of the option `maxHeartbeats` is a thousand small allocations. The limit must leave room for a hard proof and end a runaway
within the time limit, because a timeout is no verdict and would be retried.
"""

from pathlib import Path

import msgspec
import tyro
from common import report

from lean_worker.connect import open_lean
from lean_worker.lean_config import LeanConfig
from lean_worker.protocol import Check, Verdict

_TIMEOUT_SECONDS = 120.0


def _sum(count: int, backwards: bool = False) -> str:
    return " + ".join(f"x{i}" for i in (reversed(range(count)) if backwards else range(count)))


def _variables(count: int) -> str:
    return " ".join(f"x{i}" for i in range(count))


def hard() -> list[Check]:
    """Return proofs that take automation many steps, in growing sizes."""
    found = []
    for n in (4, 6, 8):
        cases = " ".join(f"(h{i} : x{i} = 0 ∨ x{i} = 1)" for i in range(n))
        found.append(Check(f"omega-{n}", f"theorem t ({_variables(n)} : Int) {cases} : {_sum(n)} ≤ {n} := by sorry", "by omega"))
    for n in (8, 16, 24):
        statement = f"theorem t ({_variables(n)} : Nat) : {_sum(n)} = {_sum(n, True)} := by sorry"
        found.append(Check(f"simp-{n}", statement, "by simp [Nat.add_comm, Nat.add_left_comm, Nat.add_assoc]"))
    for n in (16, 32):
        found.append(Check(f"ac-{n}", f"theorem t ({_variables(n)} : Nat) : {_sum(n)} = {_sum(n, True)} := by sorry", "by ac_rfl"))
    for n in (5, 7, 9):
        both = " && ".join(f"x{i}" for i in range(n)), " && ".join(f"x{i}" for i in reversed(range(n)))
        split = " <;> ".join(f"cases x{i}" for i in range(n))
        found.append(
            Check(f"cases-{n}", f"theorem t ({_variables(n)} : Bool) : ({both[0]}) = ({both[1]}) := by sorry", f"by {split} <;> rfl")
        )
    for n in (4, 6):
        lemmas = "Nat.mul_add, Nat.add_mul, Nat.mul_comm, Nat.mul_left_comm, Nat.add_comm, Nat.add_left_comm, Nat.add_assoc"
        statement = f"theorem t ({_variables(n)} : Nat) : ({_sum(n)}) * ({_sum(n)}) = ({_sum(n, True)}) * ({_sum(n)}) := by sorry"
        found.append(Check(f"distribute-{n}", statement, f"by simp [{lemmas}]"))
    return found


def runaways() -> list[Check]:
    """Return wrong proofs that end only at a limit."""
    return [
        Check("apply", "theorem t (h : ∀ p : Prop, p → p) : False := by sorry", "by repeat apply h"),
        Check("descend", "theorem t (p : Nat → Prop) (h : ∀ n, p (n+1) → p n) : p 0 := by sorry", "by repeat' apply h"),
    ]


def _read(path: Path) -> list[Check]:
    rows = [msgspec.json.decode(line) for line in path.read_bytes().splitlines() if line.strip()]
    return [Check(row["name"], row["formal_statement"], row["proof"], row.get("header", ""), helpers=True) for row in rows]


def main(limits: tuple[int, ...] = (1_000, 4_000, 20_000), *, data: Path | None = None, workers: int = 1) -> None:
    """Print one JSON line: for each limit, the proofs accepted, and seconds and kind of each runaway.

    Args:
      limits: Limits in heartbeats; the ratio compares the first with the last.
      data: Folder with core_*.jsonl, or one that contains it as `proofs`; its proofs are counted too.
      workers: Number of Lean processes.
    """
    folder = data / "proofs" if data is not None and (data / "proofs").is_dir() else data
    rows = [check for path in sorted(folder.glob("core_*.jsonl")) for check in _read(path)] if folder is not None else []
    found: dict[str, dict[str, object]] = {}
    accepted: list[int] = []
    for limit in limits:
        with open_lean(LeanConfig(heartbeats=limit, timeout=_TIMEOUT_SECONDS, workers=workers), trusted_headers=True) as pool:
            own, public = pool.check_many(hard()), pool.check_many(rows)
            ran = [pool.submit(check).result() for check in runaways()]
        accepted.append(_accepted(own))
        found[str(limit)] = {
            "hard_accepted": _accepted(own),
            "accepted": _accepted(public),
            "runaways": {verdict.id: [round(verdict.seconds, 2), verdict.kind] for verdict in ran},
        }
    report("heartbeats", hard=len(hard()), total=len(rows), limits=found, ratio_accepted_last_vs_first=accepted[-1] / max(1, accepted[0]))


def _accepted(verdicts: list[Verdict]) -> int:
    return sum(verdict.accepted is True for verdict in verdicts)


if __name__ == "__main__":
    tyro.cli(main)
