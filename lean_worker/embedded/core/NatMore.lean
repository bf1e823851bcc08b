prelude
import OProverCore.Nat
/- Nat, continued: the lemmas that ordinary proofs cite, with division and remainder, divisibility, minimum and maximum. -/
set_option linter.unusedVariables false
set_option linter.defProp false
universe u

namespace Nat
/- ### Successor and order -/
@[simp] theorem pred_zero : pred 0 = 0 := rfl
@[simp] theorem pred_succ (n : Nat) : pred (succ n) = n := rfl
theorem succ_inj {a b : Nat} : succ a = succ b ↔ a = b := ⟨succ.inj, congrArg succ⟩
protected theorem add_one_inj {a b : Nat} : a + 1 = b + 1 ↔ a = b := ⟨succ.inj, congrArg succ⟩
theorem one_ne_zero : 1 ≠ (0 : Nat) := succ_ne_zero 0
theorem zero_ne_one : 0 ≠ (1 : Nat) := fun h => succ_ne_zero 0 h.symm
@[simp] theorem zero_lt_succ (n : Nat) : 0 < succ n := succ_pos n
@[simp] theorem add_one_pos (n : Nat) : 0 < n + 1 := succ_pos n
theorem gt_of_not_le {n m : Nat} (h : ¬n ≤ m) : n > m := Nat.not_le.1 h
@[simp] theorem zero_lt_one : 0 < (1 : Nat) := succ_pos 0
theorem one_pos : 0 < (1 : Nat) := succ_pos 0
@[simp] theorem lt_add_one (n : Nat) : n < n + 1 := Nat.le.refl
theorem lt.base (n : Nat) : n < succ n := Nat.le.refl
theorem lt.step {n m : Nat} (h : n < m) : n < succ m := Nat.le.step h
theorem succ_le_of_lt {n m : Nat} (h : n < m) : succ n ≤ m := h
theorem lt_of_succ_le {n m : Nat} (h : succ n ≤ m) : n < m := h
theorem le_of_succ_le {n m : Nat} (h : succ n ≤ m) : n ≤ m := Nat.le_of_lt h
theorem le_of_lt_succ {m n : Nat} (h : m < succ n) : m ≤ n := le_of_succ_le_succ h
theorem lt_succ_of_le {n m : Nat} (h : n ≤ m) : n < succ m := succ_le_succ h
theorem lt_succ_iff {m n : Nat} : m < succ n ↔ m ≤ n := ⟨le_of_lt_succ, lt_succ_of_le⟩
theorem lt_add_one_iff {m n : Nat} : m < n + 1 ↔ m ≤ n := ⟨le_of_lt_succ, lt_succ_of_le⟩
theorem succ_le_iff {m n : Nat} : succ m ≤ n ↔ m < n := Iff.rfl
theorem add_one_le_iff {n m : Nat} : n + 1 ≤ m ↔ n < m := Iff.rfl
theorem lt_iff_add_one_le {m n : Nat} : m < n ↔ m + 1 ≤ n := Iff.rfl
theorem succ_le_succ_iff {a b : Nat} : succ a ≤ succ b ↔ a ≤ b := ⟨le_of_succ_le_succ, succ_le_succ⟩
theorem succ_lt_succ {n m : Nat} (h : n < m) : succ n < succ m := succ_le_succ h
theorem lt_of_succ_lt_succ {n m : Nat} (h : succ n < succ m) : n < m := le_of_succ_le_succ h
theorem succ_lt_succ_iff {a b : Nat} : succ a < succ b ↔ a < b := ⟨lt_of_succ_lt_succ, succ_lt_succ⟩
theorem lt_of_succ_lt {n m : Nat} (h : succ n < m) : n < m := Nat.le_trans (Nat.le_succ (succ n)) h
theorem le_succ_of_le {n m : Nat} (h : n ≤ m) : n ≤ succ m := Nat.le.step h
theorem le_add_one_of_le {n m : Nat} (h : n ≤ m) : n ≤ m + 1 := Nat.le.step h
@[simp] theorem not_lt_zero (n : Nat) : ¬n < 0 := not_succ_le_zero n
theorem eq_zero_of_le_zero {n : Nat} (h : n ≤ 0) : n = 0 := Nat.le_antisymm h (zero_le n)
@[simp] theorem le_zero_eq (a : Nat) : (a ≤ 0) = (a = 0) := propext ⟨eq_zero_of_le_zero, fun h => Nat.le_of_eq h⟩
theorem le_zero {n : Nat} : n ≤ 0 ↔ n = 0 := ⟨eq_zero_of_le_zero, Nat.le_of_eq⟩
protected theorem eq_zero_or_pos : (n : Nat) → n = 0 ∨ 0 < n
  | 0 => .inl rfl
  | n + 1 => .inr (succ_pos n)
