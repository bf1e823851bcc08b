"""Files of all kinds, for tests that compare what several backends say about them."""

SCOPES = """/-! Scopes. -/
open Nat
namespace A.B
variable (k : Nat)
/-- doc
 with theorem and sorry in it -/
@[simp] theorem one : 1 + 1 = 2 := by
  rfl

  private theorem two (p : Prop) (h : p) : p ∧ p := by
    constructor
    · exact h
    · exact h
protected theorem three : True := trivial
lemma four : k = k := rfl
end B
theorem five : True := A.B.three
theorem _root_.Elsewhere.six : True := five
section S
namespace C
theorem one : True := ⟨⟩
end C
theorem seven : True := C.one
end S
end A
open Nat in
open A in theorem eight : True := five
set_option maxRecDepth 1000 in
@[simp]
  theorem nine (n : Nat) :
    n + 0 = n := by
  simp
namespace Unclosed
theorem ten : True := trivial
"""

EXAMPLES = """example : 1 = 1 := rfl
@[simp] example (p : Prop) (h : p) : p := h
noncomputable example : Nat := 3
example : Nat := 3
section
variable (n : Nat)
  example : n = n := by
    cases n with
    | zero => rfl
    | succ m => rfl
end
open Nat in example : ∀ n : Nat, n = n
  | 0 => rfl
  | _ + 1 => rfl
example (p : Prop) : p ∨ ¬p := Classical.em p
example : 2 + 2 = 5 := by decide
/-- doc -/ example : True := trivial
open Nat in @[simp] example (n : Nat) : n ≤ succ n := le_succ n
"""

HOLES = """theorem whole : 1 = 1 := sorry
theorem block : 1 = 1 := by sorry
theorem commented : 1 = 1 := by
  -- sorry
  sorry -- admit
theorem admitted (n : Nat) : n = n := by
  cases n
  · rfl
  · admit
theorem term_within (p q : Prop) (hp : p) : p ∧ q := ⟨hp, sorry⟩
theorem exactly (p q : Prop) (hp : p) : p ∧ q := by
  exact ⟨hp, sorry⟩
theorem several (p q : Prop) : p ∧ q := by
  constructor <;> sorry
theorem two_open (p q : Prop) : p ∧ q := by
  constructor
  sorry
  sorry
theorem with_have (n : Nat) : n ≤ n := by
  have h : n = n := by sorry
  have g : n = n := sorry
  (sorry)
theorem cased (p q : Prop) (h : p ∨ q) : q ∨ p := by
  cases h with
  | inl h => sorry
  | inr h => exact Or.inl h
def program : Nat := sorry
theorem string : "sorry" = "sorry" := rfl
example : 2 = 2 := (sorry : 2 = 2)
macro "skipped" : tactic => `(tactic| sorry)
theorem by_macro : 1 = 2 := by skipped
"""

ERRORS = """theorem bad : 2 + 2 = 5 := rfl
theorem good : 2 + 2 = 4 := rfl
theorem syntax_error : True := by
  sory
theorem after : True := trivial
theorem unfinished : True :=
theorem again : True := by trivial
theorem no_type : undefined := rfl
theorem more (n : Nat) : n = n := by
  induction n with
  | zero => rfl
  | succ n ih => exact ih
theorem open_goal (p : Prop) (h : p) : p ∧ p := by
  constructor
  exact h
namespace A
theorem bad : no_such_thing := rfl
theorem good : True := good
end A
theorem last : True := A.good
"""

MUTUAL = """mutual
theorem even (n : Nat) : n = n := match n with
  | 0 => rfl
  | n + 1 => congrArg (· + 1) (odd n)
termination_by n
/-- doc -/
private theorem odd (n : Nat) : n = n := match n with
  | 0 => rfl
  | n + 1 => congrArg (· + 1) (even n)
termination_by n
end
open Nat in
mutual
def f : Nat → Nat
  | 0 => 0
  | n + 1 => g n
def g : Nat → Nat
  | 0 => 1
  | n + 1 => f n
end
mutual
example : 1 = 1 := rfl
theorem mixed : 1 = 1 := rfl
end
theorem f_zero : f 0 = 0 := by simp [f]
"""

