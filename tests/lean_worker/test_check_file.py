"""`lean-worker check FILE` on the shapes that people's files have; Lean alone decides about each theorem."""

import json
from pathlib import Path

import pytest

from lean_worker.pool import Pool
from lean_worker.tools.check_file import SourceError, check_file, read_source

pytestmark = [pytest.mark.lean]

# each with the theorems that must be printed as accepted, in order
ACCEPTED = {
    "modifiers and attributes on one line": (
        "private theorem a (n m : Nat) (h : n = m) : m = n := by\n  rw [h]\n\n"
        "@[simp] theorem b (n m : Nat) (h : n = m) : m = n := by\n  rw [h]\n"
        "@[simp]\nprotected theorem Nat.c (n : Nat) : n + 0 = n := rfl\nprivate\ntheorem d : True := trivial\n",
        ["a", "b", "Nat.c", "d"],
    ),
    "documentation": (
        "/-- In one line. -/ theorem a : True := trivial\n/-- Above. -/\n@[simp] theorem b (n : Nat) : n * 0 = 0 := rfl\n"
        "set_option maxRecDepth 600 in\n/-- Between. -/\ntheorem c : True := trivial\n"
        "/-- With. -/ @[simp] theorem d : 2 * 0 = 0 := by decide\n",
        ["a", "b", "c", "d"],
    ),
    "an attribute that the proof would use": (
        "def pair (n : Nat) : Nat := n + n\n@[simp]\ntheorem a : pair 3 = 6 := by\n  first | simp | rfl\n",
        ["a"],
    ),
    "scopes": (
        "namespace Yard\n  def hens : Nat := 3\n  theorem count : hens = 3 := rfl\n  namespace Inner\n"
        "    theorem _root_.out : hens = 3 := rfl\n"
        "    theorem _root_.Yard.half : hens = 3 := rfl\n  end Inner\nend Yard\nopen Yard in\ntheorem a : hens = 3 := rfl\n"
        "open Yard in theorem b : hens = 3 := by\n  rfl\nsection\n  variable (p : Prop) (h : p)\n"
        "  include h in\n  theorem c : p := by exact h\nend\n",
        ["Yard.count", "out", "Yard.half", "a", "b", "c"],
    ),
    "marks in statements": (
        "theorem a (m : Nat) :\n    let k := m + 1\n    k = m + 1 := by\n  rfl\n"
        "theorem b (n : Nat) : (match n with | 0 => 0 | k + 1 => k + 1) = n := by\n"
        '  cases n <;> rfl\nlocal notation "|" x "|" => Nat.succ x\ntheorem c (n : Nat) : |n| = n + 1 := rfl\n'
        "theorem d (f : Nat → Nat := fun x => x) : f = f := rfl\n",
        ["a", "b", "c", "d"],
    ),
    "proofs at the margin": (
        "theorem a : 1 = 1 :=\nrfl\ntheorem b (p : Prop) : p → p :=\nfun h => h\ntheorem c : ∀ n : Nat, n = n\n| 0 => rfl\n| _ + 1 => rfl\n"
        "theorem d (m n : Nat) (h : m = n) : n = m :=\ncalc n = m := h.symm\ntheorem e (p q : Prop) (hp : p) (hq : q) : p ∧ q := by\n"
        "/- at the margin -/\n  constructor\n-- too\n  · exact hp\n  · exact hq\n",
        ["a", "b", "c", "d", "e"],
    ),
    "clauses behind proofs": (
        "theorem a (n : Nat) : True :=\n  if h : n = 0 then trivial else a (n / 2)\ntermination_by n\ndecreasing_by omega\n"
        "theorem b : 2 = 2 :=\n  own\nwhere\n  own : 2 = 2 := rfl\ntheorem c : True := trivial\n",
        ["a", "b", "c"],
    ),
    "mutual theorems and full names": (
        "namespace Sty\nmutual\ntheorem a : ∀ n : Nat, n = n\n  | 0 => rfl\n"
        "  | n + 1 => congrArg Nat.succ (b n)\ntheorem b : ∀ n : Nat, n = n\n"
        "  | 0 => rfl\n  | n + 1 => congrArg Nat.succ (Sty.a n)\nend\nend Sty\n",
        ["Sty.a", "Sty.b"],
    ),
    "names": (
        "theorem été (n : Nat) : n = n := rfl\ntheorem xⱼ' (n : Nat) : n = n := rfl\ntheorem on_ℝ.𝓝 (n : Nat) : n = n := rfl\n"
        "theorem «a b».c (n : Nat) : n = n := rfl\ntheorem eval_trace.init (hint : True) : True := hint\n",
        ["été", "xⱼ'", "on_ℝ.𝓝", "«a b».c", "eval_trace.init"],
    ),
    "literals": (
        'def s : String := "a \\x41 \\u03b1"\ndef r : String := r"\\d+"\ndef c : Char := \'\\x41\'\n'
        "theorem a : 0x1F = 31 := rfl\ntheorem b : 1_000 = 1000 := rfl\n",
        ["a", "b"],
    ),
    "imports and comments before them": (
        "/- Copyright /- nested -/ words\n-/\n-- more\nimport Init\nimport Init.Data.Nat -- why\n\n"
        "/-! # Title -/\ntheorem a : 1 = 1 := rfl\n",
        ["a"],
    ),
    "module": ("module\n\npublic import Init\n\npublic theorem a : 1 = 1 := rfl\n", ["a"]),
    "prelude": ("prelude\ntheorem a : 1 = 1 := rfl\n", ["a"]),
    "examples and lemmas": (
        "  example : 1 = 1 := rfl\nexample (n : Nat) : n = n := by\n  rfl\nlemma a : True := trivial\n",
        ["example", "example", "a"],
    ),
    "byte order mark and CR LF": ("\ufefftheorem a (p : Prop) : p → p := by\r\n  intro h\r\n  exact h\r\n", ["a"]),
    "free variables": ("theorem a {xs : List βγ} : xs = xs := rfl\n", ["a"]),
    "a macro that makes a theorem": ('macro "qed" : tactic => `(tactic| first | rfl | sorry)\ntheorem a : 1 = 1 := by qed\n', ["a"]),
    "words in text": (
        'def s : String := "theorem x := sorry"\n/- theorem y : False := sorry -/\ntheorem a : 1 = 1 := rfl -- sorry\n',
        ["a"],
    ),
}


