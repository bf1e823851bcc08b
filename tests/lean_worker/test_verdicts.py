"""Verdicts of the real kernel: right proofs, wrong proofs, wrong statements, and where Lean's words point to."""

import msgspec
import pytest

from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict

pytestmark = pytest.mark.lean

SWAP = "theorem swap (p q : Prop) : p ∧ q → q ∧ p := by sorry"
EXISTS = "theorem ex (p q : Nat → Prop) (h : ∃ x, p x ∧ q x) : ∃ x, q x ∧ p x := by\n  sorry"
COMM = "theorem comm (a b : Nat) : a + b = b + a := sorry"

RIGHT = [
    (SWAP, "by\n  intro h\n  exact ⟨h.2, h.1⟩"),
    (SWAP, "fun h => ⟨h.2, h.1⟩"),
    (SWAP, ":= fun h => ⟨h.2, h.1⟩"),
    (SWAP, ":=\n  fun h => ⟨h.2, h.1⟩"),
    (SWAP, "| ⟨hp, hq⟩ => ⟨hq, hp⟩"),
    (EXISTS, "by\n  cases h with\n  | intro x hx => exact ⟨x, hx.2, hx.1⟩"),
    (COMM, "by\n  induction b with\n  | zero => simp\n  | succ n ih => rw [← Nat.add_assoc, ih, Nat.succ_add]"),
    ("theorem rec : ∀ n : Nat, 0 + n = n := by sorry", "| 0 => rfl\n  | n + 1 => congrArg Nat.succ (rec n)"),
    ("theorem em' (p : Prop) : p ∨ ¬p := by sorry", "Classical.em p"),
    ("example (l : List Nat) : l.reverse.reverse = l := by sorry", "by simp"),
    ("lemma len (l m : List α) : (l ++ m).length = (m ++ l).length := by sorry", "by simp [Nat.add_comm]"),
    ("theorem Nat.dotted (n : Nat) : n ≤ n + 1 := by sorry", "le_succ n"),
    ("@[simp] private theorem marked : 1 + 1 = 2 := by sorry", "rfl"),
    ("namespace Inner\n@[simp] protected theorem marked : 1 + 1 = 2 := by sorry", "rfl"),
    ("def two := 2\n\ntheorem two_eq : two = 2 := by sorry", "rfl"),
    ("theorem open_ended : 1 = 1 := by", "simp"),
    ("theorem open_term : 1 = 1 :=", "rfl"),
    ("def number : Nat := sorry", "3"),
    ("instance : Inhabited Nat := sorry", "⟨3⟩"),
    ("theorem big : 2 ^ 64 = 18446744073709551616 := by sorry", "by decide"),
    ("theorem poly.{u} {α : Type u} (x : α) : x = x := by sorry", "rfl"),
]

WRONG = [
    (SWAP, "by\n  intro h\n  exact ⟨h.1, h.2⟩"),
    (SWAP, "by intro h"),
    (SWAP, "by exact ((h"),
    (SWAP, "fun h => ⟨h.2, h.1⟩)"),
    (SWAP, "by\n  no_such_tactic"),
    (COMM, "by rfl"),
    ("theorem f : 2 + 2 = 5 := by sorry", "by decide"),
    ("theorem loop : 1 = 2 := by sorry", "loop"),
]


def ask(pool: Pool, statement: str, proof: str, header: str = "") -> Verdict:
    return pool.submit(Check("it", statement, proof, header)).result(timeout=60)


def test_right_proofs_are_accepted(pool: Pool) -> None:
    verdicts = pool.check_many([Check(str(i), *pair) for i, pair in enumerate(RIGHT)])
    assert [(RIGHT[int(v.id)], v.messages) for v in verdicts if v.kind != "accepted"] == []


def test_wrong_proofs_are_errors_with_words(pool: Pool) -> None:
    verdicts = pool.check_many([Check(str(i), *pair) for i, pair in enumerate(WRONG)])
    assert [v.kind for v in verdicts] == ["error"] * len(WRONG)
    assert all(any(m.severity == "error" and m.text for m in v.messages) for v in verdicts)


def test_a_batch_says_what_each_check_alone_is_told(pool: Pool) -> None:
    pairs = RIGHT[:6] + WRONG
    together = pool.check_many([Check(str(i), *pair) for i, pair in enumerate(pairs)])
    with Pool(1, batch=1) as single:
        alone = single.check_many([Check(str(i), *pair) for i, pair in enumerate(pairs)])
    same = [msgspec.structs.replace(verdict, seconds=0.0) for verdict in together]
    assert same == [msgspec.structs.replace(verdict, seconds=0.0) for verdict in alone]


def test_axioms_are_those_of_the_proof(pool: Pool) -> None:
    assert ask(pool, SWAP, "fun h => ⟨h.2, h.1⟩").axioms == ()
    assert ask(pool, "theorem e (p : Prop) : p ∨ ¬p := by sorry", "Classical.em p").axioms == ("propext", "Classical.choice", "Quot.sound")


def test_axioms_keep_their_full_names_under_open(pool: Pool) -> None:
    verdict = ask(pool, "theorem e (p : Prop) : p ∨ ¬p := by sorry", "em p", "open Classical")
    assert verdict.kind == "accepted" and "Classical.choice" in verdict.axioms


def test_messages_point_into_statement_and_proof(pool: Pool) -> None:
    verdict = ask(pool, "theorem here (p : Prop) :\n    p → p := by sorry", "by\n  intro h\n  exact nowhere")
    assert [(m.line, m.column, m.end_line, m.end_column) for m in verdict.messages] == [(4, 8, 4, 15)]
    assert "nowhere" in verdict.messages[0].text


