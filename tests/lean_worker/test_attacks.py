"""Every way we know to make a compile-only check accept a falsehood; none may be accepted, none may write or outlive its check."""

from pathlib import Path

import pytest

from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.screen import screen

FALSE = "theorem tgt : 2 + 2 = 5 := by sorry"

FORBIDDEN = {
    "sorry": "by sorry",
    "sorry term": "sorry",
    "sorry inside": "by have h : 2 + 2 = 5 := sorry\n   exact h",
    "admit": "by admit",
    "stop": "by\n  stop\n  rfl",
    "sorryAx": "sorryAx _",
    "sorryAx with arguments": "@sorryAx (2 + 2 = 5) true",
    "sorryAx in guillemets": "«sorryAx» _",
    "macro for sorry": 'by trivial\nmacro "qed!" : tactic => `(tactic| sorry)',
    "guarded messages": "by exact nope\n#guard_msgs (drop all) in\ntheorem more : 2 + 2 = 5 := nope",
    "warning switched off": "by set_option warn.sorry false in exact sorry",
    "proof as sorry": "by set_option debug.proofAsSorry true in rfl",
    "kernel check off, tactic": "by set_option debug.skipKernelTC true in decide",
    "kernel check off, term": "set_option debug.skipKernelTC true in (by decide)",
    "kernel check off, guillemets": "by set_option debug.«skipKernelTC» true in decide +kernel",
    "axiom after": "c.elim\naxiom c : False",
    "axiom in front": "rfl\naxiom c : False\ntheorem again : 2 + 2 = 5 := c.elim",
    "opaque": "v\nopaque v : 2 + 2 = 5",
    "native_decide": "by native_decide",
    "native decide, option": "by decide +native",
    "implemented_by": "rfl\n@[implemented_by x] def y := 1",
    "of_reduceBool": "Lean.ofReduceBool _ _ rfl",
    "namespace": "rfl\nnamespace Z\ntheorem tgt : True := trivial\nend Z",
    "operator redefined": 'rfl\nlocal infixl:65 (priority := high) " + " => fun (_ _ : Nat) => 5',
    "notation": 'rfl\nnotation "two" => 5',
    "instance redefined": "rfl\ninstance (priority := high) : HAdd Nat Nat Nat := ⟨fun _ _ => 5⟩",
    "attribute": "by\n  attribute [local simp] foo in\n  simp",
    "attribute list": "let rec @[simp] f : Nat := 1\nrfl",
    "open in": "by open Classical in exact em _",
    "variable": "rfl\nvariable (c : False)",
    "universe": "rfl\nuniverse u",
    "exit": "by exact nope\n#exit",
    "eval": "rfl\n#eval 1",
    "unclosed comment": "rfl /- ",
    "comment eats the audit": "by exact nope -/ /-",
    "unclosed string": 'by exact nope "',
    "fake audit": 'rfl\nmacro_rules | `(#print axioms $_:ident) => `(#eval "axioms: [propext]")',
    "environment edit": "by run_tac Lean.addDecl default",
    "elaborator": "by_elab return .const ``False []",
    "elab": 'rfl\nelab "x" : term => pure default',
    "extern": 'rfl\n@[extern "system"] opaque sh : Nat → Nat',
    "file read": 'include_str "/etc/passwd"',
    "end of slot": "rfl\nend",
    "a second theorem": "rfl\ntheorem tgt : 1 = 1 := rfl",
    "example": "rfl\nexample : True := trivial",
    "unsafe": "(unsafe rfl)",
    "partial": "let rec partial f := f; f",
    "initialize": "rfl\ninitialize x : Nat ← pure 1",
    "import": "rfl\nimport Lean",
    "search": "by exact?",
    "search apply": "by apply?",
    "search rw": "by rw?",
    "simp question": "by simp?",
    "sleep": "by sleep 100000",
    "trace": "by trace \"'tgt' does not depend on any axioms\"",
    "quotation": "by exact `(x)",
    "number runs into a command": "by exact 0xaopen",
    "λ runs into a command": "by exact λopen",
    "prefix string": 'by exact s!"{sorry}"',
    "string with a comment mark": 'by exact "/-" ▸ "-/"',
    "string with a command": 'by exact ("set_option" : Nat)',
    "documentation": "rfl /-- x -/",
    "control character": "by exact\u0000 rfl",
    "surrogate": "by exact \ud800 rfl",
    "bidirectional mark": "by exact \u202e rfl",
    "empty": "  -- nothing\n",
}

