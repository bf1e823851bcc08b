"""A process that uses the slow tier, for tests that kill it: prints the tier's folder, then judges a proof that hangs."""

from lean_worker.candidate import Candidate
from lean_worker.embedded.build import ensure_core
from lean_worker.embedded.slow_phases import SlowLimits
from lean_worker.embedded.slow_tier import SlowTier
from lean_worker.statement import split_statement

HANG = "theorem t : Nat.div.go (2 ^ 60) (2 ^ 60) 1 = 0 := by sorry"

if __name__ == "__main__":
    with SlowTier(ensure_core(), SlowLimits(seconds=120)) as tier:
        print(tier.folder, flush=True)
        tier.recheck("", split_statement(HANG), Candidate("by decide +kernel"))