protected theorem ne_zero_of_lt {m n : Nat} (h : m < n) : n ≠ 0 := fun e => by subst e; exact not_lt_zero m h
protected theorem pos_iff_ne_zero {n : Nat} : 0 < n ↔ n ≠ 0 := ⟨Nat.ne_zero_of_lt, Nat.pos_of_ne_zero⟩
protected theorem ne_of_gt {a b : Nat} (h : b < a) : a ≠ b := fun e => Nat.lt_irrefl b (e ▸ h)
protected theorem ne_of_lt {a b : Nat} (h : a < b) : a ≠ b := fun e => Nat.lt_irrefl b (e ▸ h)
protected theorem lt_asymm {a b : Nat} (h : a < b) : ¬b < a := fun g => Nat.lt_irrefl a (Nat.lt_trans h g)
protected theorem not_le_of_gt {n m : Nat} (h : n > m) : ¬n ≤ m := Nat.not_le.2 h
protected theorem not_lt_of_ge {n m : Nat} (h : n ≥ m) : ¬n < m := Nat.not_lt.2 h
protected theorem le_of_not_lt {n m : Nat} (h : ¬n < m) : m ≤ n := Nat.not_lt.1 h
protected theorem lt_of_not_le {n m : Nat} (h : ¬n ≤ m) : m < n := Nat.not_le.1 h
protected theorem lt_of_not_ge {n m : Nat} (h : ¬n ≥ m) : n < m := Nat.not_le.1 h
protected theorem lt_or_eq_of_le {n m : Nat} (h : n ≤ m) : n < m ∨ n = m := by
  cases h with
  | refl => exact .inr rfl
  | step h => exact .inl (succ_le_succ h)
protected theorem eq_or_lt_of_le {n m : Nat} (h : n ≤ m) : n = m ∨ n < m := (Nat.lt_or_eq_of_le h).symm
protected theorem le_iff_lt_or_eq {n m : Nat} : n ≤ m ↔ n < m ∨ n = m :=
  ⟨Nat.lt_or_eq_of_le, fun h => h.elim Nat.le_of_lt Nat.le_of_eq⟩
protected theorem lt_of_le_of_ne {n m : Nat} (h₁ : n ≤ m) (h₂ : ¬n = m) : n < m := (Nat.lt_or_eq_of_le h₁).resolve_right h₂
protected theorem lt_iff_le_and_not_ge {m n : Nat} : m < n ↔ m ≤ n ∧ ¬n ≤ m := ⟨fun h => ⟨Nat.le_of_lt h, Nat.not_le.2 h⟩, fun h => Nat.not_le.1 h.2⟩
protected theorem lt_or_gt_of_ne {a b : Nat} (h : a ≠ b) : a < b ∨ a > b :=
  (Nat.lt_trichotomy a b).imp_right (fun x => x.resolve_left h)
protected theorem le_antisymm_iff {a b : Nat} : a = b ↔ a ≤ b ∧ b ≤ a := ⟨fun h => ⟨Nat.le_of_eq h, Nat.le_of_eq h.symm⟩, fun h => Nat.le_antisymm h.1 h.2⟩

/- ### Addition -/
protected theorem add_add_add_comm (a b c d : Nat) : (a + b) + (c + d) = (a + c) + (b + d) := by
  rw [Nat.add_assoc, Nat.add_assoc, Nat.add_left_comm b]
protected theorem add_left_inj {m k n : Nat} : m + n = k + n ↔ m = k := Nat.add_right_cancel_iff
protected theorem add_right_inj {m k n : Nat} : n + m = n + k ↔ m = k := Nat.add_left_cancel_iff
theorem succ_add_eq_add_succ (a b : Nat) : succ a + b = a + succ b := succ_add a b
theorem one_add (n : Nat) : 1 + n = succ n := Nat.add_comm 1 n
theorem eq_zero_of_add_eq_zero {n m : Nat} (h : n + m = 0) : n = 0 ∧ m = 0 := add_eq_zero_iff.1 h
protected theorem eq_zero_of_add_eq_zero_left {n m : Nat} (h : n + m = 0) : m = 0 := (add_eq_zero_iff.1 h).2
protected theorem eq_zero_of_add_eq_zero_right {n m : Nat} (h : n + m = 0) : n = 0 := (add_eq_zero_iff.1 h).1
protected theorem le_of_add_le_add_right {a b c : Nat} (h : a + b ≤ c + b) : a ≤ c := by
  induction b with
  | zero => exact h
  | succ b ih => exact ih (le_of_succ_le_succ h)
protected theorem le_of_add_le_add_left {a b c : Nat} (h : a + b ≤ a + c) : b ≤ c := by
  rw [Nat.add_comm a b, Nat.add_comm a c] at h; exact Nat.le_of_add_le_add_right h
@[simp] protected theorem add_le_add_iff_right {m k n : Nat} : m + n ≤ k + n ↔ m ≤ k := ⟨Nat.le_of_add_le_add_right, fun h => Nat.add_le_add_right h n⟩
@[simp] protected theorem add_le_add_iff_left {m k n : Nat} : n + m ≤ n + k ↔ m ≤ k := ⟨Nat.le_of_add_le_add_left, fun h => Nat.add_le_add_left h n⟩
protected theorem add_lt_add_right {n m : Nat} (h : n < m) (k : Nat) : n + k < m + k := by
  show succ (n + k) ≤ m + k
  rw [← succ_add]; exact Nat.add_le_add_right h k