def checked(pool: Pool, path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[str]]:
    path.write_bytes(text.encode())
    code = check_file(path, pool)
    return code, capsys.readouterr().out.replace(f"{path}:", "").splitlines()


@pytest.mark.parametrize("shape", ACCEPTED)
def test_what_lean_accepts_is_accepted(trusting: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str], shape: str) -> None:
    text, names = ACCEPTED[shape]
    code, lines = checked(trusting, tmp_path / "mine.lean", text, capsys)
    assert [line.split(": ")[1] for line in lines if line.endswith(": accepted")] == names, lines
    assert code == 0 and lines[-1].endswith(f"{len(names)} theorem{'s' if len(names) > 1 else ''}: {len(names)} accepted")


def test_every_theorem_has_its_place_and_a_wrong_one_spoils_no_other(
    trusting: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = (
        "def f : Nat := nowhere\nnamespace Box\n  theorem wrong : 1 = 2 := by decide\n"
        "  private theorem open_one : 2 = 2 := by\n    sorry\nend Box\n"
        "axiom c : 1 = 2\n/-- late -/ theorem late : 1 = 2 := c\ntheorem used : 2 = 2 := Box.open_one\ntheorem right : 1 = 1 := rfl\n"
        "example : 1 = 2 := c\nexample : 1 = 2 := by decide\n"
    )
    code, lines = checked(trusting, tmp_path / "mine.lean", text, capsys)
    assert code == 1
    assert [line for line in lines if ": accepted" in line or "rejected" in line] == [
        "3:2: Box.wrong: rejected (error)",
        "4:10: Box.open_one: rejected (hole)",
        "8:12: late: rejected (axiom: c)",
        "9:0: used: rejected (hole)",
        "10:0: right: accepted",
        "11:0: example: rejected (axiom: c)",
        "12:0: example: rejected (error)",
    ]
    assert "1:15: error: Unknown identifier `nowhere`" in lines
    assert lines[lines.index("5:4: hole") + 1] == "  ⊢ 2 = 2"
    assert lines[-1] == " 7 theorems: 1 accepted, 2 wrong, 2 with a hole, 2 with another axiom; 2 errors outside"


def test_an_unfinished_theorem_does_not_touch_the_next(trusting: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "theorem a : 1 = 1 := by\n  exact\ntheorem b : 1 = 1 := rfl\ntheorem : 1 = 1 := rfl\n\ntheorem c : 1 = 1 := rfl\n"
    code, lines = checked(trusting, tmp_path / "mine.lean", text, capsys)
    assert code == 1
    assert [line.split(": ")[1:] for line in lines if ": accepted" in line or "rejected" in line] == [
        ["a", "rejected (error)"],
        ["b", "accepted"],
        ["theorem", "rejected (error)"],
        ["c", "accepted"],
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("theorem a : 1 = 1 := rfl\n#exit\n\n/-- no -/\ntheorem b : 1 = 2 := rfl\n", "5:0: not read"),
        ("theorem a : 1 = 1 := rfl\n)) theorem b : 1 = 2 := rfl\n", "2:0: error"),
        ("theorem a : 1 = 1 := rfl\nimport Init\n", "2:0: error"),
        ('theorem a : 1 = 1 := rfl\nmacro "many" : command => `(theorem b : 1 = 2 := sorry)\nmany\n', "3:0: "),
    ],
)
def test_nothing_is_left_out_in_silence(trusting: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, line: str) -> None:
    code, lines = checked(trusting, tmp_path / "mine.lean", text, capsys)
    assert code == 1 and lines[0] == "1:0: a: accepted" and any(each.startswith(line) for each in lines), lines


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("import Mathlib\ntheorem a : 1 = 1 := rfl\n", "1:0: no verdict (unreadable): module Mathlib is not available here"),
        ("-- words\nimport Init\nimport Mathlib.Tactic\ntheorem a : 1 = 1 := rfl\n", "3:0: no verdict (unreadable): module Mathlib.Tactic"),
        ("set_option debug.skipKernelTC true in\ntheorem a : 1 = 2 := rfl\n", "no verdict (unreadable): line 1 sets an option"),
        ("def f : Nat := 1\n", "0 theorems; there is nothing to check"),
        ("", "0 theorems; there is nothing to check"),
    ],
)
def test_no_verdict_and_nothing_to_check(trusting: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, words: str) -> None:
    code, lines = checked(trusting, tmp_path / "mine.lean", text, capsys)
    assert code == 2 and words in lines[0] and len(lines) == 1