REJECTED_BY_LEAN = {
    "statement continued": ("theorem tgt : 2 + 2 = 5 := by sorry", "∨ True := .inr trivial"),
    "weaker by bracket": ("theorem tgt : (2 + 2 = 5) := by sorry", ") ∨ (True := trivial"),
    "open match continued": ("theorem tgt : match 0 with | 0 => 2 + 2 = 5 | _ + 1 => False := by sorry", "| _ => True := trivial"),
    "open match, alternatives": ("theorem tgt (n : Nat) : match n with | 0 => False | _ => False := by sorry", "| 5 => True := by trivial"),
    "equations": ("theorem tgt : False → 2 + 2 = 5 := by sorry", "| _ => rfl"),
    "closed bracket": (FALSE, "by exact (rfl"),
    "another proof by name": (FALSE, "tgt"),
    "harness by name": (FALSE, "Statement0.tgt"),
    "where": (FALSE, "h where h : 2 + 2 = 5 := h"),
    "where true": (FALSE, "h where h : True := trivial"),
    "let rec": (FALSE, "let rec h : 2 + 2 = 5 := h; h"),
    "local instance": (FALSE, "by\n  letI : HAdd Nat Nat Nat := ⟨fun _ _ => 5⟩\n  exact (rfl : 2 + 2 = 5)"),
    "decide": (FALSE, "by decide"),
    "kernel decide": (FALSE, "by decide +kernel"),
    "show another": (FALSE, "by\n  show 2 + 2 = 4\n  rfl"),
    "change": (FALSE, "by\n  change True\n  trivial"),
    "shadowed type": (FALSE, "(fun (Nat : Type) => rfl) Bool"),
    "termination": (FALSE, "tgt\ntermination_by 0"),
    "contradiction": (FALSE, "by contradiction"),
    "exact hole": (FALSE, "_"),
    "synthetic hole": (FALSE, "by refine ?_"),
    "exit inside text": (FALSE, "by exact nope -- #exit"),
    "axiom of choice misused": (FALSE, "Classical.choice ⟨rfl⟩"),
    "nothing left": (FALSE, "by skip"),
    "deep recursion": (FALSE, "(" * 5000 + "rfl" + ")" * 5000),
    "large numbers": ("theorem tgt : 2 ^ 100 = 3 ^ 63 := by sorry", "by decide"),
}

UNSCREENED = [
    "sorry",
    "sorryAx",
    "sorryAx in guillemets",
    "admit",
    "native_decide",
    "search",
    "search apply",
    "exit",
    "axiom after",
    "opaque",
    "sorry inside",
    "run_tac",
    "end of slot",
    "warning switched off",
    "proof as sorry",
    "guarded messages",
    "stop",
    "trace",
    "elaborator",
    "variable",
]


@pytest.mark.parametrize("name", FORBIDDEN)
def test_the_screen_refuses(name: str) -> None:
    assert screen(FORBIDDEN[name])


def test_what_the_screen_refuses_is_forbidden_and_never_runs(pool: Pool) -> None:
    verdicts = pool.check_many([Check(name, FALSE, proof) for name, proof in FORBIDDEN.items()])
    assert {verdict.kind for verdict in verdicts} == {"forbidden"}
    assert all(verdict.accepted is False and verdict.messages for verdict in verdicts)


def test_what_the_screen_lets_through_is_rejected_by_lean(pool: Pool) -> None:
    verdicts = pool.check_many([Check(name, *attack) for name, attack in REJECTED_BY_LEAN.items()])
    assert {v.id: v.kind for v in verdicts if v.accepted is not False} == {}
    assert {v.id: v.kind for v in verdicts if v.kind != "error"} == {}


def test_audit_and_judge_hold_without_the_screen(pool: Pool) -> None:
    known = [name for name in UNSCREENED if name in FORBIDDEN]
    futures = [pool._submit(name, "", FALSE, FORBIDDEN[name]) for name in known]
    assert {future.result().id: future.result().kind for future in futures if future.result().accepted} == {}


def test_one_candidate_cannot_use_the_proof_of_another(pool: Pool) -> None:
    statement = "theorem shared (p q : Prop) (hp : p) (hq : q) : p ∧ q := by sorry"
    proofs = ["⟨hp, hq⟩", "shared p q hp hq", "by assumption", "by solve_by_elim", "Candidate0.shared p q hp hq", "by apply_assumption"]
    verdicts = pool.check_many([Check(str(i), statement, proof) for i, proof in enumerate(proofs)])
    assert [v.kind for v in verdicts[:2]] == ["accepted", "error"]
    assert all(v.kind == "error" for v in (verdicts[2], verdicts[4], verdicts[5]))


def test_a_wrong_neighbour_changes_nothing(pool: Pool) -> None:
    """Unbalanced brackets, half a `match`, half a `where`: the checks before and behind are judged as if alone."""
    statement = "theorem good (p : Prop) (h : p) : p := by sorry"
    bad = ["by exact (h", "match h with", "h where x", "by cases h with", "fun x =>", "⟨", "by\n  have : p := by", "calc p", "if", "| "]
    checks = [check for i, proof in enumerate(bad) for check in (Check(f"bad{i}", statement, proof), Check(f"good{i}", statement, "h"))]
    verdicts = pool.check_many(checks)
    assert [v.id for v in verdicts if v.id.startswith("good") and v.kind != "accepted"] == []
    assert [v.id for v in verdicts if v.id.startswith("bad") and v.kind != "error"] == []


def test_a_candidate_of_lean_cannot_write_files(pool: Pool, tmp_path: Path) -> None:
    """Without the screen, and with a header that binds a native function: the process may not write a byte."""
    header = '@[extern "n"] opaque IO.FS.createDir : String → Nat'
    pool._submit("x", header, FALSE, f'by\n  have := IO.FS.createDir "{tmp_path}/x"\n  decide').result()
    assert list(tmp_path.iterdir()) == []


def test_the_pool_is_well_afterwards(pool: Pool) -> None:
    assert pool.submit(Check("after", "theorem t (p : Prop) (h : p) : p := by sorry", "h")).result().kind == "accepted"
