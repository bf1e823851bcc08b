/-! Equality: reflexivity, symmetry, transitivity, congruence and substitution. -/

theorem eq_refl_any (α : Type) (a : α) : a = a := by
  rfl

theorem eq_turn (α : Type) (a b : α) (h : a = b) : b = a := by
  exact h.symm

theorem eq_join (α : Type) (a b c : α) (h1 : a = b) (h2 : b = c) : a = c := by
  exact h1.trans h2

theorem eq_join_back (α : Type) (a b c : α) (h1 : a = b) (h2 : c = b) : a = c := by
  exact h1.trans h2.symm

theorem eq_join_front (α : Type) (a b c : α) (h1 : b = a) (h2 : b = c) : a = c := by
  exact h1.symm.trans h2

theorem eq_three (α : Type) (a b c d : α) (h1 : a = b) (h2 : b = c) (h3 : c = d) : a = d := by
  exact h1.trans (h2.trans h3)

theorem eq_rewrite_chain (α : Type) (a b c : α) (h1 : a = b) (h2 : b = c) : a = c := by
  rw [h1, h2]

theorem eq_rewrite_back (α : Type) (a b c : α) (h1 : b = a) (h2 : b = c) : a = c := by
  rw [← h1, h2]

theorem eq_apply (α β : Type) (f : α → β) (a b : α) (h : a = b) : f a = f b := by
  rw [h]

theorem eq_apply_twice (α : Type) (f : α → α) (a b : α) (h : a = b) : f (f a) = f (f b) := by
  rw [h]

theorem eq_apply_arg (α β : Type) (f : α → β) (a b : α) (h : a = b) : f b = f a := by
  exact congrArg f h.symm

theorem eq_functions (α β : Type) (f g : α → β) (a : α) (h : f = g) : f a = g a := by
  rw [h]

theorem eq_functions_args (α β : Type) (f g : α → β) (a b : α) (h1 : f = g) (h2 : a = b) : f a = g b := by
  rw [h1, h2]

theorem eq_pointwise (α β : Type) (f g : α → β) (h : ∀ x, f x = g x) : f = g := by
  exact funext h

theorem eq_substitute (α : Type) (P : α → Prop) (a b : α) (h1 : a = b) (h2 : P a) : P b := by
  rw [← h1]
  exact h2

theorem eq_substitute_back (α : Type) (P : α → Prop) (a b : α) (h1 : a = b) (h2 : P b) : P a := by
  rw [h1]
  exact h2

theorem eq_substitute_at (α : Type) (P : α → Prop) (a b : α) (h1 : a = b) (h2 : P a) : P b := by
  rw [h1] at h2
  exact h2

theorem eq_substitute_two (α : Type) (R : α → α → Prop) (a b c : α) (h1 : a = b) (h2 : R a c) : R b c := by
  rw [← h1]
  exact h2

theorem eq_substitute_chain (α : Type) (P : α → Prop) (a b c : α) (h1 : a = b) (h2 : b = c) (h3 : P c) : P a := by
  rw [h1, h2]
  exact h3

theorem eq_law_once (α : Type) (f g : α → α) (a : α) (h : ∀ x, f (g x) = x) : f (g a) = a := by
  rw [h]

theorem eq_law_twice (α : Type) (f g : α → α) (a : α) (h : ∀ x, f (g x) = x) : f (f (g (g a))) = a := by
  rw [h, h]

theorem eq_law_idempotent (α : Type) (f : α → α) (a : α) (h : ∀ x, f (f x) = f x) : f (f (f a)) = f a := by
  rw [h, h]

theorem eq_inverse_injective (α : Type) (f g : α → α) (a b : α) (h1 : ∀ x, g (f x) = x) (h2 : f a = f b) : a = b := by
  rw [← h1 a, h2, h1]

theorem eq_involution (α : Type) (f : α → α) (a b : α) (h1 : ∀ x, f (f x) = x) (h2 : a = f b) : f a = b := by
  rw [h2, h1]

theorem ne_turn (α : Type) (a b : α) (h : a ≠ b) : b ≠ a := by
  intro h1
  exact h h1.symm

theorem ne_of_image (α β : Type) (f : α → β) (a b : α) (h : f a ≠ f b) : a ≠ b := by
  intro h1
  exact h (congrArg f h1)

theorem ne_of_property (α : Type) (P : α → Prop) (a b : α) (h1 : P a) (h2 : ¬P b) : a ≠ b := by
  intro h3
  rw [h3] at h1
  exact h2 h1

theorem eq_simple (α : Type) (a b c d : α) (h1 : a = b) (h2 : b = c) (h3 : d = c) : a = d := by
  simp_all

theorem eq_simple_property (α : Type) (P : α → Prop) (a b c : α) (h1 : a = b) (h2 : c = b) (h3 : P c) : P a := by
  simp_all