protected theorem add_lt_add_left {n m : Nat} (h : n < m) (k : Nat) : k + n < k + m := Nat.add_le_add_left (k := k) h
protected theorem add_lt_add {a b c d : Nat} (h₁ : a < b) (h₂ : c < d) : a + c < b + d :=
  Nat.lt_trans (Nat.add_lt_add_right h₁ c) (Nat.add_lt_add_left h₂ b)
protected theorem add_lt_add_of_le_of_lt {a b c d : Nat} (h₁ : a ≤ b) (h₂ : c < d) : a + c < b + d :=
  Nat.lt_of_le_of_lt (Nat.add_le_add_right h₁ c) (Nat.add_lt_add_left h₂ b)
protected theorem add_lt_add_of_lt_of_le {a b c d : Nat} (h₁ : a < b) (h₂ : c ≤ d) : a + c < b + d :=
  Nat.lt_of_lt_of_le (Nat.add_lt_add_right h₁ c) (Nat.add_le_add_left h₂ b)
protected theorem lt_of_add_lt_add_right {a b c : Nat} (h : a + b < c + b) : a < c := by
  have h' : succ a + b ≤ c + b := by rw [succ_add]; exact h
  exact Nat.le_of_add_le_add_right h'
protected theorem lt_of_add_lt_add_left {a b c : Nat} (h : a + b < a + c) : b < c := Nat.le_of_add_le_add_left (b := succ b) h
@[simp] protected theorem add_lt_add_iff_right {k n m : Nat} : n + k < m + k ↔ n < m := ⟨Nat.lt_of_add_lt_add_right, fun h => Nat.add_lt_add_right h k⟩
@[simp] protected theorem add_lt_add_iff_left {k n m : Nat} : k + n < k + m ↔ n < m := ⟨Nat.lt_of_add_lt_add_left, fun h => Nat.add_lt_add_left h k⟩
protected theorem lt_add_of_pos_right {k n : Nat} (h : 0 < k) : n < n + k := Nat.add_lt_add_left h n
protected theorem lt_add_of_pos_left {k n : Nat} (h : 0 < k) : n < k + n := by rw [Nat.add_comm]; exact Nat.lt_add_of_pos_right h
protected theorem lt_add_left {a b : Nat} (c : Nat) (h : a < b) : a < c + b := Nat.lt_of_lt_of_le h (le_add_left b c)
protected theorem lt_add_right {a b : Nat} (c : Nat) (h : a < b) : a < b + c := Nat.lt_of_lt_of_le h (le_add_right b c)
theorem le_add_right_of_le {n m k : Nat} (h : n ≤ m) : n ≤ m + k := Nat.le_trans h (le_add_right m k)
theorem le_add_left_of_le {n m k : Nat} (h : n ≤ m) : n ≤ k + m := Nat.le_trans h (le_add_left m k)
theorem le_of_add_right_le {n m k : Nat} (h : n + k ≤ m) : n ≤ m := Nat.le_trans (le_add_right n k) h
theorem le_of_add_left_le {n m k : Nat} (h : k + n ≤ m) : n ≤ m := Nat.le_trans (le_add_left n k) h
protected theorem le.dest {n m : Nat} (h : n ≤ m) : ∃ k, n + k = m := by
  obtain ⟨k, e⟩ := exists_eq_add_of_le h
  exact ⟨k, e.symm⟩
protected theorem le.intro {n m k : Nat} (h : n + k = m) : n ≤ m := h ▸ le_add_right n k
protected theorem add_pos_left {m : Nat} (h : 0 < m) (n : Nat) : 0 < m + n := Nat.lt_of_lt_of_le h (le_add_right m n)
protected theorem add_pos_right {n : Nat} (m : Nat) (h : 0 < n) : 0 < m + n := Nat.lt_of_lt_of_le h (le_add_left n m)

/- ### Multiplication -/
protected theorem two_mul (n : Nat) : 2 * n = n + n := by rw [← Nat.one_mul n, ← Nat.right_distrib]; simp
protected theorem mul_two (n : Nat) : n * 2 = n + n := by rw [Nat.mul_comm, Nat.two_mul]
protected theorem mul_right_comm (n m k : Nat) : n * m * k = n * k * m := by rw [Nat.mul_assoc, Nat.mul_comm m, ← Nat.mul_assoc]
protected theorem mul_mul_mul_comm (a b c d : Nat) : (a * b) * (c * d) = (a * c) * (b * d) := by
  rw [Nat.mul_assoc, Nat.mul_assoc, Nat.mul_left_comm b]
protected theorem mul_le_mul {p q m n : Nat} (h₁ : p ≤ m) (h₂ : q ≤ n) : p * q ≤ m * n :=
  Nat.le_trans (Nat.mul_le_mul_right q h₁) (Nat.mul_le_mul_left m h₂)
theorem mul_self_le_mul_self {m n : Nat} (h : m ≤ n) : m * m ≤ n * n := Nat.mul_le_mul h h
protected theorem mul_pos {n m : Nat} (hn : 0 < n) (hm : 0 < m) : 0 < n * m :=
  Nat.le_trans (Nat.mul_le_mul hn hm : 1 * 1 ≤ n * m) Nat.le.refl
