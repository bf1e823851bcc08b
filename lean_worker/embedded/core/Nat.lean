prelude
import OProverCore.Prop
/- Nat: the recursors that `induction` and `cases` use, addition, multiplication, order, subtraction, divisibility, strong induction. -/
set_option linter.unusedVariables false
set_option linter.defProp false
universe u v w

/- ### Associative / commutative operators (ac_rfl, Trans for order) -/
class Std.Associative {α : Sort u} (op : α → α → α) : Prop where
  assoc : ∀ a b c, op (op a b) c = op a (op b c)
class Std.Commutative {α : Sort u} (op : α → α → α) : Prop where
  comm : ∀ a b, op a b = op b a
class Std.IdempotentOp {α : Sort u} (op : α → α → α) : Prop where
  idempotent : ∀ x, op x x = x

namespace Nat
@[elab_as_elim, induction_eliminator] protected noncomputable def rec_aux {motive : Nat → Sort u} (zero : motive 0)
    (succ : ∀ n, motive n → motive (n + 1)) (t : Nat) : motive t := Nat.rec zero succ t
@[elab_as_elim, cases_eliminator, reducible] protected def cases_aux {motive : Nat → Sort u} (zero : motive 0)
    (succ : ∀ n, motive (n + 1)) (t : Nat) : motive t := Nat.casesOn t zero succ

@[simp] theorem add_zero (n : Nat) : n + 0 = n := rfl
theorem add_succ (n m : Nat) : n + succ m = succ (n + m) := rfl
theorem add_one (n : Nat) : n + 1 = succ n := rfl
@[simp] theorem succ_eq_add_one (n : Nat) : succ n = n + 1 := rfl
@[simp] theorem zero_add (n : Nat) : 0 + n = n := by
  induction n with
  | zero => rfl
  | succ n ih => exact congrArg succ ih
theorem succ_add (n m : Nat) : succ n + m = succ (n + m) := by
  induction m with
  | zero => rfl
  | succ m ih => exact congrArg succ ih
protected theorem add_comm (n m : Nat) : n + m = m + n := by
  induction m with
  | zero => rw [zero_add, add_zero]
  | succ m ih => exact (congrArg succ ih).trans (succ_add m n).symm
protected theorem add_assoc (a b c : Nat) : a + b + c = a + (b + c) := by
  induction c with
  | zero => rfl
  | succ c ih => exact congrArg succ ih
protected theorem add_left_comm (a b c : Nat) : a + (b + c) = b + (a + c) := by
  rw [← Nat.add_assoc, Nat.add_comm a b, Nat.add_assoc]
protected theorem add_right_comm (a b c : Nat) : a + b + c = a + c + b := by
  rw [Nat.add_assoc, Nat.add_comm b c, Nat.add_assoc]
protected theorem add_right_cancel {a b c : Nat} (h : a + b = c + b) : a = c := by
  induction b with
  | zero => exact h
  | succ b ih => exact ih (succ.inj h)
protected theorem add_left_cancel {a b c : Nat} (h : a + b = a + c) : b = c := by
  rw [Nat.add_comm a b, Nat.add_comm a c] at h; exact Nat.add_right_cancel h
@[simp] protected theorem add_right_cancel_iff {a b c : Nat} : a + b = c + b ↔ a = c :=
  ⟨Nat.add_right_cancel, fun h => h ▸ rfl⟩
@[simp] protected theorem add_left_cancel_iff {a b c : Nat} : a + b = a + c ↔ b = c :=
  ⟨Nat.add_left_cancel, fun h => h ▸ rfl⟩
@[simp] theorem add_eq_zero_iff {a b : Nat} : a + b = 0 ↔ a = 0 ∧ b = 0 := by
  cases b with
  | zero => simp
  | succ b => exact ⟨fun h => (by injection h), fun h => (by cases h.2)⟩
@[simp] theorem succ_ne_zero (n : Nat) : succ n ≠ 0 := fun h => by injection h
@[simp] theorem add_one_ne_zero (n : Nat) : n + 1 ≠ 0 := fun h => by injection h

