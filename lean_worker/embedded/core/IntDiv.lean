prelude
import OProverCore.Int
/- Division of integers (the remainder is never negative), balanced remainders, casts from Nat, minimum and maximum. -/
set_option linter.unusedVariables false
set_option linter.defProp false

namespace Int
@[extern "lean_int_ediv"] def ediv : Int → Int → Int
  | ofNat m, ofNat n => ofNat (m / n)
  | ofNat m, negSucc n => -ofNat (m / (n + 1))
  | negSucc _, ofNat 0 => 0
  | negSucc m, ofNat (n + 1) => negSucc (m / (n + 1))
  | negSucc m, negSucc n => ofNat (m / (n + 1) + 1)
@[extern "lean_int_emod"] def emod : Int → Int → Int
  | ofNat m, n => ofNat (m % natAbs n)
  | negSucc m, n => subNatNat (natAbs n) (m % natAbs n + 1)
instance instDiv : Div Int where div := Int.ediv
instance instMod : Mod Int where mod := Int.emod
def bmod (x : Int) (m : Nat) : Int :=
  let r := x % m
  if r < (m + 1) / 2 then r else r - m
@[extern "lean_int_div"] def tdiv : Int → Int → Int
  | ofNat m, ofNat n => ofNat (m / n)
  | ofNat m, negSucc n => -ofNat (m / (n + 1))
  | negSucc m, ofNat n => -ofNat ((m + 1) / n)
  | negSucc m, negSucc n => ofNat ((m + 1) / (n + 1))
@[extern "lean_int_mod"] def tmod : Int → Int → Int
  | ofNat m, ofNat n => ofNat (m % n)
  | ofNat m, negSucc n => ofNat (m % (n + 1))
  | negSucc m, ofNat n => -ofNat ((m + 1) % n)
  | negSucc m, negSucc n => -ofNat ((m + 1) % (n + 1))
def gcd (m n : Int) : Nat := Nat.gcd m.natAbs n.natAbs

private theorem split_pos (N q r : Nat) : subNatNat N 0 * subNatNat 0 (q + 1) + subNatNat N (r + 1) = subNatNat 0 (N * q + r + 1) := by
  rw [mul_rep, add_rep]; apply eq_rep
  simp only [Nat.left_distrib, Nat.mul_zero, Nat.zero_mul, Nat.mul_one, Nat.add_zero, Nat.zero_add]; ac_rfl
private theorem split_neg (N q r : Nat) : subNatNat 0 N * subNatNat (q + 1) 0 + subNatNat N (r + 1) = subNatNat 0 (N * q + r + 1) := by
  rw [mul_rep, add_rep]; apply eq_rep
  simp only [Nat.left_distrib, Nat.mul_zero, Nat.zero_mul, Nat.mul_one, Nat.add_zero, Nat.zero_add]; ac_rfl
theorem mul_ediv_add_emod : ∀ a b : Int, b * (a / b) + a % b = a
  | ofNat m, ofNat n => congrArg ofNat (Nat.div_add_mod m n)
  | ofNat m, negSucc n => by
    show -(ofNat (n + 1)) * -(ofNat (m / (n + 1))) + ofNat (m % (n + 1)) = _
    rw [Int.neg_mul_neg]; exact congrArg ofNat (Nat.div_add_mod m (n + 1))
  | negSucc m, ofNat 0 => by
    show (0 : Int) * 0 + subNatNat 0 (m % 0 + 1) = _
    rw [Int.zero_mul, Int.zero_add, Nat.mod_zero]; rfl
  | negSucc m, ofNat (n + 1) => by
    show ofNat (n + 1) * subNatNat 0 (m / (n + 1) + 1) + subNatNat (n + 1) (m % (n + 1) + 1) = subNatNat 0 (m + 1)
    rw [ofNat_rep, split_pos, Nat.div_add_mod]
  | negSucc m, negSucc n => by
    show subNatNat 0 (n + 1) * ofNat (m / (n + 1) + 1) + subNatNat (n + 1) (m % (n + 1) + 1) = subNatNat 0 (m + 1)
    rw [ofNat_rep, split_neg, Nat.div_add_mod]
theorem ediv_add_emod (a b : Int) : b * (a / b) + a % b = a := mul_ediv_add_emod a b
theorem emod_add_mul_ediv (a b : Int) : a % b + b * (a / b) = a := by rw [Int.add_comm, mul_ediv_add_emod]
theorem emod_def (a b : Int) : a % b = a - b * (a / b) := by
  have := mul_ediv_add_emod a b
  rw [← Int.add_sub_cancel_left (b * (a / b)) (a % b), this]
