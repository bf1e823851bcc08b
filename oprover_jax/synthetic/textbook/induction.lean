/-! Induction on natural numbers. -/

theorem induction_rule (P : Nat → Prop) (h1 : P 0) (h2 : ∀ n, P n → P (n + 1)) : ∀ n, P n := by
  intro n
  induction n with
  | zero => exact h1
  | succ n ih => exact h2 n ih

theorem induction_at (P : Nat → Prop) (n : Nat) (h1 : P 0) (h2 : ∀ n, P n → P (n + 1)) : P n := by
  induction n with
  | zero => exact h1
  | succ n ih => exact h2 n ih

theorem induction_two_steps (P Q : Nat → Prop) (n : Nat) (h1 : P 0) (h2 : ∀ n, P n → Q n) (h3 : ∀ n, Q n → P (n + 1)) : P n := by
  induction n with
  | zero => exact h1
  | succ n ih => exact h3 n (h2 n ih)

theorem cases_rule (P : Nat → Prop) (n : Nat) (h1 : P 0) (h2 : ∀ n, P (n + 1)) : P n := by
  cases n with
  | zero => exact h1
  | succ n => exact h2 n

theorem zero_or_succ (n : Nat) : n = 0 ∨ ∃ m, n = m + 1 := by
  cases n with
  | zero => exact Or.inl rfl
  | succ n => exact Or.inr ⟨n, rfl⟩

theorem count_function (f : Nat → Nat) (n : Nat) (h1 : f 0 = 0) (h2 : ∀ n, f (n + 1) = f n + 1) : f n = n := by
  induction n with
  | zero => exact h1
  | succ n ih => rw [h2, ih]

theorem constant_function (f : Nat → Nat) (c n : Nat) (h1 : f 0 = c) (h2 : ∀ n, f (n + 1) = f n) : f n = c := by
  induction n with
  | zero => exact h1
  | succ n ih => rw [h2, ih]

theorem same_recursion (f g : Nat → Nat) (n : Nat) (h1 : f 0 = g 0) (h2 : ∀ n, f (n + 1) = f n + 1) (h3 : ∀ n, g (n + 1) = g n + 1) : f n = g n := by
  induction n with
  | zero => exact h1
  | succ n ih => rw [h2, h3, ih]

theorem same_recursion_step (f g s : Nat → Nat) (n : Nat) (h1 : f 0 = 0) (h2 : g 0 = 0) (h3 : ∀ n, f (n + 1) = s (f n)) (h4 : ∀ n, g (n + 1) = s (g n)) : f n = g n := by
  induction n with
  | zero => rw [h1, h2]
  | succ n ih => rw [h3, h4, ih]

theorem double_function (f : Nat → Nat) (n : Nat) (h1 : f 0 = 0) (h2 : ∀ n, f (n + 1) = f n + 2) : f n = 2 * n := by
  induction n with
  | zero => rw [h1, Nat.mul_zero]
  | succ n ih => rw [h2, ih, Nat.mul_succ]

theorem multiple_function (f : Nat → Nat) (c n : Nat) (h1 : f 0 = 0) (h2 : ∀ n, f (n + 1) = f n + c) : f n = c * n := by
  induction n with
  | zero => rw [h1, Nat.mul_zero]
  | succ n ih => rw [h2, ih, Nat.mul_succ]

theorem shifted_function (f : Nat → Nat) (a n : Nat) (h1 : f 0 = a) (h2 : ∀ n, f (n + 1) = f n + 1) : f n = a + n := by
  induction n with
  | zero => rw [h1, Nat.add_zero]
  | succ n ih => rw [h2, ih, Nat.add_assoc]

theorem zero_product_function (f : Nat → Nat) (c n : Nat) (h1 : f 0 = 0) (h2 : ∀ n, f (n + 1) = c * f n) : f n = 0 := by
  induction n with
  | zero => exact h1
  | succ n ih => rw [h2, ih, Nat.mul_zero]

theorem bounded_start (f : Nat → Nat) (a n : Nat) (h1 : a ≤ f 0) (h2 : ∀ n, f n ≤ f (n + 1)) : a ≤ f n := by
  induction n with
  | zero => exact h1
  | succ n ih => exact Nat.le_trans ih (h2 n)

theorem bounded_above (f : Nat → Nat) (b n : Nat) (h1 : f 0 ≤ b) (h2 : ∀ n, f (n + 1) ≤ f n) : f n ≤ b := by
  induction n with
  | zero => exact h1
  | succ n ih => exact Nat.le_trans (h2 n) ih

theorem zero_add_by_induction (n : Nat) : 0 + n = n := by
  induction n with
  | zero => rfl
  | succ n ih => rw [← Nat.add_assoc, ih]

theorem succ_not_self (n : Nat) : n ≠ n + 1 := by
  induction n with
  | zero => decide
  | succ n ih =>
    intro h
    exact ih (Nat.add_right_cancel h)