@[simp] protected theorem mul_zero (n : Nat) : n * 0 = 0 := rfl
theorem mul_succ (n m : Nat) : n * succ m = n * m + n := rfl
theorem mul_add_one (n m : Nat) : n * (m + 1) = n * m + n := rfl
@[simp] protected theorem zero_mul (n : Nat) : 0 * n = 0 := by
  induction n with
  | zero => rfl
  | succ n ih => rw [mul_add_one, ih]
theorem add_one_mul (n m : Nat) : (n + 1) * m = n * m + m := by
  induction m with
  | zero => rfl
  | succ m ih => rw [mul_add_one, mul_add_one, ih, ← Nat.add_assoc, ← Nat.add_assoc, Nat.add_right_comm (n * m) m n]
theorem succ_mul (n m : Nat) : succ n * m = n * m + m := add_one_mul n m
protected theorem mul_comm (n m : Nat) : n * m = m * n := by
  induction m with
  | zero => rw [Nat.mul_zero, Nat.zero_mul]
  | succ m ih => rw [mul_add_one, add_one_mul, ih]
@[simp] protected theorem mul_one (n : Nat) : n * 1 = n := by rw [← Nat.zero_add 1, mul_add_one, Nat.mul_zero, Nat.zero_add]
@[simp] protected theorem one_mul (n : Nat) : 1 * n = n := by rw [Nat.mul_comm, Nat.mul_one]
protected theorem left_distrib (a b c : Nat) : a * (b + c) = a * b + a * c := by
  induction c with
  | zero => rfl
  | succ c ih => rw [← Nat.add_assoc, mul_add_one, mul_add_one, ih, Nat.add_assoc]
protected theorem mul_add (a b c : Nat) : a * (b + c) = a * b + a * c := Nat.left_distrib a b c
protected theorem right_distrib (a b c : Nat) : (a + b) * c = a * c + b * c := by
  rw [Nat.mul_comm, Nat.left_distrib, Nat.mul_comm c a, Nat.mul_comm c b]
protected theorem add_mul (a b c : Nat) : (a + b) * c = a * c + b * c := Nat.right_distrib a b c
protected theorem mul_assoc (a b c : Nat) : a * b * c = a * (b * c) := by
  induction c with
  | zero => rfl
  | succ c ih => rw [mul_add_one, mul_add_one, ih, Nat.left_distrib]
protected theorem mul_left_comm (a b c : Nat) : a * (b * c) = b * (a * c) := by
  rw [← Nat.mul_assoc, Nat.mul_comm a b, Nat.mul_assoc]
instance : Std.Associative (α := Nat) (· + ·) := ⟨Nat.add_assoc⟩
instance : Std.Commutative (α := Nat) (· + ·) := ⟨Nat.add_comm⟩
instance : Std.Associative (α := Nat) (· * ·) := ⟨Nat.mul_assoc⟩
instance : Std.Commutative (α := Nat) (· * ·) := ⟨Nat.mul_comm⟩
protected theorem pow_zero (b : Nat) : b ^ 0 = 1 := rfl
protected theorem pow_succ (b n : Nat) : b ^ (n + 1) = b ^ n * b := rfl

/- order -/
@[simp] protected theorem le_refl (n : Nat) : n ≤ n := Nat.le.refl
protected theorem le_rfl {n : Nat} : n ≤ n := Nat.le.refl
protected theorem le_of_eq {n m : Nat} (h : n = m) : n ≤ m := h ▸ Nat.le.refl
theorem le_succ (n : Nat) : n ≤ succ n := Nat.le.step Nat.le.refl
protected theorem le_trans {a b c : Nat} (h₁ : a ≤ b) (h₂ : b ≤ c) : a ≤ c := by
  induction h₂ with
  | refl => exact h₁
  | step _ ih => exact Nat.le.step ih
theorem pred_le_pred {a b : Nat} (h : a ≤ b) : pred a ≤ pred b := by
  cases h with
  | refl => exact Nat.le.refl
  | step h => 
    cases a with
    | zero => exact h
    | succ a => exact Nat.le_trans (le_succ a) h