theorem nonneg_ofNat (n : Nat) : 0 ≤ ofNat n := by
  show NonNeg (ofNat n - 0)
  rw [Int.sub_zero]; exact NonNeg.mk n
theorem le_zero_rep {a b : Nat} (h : b ≤ a) : 0 ≤ subNatNat a b := by
  rw [lit_rep, le_rep, Nat.zero_add, Nat.add_zero]; exact h
theorem natAbs_pos_of_ne {b : Int} (h : b ≠ 0) : 0 < natAbs b := by
  cases b with
  | ofNat n => exact Nat.pos_of_ne_zero fun e => h (congrArg ofNat e)
  | negSucc n => exact Nat.succ_pos n
theorem emod_nonneg : ∀ (a : Int) {b : Int}, b ≠ 0 → 0 ≤ a % b
  | ofNat m, b, _ => nonneg_ofNat _
  | negSucc m, b, h => le_zero_rep (Nat.mod_lt m (natAbs_pos_of_ne h))
theorem emod_lt_of_pos (a : Int) {b : Int} (H : 0 < b) : a % b < b := by
  have hb : ∃ n, b = ofNat (n + 1) := by
    cases b with
    | ofNat n => cases n with
      | zero => exact absurd H (Int.lt_irrefl 0)
      | succ n => exact ⟨n, rfl⟩
    | negSucc n => exact nomatch (H : NonNeg _)
  obtain ⟨n, rfl⟩ := hb
  cases a with
  | ofNat m =>
    show ofNat (m % (n + 1)) < _
    rw [ofNat_rep, ofNat_rep, lt_rep]
    exact Nat.mod_lt m (Nat.succ_pos n)
  | negSucc m =>
    show subNatNat (n + 1) (m % (n + 1) + 1) < _
    rw [ofNat_rep, lt_rep, Nat.add_zero]
    exact Nat.lt_add_of_pos_right (Nat.succ_pos _)
@[simp] theorem ediv_zero : ∀ a : Int, a / 0 = 0
  | ofNat m => congrArg ofNat (Nat.div_zero m)
  | negSucc _ => rfl
@[simp] theorem emod_zero (a : Int) : a % 0 = a := by rw [emod_def, Int.zero_mul, Int.sub_zero]
theorem ediv_neg : ∀ a b : Int, a / -b = -(a / b)
  | ofNat m, ofNat 0 => by show ofNat (m / 0) = -ofNat (m / 0); rw [Nat.div_zero]; rfl
  | ofNat m, ofNat (n + 1) => rfl
  | ofNat m, negSucc n => (Int.neg_neg _).symm
  | negSucc m, ofNat 0 => rfl
  | negSucc m, ofNat (n + 1) => rfl
  | negSucc m, negSucc n => rfl
theorem mul_ediv_self_le {x k : Int} (h : k ≠ 0) : k * (x / k) ≤ x := by
  have := Int.add_le_add_left (emod_nonneg x h) (k * (x / k))
  rwa [mul_ediv_add_emod, Int.add_zero] at this
theorem lt_mul_ediv_self_add {x k : Int} (h : 0 < k) : x < k * (x / k) + k := by
  have := Int.add_le_add_left (Int.add_one_le_of_lt (emod_lt_of_pos x h)) (k * (x / k))
  rw [← Int.add_assoc, mul_ediv_add_emod] at this
  exact this
theorem le_ediv_of_mul_le {x y k : Int} (h : 0 < k) (g : k * x ≤ y) : x ≤ y / k := by
  apply Int.not_lt.1
  intro lt
  have := Int.mul_le_mul_of_nonneg_left (Int.add_one_le_of_lt lt) (Int.le_of_lt h)
  rw [Int.mul_add, Int.mul_one] at this
  exact Int.lt_irrefl _ (Int.lt_of_lt_of_le (lt_mul_ediv_self_add h) (Int.le_trans this g))
@[simp] theorem mul_ediv_cancel_left {a : Int} (b : Int) (h : a ≠ 0) : a * b / a = b := by
  have pos : ∀ {a : Int} (b : Int), 0 < a → a * b / a = b := fun {a} b h => by
    apply Int.le_antisymm
    · apply Int.not_lt.1
      intro lt
      have g := Int.mul_le_mul_of_nonneg_left (Int.add_one_le_of_lt lt) (Int.le_of_lt h)
      rw [Int.mul_add, Int.mul_one] at g
      have g := Int.le_trans g (mul_ediv_self_le (Int.ne_of_gt h))
      have g := Int.add_le_add_left g (-(a * b))
      rw [← Int.add_assoc, Int.add_left_neg, Int.zero_add] at g
      exact Int.not_le.2 h g
    · exact le_ediv_of_mul_le h (Int.le_refl _)
  rcases Int.lt_or_gt_of_ne h with g | g
  · have ha : 0 < -a := by
      have := Int.add_le_add_right (Int.add_one_le_of_lt g) (-a)
      rw [Int.add_right_comm, Int.add_right_neg, Int.zero_add (-a)] at this
      exact Int.lt_of_add_one_le this
    have := pos (-b) ha
    rw [Int.neg_mul_neg, ediv_neg] at this
    rw [← Int.neg_neg (a * b / a), this, Int.neg_neg]
  · exact pos b g
