/-! Equivalence of propositions. -/

theorem iff_same (p : Prop) : p ↔ p := by
  exact Iff.rfl

theorem iff_from_both (p q : Prop) (h1 : p → q) (h2 : q → p) : p ↔ q := by
  exact ⟨h1, h2⟩

theorem iff_forward (p q : Prop) (h1 : p ↔ q) (h2 : p) : q := by
  exact h1.mp h2

theorem iff_backward (p q : Prop) (h1 : p ↔ q) (h2 : q) : p := by
  exact h1.mpr h2

theorem iff_turn (p q : Prop) (h : p ↔ q) : q ↔ p := by
  exact h.symm

theorem iff_join (p q r : Prop) (h1 : p ↔ q) (h2 : q ↔ r) : p ↔ r := by
  exact h1.trans h2

theorem iff_join_back (p q r : Prop) (h1 : p ↔ q) (h2 : r ↔ q) : p ↔ r := by
  exact h1.trans h2.symm

theorem iff_rewrite (p q r : Prop) (h1 : p ↔ q) (h2 : q ↔ r) : p ↔ r := by
  rw [h1, h2]

theorem iff_not (p q : Prop) (h1 : p ↔ q) (h2 : ¬p) : ¬q := by
  intro h3
  exact h2 (h1.mpr h3)

theorem iff_not_congr (p q : Prop) (h : p ↔ q) : ¬p ↔ ¬q := by
  rw [h]

theorem iff_and_congr (p q r : Prop) (h : p ↔ q) : p ∧ r ↔ q ∧ r := by
  rw [h]

theorem iff_or_congr (p q r : Prop) (h : p ↔ q) : r ∨ p ↔ r ∨ q := by
  rw [h]

theorem iff_imp_congr (p q r : Prop) (h : p ↔ q) : (p → r) ↔ (q → r) := by
  rw [h]

theorem and_comm_iff (p q : Prop) : p ∧ q ↔ q ∧ p := by
  constructor
  · intro h
    exact ⟨h.2, h.1⟩
  · intro h
    exact ⟨h.2, h.1⟩

theorem or_comm_iff (p q : Prop) : p ∨ q ↔ q ∨ p := by
  constructor
  · intro h
    exact h.symm
  · intro h
    exact h.symm

theorem and_assoc_iff (p q r : Prop) : (p ∧ q) ∧ r ↔ p ∧ q ∧ r := by
  constructor
  · intro h
    exact ⟨h.1.1, h.1.2, h.2⟩
  · intro h
    exact ⟨⟨h.1, h.2.1⟩, h.2.2⟩

theorem curry_iff (p q r : Prop) : (p ∧ q → r) ↔ (p → q → r) := by
  constructor
  · intro h
    exact fun h1 h2 => h ⟨h1, h2⟩
  · intro h
    exact fun h1 => h h1.1 h1.2

theorem or_imp_iff (p q r : Prop) : (p ∨ q → r) ↔ (p → r) ∧ (q → r) := by
  constructor
  · intro h
    exact ⟨fun h1 => h (Or.inl h1), fun h1 => h (Or.inr h1)⟩
  · intro h
    exact fun h1 => h1.elim h.1 h.2

theorem not_or_iff (p q : Prop) : ¬(p ∨ q) ↔ ¬p ∧ ¬q := by
  constructor
  · intro h
    exact ⟨fun h1 => h (Or.inl h1), fun h1 => h (Or.inr h1)⟩
  · intro h
    exact fun h1 => h1.elim h.1 h.2

theorem and_self_iff (p : Prop) : p ∧ p ↔ p := by
  simp

theorem or_self_iff (p : Prop) : p ∨ p ↔ p := by
  simp

theorem and_true_iff (p : Prop) : p ∧ True ↔ p := by
  simp

theorem or_false_iff (p : Prop) : p ∨ False ↔ p := by
  simp

theorem true_imp_iff (p : Prop) : (True → p) ↔ p := by
  simp

theorem not_not_iff (p : Prop) : ¬¬p ↔ p := by
  exact Classical.not_not

theorem iff_chain_three (p q r s : Prop) (h1 : p ↔ q) (h2 : q ↔ r) (h3 : r ↔ s) (h4 : p) : s := by
  exact h3.mp (h2.mp (h1.mp h4))

theorem iff_simple (p q r : Prop) (h1 : p ↔ q) (h2 : q ↔ r) (h3 : r) : p := by
  simp_all

theorem imp_simple (p q r : Prop) (h1 : p → q) (h2 : q → r) (h3 : p) : r := by
  simp_all

theorem and_simple (p q r : Prop) (h1 : p ∧ q) (h2 : q → r) : r ∧ p := by
  simp_all

theorem not_simple (p q r : Prop) (h1 : p → q) (h2 : q → r) (h3 : ¬r) : ¬p := by
  simp_all