theorem le_of_succ_le_succ {a b : Nat} (h : succ a ≤ succ b) : a ≤ b := pred_le_pred h
theorem not_succ_le_zero (n : Nat) : ¬(succ n ≤ 0) := fun h => by cases h
theorem not_succ_le_self (n : Nat) : ¬(succ n ≤ n) := by
  induction n with
  | zero => exact not_succ_le_zero 0
  | succ n ih => exact fun h => ih (le_of_succ_le_succ h)
@[simp] protected theorem lt_irrefl (n : Nat) : ¬(n < n) := not_succ_le_self n
protected theorem le_antisymm {a b : Nat} (h₁ : a ≤ b) (h₂ : b ≤ a) : a = b := by
  cases h₁ with
  | refl => rfl
  | step h => exact absurd (Nat.le_trans h₂ h) (not_succ_le_self _)
protected theorem lt_of_lt_of_le {a b c : Nat} (h₁ : a < b) (h₂ : b ≤ c) : a < c := Nat.le_trans h₁ h₂
protected theorem lt_of_le_of_lt {a b c : Nat} (h₁ : a ≤ b) (h₂ : b < c) : a < c := Nat.le_trans (succ_le_succ h₁) h₂
protected theorem le_of_lt {a b : Nat} (h : a < b) : a ≤ b := Nat.le_trans (le_succ a) h
protected theorem lt_trans {a b c : Nat} (h₁ : a < b) (h₂ : b < c) : a < c := Nat.le_trans h₁ (Nat.le_of_lt h₂)
theorem lt_succ_self (n : Nat) : n < succ n := Nat.le.refl
protected theorem lt_or_ge (a b : Nat) : a < b ∨ b ≤ a := by
  induction b with
  | zero => exact .inr (zero_le a)
  | succ b ih =>
    rcases ih with h | h
    · exact .inl (Nat.le.step h)
    · cases h with
      | refl => exact .inl Nat.le.refl
      | step h => exact .inr (succ_le_succ h)
protected theorem le_total (a b : Nat) : a ≤ b ∨ b ≤ a := (Nat.lt_or_ge a b).elim (fun h => .inl (Nat.le_of_lt h)) .inr
protected theorem not_lt {a b : Nat} : ¬a < b ↔ b ≤ a :=
  ⟨fun h => (Nat.lt_or_ge a b).elim (fun x => absurd x h) id, fun h x => Nat.lt_irrefl _ (Nat.lt_of_lt_of_le x h)⟩
protected theorem not_le {a b : Nat} : ¬a ≤ b ↔ b < a :=
  ⟨fun h => (Nat.lt_or_ge b a).elim id (fun x => absurd x h), fun h x => Nat.lt_irrefl _ (Nat.lt_of_lt_of_le h x)⟩
