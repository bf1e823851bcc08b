"""Whole files: every backend says the same about them, and what Lean says."""

from collections.abc import Iterator

import msgspec
import pytest
from backends import BACKENDS
from lean_files import FILES
from test_resilience import HANG, neighbours

from lean_worker.file_audit import with_tactics, write_audit
from lean_worker.file_commands import Outline, find_holes, find_theorems, places
from lean_worker.files import FileReport
from lean_worker.language_server.positions import code_point_column, tactic_start, utf16_column
from lean_worker.pool import Pool
from lean_worker.statement import split_statement


@pytest.fixture(scope="module")
def fork() -> Iterator[Pool]:
    with Pool(1, timeout=20.0, trusted_headers=True) as running:
        yield running


@pytest.fixture(scope="module")
def server() -> Iterator[Pool]:
    with Pool(1, timeout=20.0, trusted_headers=True, backend=BACKENDS["embedded-server"]()) as running:
        yield running


@pytest.fixture(scope="module")
def repl() -> Iterator[Pool]:
    with Pool(1, timeout=20.0, trusted_headers=True, backend=BACKENDS["repl-over-embedded"]()) as running:
        yield running


def untimed(report: FileReport) -> FileReport:
    return msgspec.structs.replace(report, seconds=0.0)


@pytest.mark.lean
@pytest.mark.parametrize("name", FILES)
def test_a_language_server_says_the_same_as_the_fork(name: str, fork: Pool, server: Pool) -> None:
    text = FILES[name]
    positions = range(0, len(text), 5)
    one, two = (untimed(pool.read_file(text, positions).result()) for pool in (fork, server))
    assert one == two


@pytest.mark.lean
@pytest.mark.slow
@pytest.mark.parametrize("name", FILES)
def test_a_repl_says_the_same_but_for_goals(name: str, fork: Pool, repl: Pool) -> None:
    one, two = (pool.read_file(FILES[name]).result() for pool in (fork, repl))
    assert (one.kind, one.messages, one.theorems) == (two.kind, two.messages, two.theorems)
    assert [(hole.span, hole.theorem) for hole in one.holes] == [(hole.span, hole.theorem) for hole in two.holes]
    assert all(each.goal in (other.goal, other.goal.split("\n\n")[0], "") for each, other in zip(two.holes, one.holes, strict=True))


@pytest.mark.lean
def test_a_repl_says_that_it_knows_no_goals_at_positions(repl: Pool) -> None:
    found = repl.read_file("theorem t : True := trivial\n", [3]).result()
    assert found.kind == "unreadable" and "language-server" in found.messages[0].text


@pytest.mark.lean
def test_theorems_of_a_file_and_their_verdicts(server: Pool) -> None:
    found = {each.name: (each.kind, each.axioms) for each in server.read_file(FILES["axioms"]).result().theorems}
    assert found == {
        "cheat": ("axiom", ("choice_of_mine",)),
        "honest": ("accepted", ("propext", "Classical.choice", "Quot.sound")),
        "uses_cheat": ("axiom", ("choice_of_mine",)),
        "about_hole": ("hole", ("sorryAx",)),
        "silent": ("hole", ("sorryAx",)),
        "ext": ("accepted", ("Quot.sound",)),
    }
    assert server.read_file(FILES["scopes"]).result().kind == "accepted"


@pytest.mark.lean
def test_examples_are_audited_whatever_they_define(server: Pool, fork: Pool) -> None:
    for pool in (server, fork):
        kinds = [each.kind for each in pool.read_file(FILES["examples"]).result().theorems]
        assert kinds == [*["accepted"] * 7, "error", "accepted", "accepted"]


@pytest.mark.lean
def test_each_hole_has_its_goal(server: Pool) -> None:
    holes = server.read_file(FILES["holes"]).result().holes
    assert len(holes) == 15 and all("⊢" in hole.goal for hole in holes)
    assert holes[4].kind == "term" and holes[4].goal == "p q : Prop\nhp : p\n⊢ q"


@pytest.mark.lean
def test_a_file_that_hangs_gets_no_verdict_and_spoils_nobody() -> None:
    text = split_statement(HANG.statement).text + f":= {HANG.proof}\n"
    with Pool(1, timeout=3.0, trusted_headers=True, backend=BACKENDS["embedded-server"]()) as pool:
        assert pool.read_file(text).result().kind == "timeout"
        assert {verdict.kind for verdict in pool.check_many(neighbours(3))} == {"accepted"}
        assert pool.read_file("theorem t : True := trivial\n").result().kind == "accepted"