@[simp] theorem mul_ediv_cancel (a : Int) {b : Int} (h : b ≠ 0) : a * b / b = a := by rw [Int.mul_comm, mul_ediv_cancel_left a h]
@[simp] theorem mul_emod_right (a b : Int) : a * b % a = 0 := by
  rcases Decidable.em (a = 0) with h | h
  · subst h; rw [emod_zero, Int.zero_mul]
  · rw [emod_def, mul_ediv_cancel_left b h, Int.sub_self]
@[simp] theorem mul_emod_left (a b : Int) : a * b % b = 0 := by rw [Int.mul_comm, mul_emod_right]
theorem emod_eq_zero_of_dvd {a b : Int} (h : a ∣ b) : b % a = 0 := by
  obtain ⟨c, rfl⟩ := h
  exact mul_emod_right a c
theorem dvd_of_emod_eq_zero {a b : Int} (h : b % a = 0) : a ∣ b := ⟨b / a, by
  have := mul_ediv_add_emod b a
  rw [h, Int.add_zero] at this; exact this.symm⟩
theorem dvd_iff_emod_eq_zero {a b : Int} : a ∣ b ↔ b % a = 0 := ⟨emod_eq_zero_of_dvd, dvd_of_emod_eq_zero⟩
instance decidableDvd (a b : Int) : Decidable (a ∣ b) := match decEq (b % a) 0 with
  | isTrue h => isTrue (dvd_of_emod_eq_zero h)
  | isFalse h => isFalse fun g => h (emod_eq_zero_of_dvd g)
theorem emod_pos_of_not_dvd {a b : Int} (h : ¬a ∣ b) : a = 0 ∨ 0 < b % a := by
  rcases Decidable.em (a = 0) with g | g
  · exact .inl g
  · refine .inr (Int.lt_iff_le_and_ne.2 ⟨emod_nonneg b g, fun e => h (dvd_of_emod_eq_zero e.symm)⟩)
theorem dvd_mul_right (a b : Int) : a ∣ a * b := ⟨b, rfl⟩
theorem dvd_mul_left (a b : Int) : a ∣ b * a := ⟨b, Int.mul_comm b a⟩
protected theorem dvd_refl (a : Int) : a ∣ a := ⟨1, (Int.mul_one a).symm⟩
protected theorem dvd_trans {a b c : Int} (h₁ : a ∣ b) (h₂ : b ∣ c) : a ∣ c := by
  obtain ⟨x, rfl⟩ := h₁
  obtain ⟨y, rfl⟩ := h₂
  exact ⟨x * y, Int.mul_assoc a x y⟩
protected theorem dvd_add {a b c : Int} (h₁ : a ∣ b) (h₂ : a ∣ c) : a ∣ b + c := by
  obtain ⟨x, rfl⟩ := h₁
  obtain ⟨y, rfl⟩ := h₂
  exact ⟨x + y, (Int.mul_add a x y).symm⟩
theorem bmod_eq (x : Int) (m : Nat) : ∃ k, bmod x m = x + m * k := by
  have r : x % m = x + m * -(x / m) := by rw [emod_def, Int.mul_neg]; rfl
  unfold bmod
  show ∃ k, (if x % m < (m + 1) / 2 then x % m else x % m - m) = _
  split
  · exact ⟨-(x / m), r⟩
  · refine ⟨-(x / m) + -1, ?_⟩
    rw [r, Int.mul_add, ← Int.add_assoc, Int.mul_neg (m : Int) 1, Int.mul_one]; rfl

