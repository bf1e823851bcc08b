/-! For all and there exists. -/

theorem forall_instance (α : Type) (P : α → Prop) (a : α) (h : ∀ x, P x) : P a := by
  exact h a

theorem forall_apply (α : Type) (P Q : α → Prop) (a : α) (h1 : ∀ x, P x → Q x) (h2 : P a) : Q a := by
  exact h1 a h2

theorem forall_map (α : Type) (P Q : α → Prop) (h1 : ∀ x, P x → Q x) (h2 : ∀ x, P x) : ∀ x, Q x := by
  intro x
  exact h1 x (h2 x)

theorem forall_compose (α : Type) (P Q R : α → Prop) (h1 : ∀ x, P x → Q x) (h2 : ∀ x, Q x → R x) : ∀ x, P x → R x := by
  intro x h3
  exact h2 x (h1 x h3)

theorem forall_and_left (α : Type) (P Q : α → Prop) (h : ∀ x, P x ∧ Q x) : ∀ x, P x := by
  intro x
  exact (h x).1

theorem forall_and_right (α : Type) (P Q : α → Prop) (h : ∀ x, P x ∧ Q x) : ∀ x, Q x := by
  intro x
  exact (h x).2

theorem forall_and_split (α : Type) (P Q : α → Prop) (h : ∀ x, P x ∧ Q x) : (∀ x, P x) ∧ (∀ x, Q x) := by
  exact ⟨fun x => (h x).1, fun x => (h x).2⟩

theorem forall_and_join (α : Type) (P Q : α → Prop) (h1 : ∀ x, P x) (h2 : ∀ x, Q x) : ∀ x, P x ∧ Q x := by
  intro x
  exact ⟨h1 x, h2 x⟩

theorem forall_or_left (α : Type) (P Q : α → Prop) (h : ∀ x, P x) : ∀ x, P x ∨ Q x := by
  intro x
  exact Or.inl (h x)

theorem forall_or_join (α : Type) (P Q : α → Prop) (h : (∀ x, P x) ∨ (∀ x, Q x)) : ∀ x, P x ∨ Q x := by
  intro x
  cases h with
  | inl h1 => exact Or.inl (h1 x)
  | inr h2 => exact Or.inr (h2 x)

theorem forall_swap (α : Type) (R : α → α → Prop) (h : ∀ x y, R x y) : ∀ y x, R x y := by
  intro y x
  exact h x y

theorem forall_diagonal (α : Type) (R : α → α → Prop) (h : ∀ x y, R x y) : ∀ x, R x x := by
  intro x
  exact h x x

theorem forall_const_imp (α : Type) (P : α → Prop) (q : Prop) (h : q → ∀ x, P x) : ∀ x, q → P x := by
  intro x h1
  exact h h1 x

theorem forall_iff_forward (α : Type) (P Q : α → Prop) (a : α) (h1 : ∀ x, P x ↔ Q x) (h2 : P a) : Q a := by
  exact (h1 a).mp h2

theorem exists_witness (α : Type) (P : α → Prop) (a : α) (h : P a) : ∃ x, P x := by
  exact ⟨a, h⟩

theorem exists_of_forall (α : Type) (P : α → Prop) (a : α) (h : ∀ x, P x) : ∃ x, P x := by
  exact ⟨a, h a⟩

theorem exists_map (α : Type) (P Q : α → Prop) (h1 : ∃ x, P x) (h2 : ∀ x, P x → Q x) : ∃ x, Q x := by
  obtain ⟨x, h3⟩ := h1
  exact ⟨x, h2 x h3⟩

theorem exists_left (α : Type) (P Q : α → Prop) (h : ∃ x, P x ∧ Q x) : ∃ x, P x := by
  obtain ⟨x, h1⟩ := h
  exact ⟨x, h1.1⟩

theorem exists_right (α : Type) (P Q : α → Prop) (h : ∃ x, P x ∧ Q x) : ∃ x, Q x := by
  obtain ⟨x, h1⟩ := h
  exact ⟨x, h1.2⟩