PROOFS = {
    "theorem t : 1 = 1 := rfl": ":= rfl",
    "theorem t (n : Nat := 3) : n = n := rfl": ":= rfl",
    "theorem t : let m := 1; m = 1 := rfl": ":= rfl",
    "theorem t : have m := 1; let k := m; k = 1 := by simp": ":= by simp",
    "theorem t : ∀ n : Nat, n = n | 0 => rfl | n + 1 => have h := 1; rfl": "| 0 => rfl | n + 1 => have h := 1; rfl",
    "theorem t (x : Int) : |x| = |x| := rfl": ":= rfl",
    "theorem t (n : Nat) : (match n with | 0 => 1 | _ => 2) = 1 := sorry": ":= sorry",
    "theorem t (n : Nat) : match n with | 0 => True | _ => True := sorry": ":= sorry",
    "theorem t : ∃ x, x ∈ {x | x = 1} := ⟨1, rfl⟩": ":= ⟨1, rfl⟩",
    "theorem t : fun_prop where\n  field := 1": "where\n  field := 1",
    "theorem t : True": "",
}


@pytest.mark.parametrize("text", PROOFS)
def test_where_a_proof_begins(text: str) -> None:
    [found] = find_theorems(text, [(0, len(text))])
    assert text[found.value :] == PROOFS[text]


def test_only_declarations_are_theorems() -> None:
    texts = {
        'macro "m" : command => `(theorem t : True := trivial)': 0,
        "open Nat in @[simp] private theorem t : True := trivial": 1,
        "#guard_msgs in example : True := trivial": 1,
        "mutual theorem a : True := b theorem b : True := a end": 2,
        'def s := "theorem t : True"': 0,
        "theorem «theorem» : True := trivial": 1,
        'theorem cut_off : "': 1,
    }
    assert {text: len(find_theorems(text, [(0, len(text))])) for text in texts} == texts


def test_copies_keep_every_token_in_its_column() -> None:
    text = "open Nat in @[simp] example : 𝔸 = 1 := by\n  rfl theorem b : True := trivial -- end\n"
    first, second = (0, text.index(" theorem")), (text.index("theorem"), text.index(" -- end"))
    commands = [first, second]
    file = Outline(text, places(text), (), tuple(commands), tuple(find_theorems(text, commands)))
    lines = write_audit(file, "Example").text.split("\n")
    assert lines[0] == "open Nat in         theorem Example_0"
    assert lines[1].index(":= by") == text.index(":= by") and lines[2] == "  rfl"
    assert lines[3:5] == ["#print axioms _root_.Example_0", "#print axioms Example_0"]
    assert lines[5] == "      theorem b : True := trivial" and lines[8].index("-- end") == text.split("\n")[1].index("-- end")


def test_holes_that_stand_for_terms_become_tactics() -> None:
    text = "def a := (sorry, sorry)"
    holes = [(token.start, token.end) for token, _ in find_holes(text, [(0, len(text))])]
    copy, offsets = with_tactics(text, holes)
    assert copy == "def a := ((by sorry), (by sorry))" and all(copy.startswith("sorry", at) for at in offsets)
    assert not find_holes('macro "m" : tactic => `(tactic| sorry)', [(0, 40)])


def test_columns_of_a_server_are_utf16_units() -> None:
    line = "𝔸𝔸 by rfl"
    assert utf16_column(line, 3) == 5 and code_point_column(line, 5) == 3
    assert utf16_column("by rfl", 3) == 3 and code_point_column("by rfl", 3) == 3


@pytest.mark.parametrize(
    ("text", "tactic"),
    [
        ("theorem t : p := by exact §h", "exact"),
        ("theorem t : p := by\n  intro h; exact ⟨h, §k⟩", "exact"),
        ("theorem t : p := by\n  cases h with\n  | inl h => exact §h", "exact"),
        ("theorem t : p := by\n  exact f\n    (g §x)", "exact"),
        ("theorem t : p := by\n  exact fun h => §x", "exact"),
        ("theorem t : p := by\n  cases h with\n  | inl h =>\n    exact ⟨h,\n      §x⟩", "exact"),
        ("theorem t : p := by\n  exact f\n    §x", "exact"),
        ("theorem t : p := by\n  have h : q := by\n    §decide\n  exact h", "decide"),
        ("theorem t : p := by\n  rw [a, §b]", "b]"),
        ("theorem t : p := by\n  · exact §h", "exact"),
        ("theorem t : p :=\n  §h", "h"),
    ],
)
def test_where_a_tactic_seems_to_begin(text: str, tactic: str) -> None:
    before, after = text.split("§")
    line, column = tactic_start((before + after).split("\n"), before.count("\n"), len(before) - (before.rfind("\n") + 1))
    assert (before + after).split("\n")[line][column:].startswith(tactic)
