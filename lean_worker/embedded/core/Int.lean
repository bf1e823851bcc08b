prelude
import OProverCore.AC
/- Int as in core Lean: constructors, arithmetic, order, decidability, and the laws of an ordered ring. Proofs write an integer as a
difference of natural numbers and compute there. -/
set_option linter.unusedVariables false
set_option linter.defProp false
universe u

class Zero (α : Type u) where
  zero : α
class One (α : Type u) where
  one : α
instance (priority := 300) Zero.toOfNat0 {α : Type u} [Zero α] : OfNat α 0 where
  ofNat := Zero.zero
instance (priority := 200) Zero.ofOfNat0 {α : Type u} [OfNat α 0] : Zero α where
  zero := 0
class NatCast (R : Type u) where
  natCast : Nat → R
@[coe, reducible, match_pattern] protected def Nat.cast {R : Type u} [NatCast R] : Nat → R := NatCast.natCast
instance {R : Type u} [NatCast R] : CoeTail Nat R where coe := Nat.cast
instance : NatCast Nat where natCast n := n
set_option genCtorIdx false in
inductive Int : Type where
  | ofNat : Nat → Int
  | negSucc : Nat → Int
attribute [extern "lean_nat_to_int"] Int.ofNat
attribute [extern "lean_int_neg_succ_of_nat"] Int.negSucc
class IntCast (R : Type u) where
  intCast : Int → R
@[coe, reducible] protected def Int.cast {R : Type u} [IntCast R] : Int → R := IntCast.intCast
instance : IntCast Int where intCast n := n
instance instNatCastInt : NatCast Int where natCast n := Int.ofNat n
instance instOfNat {n : Nat} : OfNat Int n where ofNat := Int.ofNat n

namespace Int
def negOfNat : Nat → Int
  | 0 => 0
  | m + 1 => negSucc m
def subNatNat (m n : Nat) : Int := match n - m with
  | 0 => ofNat (m - n)
  | k + 1 => negSucc k
@[extern "lean_int_neg"] protected def neg : Int → Int
  | ofNat n => negOfNat n
  | negSucc n => ofNat (n + 1)
@[default_instance mid] instance instNegInt : Neg Int where neg := Int.neg
@[extern "lean_int_add"] protected def add : Int → Int → Int
  | ofNat m, ofNat n => ofNat (m + n)
  | ofNat m, negSucc n => subNatNat m (n + 1)
  | negSucc m, ofNat n => subNatNat n (m + 1)
  | negSucc m, negSucc n => negSucc (m + n + 1)
instance instAdd : Add Int where add := Int.add
@[extern "lean_int_mul"] protected def mul : Int → Int → Int
  | ofNat m, ofNat n => ofNat (m * n)
  | ofNat m, negSucc n => negOfNat (m * (n + 1))
  | negSucc m, ofNat n => negOfNat ((m + 1) * n)
  | negSucc m, negSucc n => ofNat ((m + 1) * (n + 1))
instance instMul : Mul Int where mul := Int.mul
@[extern "lean_int_sub"] protected def sub (m n : Int) : Int := m + -n
instance instSub : Sub Int where sub := Int.sub
protected def pow (m : Int) : Nat → Int
  | 0 => 1
  | n + 1 => Int.pow m n * m
instance instNatPow : NatPow Int where pow := Int.pow
inductive NonNeg : Int → Prop where
  | mk (n : Nat) : NonNeg (ofNat n)
protected def le (a b : Int) : Prop := NonNeg (b - a)
instance instLEInt : LE Int where le := Int.le
protected def lt (a b : Int) : Prop := (a + 1) ≤ b
instance instLTInt : LT Int where lt := Int.lt
@[extern "lean_nat_abs"] def natAbs : Int → Nat
  | ofNat m => m
  | negSucc m => m + 1
noncomputable def isNat : Int → Bool
  | ofNat _ => true
  | negSucc _ => false
theorem isNat_of_nonneg {m : Int} (h : NonNeg m) : isNat m = true := NonNeg.rec (motive := fun m _ => isNat m = true) (fun _ => rfl) h
@[extern "lean_int_dec_eq"] protected def decEq : (a b : Int) → Decidable (a = b)
  | ofNat a, ofNat b => match decEq a b with
    | isTrue h => isTrue (h ▸ rfl)
    | isFalse h => isFalse (fun e => h (congrArg natAbs e))
  | ofNat _, negSucc _ => isFalse (fun e => Bool.false_ne_true (congrArg isNat e).symm)
  | negSucc _, ofNat _ => isFalse (fun e => Bool.false_ne_true (congrArg isNat e))
  | negSucc a, negSucc b => match decEq a b with
    | isTrue h => isTrue (h ▸ rfl)
    | isFalse h => isFalse (fun e => h (Nat.succ.inj (congrArg natAbs e)))
