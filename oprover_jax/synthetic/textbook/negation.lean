/-! Negation, contradiction, and the classical laws. -/

theorem false_gives (p : Prop) (h : False) : p := by
  exact h.elim

theorem not_from_false (p : Prop) (h : p → False) : ¬p := by
  exact h

theorem contradiction_gives (p q : Prop) (h1 : p) (h2 : ¬p) : q := by
  exact absurd h1 h2

theorem not_both (p : Prop) : ¬(p ∧ ¬p) := by
  intro h
  exact h.2 h.1

theorem double_negation_intro (p : Prop) (h : p) : ¬¬p := by
  intro h1
  exact h1 h

theorem triple_negation (p : Prop) (h : ¬¬¬p) : ¬p := by
  intro h1
  exact h (fun h2 => h2 h1)

theorem contrapose (p q : Prop) (h1 : p → q) (h2 : ¬q) : ¬p := by
  intro h3
  exact h2 (h1 h3)

theorem contrapose_imp (p q : Prop) (h : p → q) : ¬q → ¬p := by
  intro h1 h2
  exact h1 (h h2)

theorem imp_not_swap (p q : Prop) (h : p → ¬q) : q → ¬p := by
  intro h1 h2
  exact h h2 h1

theorem not_imp_self (p : Prop) (h : p → ¬p) : ¬p := by
  intro h1
  exact h h1 h1

theorem not_or_left (p q : Prop) (h : ¬(p ∨ q)) : ¬p := by
  intro h1
  exact h (Or.inl h1)

theorem not_or_right (p q : Prop) (h : ¬(p ∨ q)) : ¬q := by
  intro h1
  exact h (Or.inr h1)

theorem not_or_split (p q : Prop) (h : ¬(p ∨ q)) : ¬p ∧ ¬q := by
  exact ⟨fun h1 => h (Or.inl h1), fun h1 => h (Or.inr h1)⟩

theorem not_or_join (p q : Prop) (h : ¬p ∧ ¬q) : ¬(p ∨ q) := by
  intro h1
  cases h1 with
  | inl h2 => exact h.1 h2
  | inr h3 => exact h.2 h3

theorem not_and_of_or (p q : Prop) (h : ¬p ∨ ¬q) : ¬(p ∧ q) := by
  intro h1
  cases h with
  | inl h2 => exact h2 h1.1
  | inr h3 => exact h3 h1.2

theorem not_and_imp (p q : Prop) (h : ¬(p ∧ q)) : p → ¬q := by
  intro h1 h2
  exact h ⟨h1, h2⟩

theorem or_resolve_left (p q : Prop) (h1 : p ∨ q) (h2 : ¬p) : q := by
  cases h1 with
  | inl h3 => exact absurd h3 h2
  | inr h4 => exact h4

theorem or_resolve_right (p q : Prop) (h1 : p ∨ q) (h2 : ¬q) : p := by
  cases h1 with
  | inl h3 => exact h3
  | inr h4 => exact absurd h4 h2

theorem imp_of_not_or (p q : Prop) (h : ¬p ∨ q) : p → q := by
  intro h1
  cases h with
  | inl h2 => exact absurd h1 h2
  | inr h3 => exact h3

theorem not_false_holds : ¬False := by
  intro h
  exact h

theorem not_not_em (p : Prop) : ¬¬(p ∨ ¬p) := by
  intro h
  exact h (Or.inr (fun h1 => h (Or.inl h1)))

theorem excluded_middle (p : Prop) : p ∨ ¬p := by
  exact Classical.em p

theorem double_negation_elim (p : Prop) (h : ¬¬p) : p := by
  exact Classical.byContradiction h

theorem by_contradiction_rule (p : Prop) (h : ¬p → False) : p := by
  exact Classical.byContradiction h

theorem contrapose_back (p q : Prop) (h : ¬q → ¬p) : p → q := by
  intro h1
  exact Classical.byContradiction (fun h2 => h h2 h1)

theorem case_split (p q : Prop) (h1 : p → q) (h2 : ¬p → q) : q := by
  cases Classical.em p with
  | inl h3 => exact h1 h3
  | inr h4 => exact h2 h4

theorem imp_as_or (p q : Prop) (h : p → q) : ¬p ∨ q := by
  cases Classical.em p with
  | inl h1 => exact Or.inr (h h1)
  | inr h2 => exact Or.inl h2

theorem not_and_as_or (p q : Prop) (h : ¬(p ∧ q)) : ¬p ∨ ¬q := by
  cases Classical.em p with
  | inl h1 => exact Or.inr (fun h2 => h ⟨h1, h2⟩)
  | inr h3 => exact Or.inl h3

theorem peirce (p q : Prop) (h : (p → q) → p) : p := by
  cases Classical.em p with
  | inl h1 => exact h1
  | inr h2 => exact h (fun h3 => absurd h3 h2)
