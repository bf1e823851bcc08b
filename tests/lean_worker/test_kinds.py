"""Kinds of verdict, from what Lean really says."""

import pytest

from lean_worker.document import Answer
from lean_worker.kinds import kind_of, kind_of_axioms, ran_out, refused_unread
from lean_worker.pool import Pool
from lean_worker.proof_filter import filter_proof
from lean_worker.protocol import Check, Message

SUMS = " + ".join(f"x{i}" for i in range(24))
AC = (
    f"theorem t ({' '.join(f'x{i}' for i in range(24))} : Nat) : {SUMS} = {' + '.join(reversed(SUMS.split(' + ')))} := by sorry",
    "by simp [Nat.add_comm, Nat.add_left_comm, Nat.add_assoc]",
)
APPLY = "theorem t (h : ∀ p : Prop, p → p) (q : Prop) : q ∧ False := by sorry"
DESCENT = "theorem t (p : Nat → Prop) (h : ∀ n, p (n+1) → p n) : p 0 := by sorry"


def error(text: str) -> Message:
    return Message("error", 1, 0, 1, 0, text)


@pytest.mark.lean
@pytest.mark.parametrize(
    ("statement", "proof", "kind"),
    [
        (*AC, "heartbeats"),  # nested in the error of a tactic
        (DESCENT, "by repeat' apply h", "heartbeats"),
        (APPLY, "by\n  constructor\n  · exact nothing\n  · repeat apply h", "error"),  # wrong whatever the limit
        (APPLY, "by\n  constructor\n  · repeat apply h\n  · exact nothing", "heartbeats"),  # Lean stops at the limit
        (APPLY, "by exact nothing", "error"),
        ("theorem t : 2 + 2 = 5 := by sorry", "by decide", "error"),
        ("theorem t : 2 + 2 = 4 := by sorry", "by decide", "accepted"),
    ],
)
def test_lean_s_own_messages(statement: str, proof: str, kind: str) -> None:
    with Pool(1, timeout=60, heartbeats=1000) as pool:
        verdict = pool.submit(Check("c", statement, proof)).result()
    answer = Answer(messages=verdict.messages, axioms=verdict.axioms)
    assert kind_of(answer) == kind, verdict.messages


def test_order_of_what_went_wrong() -> None:
    late = error("(deterministic) timeout at `whnf`, maximum number of heartbeats (200000) has been reached")
    assert kind_of(Answer(statement_errors=(late,))) == "statement"
    assert kind_of(Answer(messages=(late,)), finished=False) is None
    assert kind_of(Answer()) is None  # the audit was not reached
    assert kind_of(Answer(mismatch="another type", axioms=())) == "mismatch"
    assert kind_of(Answer(unclear="not under another name")) == "unreadable"
    assert kind_of(Answer(messages=(late,), axioms=())) == "heartbeats"
    assert kind_of(Answer(messages=(late, error("unsolved goals")), axioms=())) == "error"
    assert kind_of(Answer(axioms=("sorryAx",)), has_candidate=False) == "accepted"
    assert kind_of(Answer(axioms=("sorryAx", "propext"))) == "hole"
    assert kind_of(Answer(axioms=("propext", "cheat"))) == "axiom"
    assert kind_of_axioms(("propext", "Classical.choice", "Quot.sound")) == "accepted"
    assert kind_of(Answer(refused="line 3 begins a command", axioms=())) == "forbidden"


@pytest.mark.parametrize(
    "text",
    [
        "(deterministic) timeout at `whnf`, maximum number of heartbeats (4000) has been reached\nNote: Use `set_option",
        "Tactic `simp` failed with a nested error:\n(deterministic) timeout at `«Lean.Meta.acLt»`, maximum number of heartbeats (1000) has",
        "(deterministic) timeout at\n  `elaborator`, maximum number of heartbeats (200000) has been reached",
        "(kernel) deterministic timeout",
    ],
)
def test_ways_to_run_out(text: str) -> None:
    assert ran_out([error(text)])
    assert not ran_out([]) and not ran_out([Message("warning", 1, 0, 1, 0, text)])


def test_a_deep_recursion_is_an_error() -> None:
    assert not ran_out([error("maximum recursion depth has been reached\nuse `set_option maxRecDepth <num>` to increase limit")])


@pytest.mark.parametrize(
    ("proof", "kind"),
    [
        ("by sorry", "hole"),
        ("by\n  have h : 1 = 1 := sorry\n  admit", "hole"),
        ("sorryAx _ true", "hole"),
        ("by native_decide", "forbidden"),
        ('by\n  run_tac logInfo "sorry"', "forbidden"),
        ("by\n  set_option debug.skipKernelTC true in simp", "forbidden"),
    ],
)
def test_refusals_of_the_filter(proof: str, kind: str) -> None:
    refused = filter_proof(proof)
    assert refused is not None and ("hole" if refused.hole else "forbidden") == kind


def test_what_no_pool_reads() -> None:
    assert refused_unread(Check("c", "theorem t : True := by sorry", "trivial")) is None
    for check, kind in (
        (Check("c", "theorem t : True := by sorry", "x" * 1_000_000), "unreadable"),
        (Check("c", "x" * 1_000_000, "x"), "unreadable"),
        (Check("c", "x", "x", "x" * 10_000_000), "unreadable"),
        (Check("c", "x", "\ud800"), "forbidden"),
        (Check("c", "\ud800", "x"), "statement"),
        (Check("c", "x", "x", "\ud800"), "statement"),
    ):
        refused = refused_unread(check)
        assert refused is not None and refused[0] == kind and ";" in refused[1]
