"""Where holes stand: comments, prefixes, names, whole proofs, and the errors of a file taken away."""

from collections.abc import Iterator

import pytest

from lean_worker.files import FileReport
from lean_worker.filling import open_file
from lean_worker.holes import edited, is_whole, label, mending, prefix_of, whole_statement, without_comments
from lean_worker.pool import Pool


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(workers=1, trusted_headers=True) as running:
        yield running


def test_comments_become_spaces() -> None:
    text = 'a -- b\n/- c /- d\n -/ e -/ f "-- g" «/- h» /-- i -/'
    assert without_comments(text) == f'a     \n{" " * 9}\n{" " * 9}f "-- g" «/- h»{" " * 9}'
    assert without_comments("a /- b") == "a     "


@pytest.mark.parametrize(
    ("command", "prefix"),
    [
        ("theorem t : ∃ x ∈ s, p := sorry", ""),
        ("open A B in theorem t : p := sorry", "open A B in\n"),
        ("open A in\n-- why\nset_option x true in\n/-- doc -/ @[simp] theorem t : p", "open A in\n-- why\nset_option x true in\n"),
        ("variable (x : Nat)\ntheorem t : p", ""),
        ("include h in lemma t : p", "include h in\n"),
        ("/- open A in -/ theorem t : p", ""),
    ],
)
def test_prefixes_of_a_command(command: str, prefix: str) -> None:
    assert prefix_of(command) == prefix


FORMS = [
    # command, whether the hole is a whole proof, how it is called
    ("theorem t (n : Nat) : n = n := by sorry", True, "t"),
    ("theorem t (n : Nat) : n = n := sorry", True, "t"),
    ("theorem t (n : Nat) : n = n := -- a sorry\n  ((sorry))", True, "t"),
    ("private theorem A.t (n : Nat) : n = n := by\n  -- first\n  exact (by sorry)\n", True, "A.t"),
    ("theorem t (n : Nat) : n = n := by\n  · sorry", True, "t"),
    ("example (n : Nat) : n = n := by admit", True, "example"),
    ("lemma t (n : Nat) : n = n := by sorry", True, "t"),
    ("open Nat in\n@[simp] protected theorem A.t (n : Nat) : n + 0 = n := by sorry", True, "A.t"),
    ("theorem t : (n : Nat) → n = n\n  | n => sorry", False, "t"),
    ("theorem t (n : Nat) : n = n := by\n  skip\n  sorry", False, "t"),
    ("theorem t (n : Nat) : n = n := f n where\n  f (m : Nat) : m = m := by sorry", False, "t"),
    ("theorem t (x : Fin 3) : x = x ∧ (⟨0, by sorry⟩ : Fin 3) = 0 := ⟨rfl, rfl⟩", False, "t"),
    ("mutual\ntheorem t (n : Nat) : n = n := by sorry\nend", False, "t"),
    ("/-- theorem -/\ndef d (n : Nat) (h : n < 2) : Fin 2 := ⟨n, sorry⟩", False, "d"),
    ("instance : Inhabited (Fin 2) := ⟨⟨0, by sorry⟩⟩", False, "instance"),
]


@pytest.mark.lean
@pytest.mark.parametrize(("command", "whole", "name"), FORMS)
def test_whole_proofs_are_told_from_parts(pool: Pool, command: str, whole: bool, name: str) -> None:
    file = open_file(pool, f"def before := 1\n\n{command}\n\ntheorem after : 1 = 1 := rfl\n")
    [hole] = file.report.holes
    assert (is_whole(file.report, hole, file.text), label(file.report, hole, file.text)) == (whole, name)
    if whole:
        assert pool.check_statement(whole_statement(file.report, hole, file.text), file.header(hole)).elaborates is True


@pytest.mark.lean
@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("theorem a : 1 = 2 := by\n  decide\n\ntheorem b : 1 = 2 := a\n", ["theorem a : 1 = 2 := sorry", "theorem b : 1 = 2 := a"]),
        ("theorem a : nowhere = 2 := by simp\ntheorem b : 1 = 1 := rfl\n", ["theorem b : 1 = 1 := rfl"]),
        ("def a : Nat := nowhere\n\n-- why\ntheorem b : a = a := rfl\n\ntheorem c : 1 = 1 := rfl\n", ["theorem c : 1 = 1 := rfl"]),
        ("theorem a : 1 = := by rfl\ntheorem b : 1 = 1 := rfl\n", ["theorem b : 1 = 1 := rfl"]),
        ("this is not Lean\n\ntheorem b : 1 = 1 := rfl\n", ["theorem b : 1 = 1 := rfl"]),
        ("theorem a : 1 = 1 := rfl oh ) no\ntheorem b : 1 = 1 := rfl\n", ["theorem b : 1 = 1 := rfl"]),
        ("theorem a (n : Nat) : n = n + 1 := a n\ntheorem b : 1 = 2 := a 1\n", ["a (n : Nat) : n = n + 1 := sorry", "b : 1 = 2 := a 1"]),
        ("end Nowhere\ntheorem b : 1 = 1 := rfl\n", ["theorem b : 1 = 1 := rfl"]),
    ],
)
def test_errors_are_taken_away_and_the_rest_stays(pool: Pool, text: str, kept: list[str]) -> None:
    def read(changed: str) -> FileReport:
        return pool.read_file(changed).result()

    edits = mending(read(text), text, read)
    mended = edited(text, edits)
    assert not any(message.severity == "error" for message in read(mended).messages), mended
    assert all(line in mended for line in kept), mended


def test_a_text_without_errors_is_not_edited() -> None:
    assert mending(FileReport("accepted"), "theorem a : 1 = 1 := rfl\n", lambda text: FileReport("crash")) == []