/- ### Casts -/
theorem natCast_nonneg (n : Nat) : 0 ≤ (n : Int) := nonneg_ofNat n
theorem ofNat_nonneg (n : Nat) : 0 ≤ (n : Int) := nonneg_ofNat n
theorem natCast_add (n m : Nat) : ((n + m : Nat) : Int) = n + m := rfl
theorem natCast_mul (n m : Nat) : ((n * m : Nat) : Int) = n * m := rfl
theorem natCast_succ (n : Nat) : ((Nat.succ n : Nat) : Int) = n + 1 := rfl
theorem natCast_ediv (m n : Nat) : ((m / n : Nat) : Int) = m / n := rfl
theorem natCast_emod (m n : Nat) : ((m % n : Nat) : Int) = m % n := rfl
theorem natCast_pow (b n : Nat) : ((b ^ n : Nat) : Int) = (b : Int) ^ n := by
  induction n with
  | zero => rfl
  | succ n ih => rw [Nat.pow_succ, Int.pow_succ, natCast_mul, ih]
theorem ofNat_inj {m n : Nat} : ((m : Nat) : Int) = n ↔ m = n := ⟨Int.ofNat.inj, congrArg _⟩
theorem natCast_inj {m n : Nat} : ((m : Nat) : Int) = n ↔ m = n := ofNat_inj
theorem ofNat_le {m n : Nat} : (m : Int) ≤ n ↔ m ≤ n := by rw [cast_rep, cast_rep, le_rep]; exact Iff.rfl
theorem ofNat_lt {m n : Nat} : (m : Int) < n ↔ m < n := by rw [cast_rep, cast_rep, lt_rep]; exact Iff.rfl
theorem natCast_sub {m n : Nat} (h : n ≤ m) : ((m - n : Nat) : Int) = m - n := by
  rw [cast_rep, cast_rep m, cast_rep n, sub_rep]
  apply eq_rep
  rw [Nat.zero_add, Nat.sub_add_cancel h]; rfl
theorem negSucc_eq (n : Nat) : negSucc n = -((n : Int) + 1) := rfl
theorem toNat_of_nonneg {a : Int} (h : 0 ≤ a) : (toNat a : Int) = a := by
  cases a with
  | ofNat n => rfl
  | negSucc n => exact nomatch (h : NonNeg _)
@[simp] theorem toNat_natCast (n : Nat) : toNat n = n := rfl
@[simp] theorem natAbs_natCast (n : Nat) : natAbs n = n := rfl
@[simp] theorem natAbs_neg (a : Int) : natAbs (-a) = natAbs a := by
  cases a with
  | ofNat n => cases n <;> rfl
  | negSucc n => rfl
theorem negSucc_lt_zero (n : Nat) : negSucc n < 0 := by
  show subNatNat 0 (n + 1) < _
  rw [lit_rep, lt_rep, Nat.zero_add, Nat.zero_add]; exact Nat.succ_pos n
theorem natAbs_of_nonneg {a : Int} (h : 0 ≤ a) : (natAbs a : Int) = a := by
  cases a with
  | ofNat n => rfl
  | negSucc n => exact nomatch (h : NonNeg _)
theorem ofNat_natAbs_of_nonpos {a : Int} (h : a ≤ 0) : (natAbs a : Int) = -a := by
  cases a with
  | ofNat n =>
    have := Int.le_antisymm h (nonneg_ofNat n)
    rw [this]; rfl
  | negSucc n => rfl

/- ### Minimum and maximum -/
protected theorem min_def (n m : Int) : min n m = if n ≤ m then n else m := rfl
protected theorem max_def (n m : Int) : max n m = if n ≤ m then m else n := rfl
protected theorem min_le_left (a b : Int) : min a b ≤ a := by
  rw [Int.min_def]; split
  · exact Int.le_refl a
  · next h => exact Int.le_of_lt (Int.not_le.1 h)
protected theorem min_le_right (a b : Int) : min a b ≤ b := by
  rw [Int.min_def]; split
  · next h => exact h
  · exact Int.le_refl b
protected theorem le_max_left (a b : Int) : a ≤ max a b := by
  rw [Int.max_def]; split
  · next h => exact h
  · exact Int.le_refl a
protected theorem le_max_right (a b : Int) : b ≤ max a b := by
  rw [Int.max_def]; split
  · exact Int.le_refl b
  · next h => exact Int.le_of_lt (Int.not_le.1 h)
theorem toNat_eq_max (a : Int) : (toNat a : Int) = max a 0 := by
  rw [Int.max_def]; split
  · next h => cases a with
    | ofNat n => exact Int.le_antisymm h (nonneg_ofNat n)
    | negSucc n => rfl
  · next h => exact toNat_of_nonneg (Int.le_of_lt (Int.not_le.1 h))
theorem le_natAbs {a : Int} : a ≤ natAbs a := by
  cases a with
  | ofNat n => exact Int.le_refl _
  | negSucc n => exact Int.le_trans (Int.le_of_lt (negSucc_lt_zero n)) (nonneg_ofNat _)
end Int