def test_columns_are_those_of_the_given_text(pool: Pool) -> None:
    proof = "by exact nowhere"
    for statement in ("theorem α_long_name : 1 = 1 := by sorry", "example : 1 = 1 := by sorry", "lemma x : 1 = 1 := by sorry"):
        verdict = ask(pool, statement, proof)
        expected = statement.index(":= by sorry") + len(":= by exact ")
        assert [(m.line, m.column) for m in verdict.messages] == [(1, expected)], statement


def test_messages_do_not_show_the_harness(pool: Pool) -> None:
    verdict = ask(pool, "theorem loop (n : Nat) : n = n + 1 := by sorry", "loop n")
    assert verdict.kind == "error"
    assert all("Candidate" not in m.text and "Judge" not in m.text for m in verdict.messages)


def test_an_unfinished_proof_ends_where_it_ends(pool: Pool) -> None:
    for proof, line in (("by exact (", 1), ("by\n  exact (", 2)):
        (message,) = [m for m in ask(pool, SWAP, proof).messages if "unexpected" in m.text]
        assert message.text.startswith("unexpected end of input")
        assert message.line == message.end_line == line


def test_a_header_belongs_to_the_statement(pool: Pool) -> None:
    header = "namespace Mine\ndef twice (n : Nat) : Nat := n + n\nvariable (k : Nat)"
    verdict = ask(pool, "theorem t : twice k = k + k := by sorry", "rfl", header)
    assert verdict.kind == "accepted", verdict


def test_an_axiom_of_the_header_is_found(pool: Pool) -> None:
    verdict = ask(pool, "theorem t : 1 = 2 := by sorry", "wrong.elim", "axiom wrong : False")
    assert (verdict.kind, verdict.accepted, verdict.axioms) == ("axiom", False, ("wrong",))


@pytest.mark.parametrize(
    ("statement", "header"),
    [
        ("theorem t : undefined_thing = 1 := by sorry", ""),
        ("theorem t : 1 = := by sorry", ""),
        ("theorem t : Nat := by sorry", ""),
        ("theorem t : 1 = 1 := by sorry", "def x : Nat := true_thing"),
        ("theorem t : 1 = 1 := by sorry", "set_option debug.skipKernelTC true"),
        ("theorem t : 1 = 1 := by sorry", "#exit"),
        ("theorem t : 1 = 1 := by sorry", "theorem unfinished : 1 = 1 :="),
    ],
)
def test_a_bad_statement_is_no_candidates_fault(pool: Pool, statement: str, header: str) -> None:
    verdict = ask(pool, statement, "rfl", header)
    assert verdict.kind == "statement", verdict
    assert verdict.messages


@pytest.mark.parametrize(
    ("statement", "header"),
    [
        ("theorem t : 1 = 1", ""),
        ("theorem t : 1 = 1 := rfl /- := by sorry", ""),
        ("theorem : 1 = 1 := by sorry", ""),
        ("theorem t : 1 = 1 := by sorry", "/- open"),
        ("theorem t : 1 = 1 := by sorry", "import Lean"),
    ],
)
def test_what_this_harness_cannot_read_is_not_judged(pool: Pool, statement: str, header: str) -> None:
    verdict = ask(pool, statement, "rfl", header)
    assert (verdict.kind, verdict.accepted) == ("unreadable", None)
    assert verdict.messages


def test_statements_alone(pool: Pool) -> None:
    reports = pool.check_statements([SWAP, "theorem t : undefined_thing = 1 := by sorry", COMM, "theorem u : 1 = 1"])
    assert [report.elaborates for report in reports] == [True, False, True, None]
    assert "undefined_thing" in reports[1].messages[0].text


def test_a_message_about_the_header_lies_before_the_statement(pool: Pool) -> None:
    report = pool.check_statement(SWAP, "def one : Nat := 1\ndef two : Nat := nowhere\ndef three : Nat := 3")
    assert report.elaborates is False
    assert (report.messages[0].line, report.messages[0].column) == (-1, 17)


def test_versions_name_what_judged(pool: Pool) -> None:
    verdict = ask(pool, SWAP, "fun h => ⟨h.2, h.1⟩")
    assert (verdict.lean, verdict.library, verdict.backend) == (pool.backend.lean, pool.backend.library, pool.backend.name)
    assert verdict.seconds > 0


def test_a_header_may_hold_comments_alone(pool: Pool) -> None:
    header = "-- what a user wrote\n\n/- and more -/\n"
    verdicts = pool.check_many([Check("right", SWAP, "fun h => ⟨h.2, h.1⟩", header), Check("wrong", SWAP, "fun h => h", header)])
    assert [verdict.kind for verdict in verdicts] == ["accepted", "error"]


@pytest.mark.parametrize(
    ("statement", "proof", "kind"),
    [
        ("theorem and_self_iff (p : Prop) : p ∧ p ↔ p := by sorry", "⟨fun h => h.1, fun h => ⟨h, h⟩⟩", "accepted"),
        (
            "theorem Nat.add_comm (n m : Nat) : n + m = m + n := by sorry",
            "theorem h : 1 = 1 := rfl\ntheorem Nat.add_comm (n m : Nat) : n + m = m + n := by\n  omega",
            "accepted",
        ),
        ("theorem Nat.add_comm (n m : Nat) : n + m = m + n + 1 := by sorry", "_root_.Nat.add_comm n m", "error"),
    ],
)
def test_a_statement_may_have_a_name_of_the_library(pool: Pool, statement: str, proof: str, kind: str) -> None:
    assert ask(pool, statement, proof).kind == kind