protected theorem mul_eq_zero {m n : Nat} : n * m = 0 ↔ n = 0 ∨ m = 0 := by
  constructor
  · intro h
    rcases Nat.eq_zero_or_pos n with hn | hn
    · exact .inl hn
    · rcases Nat.eq_zero_or_pos m with hm | hm
      · exact .inr hm
      · exact absurd h (Nat.ne_of_gt (Nat.mul_pos hn hm))
  · rintro (h | h) <;> simp [h]
protected theorem pos_of_mul_pos_left {a b : Nat} (h : 0 < a * b) : 0 < b :=
  Nat.pos_of_ne_zero fun e => by subst e; exact Nat.lt_irrefl 0 h
private theorem mul_lt_mul_of_pos_left' {n m k : Nat} (h : n < m) (hk : 0 < k) : k * n < k * m :=
  Nat.lt_of_lt_of_le (Nat.lt_add_of_pos_right hk : k * n < k * n + k) (Nat.mul_le_mul_left k h)
protected theorem eq_of_mul_eq_mul_left {m k n : Nat} (hn : 0 < n) (h : n * m = n * k) : m = k := by
  rcases Nat.lt_trichotomy m k with g | g | g
  · exact absurd h (Nat.ne_of_lt (mul_lt_mul_of_pos_left' g hn))
  · exact g
  · exact absurd h (Nat.ne_of_gt (mul_lt_mul_of_pos_left' g hn))
protected theorem eq_of_mul_eq_mul_right {m k n : Nat} (hm : 0 < m) (h : n * m = k * m) : n = k := by
  rw [Nat.mul_comm n, Nat.mul_comm k] at h; exact Nat.eq_of_mul_eq_mul_left hm h
protected theorem le_of_mul_le_mul_left {a b c : Nat} (h : c * a ≤ c * b) (hc : 0 < c) : a ≤ b :=
  Nat.not_lt.1 fun g => Nat.not_le.2 (mul_lt_mul_of_pos_left' g hc) h
protected theorem le_mul_of_pos_right {n : Nat} (m : Nat) (h : 0 < n) : m ≤ m * n := by
  have := Nat.mul_le_mul_left m (show 1 ≤ n from h)
  rwa [Nat.mul_one] at this
protected theorem le_mul_of_pos_left {n : Nat} (m : Nat) (h : 0 < n) : m ≤ n * m := by
  rw [Nat.mul_comm]; exact Nat.le_mul_of_pos_right m h

/- ### Powers -/
protected theorem pow_one (a : Nat) : a ^ 1 = a := by rw [← Nat.zero_add 1, Nat.pow_succ, Nat.pow_zero, Nat.one_mul]
protected theorem pow_two (a : Nat) : a ^ 2 = a * a := by rw [Nat.pow_succ, Nat.pow_one]
protected theorem pow_add (a m n : Nat) : a ^ (m + n) = a ^ m * a ^ n := by
  induction n with
  | zero => rw [Nat.add_zero, Nat.pow_zero, Nat.mul_one]
  | succ n ih => rw [← Nat.add_assoc, Nat.pow_succ, ih, Nat.pow_succ, Nat.mul_assoc]
@[simp] protected theorem one_pow (n : Nat) : 1 ^ n = 1 := by
  induction n with
  | zero => rfl
  | succ n ih => rw [Nat.pow_succ, ih]
protected theorem zero_pow {n : Nat} (h : 0 < n) : 0 ^ n = 0 := by
  cases n with
  | zero => exact absurd h (Nat.lt_irrefl 0)
  | succ n => rw [Nat.pow_succ, Nat.mul_zero]
protected theorem mul_pow (a b n : Nat) : (a * b) ^ n = a ^ n * b ^ n := by
  induction n with
  | zero => rfl
  | succ n ih => rw [Nat.pow_succ, ih, Nat.mul_mul_mul_comm, Nat.pow_succ, Nat.pow_succ]
protected theorem pow_mul (a m n : Nat) : a ^ (m * n) = (a ^ m) ^ n := by
  induction n with
  | zero => rw [Nat.mul_zero, Nat.pow_zero, Nat.pow_zero]
  | succ n ih => rw [mul_add_one, Nat.pow_add, ih, Nat.pow_succ]
protected theorem pow_pos {p : Nat} (hp : 0 < p) {n : Nat} : 0 < p ^ n := by
  induction n with
  | zero => exact Nat.le.refl
  | succ n ih => rw [Nat.pow_succ]; exact Nat.mul_pos ih hp

/- ### Subtraction -/
theorem sub_succ (n m : Nat) : n - succ m = pred (n - m) := rfl
@[simp] theorem pred_eq_sub_one {n : Nat} : pred n = n - 1 := rfl
protected theorem sub_one (n : Nat) : n - 1 = pred n := rfl
@[simp] protected theorem zero_sub (n : Nat) : 0 - n = 0 := by
  induction n with
  | zero => rfl
  | succ n ih => rw [← succ_eq_add_one, sub_succ, ih]; rfl
theorem pred_le (n : Nat) : pred n ≤ n := by
  cases n with
  | zero => exact Nat.le.refl
  | succ n => exact Nat.le_succ n
@[simp] theorem sub_le (n m : Nat) : n - m ≤ n := by
  induction m with
  | zero => exact Nat.le.refl
  | succ m ih => exact Nat.le_trans (pred_le (n - m)) ih
protected theorem add_sub_cancel_left (n m : Nat) : n + m - n = m := by rw [Nat.add_comm, Nat.add_sub_cancel]
protected theorem add_sub_add_right (n k m : Nat) : (n + k) - (m + k) = n - m := by
  induction k with
  | zero => rfl
  | succ k ih => exact (succ_sub_succ (n + k) (m + k)).trans ih
protected theorem add_sub_add_left (k n m : Nat) : (k + n) - (k + m) = n - m := by
  rw [Nat.add_comm k n, Nat.add_comm k m, Nat.add_sub_add_right]
protected theorem sub_add_cancel {n m : Nat} (h : m ≤ n) : n - m + m = n := by
  obtain ⟨k, rfl⟩ := exists_eq_add_of_le h
  rw [Nat.add_sub_cancel_left, Nat.add_comm]
protected theorem add_sub_of_le {a b : Nat} (h : a ≤ b) : a + (b - a) = b := by rw [Nat.add_comm, Nat.sub_add_cancel h]
protected theorem sub_sub (n m k : Nat) : n - m - k = n - (m + k) := by
  induction k with
  | zero => rfl
  | succ k ih => exact congrArg pred ih
protected theorem sub_right_comm (m n k : Nat) : m - n - k = m - k - n := by rw [Nat.sub_sub, Nat.sub_sub, Nat.add_comm]
protected theorem sub_eq_zero_of_le {n m : Nat} (h : n ≤ m) : n - m = 0 := by
  obtain ⟨k, rfl⟩ := exists_eq_add_of_le h
  rw [← Nat.sub_sub, Nat.sub_self, Nat.zero_sub]
protected theorem sub_pos_of_lt {m n : Nat} (h : m < n) : 0 < n - m := by
  obtain ⟨k, rfl⟩ := exists_eq_add_of_le h
  rw [succ_add, ← add_succ, Nat.add_sub_cancel_left]; exact succ_pos k
protected theorem le_of_sub_eq_zero {n m : Nat} (h : n - m = 0) : n ≤ m :=
  Nat.not_lt.1 fun g => Nat.ne_of_gt (Nat.sub_pos_of_lt g) h
protected theorem sub_eq_zero_iff_le {n m : Nat} : n - m = 0 ↔ n ≤ m := ⟨Nat.le_of_sub_eq_zero, Nat.sub_eq_zero_of_le⟩
protected theorem add_sub_assoc {m k : Nat} (h : k ≤ m) (n : Nat) : n + m - k = n + (m - k) := by
  obtain ⟨l, rfl⟩ := exists_eq_add_of_le h
  rw [Nat.add_sub_cancel_left, Nat.add_left_comm, Nat.add_sub_cancel_left]
protected theorem sub_le_sub_right {n m : Nat} (h : n ≤ m) (k : Nat) : n - k ≤ m - k := by
  induction k with
  | zero => exact h
  | succ k ih => exact pred_le_pred ih
theorem sub_lt {n m : Nat} (hn : 0 < n) (hm : 0 < m) : n - m < n := by
  cases n with
  | zero => exact absurd hn (Nat.lt_irrefl 0)
  | succ n =>
    cases m with
    | zero => exact absurd hm (Nat.lt_irrefl 0)
    | succ m => exact succ_le_succ (Nat.le_trans (Nat.le_of_eq (succ_sub_succ n m)) (sub_le n m))
protected theorem mul_sub (k m n : Nat) : k * (m - n) = k * m - k * n := by
  rcases Nat.le_total n m with h | h
  · obtain ⟨d, rfl⟩ := exists_eq_add_of_le h
    rw [Nat.add_sub_cancel_left, Nat.left_distrib, Nat.add_sub_cancel_left]
  · rw [Nat.sub_eq_zero_of_le h, Nat.sub_eq_zero_of_le (Nat.mul_le_mul_left k h), Nat.mul_zero]
protected theorem sub_mul (n m k : Nat) : (n - m) * k = n * k - m * k := by
  rw [Nat.mul_comm, Nat.mul_sub, Nat.mul_comm k, Nat.mul_comm k]
protected theorem sub_le_iff_le_add {a b c : Nat} : a - b ≤ c ↔ a ≤ c + b := by
  constructor
  · intro h
    rcases Nat.le_total b a with g | g
    · exact Nat.sub_add_cancel g ▸ Nat.add_le_add_right h b
    · exact Nat.le_trans g (le_add_left b c)
  · intro h
    have := Nat.sub_le_sub_right h b
    rwa [Nat.add_sub_cancel] at this
protected theorem eq_sub_of_add_eq {a b c : Nat} (h : a + b = c) : a = c - b := by rw [← h, Nat.add_sub_cancel]
protected theorem sub_eq_of_eq_add {a b c : Nat} (h : a = c + b) : a - b = c := by rw [h, Nat.add_sub_cancel]

/- ### Division with remainder -/
theorem div_mod_go {m : Nat} (hm : 0 < m) (f : Nat) : ∀ n, n ≤ f → m * Nat.div.go f n m + Nat.mod.go f n m = n ∧ Nat.mod.go f n m < m := by
  induction f with
  | zero =>
    intro n h
    have e := eq_zero_of_le_zero h
    subst e
    exact ⟨rfl, hm⟩
  | succ f ih =>
    intro n h
    show m * cond (Nat.ble m n) (succ (Nat.div.go f (n - m) m)) 0 + cond (Nat.ble m n) (Nat.mod.go f (n - m) m) n = n
      ∧ cond (Nat.ble m n) (Nat.mod.go f (n - m) m) n < m
    cases e : Nat.ble m n with
    | true =>
      have le : m ≤ n := Nat.le_of_ble_eq_true e
      have smaller : n - m ≤ f := le_of_lt_succ (Nat.lt_of_lt_of_le (Nat.sub_lt (Nat.lt_of_lt_of_le hm le) hm) h)
      have both := ih (n - m) smaller
      constructor
      · show m * succ (Nat.div.go f (n - m) m) + Nat.mod.go f (n - m) m = n
        rw [mul_succ, Nat.add_right_comm, both.1, Nat.sub_add_cancel le]
      · exact both.2
    | false =>
      constructor
      · show m * 0 + n = n
        rw [Nat.mul_zero, Nat.zero_add]
      · exact Nat.not_le.1 fun le => Bool.noConfusion (e.symm.trans (Nat.ble_eq_true_of_le le))
theorem div_mod_pos {m : Nat} (hm : 0 < m) (n : Nat) : m * (n / m) + n % m = n ∧ n % m < m := by
  cases m with
  | zero => exact absurd hm (Nat.lt_irrefl 0)
  | succ m => exact div_mod_go hm n n Nat.le.refl
theorem mod_lt (x : Nat) {y : Nat} (h : y > 0) : x % y < y := (div_mod_pos h x).2
theorem div_add_mod (m k : Nat) : k * (m / k) + m % k = m := by
  cases k with
  | zero => rw [Nat.zero_mul, Nat.zero_add]; rfl
  | succ k => exact (div_mod_pos (succ_pos k) m).1
theorem mod_add_div (m k : Nat) : m % k + k * (m / k) = m := by rw [Nat.add_comm, div_add_mod]
theorem div_mod_unique {n m q r : Nat} (h : m * q + r = n) (hr : r < m) : n / m = q ∧ n % m = r := by
  have hm : 0 < m := Nat.lt_of_le_of_lt (zero_le r) hr
  have both := div_mod_pos hm n
  have key : ∀ {a b s t : Nat}, m * a + s = m * b + t → t < m → ¬b < a := by
    intro a b s t e ht lt
    have below : m * b + t < m * a := Nat.lt_of_lt_of_le (Nat.add_lt_add_left ht (m * b)) (Nat.mul_le_mul_left m lt)
    exact Nat.ne_of_lt (Nat.lt_of_lt_of_le below (le_add_right (m * a) s)) e.symm
  have same : n / m = q :=
    Nat.le_antisymm (Nat.not_lt.1 (key (both.1.trans h.symm) hr)) (Nat.not_lt.1 (key (h.trans both.1.symm) both.2))
  have e := both.1.trans h.symm
  rw [same] at e
  exact ⟨same, Nat.add_left_cancel e⟩
theorem mod_eq_of_lt {a b : Nat} (h : a < b) : a % b = a := (div_mod_unique (n := a) (m := b) (q := 0) (by rw [Nat.mul_zero, Nat.zero_add]) h).2
theorem div_eq_of_lt {a b : Nat} (h : a < b) : a / b = 0 := (div_mod_unique (n := a) (m := b) (q := 0) (by rw [Nat.mul_zero, Nat.zero_add]) h).1
@[simp] theorem mod_zero (a : Nat) : a % 0 = a := rfl
@[simp] protected theorem div_zero (b : Nat) : b / 0 = 0 := rfl
@[simp] theorem zero_mod (b : Nat) : 0 % b = 0 := by
  cases b with
  | zero => rfl
  | succ b => exact mod_eq_of_lt (succ_pos b)
@[simp] protected theorem zero_div (b : Nat) : 0 / b = 0 := by
  cases b with
  | zero => rfl
  | succ b => exact div_eq_of_lt (succ_pos b)
theorem mod_one (x : Nat) : x % 1 = 0 := eq_zero_of_le_zero (le_of_lt_succ (mod_lt x one_pos))
protected theorem div_one (n : Nat) : n / 1 = n := (div_mod_unique (n := n) (m := 1) (q := n) (r := 0) (by rw [Nat.one_mul, Nat.add_zero]) one_pos).1
protected theorem mul_add_div {m : Nat} (hm : m > 0) (x y : Nat) : (m * x + y) / m = x + y / m :=
  (div_mod_unique (q := x + y / m) (r := y % m) (by rw [Nat.left_distrib, Nat.add_assoc, div_add_mod]) (mod_lt y hm)).1
@[simp] theorem mul_mod_right (m n : Nat) : (m * n) % m = 0 := by
  rcases Nat.eq_zero_or_pos m with h | h
  · subst h; rw [Nat.zero_mul]; rfl
  · exact (div_mod_unique (n := m * n) (q := n) (r := 0) (Nat.add_zero _) h).2
@[simp] theorem mul_mod_left (m n : Nat) : (m * n) % n = 0 := by rw [Nat.mul_comm, mul_mod_right]
@[simp] theorem mod_self (n : Nat) : n % n = 0 := by
  have := mul_mod_right n 1
  rwa [Nat.mul_one] at this
@[simp] protected theorem mul_div_cancel_left (m : Nat) {n : Nat} (h : 0 < n) : n * m / n = m :=
  (div_mod_unique (n := n * m) (q := m) (r := 0) (Nat.add_zero _) h).1
@[simp] protected theorem mul_div_cancel (m : Nat) {n : Nat} (h : 0 < n) : m * n / n = m := by rw [Nat.mul_comm, Nat.mul_div_cancel_left m h]
protected theorem div_self {n : Nat} (h : 0 < n) : n / n = 1 := by
  have := Nat.mul_div_cancel_left 1 h
  rwa [Nat.mul_one] at this
@[simp] theorem add_mul_mod_self_left (x y z : Nat) : (x + y * z) % y = x % y := by
  rcases Nat.eq_zero_or_pos y with h | h
  · subst h; rw [Nat.zero_mul]; rfl
  · refine (div_mod_unique (q := x / y + z) (r := x % y) ?_ (mod_lt x h)).2
    rw [Nat.left_distrib, Nat.add_right_comm, div_add_mod]
@[simp] theorem add_mul_mod_self_right (x y z : Nat) : (x + y * z) % z = x % z := by rw [Nat.mul_comm, add_mul_mod_self_left]
@[simp] theorem add_mod_right (x z : Nat) : (x + z) % z = x % z := by
  have := add_mul_mod_self_left x z 1
  rwa [Nat.mul_one] at this
@[simp] theorem add_mod_left (x z : Nat) : (x + z) % x = z % x := by rw [Nat.add_comm, add_mod_right]

/- ### Divisibility -/
theorem dvd_zero (a : Nat) : a ∣ 0 := ⟨0, (Nat.mul_zero a).symm⟩
theorem one_dvd (n : Nat) : 1 ∣ n := ⟨n, (Nat.one_mul n).symm⟩
theorem eq_zero_of_zero_dvd {a : Nat} (h : 0 ∣ a) : a = 0 := by
  obtain ⟨c, e⟩ := h
  rw [e, Nat.zero_mul]
theorem dvd_mul_right_of_dvd {m n : Nat} (h : m ∣ n) (k : Nat) : m ∣ n * k := dvd_trans h (dvd_mul_right n k)
theorem dvd_mul_left_of_dvd {m n : Nat} (h : m ∣ n) (k : Nat) : m ∣ k * n := dvd_trans h (dvd_mul_left n k)
theorem mul_dvd_mul {a b c d : Nat} (h₁ : a ∣ b) (h₂ : c ∣ d) : a * c ∣ b * d := by
  obtain ⟨x, rfl⟩ := h₁
  obtain ⟨y, rfl⟩ := h₂
  exact ⟨x * y, Nat.mul_mul_mul_comm a x c y⟩
theorem mul_dvd_mul_left {b c : Nat} (a : Nat) (h : b ∣ c) : a * b ∣ a * c := mul_dvd_mul (dvd_refl a) h
theorem mul_dvd_mul_right {a b : Nat} (h : a ∣ b) (c : Nat) : a * c ∣ b * c := mul_dvd_mul h (dvd_refl c)
theorem le_of_dvd {m n : Nat} (h1 : 0 < n) (h : m ∣ n) : m ≤ n := by
  obtain ⟨k, rfl⟩ := h
  exact Nat.le_mul_of_pos_right m (Nat.pos_of_mul_pos_left h1)
protected theorem dvd_antisymm {m n : Nat} (h₁ : m ∣ n) (h₂ : n ∣ m) : m = n := by
  rcases Nat.eq_zero_or_pos n with e | hn
  · subst e; exact eq_zero_of_zero_dvd h₂
  · rcases Nat.eq_zero_or_pos m with e | hm
    · subst e; exact (eq_zero_of_zero_dvd h₁).symm
    · exact Nat.le_antisymm (le_of_dvd hn h₁) (le_of_dvd hm h₂)
protected theorem dvd_add_right {m k : Nat} (h : k ∣ m) {n : Nat} : k ∣ m + n ↔ k ∣ n := by
  constructor
  · intro g
    obtain ⟨x, rfl⟩ := h
    obtain ⟨y, e⟩ := g
    refine ⟨y - x, ?_⟩
    rw [Nat.mul_sub, ← e, Nat.add_sub_cancel_left]
  · exact fun g => dvd_add h g
theorem dvd_of_mod_eq_zero {m n : Nat} (h : n % m = 0) : m ∣ n := ⟨n / m, by have := div_add_mod n m; rw [h, Nat.add_zero] at this; exact this.symm⟩
theorem mod_eq_zero_of_dvd {m n : Nat} (h : m ∣ n) : n % m = 0 := by
  obtain ⟨k, rfl⟩ := h
  exact mul_mod_right m k
theorem dvd_iff_mod_eq_zero {m n : Nat} : m ∣ n ↔ n % m = 0 := ⟨mod_eq_zero_of_dvd, dvd_of_mod_eq_zero⟩
instance decidable_dvd (m n : Nat) : Decidable (m ∣ n) := match decEq (n % m) 0 with
  | isTrue h => isTrue (dvd_of_mod_eq_zero h)
  | isFalse h => isFalse fun g => h (mod_eq_zero_of_dvd g)
theorem mod_two_eq_zero_or_one (n : Nat) : n % 2 = 0 ∨ n % 2 = 1 := by
  have h := mod_lt n (succ_pos 1)
  rcases Nat.lt_or_eq_of_le (le_of_lt_succ h) with g | g
  · exact .inl (eq_zero_of_le_zero (le_of_lt_succ g))
  · exact .inr g
end Nat

/- ### Minimum and maximum -/
class Min (α : Type u) where
  min : α → α → α
export Min (min)
class Max (α : Type u) where
  max : α → α → α
export Max (max)
@[reducible] def minOfLe {α : Type u} [LE α] [DecidableRel (@LE.le α _)] : Min α where
  min x y := if x ≤ y then x else y
@[reducible] def maxOfLe {α : Type u} [LE α] [DecidableRel (@LE.le α _)] : Max α where
  max x y := if x ≤ y then y else x
instance instMinNat : Min Nat := minOfLe
instance Nat.instMax : Max Nat := maxOfLe

namespace Nat
protected theorem min_def {n m : Nat} : min n m = if n ≤ m then n else m := rfl
protected theorem max_def {n m : Nat} : max n m = if n ≤ m then m else n := rfl
protected theorem min_eq_left {a b : Nat} (h : a ≤ b) : min a b = a := if_pos h
protected theorem min_eq_right {a b : Nat} (h : b ≤ a) : min a b = b := by
  rcases Nat.lt_or_eq_of_le h with g | g
  · exact if_neg (Nat.not_le.2 g)
  · subst g; exact Nat.min_eq_left h
protected theorem max_eq_right {a b : Nat} (h : a ≤ b) : max a b = b := if_pos h
protected theorem max_eq_left {a b : Nat} (h : b ≤ a) : max a b = a := by
  rcases Nat.lt_or_eq_of_le h with g | g
  · exact if_neg (Nat.not_le.2 g)
  · subst g; exact Nat.max_eq_right h
protected theorem min_le_left (a b : Nat) : min a b ≤ a := by
  rcases Nat.le_total a b with h | h
  · rw [Nat.min_eq_left h]; exact Nat.le.refl
  · rw [Nat.min_eq_right h]; exact h
protected theorem min_le_right (a b : Nat) : min a b ≤ b := by
  rcases Nat.le_total a b with h | h
  · rw [Nat.min_eq_left h]; exact h
  · rw [Nat.min_eq_right h]; exact Nat.le.refl
protected theorem le_max_left (a b : Nat) : a ≤ max a b := by
  rcases Nat.le_total a b with h | h
  · rw [Nat.max_eq_right h]; exact h
  · rw [Nat.max_eq_left h]; exact Nat.le.refl
protected theorem le_max_right (a b : Nat) : b ≤ max a b := by
  rcases Nat.le_total a b with h | h
  · rw [Nat.max_eq_right h]; exact Nat.le.refl
  · rw [Nat.max_eq_left h]; exact h
protected theorem min_comm (a b : Nat) : min a b = min b a := by
  rcases Nat.le_total a b with h | h
  · rw [Nat.min_eq_left h, Nat.min_eq_right h]
  · rw [Nat.min_eq_right h, Nat.min_eq_left h]
protected theorem max_comm (a b : Nat) : max a b = max b a := by
  rcases Nat.le_total a b with h | h
  · rw [Nat.max_eq_right h, Nat.max_eq_left h]
  · rw [Nat.max_eq_left h, Nat.max_eq_right h]
@[simp] protected theorem min_self (a : Nat) : min a a = a := Nat.min_eq_left Nat.le.refl
@[simp] protected theorem max_self (a : Nat) : max a a = a := Nat.max_eq_right Nat.le.refl
protected theorem le_min {a b c : Nat} : a ≤ min b c ↔ a ≤ b ∧ a ≤ c := by
  constructor
  · exact fun h => ⟨Nat.le_trans h (Nat.min_le_left b c), Nat.le_trans h (Nat.min_le_right b c)⟩
  · intro ⟨hb, hc⟩
    rcases Nat.le_total b c with h | h
    · rw [Nat.min_eq_left h]; exact hb
    · rw [Nat.min_eq_right h]; exact hc
protected theorem max_le {a b c : Nat} : max a b ≤ c ↔ a ≤ c ∧ b ≤ c := by
  constructor
  · exact fun h => ⟨Nat.le_trans (Nat.le_max_left a b) h, Nat.le_trans (Nat.le_max_right a b) h⟩
  · intro ⟨ha, hb⟩
    rcases Nat.le_total a b with h | h
    · rw [Nat.max_eq_right h]; exact hb
    · rw [Nat.max_eq_left h]; exact ha
end Nat
