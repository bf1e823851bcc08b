"""Goals at positions and at holes, read by the real Lean."""

import asyncio

import pytest

from lean_worker.pool import Pool
from lean_worker.toolbelt.asking import PoolLean, ToolError
from lean_worker.toolbelt.goals import FilePosition, goals, holes, offset_of, parse_position

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess]

PROOF = """import Init
theorem bézout (p q : Prop) (h : p ∧ q) : q ∧ p := by
  obtain ⟨hp, hq⟩ := h
  constructor <;> assumption
"""


def test_goals_are_those_of_an_editor(pool: Pool) -> None:
    places = [FilePosition(3, 2), FilePosition(4, 2), FilePosition(4, 28), FilePosition(2, 0)]
    report = asyncio.run(goals(PoolLean(pool), PROOF, places))
    assert report.kind == "accepted" and [(each.line, each.column) for each in report.goals] == [(3, 2), (4, 2), (4, 28), (2, 0)]
    before, after, _, outside = [each.goal for each in report.goals]
    assert "h : p ∧ q" in before and "⊢ q ∧ p" in before
    assert "hp : p\nhq : q" in after and outside == ""


def test_columns_count_code_points_whatever_the_line_ends(pool: Pool) -> None:
    text = "theorem t (α β : Prop) : α → β → α := by /- ∀∀∀ -/ intro x; intro y; exact x\n"
    column = text.index("intro y")
    for shown in (text, f"\ufeff{text}".replace("\n", "\r\n")):
        report = asyncio.run(goals(PoolLean(pool), shown, [FilePosition(1, column)]))
        assert report.goals[0].goal == "α β : Prop\nx : α\n⊢ β → α"


def test_a_position_outside_of_the_file_is_one_sentence(pool: Pool) -> None:
    for position, words in (
        (FilePosition(9, 0), "lines 1 to 2"),
        (FilePosition(0, 0), "lines 1 to 2"),
        (FilePosition(1, 99), "columns 0 to"),
    ):
        with pytest.raises(ToolError, match=words):
            asyncio.run(goals(PoolLean(pool), "theorem t : 1 = 1 := rfl\n", [position]))


@pytest.mark.parametrize("text", ["", "3", "3:", ":2", "a:b", "3:-1", "3:2:1", "1" * 30 + ":2"])
def test_a_position_is_line_and_column(text: str) -> None:
    assert parse_position("3:2") == FilePosition(3, 2)
    with pytest.raises(ToolError, match="LINE:COLUMN"):
        parse_position(text)


def test_every_position_has_one_offset() -> None:
    text = "ab\n\ncé𝓝"
    places = [FilePosition(line, column) for line, most in ((1, 2), (2, 0), (3, 3)) for column in range(most + 1)]
    assert [offset_of(text, place) for place in places] == [0, 1, 2, 3, 4, 5, 6, 7]


def test_holes_of_all_kinds_have_their_goals(pool: Pool) -> None:
    text = """namespace A
theorem t (n : Nat) : n + 0 = n ∧ 0 + n = n := by
  have h : 0 + n = n := sorry -- sorry
  constructor
  · sorry
  · admit
example : 1 = 1 := sorry
theorem done (sorry' : Nat) : sorry' = sorry' := rfl
end A
"""
    report = asyncio.run(holes(PoolLean(pool), text))
    found = [(hole.line, hole.column, hole.kind, hole.goal.split("⊢ ")[1], hole.theorem) for hole in report.holes]
    assert found == [
        (3, 24, "term", "0 + n = n", "A.t"),
        (5, 4, "tactic", "n + 0 = n", "A.t"),
        (6, 4, "tactic", "0 + n = n", "A.t"),
        (7, 19, "term", "1 = 1", ""),
    ]
    assert report.kind == "error" and asyncio.run(holes(PoolLean(pool), "theorem t : 1 = 1 := rfl")).kind == "accepted"
