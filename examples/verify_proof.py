"""Verify proofs with an embedded Lean: `python examples/verify_proof.py`."""

from lean_worker import Check, Pool

STATEMENT = "theorem add_zero' (a b : Nat) : a + b + 0 = b + a := by sorry"


def main() -> None:
    with Pool(workers=1, timeout=30.0) as pool:
        for name, proof in (("right", "by rw [Nat.add_zero, Nat.add_comm]"), ("wrong", "by rfl"), ("empty", "by sorry")):
            verdict = pool.submit(Check(name, STATEMENT, proof)).result()
            print(f"{name}: accepted={verdict.accepted} kind={verdict.kind}")
            for message in verdict.messages:
                print(f"  line {message.line}: {message.text.splitlines()[0]}")


if __name__ == "__main__":
    main()