protected theorem lt_trichotomy (a b : Nat) : a < b ∨ a = b ∨ b < a := by
  rcases Nat.lt_or_ge a b with h | h
  · exact .inl h
  · rcases Nat.lt_or_ge b a with h' | h'
    · exact .inr (.inr h')
    · exact .inr (.inl (Nat.le_antisymm h' h))
protected theorem add_le_add_right {a b : Nat} (h : a ≤ b) (k : Nat) : a + k ≤ b + k := by
  induction k with
  | zero => exact h
  | succ k ih => exact succ_le_succ ih
protected theorem add_le_add_left {a b : Nat} (h : a ≤ b) (k : Nat) : k + a ≤ k + b := by
  rw [Nat.add_comm k a, Nat.add_comm k b]; exact Nat.add_le_add_right h k
protected theorem add_le_add {a b c d : Nat} (h₁ : a ≤ b) (h₂ : c ≤ d) : a + c ≤ b + d :=
  Nat.le_trans (Nat.add_le_add_right h₁ c) (Nat.add_le_add_left h₂ b)
theorem le_add_right (n k : Nat) : n ≤ n + k := by
  induction k with
  | zero => exact Nat.le.refl
  | succ k ih => exact Nat.le.step ih
theorem le_add_left (n k : Nat) : n ≤ k + n := by rw [Nat.add_comm]; exact le_add_right n k
protected theorem mul_le_mul_left {a b : Nat} (k : Nat) (h : a ≤ b) : k * a ≤ k * b := by
  induction h with
  | refl => exact Nat.le.refl
  | step _ ih => exact Nat.le_trans ih (le_add_right _ _)
protected theorem mul_le_mul_right {a b : Nat} (k : Nat) (h : a ≤ b) : a * k ≤ b * k := by
  rw [Nat.mul_comm a, Nat.mul_comm b]; exact Nat.mul_le_mul_left k h
theorem exists_eq_add_of_le {a b : Nat} (h : a ≤ b) : ∃ k, b = a + k := by
  induction h with
  | refl => exact ⟨0, rfl⟩
  | step _ ih => 
    obtain ⟨k, hk⟩ := ih
    exact ⟨k + 1, congrArg succ hk⟩
theorem succ_pos (n : Nat) : 0 < succ n := succ_le_succ (zero_le n)
protected theorem pos_of_ne_zero {n : Nat} (h : n ≠ 0) : 0 < n := by
  cases n with
  | zero => exact absurd rfl h
  | succ n => exact succ_pos n
instance : Trans (α := Nat) (· ≤ ·) (· ≤ ·) (· ≤ ·) := ⟨Nat.le_trans⟩
instance : Trans (α := Nat) (· < ·) (· < ·) (· < ·) := ⟨Nat.lt_trans⟩
instance : Trans (α := Nat) (· < ·) (· ≤ ·) (· < ·) := ⟨Nat.lt_of_lt_of_le⟩
instance : Trans (α := Nat) (· ≤ ·) (· < ·) (· < ·) := ⟨Nat.lt_of_le_of_lt⟩

/- subtraction, divisibility -/
@[simp] protected theorem sub_zero (n : Nat) : n - 0 = n := rfl
theorem succ_sub_succ (n m : Nat) : succ n - succ m = n - m := by
  induction m with
  | zero => rfl
  | succ m ih => exact congrArg pred ih
@[simp] protected theorem sub_self (n : Nat) : n - n = 0 := by
  induction n with
  | zero => rfl
  | succ n ih => rw [← succ_eq_add_one, succ_sub_succ, ih]
@[simp] protected theorem add_sub_cancel (n m : Nat) : n + m - m = n := by
  induction m with
  | zero => rfl
  | succ m ih => exact (succ_sub_succ (n + m) m).trans ih
instance : Dvd Nat := ⟨fun a b => ∃ c, b = a * c⟩
theorem dvd_refl (n : Nat) : n ∣ n := ⟨1, (Nat.mul_one n).symm⟩
theorem dvd_mul_right (a b : Nat) : a ∣ a * b := ⟨b, rfl⟩
theorem dvd_mul_left (a b : Nat) : a ∣ b * a := ⟨b, Nat.mul_comm b a⟩
theorem dvd_trans {a b c : Nat} (h₁ : a ∣ b) (h₂ : b ∣ c) : a ∣ c := by
  obtain ⟨x, rfl⟩ := h₁
  obtain ⟨y, rfl⟩ := h₂
  exact ⟨x * y, Nat.mul_assoc a x y⟩
theorem dvd_add {a b c : Nat} (h₁ : a ∣ b) (h₂ : a ∣ c) : a ∣ b + c := by
  obtain ⟨x, rfl⟩ := h₁
  obtain ⟨y, rfl⟩ := h₂
  exact ⟨x + y, (Nat.left_distrib a x y).symm⟩
theorem strongRecOn {motive : Nat → Prop} (n : Nat) (ind : ∀ n, (∀ m, m < n → motive m) → motive n) : motive n := by
  have key : ∀ k, ∀ m, m < k → motive m := by
    intro k
    induction k with
    | zero => intro m h; exact absurd h (not_succ_le_zero m)
    | succ k ih =>
      intro m h
      apply ind
      intro j hj
      exact ih j (Nat.lt_of_lt_of_le hj (le_of_succ_le_succ h))
  exact key (n + 1) n Nat.le.refl
end Nat