theorem exists_both (α : Type) (P Q : α → Prop) (h : ∃ x, P x ∧ Q x) : (∃ x, P x) ∧ (∃ x, Q x) := by
  obtain ⟨x, h1⟩ := h
  exact ⟨⟨x, h1.1⟩, ⟨x, h1.2⟩⟩

theorem exists_and_swap (α : Type) (P Q : α → Prop) (h : ∃ x, P x ∧ Q x) : ∃ x, Q x ∧ P x := by
  obtain ⟨x, h1⟩ := h
  exact ⟨x, h1.2, h1.1⟩

theorem exists_or_left (α : Type) (P Q : α → Prop) (h : ∃ x, P x) : ∃ x, P x ∨ Q x := by
  obtain ⟨x, h1⟩ := h
  exact ⟨x, Or.inl h1⟩

theorem exists_or_split (α : Type) (P Q : α → Prop) (h : ∃ x, P x ∨ Q x) : (∃ x, P x) ∨ (∃ x, Q x) := by
  obtain ⟨x, h1⟩ := h
  cases h1 with
  | inl h2 => exact Or.inl ⟨x, h2⟩
  | inr h3 => exact Or.inr ⟨x, h3⟩

theorem exists_eliminate (α : Type) (P : α → Prop) (q : Prop) (h1 : ∃ x, P x) (h2 : ∀ x, P x → q) : q := by
  obtain ⟨x, h3⟩ := h1
  exact h2 x h3

theorem exists_imp_forall (α : Type) (P : α → Prop) (q : Prop) (h : (∃ x, P x) → q) : ∀ x, P x → q := by
  intro x h1
  exact h ⟨x, h1⟩

theorem exists_forall_swap (α : Type) (R : α → α → Prop) (h : ∃ x, ∀ y, R x y) : ∀ y, ∃ x, R x y := by
  intro y
  obtain ⟨x, h1⟩ := h
  exact ⟨x, h1 y⟩

theorem exists_self_eq (α : Type) (a : α) : ∃ x, x = a := by
  exact ⟨a, rfl⟩

theorem exists_image (α : Type) (f : α → α) (a : α) : ∃ x, x = f a := by
  exact ⟨f a, rfl⟩

theorem not_exists_forall (α : Type) (P : α → Prop) (h : ¬∃ x, P x) : ∀ x, ¬P x := by
  intro x h1
  exact h ⟨x, h1⟩

theorem forall_not_exists (α : Type) (P : α → Prop) (h : ∀ x, ¬P x) : ¬∃ x, P x := by
  intro h1
  obtain ⟨x, h2⟩ := h1
  exact h x h2

theorem exists_not_forall (α : Type) (P : α → Prop) (h : ∃ x, ¬P x) : ¬∀ x, P x := by
  intro h1
  obtain ⟨x, h2⟩ := h
  exact h2 (h1 x)

theorem exists_transport (α : Type) (P Q R : α → Prop) (h1 : ∃ x, P x) (h2 : ∀ x, P x → Q x) (h3 : ∀ x, Q x → R x) : ∃ x, R x := by
  obtain ⟨x, h4⟩ := h1
  exact ⟨x, h3 x (h2 x h4)⟩

theorem exists_conj_witness (α : Type) (P Q : α → Prop) (a : α) (h1 : P a) (h2 : ∀ x, P x → Q x) : ∃ x, P x ∧ Q x := by
  exact ⟨a, h1, h2 a h1⟩

theorem nat_exists_greater (n : Nat) : ∃ m, n < m := by
  exact ⟨n + 1, Nat.lt_succ_self n⟩

theorem nat_exists_sum : ∃ n, n + 3 = 7 := by
  exact ⟨4, rfl⟩

theorem nat_exists_product : ∃ n, 3 * n = 12 := by
  exact ⟨4, rfl⟩
