"""Goals of holes as theorems of their own: read from Lean's print, stated, and closed by Lean with the theorem."""

import pytest

from lean_worker.extract import NotStated, extract, read_goal
from lean_worker.filling import open_file, state_hole
from lean_worker.pool import Pool

PRINTED = """case intro.inl
α : Type u_1
inst✝¹ : Inhabited α
inst✝ : Add α
p q : Prop
x✝ : α
f g : α → α
h :
  f x✝ + f x✝ =
    g x✝
k : Nat := 2 + 1
e : let j := 1;
  j = k
⊢ f x✝ =
    g x✝

case intro.inr
⊢ q"""


def test_a_printed_goal_is_read() -> None:
    goal = read_goal(PRINTED)
    assert [(each.name, each.original) for each in goal.hypotheses] == [
        ("α", "α"),
        ("inst_1", "inst✝¹"),
        ("inst_2", "inst✝"),
        ("p", "p"),
        ("q", "q"),
        ("x_1", "x✝"),
        ("f", "f"),
        ("g", "g"),
        ("h", "h"),
        ("k", "k"),
        ("e", "e"),
    ]
    types = {each.name: (each.type, each.value) for each in goal.hypotheses}
    assert types["h"] == ("f x_1 + f x_1 =\n    g x_1", "")
    assert types["k"] == ("Nat", "2 + 1") and types["e"] == ("let j := 1;\n  j = k", "")
    assert goal.target == "f x_1 =\n    g x_1"


@pytest.mark.parametrize(
    ("printed", "reason"),
    [
        ("", "never comes to it"),
        ("no goals", "no goal there"),
        ("a b : Nat\n| a + b", "not an ordinary goal"),
        ("!\n⊢ p", "cannot be read"),
    ],
)
def test_other_prints_are_refused_with_a_reason(printed: str, reason: str) -> None:
    with pytest.raises(NotStated, match=reason):
        read_goal(printed)


@pytest.fixture
def pool(trusting: Pool) -> Pool:
    return trusting


CASES = [
    # file, statement, opening
    (
        "theorem t (p q : Prop) (hp : p) : q → p := by\n  intro hq\n  sorry\n",
        "theorem t_at_3_2 (p q : Prop) (hp : p) (hq : q) : p := by sorry",
        (),
    ),
    (
        "theorem t (p q : Prop) (hp : p) : q → p := by\n  intro\n  sorry\n",
        "theorem t_at_3_2 (p q : Prop) (hp : p) (a_1 : q) : p := by sorry",
        ("rename_i a_1",),
    ),
    (
        "theorem t (n : Nat) : ∀ n : Nat, n + 0 = n := by\n  intro n\n  sorry\n",
        "theorem t_at_3_2 (n_1 n : Nat) : n + 0 = n := by sorry",
        ("rename_i n_1",),
    ),
    (
        "theorem t {α : Type u} [Inhabited α] [BEq α] : ∃ x : α, x = x := by\n  refine ⟨default, ?_⟩\n  sorry\n",
        "theorem t_at_3_2.{u} (α : Type u) [Inhabited α] [BEq α] : Eq.{u + 1} (α := α) default default := by sorry",
        (),
    ),
    (
        "theorem t [Inhabited α] : ∀ [BEq α] (p : Prop), p → p := by\n  intro _ p _\n  sorry\n",
        "theorem t_at_3_2.{u_1} (α : Type u_1) [Inhabited α] [BEq α] (p : Prop) (a_1 : p) : p := by sorry",
        ("rename_i a_1",),
    ),
    (
        "universe u v\ntheorem t (α : Type (max u v)) (x : α) : x = x := (sorry)\n",
        "theorem t_at_2_51 (α : Type (max u v)) (x : α) : x = x := by sorry",
        (),
    ),
    (
        "theorem t (n : Nat) : let k := n; k = n := by\n  intro k\n  sorry\n",
        "theorem t_at_3_2 (n : Nat) :\n    let k : Nat := n;\n    k = n := by sorry",
        ("revert k",),
    ),
    (
        "def N.f (n : Nat) := n\nset_option maxRecDepth 700 in\nopen Nat in -- why\n"
        "@[simp] theorem N.t (n : Nat) : f n = n := by\n  show _\n  sorry\n",
        "set_option maxRecDepth 700 in\nopen Nat in\ntheorem N.t_at_6_2 (n : Nat) : f n = n := by sorry",
        (),
    ),
    (
        "theorem t (a : Int) : a + 1 - 1 = a := by\n  have : (1 : Int) + 1 = 2 := sorry\n  omega\n",
        "theorem t_at_2_30 (a : Int) : (1 : Int) + (1 : Int) = (2 : Int) := by sorry",
        (),
    ),
    (
        "variable (p q : Prop) (hp : p)\ninclude hp in\ntheorem t : q → p := by\n  intro hq\n  sorry\n",
        "include hp in\ntheorem t_at_5_2 (p q : Prop) (hp : p) (hq : q) : p := by sorry",
        (),
    ),
]


@pytest.mark.lean
@pytest.mark.parametrize(("text", "statement", "opening"), CASES)
def test_holes_are_stated_and_lean_closes_them_by_the_theorem(pool: Pool, text: str, statement: str, opening: tuple[str, ...]) -> None:
    file = open_file(pool, text)
    [hole] = file.report.holes
    stated = state_hole(pool, file, hole)
    assert (stated.statement, stated.opening) == (statement, opening)
    assert pool.check_statement(stated.statement, stated.header).elaborates is True


@pytest.mark.lean
@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def n : Nat := sorry\n", "data, not a proposition"),
        ("theorem t : ∃ n : Nat, n = 2 := ⟨sorry, sorry⟩\n", "depends on another `sorry`"),
        ("theorem t : ∃ n : Nat, n = 2 := by\n  constructor\n  sorry\n  exact 2\n", "cannot be stated alone"),
    ],
)
def test_goals_that_cannot_be_stated_are_refused_with_a_reason(pool: Pool, text: str, reason: str) -> None:
    file = open_file(pool, text)
    with pytest.raises(NotStated, match=reason):
        state_hole(pool, file, file.report.holes[-1])


@pytest.mark.lean
def test_the_theorem_of_a_hole_has_a_name_that_is_free(pool: Pool) -> None:
    text = "theorem t_at_2_30 : True := trivial\ntheorem t (n : Nat) : n = n := (sorry)\n"
    file = open_file(pool, text.replace("(n : Nat)", "(n  :Nat)").replace("t_at_2_30", "t_at_2_32"))
    assert extract(file.report, file.report.holes[0], file.text).name == "t_at_2_32'"