instance instDecidableEq : DecidableEq Int := Int.decEq
@[extern "lean_int_dec_nonneg"] def decNonneg : (m : Int) → Decidable (NonNeg m)
  | ofNat m => isTrue (NonNeg.mk m)
  | negSucc _ => isFalse (fun h => Bool.false_ne_true (isNat_of_nonneg h))
@[extern "lean_int_dec_le"] instance decLe (a b : Int) : Decidable (a ≤ b) := decNonneg (b - a)
@[extern "lean_int_dec_lt"] instance decLt (a b : Int) : Decidable (a < b) := decNonneg (b - (a + 1))
def sign : Int → Int
  | ofNat 0 => 0
  | ofNat (_ + 1) => 1
  | negSucc _ => -1
def toNat : Int → Nat
  | ofNat n => n
  | negSucc _ => 0
instance instDvd : Dvd Int where dvd a b := ∃ c, b = a * c
instance : Inhabited Int where default := 0
instance instMinInt : Min Int := minOfLe
instance instMaxInt : Max Int := maxOfLe

attribute [gen_constructor_elims] Int
/- ### Integers as differences -/
theorem rep (a : Int) : ∃ m n : Nat, a = subNatNat m n := match a with
  | ofNat n => ⟨n, 0, by rw [subNatNat, Nat.zero_sub]; rfl⟩
  | negSucc n => ⟨0, n + 1, rfl⟩
theorem subNatNat_zero (n : Nat) : subNatNat n 0 = ofNat n := by rw [subNatNat, Nat.zero_sub]; rfl
theorem ofNat_rep (n : Nat) : ofNat n = subNatNat n 0 := (subNatNat_zero n).symm
theorem cast_rep (n : Nat) : (n : Int) = subNatNat n 0 := (subNatNat_zero n).symm
theorem lit_rep (n : Nat) : (OfNat.ofNat n : Int) = subNatNat n 0 := (subNatNat_zero n).symm
theorem subNatNat_add_add (m n k : Nat) : subNatNat (m + k) (n + k) = subNatNat m n := by
  unfold subNatNat; rw [Nat.add_sub_add_right, Nat.add_sub_add_right]
theorem subNatNat_add_left {m n : Nat} : subNatNat (m + n) m = ofNat n := by
  have := subNatNat_add_add n 0 m
  rwa [Nat.zero_add, Nat.add_comm, subNatNat_zero] at this
theorem subNatNat_add_right {m n : Nat} : subNatNat m (m + n + 1) = negSucc n := by
  have := subNatNat_add_add 0 (n + 1) m
  rw [Nat.zero_add] at this
  rw [Nat.add_assoc, Nat.add_comm]; exact this
theorem rep_cases (m n : Nat) : (∃ k, m = n + k ∧ subNatNat m n = ofNat k) ∨ (∃ k, n = m + k + 1 ∧ subNatNat m n = negSucc k) := by
  rcases Nat.lt_or_ge m n with h | h
  · obtain ⟨k, e⟩ := Nat.exists_eq_add_of_le h
    have e' : n = m + k + 1 := by rw [e, Nat.succ_add]
    exact .inr ⟨k, e', by rw [e', subNatNat_add_right]⟩
  · obtain ⟨k, e⟩ := Nat.exists_eq_add_of_le h
    exact .inl ⟨k, e, by rw [e, subNatNat_add_left]⟩
theorem eq_rep {a b c d : Nat} (h : a + d = c + b) : subNatNat a b = subNatNat c d := by
  rw [← subNatNat_add_add a b d, h, Nat.add_comm b d, subNatNat_add_add]
