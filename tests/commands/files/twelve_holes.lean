/- Twelve holes, each in another form: `sorry` in a comment is none. -/

/-- A conjunction, whose proof is left open. -/
private theorem both (p q : Prop) (hp : p) (hq : q) : p ∧ q := by
  -- your turn
  sorry -- up to here /- sorry

namespace Farm

@[simp] theorem zero_last (n : Nat) : n * 0 = 0 := by sorry

theorem bracketed (n : Nat) : n + 0 = n := (sorry)

theorem exactly (p : Prop) (h : p) : p := by exact sorry

end Farm

theorem witness : ∃ n : Nat, n = 3 ∧ n + 2 = 5 :=
  ⟨3, sorry, rfl⟩

theorem by_way_of (p q r : Prop) (hp : p) (hpq : p → q) (hqr : q → r) : r := by
  have h : q := sorry
  exact hqr h

section
  variable (p q : Prop)

  open Nat in
  theorem with_bullets (hp : p) (hq : q) : p ∧ q ∧ p := by
    refine ⟨hp, ?_⟩
    constructor
    · exact hq
    · sorry
end

theorem swapped (p q : Prop) (h : p ∨ q) : q ∨ p := by
  cases h
  case inl hp => sorry
  case inr => exact Or.inl (by assumption)

theorem by_cases_on : (n : Nat) → n = 0 ∨ 0 < n
  | 0 => Or.inl rfl
  | n + 1 => sorry

theorem in_steps (a b c : Int) (h : a = b) (k : b + 0 = c) : a = c :=
  calc a = b := h
    _ = c := by sorry

theorem by_helper (n : Nat) : n ≤ n + 1 := helper n
where
  helper (m : Nat) : m ≤ m + 1 := by sorry

theorem nameless (p q : Nat → Prop) (h : ∃ n, p n ∧ q n) : ∃ n, q n := by
  cases h
  admit
