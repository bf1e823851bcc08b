/-! Relations with laws that are given as hypotheses. -/

theorem relation_symmetric (α : Type) (a b : α) (R : α → α → Prop) (h1 : ∀ x y, R x y → R y x) (h2 : R a b) : R b a := by
  exact h1 a b h2

theorem relation_transitive (α : Type) (a b c : α) (R : α → α → Prop) (h1 : ∀ x y z, R x y → R y z → R x z) (h2 : R a b) (h3 : R b c) : R a c := by
  exact h1 _ _ _ h2 h3

theorem relation_preserved (α : Type) (a b : α) (f : α → α) (R : α → α → Prop) (h1 : ∀ x y, R x y → R (f x) (f y)) (h2 : R a b) : R (f a) (f b) := by
  exact h1 _ _ h2

theorem relation_reflexive (α : Type) (a : α) (R : α → α → Prop) (h : ∀ x, R x x) : R a a := by
  exact h a

theorem relation_reflexive_eq (α : Type) (a b : α) (R : α → α → Prop) (h1 : ∀ x, R x x) (h2 : a = b) : R a b := by
  rw [h2]
  exact h1 b

theorem relation_irreflexive (α : Type) (a b : α) (R : α → α → Prop) (h1 : ∀ x, ¬(R x x)) (h2 : R a b) : a ≠ b := by
  intro h3
  rw [h3] at h2
  exact h1 b h2