theorem rep_eq {a b c d : Nat} (h : subNatNat a b = subNatNat c d) : a + d = c + b := by
  rcases rep_cases a b with ⟨k, e, f⟩ | ⟨k, e, f⟩ <;> rcases rep_cases c d with ⟨l, e', f'⟩ | ⟨l, e', f'⟩ <;> rw [f, f'] at h <;> cases h
  · subst e; subst e'; ac_rfl
  · subst e; subst e'; ac_rfl
theorem negOfNat_rep (n : Nat) : negOfNat n = subNatNat 0 n := by
  cases n with
  | zero => exact ofNat_rep 0
  | succ n => rfl
theorem neg_rep (a b : Nat) : -subNatNat a b = subNatNat b a := by
  rcases rep_cases a b with ⟨k, e, f⟩ | ⟨k, e, f⟩
  · rw [f]; show negOfNat k = _; rw [negOfNat_rep]; apply eq_rep; subst e; ac_rfl
  · rw [f]; show ofNat (k + 1) = _; rw [ofNat_rep]; apply eq_rep; subst e; ac_rfl
theorem add_rep (a b c d : Nat) : subNatNat a b + subNatNat c d = subNatNat (a + c) (b + d) := by
  rcases rep_cases a b with ⟨k, e, f⟩ | ⟨k, e, f⟩ <;> rcases rep_cases c d with ⟨l, e', f'⟩ | ⟨l, e', f'⟩ <;> rw [f, f']
  · show ofNat (k + l) = _; rw [ofNat_rep]; apply eq_rep; subst e; subst e'; ac_rfl
  · show subNatNat k (l + 1) = _; apply eq_rep; subst e; subst e'; ac_rfl
  · show subNatNat l (k + 1) = _; apply eq_rep; subst e; subst e'; ac_rfl
  · show subNatNat 0 (k + l + 1 + 1) = _; apply eq_rep; subst e; subst e'; ac_rfl
theorem mul_rep (a b c d : Nat) : subNatNat a b * subNatNat c d = subNatNat (a * c + b * d) (a * d + b * c) := by
  rcases rep_cases a b with ⟨k, e, f⟩ | ⟨k, e, f⟩ <;> rcases rep_cases c d with ⟨l, e', f'⟩ | ⟨l, e', f'⟩ <;> rw [f, f']
  · show ofNat (k * l) = _; rw [ofNat_rep]; apply eq_rep; subst e; subst e'; simp only [Nat.left_distrib, Nat.right_distrib]; ac_rfl
  · show negOfNat (k * (l + 1)) = _; rw [negOfNat_rep]; apply eq_rep; subst e; subst e'; simp only [Nat.left_distrib, Nat.right_distrib]; ac_rfl
  · show negOfNat ((k + 1) * l) = _; rw [negOfNat_rep]; apply eq_rep; subst e; subst e'; simp only [Nat.left_distrib, Nat.right_distrib]; ac_rfl
  · show ofNat ((k + 1) * (l + 1)) = _; rw [ofNat_rep]; apply eq_rep; subst e; subst e'; simp only [Nat.left_distrib, Nat.right_distrib]; ac_rfl
theorem sub_rep (a b c d : Nat) : subNatNat a b - subNatNat c d = subNatNat (a + d) (b + c) := by
  show subNatNat a b + -subNatNat c d = _
  rw [neg_rep, add_rep]
theorem nonneg_rep {a b : Nat} : NonNeg (subNatNat a b) ↔ b ≤ a := by
  rcases rep_cases a b with ⟨k, e, f⟩ | ⟨k, e, f⟩ <;> rw [f]
  · exact ⟨fun _ => e ▸ Nat.le_add_right b k, fun _ => NonNeg.mk k⟩
  · exact ⟨fun h => (nomatch h), fun h => absurd (e ▸ h : a + k + 1 ≤ a) (Nat.not_le.2 (Nat.lt_of_le_of_lt (Nat.le_add_right a k) (Nat.lt_succ_self _)))⟩
theorem le_rep {a b c d : Nat} : subNatNat a b ≤ subNatNat c d ↔ a + d ≤ c + b := by
  show NonNeg (_ - _) ↔ _
  rw [sub_rep, nonneg_rep, Nat.add_comm d a]
theorem lt_rep {a b c d : Nat} : subNatNat a b < subNatNat c d ↔ a + d < c + b := by
  show subNatNat a b + 1 ≤ _ ↔ _
  rw [lit_rep, add_rep, le_rep, Nat.add_zero, Nat.succ_add_eq_add_succ]
  exact Iff.rfl

/- ### Ring laws -/
local macro "int_rep " x:ident : tactic => `(tactic| (obtain ⟨_, _, h⟩ := rep $x; subst h))
local macro "int_laws" : tactic => `(tactic| simp only [neg_rep, sub_rep, add_rep, mul_rep, lit_rep, cast_rep])
local macro "nat_laws" : tactic =>
  `(tactic| simp only [Nat.left_distrib, Nat.right_distrib, Nat.mul_zero, Nat.zero_mul, Nat.mul_one, Nat.one_mul, Nat.add_zero, Nat.zero_add])
local macro "int_ring" : tactic => `(tactic| (int_laws; try (refine eq_rep ?_; (try nat_laws); (try ac_rfl))))
protected theorem add_comm (a b : Int) : a + b = b + a := by int_rep a; int_rep b; int_ring
protected theorem add_assoc (a b c : Int) : a + b + c = a + (b + c) := by int_rep a; int_rep b; int_rep c; int_ring
protected theorem add_left_comm (a b c : Int) : a + (b + c) = b + (a + c) := by int_rep a; int_rep b; int_rep c; int_ring
protected theorem add_right_comm (a b c : Int) : a + b + c = a + c + b := by int_rep a; int_rep b; int_rep c; int_ring
@[simp] protected theorem add_zero (a : Int) : a + 0 = a := by int_rep a; int_ring
@[simp] protected theorem zero_add (a : Int) : 0 + a = a := by int_rep a; int_ring
@[simp] protected theorem neg_neg (a : Int) : -(-a) = a := by int_rep a; int_ring
@[simp] protected theorem neg_zero : -(0 : Int) = 0 := rfl
protected theorem add_left_neg (a : Int) : -a + a = 0 := by int_rep a; int_ring
protected theorem add_right_neg (a : Int) : a + -a = 0 := by int_rep a; int_ring
protected theorem neg_add {a b : Int} : -(a + b) = -a + -b := by int_rep a; int_rep b; int_ring
protected theorem neg_sub (a b : Int) : -(a - b) = b - a := by int_rep a; int_rep b; int_ring
protected theorem sub_eq_add_neg {a b : Int} : a - b = a + -b := rfl
@[simp] protected theorem sub_self (a : Int) : a - a = 0 := by int_rep a; int_ring
@[simp] protected theorem sub_zero (a : Int) : a - 0 = a := by int_rep a; int_ring
@[simp] protected theorem zero_sub (a : Int) : 0 - a = -a := by int_rep a; int_ring
@[simp] protected theorem sub_neg (a b : Int) : a - -b = a + b := by int_rep a; int_rep b; int_ring
@[simp] protected theorem add_sub_cancel (a b : Int) : a + b - b = a := by int_rep a; int_rep b; int_ring
protected theorem add_sub_cancel_left (a b : Int) : a + b - a = b := by int_rep a; int_rep b; int_ring
@[simp] protected theorem sub_add_cancel (a b : Int) : a - b + b = a := by int_rep a; int_rep b; int_ring
protected theorem add_sub_assoc (a b c : Int) : a + b - c = a + (b - c) := by int_rep a; int_rep b; int_rep c; int_ring
protected theorem sub_sub (a b c : Int) : a - b - c = a - (b + c) := by int_rep a; int_rep b; int_rep c; int_ring
protected theorem mul_comm (a b : Int) : a * b = b * a := by int_rep a; int_rep b; int_ring
protected theorem mul_assoc (a b c : Int) : a * b * c = a * (b * c) := by int_rep a; int_rep b; int_rep c; int_ring
protected theorem mul_left_comm (a b c : Int) : a * (b * c) = b * (a * c) := by int_rep a; int_rep b; int_rep c; int_ring
@[simp] protected theorem mul_one (a : Int) : a * 1 = a := by int_rep a; int_ring
@[simp] protected theorem one_mul (a : Int) : 1 * a = a := by int_rep a; int_ring
@[simp] protected theorem mul_zero (a : Int) : a * 0 = 0 := by int_rep a; int_ring
@[simp] protected theorem zero_mul (a : Int) : 0 * a = 0 := by int_rep a; int_ring
protected theorem mul_add (a b c : Int) : a * (b + c) = a * b + a * c := by int_rep a; int_rep b; int_rep c; int_ring
protected theorem add_mul (a b c : Int) : (a + b) * c = a * c + b * c := by int_rep a; int_rep b; int_rep c; int_ring
protected theorem mul_sub (a b c : Int) : a * (b - c) = a * b - a * c := by int_rep a; int_rep b; int_rep c; int_ring
protected theorem sub_mul (a b c : Int) : (a - b) * c = a * c - b * c := by int_rep a; int_rep b; int_rep c; int_ring
protected theorem neg_mul (a b : Int) : -a * b = -(a * b) := by int_rep a; int_rep b; int_ring
protected theorem mul_neg (a b : Int) : a * -b = -(a * b) := by int_rep a; int_rep b; int_ring
@[simp] protected theorem neg_mul_neg (a b : Int) : -a * -b = a * b := by int_rep a; int_rep b; int_ring
protected theorem neg_eq_neg_one_mul (a : Int) : -a = -1 * a := by rw [Int.neg_mul, Int.one_mul]
protected theorem two_mul (n : Int) : 2 * n = n + n := by int_rep n; simp only [lit_rep, mul_rep, add_rep, Nat.two_mul, Nat.zero_mul, Nat.add_zero]
instance : Std.Associative (α := Int) (· + ·) := ⟨Int.add_assoc⟩
instance : Std.Commutative (α := Int) (· + ·) := ⟨Int.add_comm⟩
instance : Std.Associative (α := Int) (· * ·) := ⟨Int.mul_assoc⟩
instance : Std.Commutative (α := Int) (· * ·) := ⟨Int.mul_comm⟩
instance : Std.LawfulIdentity (α := Int) (· + ·) 0 where
  left_id := Int.zero_add
  right_id := Int.add_zero
instance : Std.LawfulIdentity (α := Int) (· * ·) 1 where
  left_id := Int.one_mul
  right_id := Int.mul_one
protected theorem pow_zero (b : Int) : b ^ 0 = 1 := rfl
protected theorem pow_succ (b : Int) (e : Nat) : b ^ (e + 1) = b ^ e * b := rfl

/- ### Order -/
protected theorem le_refl (a : Int) : a ≤ a := by int_rep a; exact le_rep.2 Nat.le.refl
protected theorem le_rfl {a : Int} : a ≤ a := Int.le_refl a
protected theorem le_of_eq {a b : Int} (h : a = b) : a ≤ b := h ▸ Int.le_refl a
protected theorem le_trans {a b c : Int} (h₁ : a ≤ b) (h₂ : b ≤ c) : a ≤ c := by
  obtain ⟨m, n, e⟩ := rep a; subst e; obtain ⟨k, l, e⟩ := rep b; subst e; obtain ⟨p, q, e⟩ := rep c; subst e
  rw [le_rep] at h₁ h₂ ⊢
  apply Nat.le_of_add_le_add_right (b := k + l)
  have := Nat.add_le_add h₁ h₂
  rw [show m + q + (k + l) = m + l + (k + q) by ac_rfl, show p + n + (k + l) = k + n + (p + l) by ac_rfl]
  exact this
protected theorem le_antisymm {a b : Int} (h₁ : a ≤ b) (h₂ : b ≤ a) : a = b := by
  int_rep a; int_rep b
  exact eq_rep (Nat.le_antisymm (le_rep.1 h₁) (le_rep.1 h₂))
protected theorem le_total (a b : Int) : a ≤ b ∨ b ≤ a := by
  int_rep a; int_rep b
  rw [le_rep, le_rep]; exact Nat.le_total _ _
protected theorem not_le {a b : Int} : ¬a ≤ b ↔ b < a := by int_rep a; int_rep b; rw [le_rep, lt_rep]; exact Nat.not_le
protected theorem not_lt {a b : Int} : ¬a < b ↔ b ≤ a := by int_rep a; int_rep b; rw [le_rep, lt_rep]; exact Nat.not_lt
protected theorem lt_iff_add_one_le {a b : Int} : a < b ↔ a + 1 ≤ b := Iff.rfl
theorem add_one_le_of_lt {a b : Int} (h : a < b) : a + 1 ≤ b := h
protected theorem lt_of_add_one_le {a b : Int} (h : a + 1 ≤ b) : a < b := h
@[simp] protected theorem lt_irrefl (a : Int) : ¬a < a := fun h => Int.not_lt.2 (Int.le_refl a) h
protected theorem le_of_lt {a b : Int} (h : a < b) : a ≤ b := by int_rep a; int_rep b; exact le_rep.2 (Nat.le_of_lt (lt_rep.1 h))
protected theorem lt_of_le_of_lt {a b c : Int} (h₁ : a ≤ b) (h₂ : b < c) : a < c :=
  Int.not_le.1 fun h => Int.not_le.2 h₂ (Int.le_trans h h₁)
protected theorem lt_of_lt_of_le {a b c : Int} (h₁ : a < b) (h₂ : b ≤ c) : a < c :=
  Int.not_le.1 fun h => Int.not_le.2 h₁ (Int.le_trans h₂ h)
protected theorem lt_trans {a b c : Int} (h₁ : a < b) (h₂ : b < c) : a < c := Int.lt_of_lt_of_le h₁ (Int.le_of_lt h₂)
protected theorem lt_or_ge (a b : Int) : a < b ∨ b ≤ a := (Decidable.em (b ≤ a)).elim .inr (fun h => .inl (Int.not_le.1 h))
protected theorem lt_trichotomy (a b : Int) : a < b ∨ a = b ∨ b < a := by
  int_rep a; int_rep b
  rw [lt_rep, lt_rep]
  exact (Nat.lt_trichotomy _ _).imp_right (Or.imp_left eq_rep)
protected theorem lt_or_gt_of_ne {a b : Int} (h : a ≠ b) : a < b ∨ b < a := (Int.lt_trichotomy a b).imp_right (·.resolve_left h)
protected theorem ne_of_lt {a b : Int} (h : a < b) : a ≠ b := fun e => Int.lt_irrefl b (e ▸ h)
protected theorem ne_of_gt {a b : Int} (h : b < a) : a ≠ b := fun e => Int.lt_irrefl b (e ▸ h)
protected theorem le_of_not_gt {a b : Int} (h : ¬a > b) : a ≤ b := Int.not_lt.1 h
protected theorem lt_of_not_ge {a b : Int} (h : ¬a ≥ b) : a < b := Int.not_le.1 h
protected theorem lt_iff_le_and_ne {a b : Int} : a < b ↔ a ≤ b ∧ a ≠ b :=
  ⟨fun h => ⟨Int.le_of_lt h, Int.ne_of_lt h⟩, fun h => (Int.lt_trichotomy a b).elim id
    (·.elim (absurd · h.2) fun g => absurd h.1 (Int.not_le.2 g))⟩
protected theorem add_le_add {a b c d : Int} (h₁ : a ≤ b) (h₂ : c ≤ d) : a + c ≤ b + d := by
  obtain ⟨m, n, e⟩ := rep a; subst e; obtain ⟨k, l, e⟩ := rep b; subst e
  obtain ⟨p, q, e⟩ := rep c; subst e; obtain ⟨s, t, e⟩ := rep d; subst e
  rw [add_rep, add_rep, le_rep]
  have := Nat.add_le_add (le_rep.1 h₁) (le_rep.1 h₂)
  rw [show m + p + (l + t) = m + l + (p + t) by ac_rfl, show k + s + (n + q) = k + n + (s + q) by ac_rfl]
  exact this
protected theorem add_le_add_left {a b : Int} (h : a ≤ b) (c : Int) : c + a ≤ c + b := Int.add_le_add (Int.le_refl c) h
protected theorem add_le_add_right {a b : Int} (h : a ≤ b) (c : Int) : a + c ≤ b + c := Int.add_le_add h (Int.le_refl c)
protected theorem le_of_add_le_add_right {a b c : Int} (h : a + b ≤ c + b) : a ≤ c := by
  have := Int.add_le_add_right h (-b)
  rwa [Int.add_assoc, Int.add_assoc, Int.add_right_neg, Int.add_zero, Int.add_zero] at this
protected theorem neg_le_neg {a b : Int} (h : a ≤ b) : -b ≤ -a := by
  int_rep a; int_rep b
  rw [neg_rep, neg_rep, le_rep]
  have := le_rep.1 h
  rw [Nat.add_comm] at this
  exact Nat.le_trans this (Nat.le_of_eq (Nat.add_comm _ _))
protected theorem sub_nonneg_of_le {a b : Int} (h : b ≤ a) : 0 ≤ a - b := by
  have := Int.add_le_add_right h (-b)
  rwa [Int.add_right_neg] at this
protected theorem le_of_sub_nonneg {a b : Int} (h : 0 ≤ a - b) : b ≤ a := by
  have := Int.add_le_add_right h b
  rwa [Int.zero_add, Int.sub_add_cancel] at this
protected theorem sub_nonneg {a b : Int} : 0 ≤ a - b ↔ b ≤ a := ⟨Int.le_of_sub_nonneg, Int.sub_nonneg_of_le⟩
protected theorem sub_eq_zero_of_eq {a b : Int} (h : a = b) : a - b = 0 := by rw [h, Int.sub_self]
protected theorem eq_of_sub_eq_zero {a b : Int} (h : a - b = 0) : a = b := by rw [← Int.sub_add_cancel a b, h, Int.zero_add]
protected theorem sub_eq_zero {a b : Int} : a - b = 0 ↔ a = b := ⟨Int.eq_of_sub_eq_zero, Int.sub_eq_zero_of_eq⟩
protected theorem mul_nonneg {a b : Int} (ha : 0 ≤ a) (hb : 0 ≤ b) : 0 ≤ a * b := by
  have key : ∀ {x : Int}, 0 ≤ x → ∃ n : Nat, x = ofNat n := fun {x} h => by
    cases x with
    | ofNat n => exact ⟨n, rfl⟩
    | negSucc n => exact nomatch h
  obtain ⟨m, rfl⟩ := key ha
  obtain ⟨n, rfl⟩ := key hb
  have : ofNat m * ofNat n - 0 = ofNat (m * n) := Int.sub_zero _
  exact (show NonNeg (ofNat m * ofNat n - 0) from this ▸ NonNeg.mk _)
protected theorem mul_le_mul_of_nonneg_left {a b c : Int} (h₁ : a ≤ b) (h₂ : 0 ≤ c) : c * a ≤ c * b := by
  apply Int.le_of_sub_nonneg
  rw [← Int.mul_sub]
  exact Int.mul_nonneg h₂ (Int.sub_nonneg_of_le h₁)
protected theorem mul_le_mul_of_nonneg_right {a b c : Int} (h₁ : a ≤ b) (h₂ : 0 ≤ c) : a * c ≤ b * c := by
  rw [Int.mul_comm a, Int.mul_comm b]; exact Int.mul_le_mul_of_nonneg_left h₁ h₂
protected theorem mul_pos {a b : Int} (ha : 0 < a) (hb : 0 < b) : 0 < a * b := by
  have h := Int.mul_le_mul_of_nonneg_left (Int.add_one_le_of_lt hb) (Int.le_of_lt ha)
  rw [Int.zero_add, Int.mul_one] at h
  exact Int.lt_of_lt_of_le ha h
protected theorem eq_of_mul_eq_mul_left {a b c : Int} (ha : a ≠ 0) (h : a * b = a * c) : b = c := by
  have pos : ∀ {a b c : Int}, 0 < a → a * b = a * c → ¬b < c := fun {a b c} ha h lt => by
    have g := Int.mul_le_mul_of_nonneg_left (Int.add_one_le_of_lt lt) (Int.le_of_lt ha)
    rw [Int.mul_add, Int.mul_one, h] at g
    have := Int.add_le_add_left g (-(a * c))
    rw [← Int.add_assoc, Int.add_left_neg, Int.zero_add] at this
    exact Int.not_le.2 ha this
  have both : ∀ {a b c : Int}, 0 < a → a * b = a * c → b = c := fun ha h =>
    Int.le_antisymm (Int.not_lt.1 (pos ha h.symm)) (Int.not_lt.1 (pos ha h))
  rcases Int.lt_or_gt_of_ne ha with g | g
  · refine both (a := -a) ?_ (by rw [Int.neg_mul, Int.neg_mul, h])
    have := Int.add_le_add_right (Int.add_one_le_of_lt g) (-a)
    rw [Int.add_right_comm, Int.add_right_neg, Int.zero_add (-a)] at this
    exact Int.lt_of_add_one_le this
  · exact both g h
instance : Trans (α := Int) (· ≤ ·) (· ≤ ·) (· ≤ ·) := ⟨Int.le_trans⟩
instance : Trans (α := Int) (· < ·) (· < ·) (· < ·) := ⟨Int.lt_trans⟩
instance : Trans (α := Int) (· < ·) (· ≤ ·) (· < ·) := ⟨Int.lt_of_lt_of_le⟩
instance : Trans (α := Int) (· ≤ ·) (· < ·) (· < ·) := ⟨Int.lt_of_le_of_lt⟩
end Int