def test_a_time_limit_is_no_verdict(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "theorem a : 1 = 1 := rfl\ntheorem t : Nat.div.go (2 ^ 60) (2 ^ 60) 1 = 0 := by decide +kernel\n"
    with Pool(1, timeout=1.0, trusted_headers=True) as pool:
        code, lines = checked(pool, tmp_path / "mine.lean", text, capsys)
    assert code == 2 and "no verdict (timeout): no answer within 2 s" in lines[0]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("-- café\ntheorem a : 1 = 1 := rfl\n".encode("latin-1"), ":1: byte 6 is not valid UTF-8; save the file as UTF-8"),
        ("theorem a : 1 = 1 := rfl\n".encode("utf-16"), ": the file is UTF-16, and Lean reads only UTF-8; save it as UTF-8"),
    ],
)
def test_a_file_in_another_encoding_is_one_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    (tmp_path / "mine.lean").write_bytes(content)
    with pytest.raises(SourceError) as caught:
        read_source(tmp_path / "mine.lean")
    assert str(caught.value) == f"{tmp_path / 'mine.lean'}{words}"


def test_the_report_as_json(trusting: Pool, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.lean"
    path.write_text("theorem é (n : Nat) : n = n := by\n  skip; sorry\n")
    assert check_file(path, trusting, as_json=True) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["kind"], report["theorems"][0]["name"], report["theorems"][0]["kind"]) == ("error", "é", "hole")
    assert report["holes"][0]["goal"] == "n : Nat\n⊢ n = n" and report["holes"][0]["span"]["column"] == 8
