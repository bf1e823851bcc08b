/-! Propositional logic: the rules of the connectives and their first consequences. -/

theorem imp_refl (p : Prop) : p → p := by
  intro h
  exact h

theorem imp_const (p q : Prop) : p → q → p := by
  intro h1 h2
  exact h1

theorem imp_apply (p q : Prop) (h1 : p → q) (h2 : p) : q := by
  exact h1 h2

theorem imp_compose (p q r : Prop) (h1 : p → q) (h2 : q → r) : p → r := by
  intro h3
  exact h2 (h1 h3)

theorem imp_distribute (p q r : Prop) (h1 : p → q → r) (h2 : p → q) : p → r := by
  intro h3
  exact h1 h3 (h2 h3)

theorem imp_flip (p q r : Prop) (h1 : p → q → r) : q → p → r := by
  intro h2 h3
  exact h1 h3 h2

theorem imp_contract (p q : Prop) (h1 : p → p → q) : p → q := by
  intro h2
  exact h1 h2 h2

theorem and_intro_pair (p q : Prop) (h1 : p) (h2 : q) : p ∧ q := by
  exact ⟨h1, h2⟩

theorem and_first (p q : Prop) (h : p ∧ q) : p := by
  exact h.1

theorem and_second (p q : Prop) (h : p ∧ q) : q := by
  exact h.2

theorem and_swap (p q : Prop) (h : p ∧ q) : q ∧ p := by
  exact ⟨h.2, h.1⟩

theorem and_double (p : Prop) (h : p) : p ∧ p := by
  exact ⟨h, h⟩

theorem and_regroup_right (p q r : Prop) (h : (p ∧ q) ∧ r) : p ∧ q ∧ r := by
  exact ⟨h.1.1, h.1.2, h.2⟩

theorem and_regroup_left (p q r : Prop) (h : p ∧ q ∧ r) : (p ∧ q) ∧ r := by
  exact ⟨⟨h.1, h.2.1⟩, h.2.2⟩

theorem and_rotate (p q r : Prop) (h : p ∧ q ∧ r) : q ∧ r ∧ p := by
  exact ⟨h.2.1, h.2.2, h.1⟩

theorem and_third (p q r : Prop) (h : p ∧ q ∧ r) : r := by
  exact h.2.2

theorem and_map (p q r s : Prop) (h1 : p → r) (h2 : q → s) (h3 : p ∧ q) : r ∧ s := by
  exact ⟨h1 h3.1, h2 h3.2⟩

theorem and_map_left (p q r : Prop) (h1 : p → r) (h2 : p ∧ q) : r ∧ q := by
  exact ⟨h1 h2.1, h2.2⟩

theorem and_map_right (p q r : Prop) (h1 : q → r) (h2 : p ∧ q) : p ∧ r := by
  exact ⟨h2.1, h1 h2.2⟩

theorem and_curry (p q r : Prop) (h : p ∧ q → r) : p → q → r := by
  intro h1 h2
  exact h ⟨h1, h2⟩

theorem and_uncurry (p q r : Prop) (h : p → q → r) : p ∧ q → r := by
  intro h1
  exact h h1.1 h1.2

theorem imp_and_split (p q r : Prop) (h : p → q ∧ r) : (p → q) ∧ (p → r) := by
  exact ⟨fun h1 => (h h1).1, fun h1 => (h h1).2⟩

theorem imp_and_join (p q r : Prop) (h1 : p → q) (h2 : p → r) : p → q ∧ r := by
  intro h3
  exact ⟨h1 h3, h2 h3⟩

theorem or_left (p q : Prop) (h : p) : p ∨ q := by
  exact Or.inl h

theorem or_right (p q : Prop) (h : q) : p ∨ q := by
  exact Or.inr h

theorem or_swap (p q : Prop) (h : p ∨ q) : q ∨ p := by
  cases h with
  | inl h1 => exact Or.inr h1
  | inr h1 => exact Or.inl h1

theorem or_same (p : Prop) (h : p ∨ p) : p := by
  cases h with
  | inl h1 => exact h1
  | inr h1 => exact h1

theorem or_eliminate (p q r : Prop) (h1 : p ∨ q) (h2 : p → r) (h3 : q → r) : r := by
  cases h1 with
  | inl h4 => exact h2 h4
  | inr h5 => exact h3 h5

theorem or_map (p q r s : Prop) (h1 : p → r) (h2 : q → s) (h3 : p ∨ q) : r ∨ s := by
  cases h3 with
  | inl h4 => exact Or.inl (h1 h4)
  | inr h5 => exact Or.inr (h2 h5)

theorem or_map_left (p q r : Prop) (h1 : p → r) (h2 : p ∨ q) : r ∨ q := by
  cases h2 with
  | inl h3 => exact Or.inl (h1 h3)
  | inr h4 => exact Or.inr h4

theorem or_map_right (p q r : Prop) (h1 : q → r) (h2 : p ∨ q) : p ∨ r := by
  cases h2 with
  | inl h3 => exact Or.inl h3
  | inr h4 => exact Or.inr (h1 h4)

theorem or_regroup_right (p q r : Prop) (h : (p ∨ q) ∨ r) : p ∨ q ∨ r := by
  cases h with
  | inl h1 =>
    cases h1 with
    | inl h2 => exact Or.inl h2
    | inr h3 => exact Or.inr (Or.inl h3)
  | inr h4 => exact Or.inr (Or.inr h4)

theorem or_regroup_left (p q r : Prop) (h : p ∨ q ∨ r) : (p ∨ q) ∨ r := by
  cases h with
  | inl h1 => exact Or.inl (Or.inl h1)
  | inr h2 =>
    cases h2 with
    | inl h3 => exact Or.inl (Or.inr h3)
    | inr h4 => exact Or.inr h4

theorem imp_of_or (p q r : Prop) (h : p ∨ q → r) : (p → r) ∧ (q → r) := by
  exact ⟨fun h1 => h (Or.inl h1), fun h1 => h (Or.inr h1)⟩

theorem and_over_or (p q r : Prop) (h : p ∧ (q ∨ r)) : (p ∧ q) ∨ (p ∧ r) := by
  cases h.2 with
  | inl h1 => exact Or.inl ⟨h.1, h1⟩
  | inr h2 => exact Or.inr ⟨h.1, h2⟩

theorem and_over_or_back (p q r : Prop) (h : (p ∧ q) ∨ (p ∧ r)) : p ∧ (q ∨ r) := by
  cases h with
  | inl h1 => exact ⟨h1.1, Or.inl h1.2⟩
  | inr h2 => exact ⟨h2.1, Or.inr h2.2⟩

theorem or_over_and (p q r : Prop) (h : p ∨ (q ∧ r)) : (p ∨ q) ∧ (p ∨ r) := by
  cases h with
  | inl h1 => exact ⟨Or.inl h1, Or.inl h1⟩
  | inr h2 => exact ⟨Or.inr h2.1, Or.inr h2.2⟩

theorem or_absorb (p q : Prop) (h : p ∨ (p ∧ q)) : p := by
  cases h with
  | inl h1 => exact h1
  | inr h2 => exact h2.1

theorem and_absorb (p q : Prop) (h : p ∧ (p ∨ q)) : p := by
  exact h.1

theorem true_holds : True := by
  exact trivial

theorem and_true_intro (p : Prop) (h : p) : p ∧ True := by
  exact ⟨h, trivial⟩

theorem or_true_holds (p : Prop) : p ∨ True := by
  exact Or.inr trivial