ALTERNATIVES = """macro:max atomic("|" noWs) a:term noWs "|" : term => `(Nat.succ $a)
theorem line : ∀ n : Nat, n = n | 0 => rfl | _ + 1 => rfl
theorem lines : ∀ n : Nat, n = n
  | 0 => rfl
  | n + 1 => by
    have h : n = n := lines n
    rfl
theorem bars (n : Nat) : |n| = n + 1 := rfl
theorem broken (n : Nat) :
    |n| = |n| := by
  rfl
theorem bound (n : Nat) : let m := n; have k := m; k = n := rfl
theorem default (n : Nat := 3) : n = n := rfl
theorem matched (n : Nat) : (match n with | 0 => 0 | k + 1 => k) ≤ n := by
  cases n
  · exact Nat.le_refl 0
  · exact Nat.le_succ _
theorem helped : ∀ n : Nat, 0 + n = n := by exact help
where
  help : ∀ n : Nat, 0 + n = n
  | 0 => rfl
  | n + 1 => congrArg Nat.succ (help n)
theorem set : ∃ x : Nat, x = 1 := ⟨1, rfl⟩
"""

NAMES = """theorem bézout (xⱼ : Nat) : xⱼ = xⱼ := rfl
theorem on_ℝ («𝔸𝔸» : Nat) («a b» : Nat) : «𝔸𝔸» + «a b» = «𝔸𝔸» + «a b» := by
  /- 𝔸𝔸𝔸 -/ sorry
namespace «my space».Δ
theorem «theorem sorry» : 1 = 1 := rfl
theorem x' : 1 = 1 := «theorem sorry»
theorem «dotted.name».second! : 1 = 1 := rfl
example («𝔸» : Nat) : «𝔸» = 0 → «𝔸» = 0 := fun h => sorry
end «my space».Δ
theorem hint (init : Nat) (simproc : init = 1) : init = 1 := simproc
"""

CROWDED = """theorem a : True := trivial theorem b : True := by trivial theorem c (p : Prop) (h : p) : p := by exact h -- end
/- before -/ theorem d : True := trivial /- behind -/ theorem e : True := sorry /-- doc -/ theorem f : True := trivial
theorem margin : 1 = 1 ∧ 2 = 2 := by
constructor
rfl
rfl
theorem g (h : 1 = 2) : False := by
  first
  | contradiction
  | exact absurd h (by decide)
    /- comment
   theorem commented_out : False := sorry -/
theorem tight : 1 = 1:=rfl
theorem
  below
  : 1 = 1
  :=
  rfl
"""

AXIOMS = """axiom choice_of_mine : False
theorem cheat : 2 + 2 = 5 := choice_of_mine.elim
theorem honest (p : Prop) : p ∨ ¬p := Classical.em p
theorem uses_cheat : 2 + 2 = 5 := cheat
def hole : Nat := sorry
theorem about_hole : hole = hole := rfl
set_option warn.sorry false in
theorem silent : 2 + 2 = 5 := sorry
theorem ext {f g : Nat → Nat} (h : ∀ x, f x = g x) : f = g := funext h
"""

COMMANDS = """def two := 2
abbrev Three := 3
instance : Inhabited Nat := ⟨two⟩
structure Point where
  x : Nat
  y : Nat
inductive Color where
  | red | green
#print two
notation "∘∘" => two
theorem point (p : Point) : p.x = p.x := rfl
macro "make" : command => `(theorem made : True := trivial)
make
theorem uses : True := made
universe u
theorem poly.{v} {α : Type u} {β : Type v} (x : α) (_ : β) : x = x := rfl
local notation "twice " x => x + x
theorem twice_two : (twice 1) = two := rfl
attribute [simp] uses
variable {n : Nat} (h : n = n)
include h in
theorem included : n = n := h
omit h in
theorem omitted : True := trivial
"""

NOTHING = "-- nothing but a comment\n"
ENDS_EARLY = "theorem kept : True := trivial\n#exit\ntheorem dropped : False := sorry\n"
WINDOWS = "\ufefftheorem a : True := by\r\n  trivial\r\n\r\ntheorem b (n : Nat) : n = n := by\r\n  sorry\r\n"
UNCLOSED = "theorem kept : True := trivial\n/- theorem lost : True := trivial\n"
IMPORTING = "/- licence -/\nimport Init\n\n/-! docs -/\ntheorem kept : True := trivial\nexample : 1 = 2 := sorry\n"

FILES = {
    name.lower(): text for name, text in list(globals().items()) if name.isupper() and isinstance(text, str) and not name.startswith("_")
}
