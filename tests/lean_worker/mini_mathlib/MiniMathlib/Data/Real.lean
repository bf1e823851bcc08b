import MiniMathlib.Data.Nat

/-! Placeholders for the rational, real and complex numbers, whole numbers all, with the operations and notations that statements use. -/

universe u

class Inv (α : Type u) where
  inv : α → α

class Norm (α : Type u) where
  norm : α → ℤ

class Absolute (α : Type u) where
  abs : α → α

class Floor (α : Type u) where
  floor : α → ℤ

macro:max atomic("|" noWs) a:term noWs "|" : term => `(Absolute.abs $a)
macro:max atomic("‖" noWs) a:term noWs "‖" : term => `(Norm.norm $a)
notation:max "⌊" a "⌋" => Floor.floor a
notation:max "⌈" a "⌉" => - Floor.floor (- a)

structure Real where
  value : ℤ

structure Rational where
  value : ℤ

structure Complex where
  re : Real
  im : Real

notation "ℝ" => Real
notation "ℚ" => Rational
notation "ℂ" => Complex

namespace Real

instance : OfNat ℝ n := ⟨⟨(n : ℤ)⟩⟩
instance : Add ℝ := ⟨fun x y => ⟨x.value + y.value⟩⟩
instance : Sub ℝ := ⟨fun x y => ⟨x.value - y.value⟩⟩
instance : Mul ℝ := ⟨fun x y => ⟨x.value * y.value⟩⟩
instance : Div ℝ := ⟨fun x y => ⟨x.value / y.value⟩⟩
instance : Neg ℝ := ⟨fun x => ⟨-x.value⟩⟩
instance : Inv ℝ := ⟨fun x => ⟨1 / x.value⟩⟩
instance : LE ℝ := ⟨fun x y => x.value ≤ y.value⟩
instance : LT ℝ := ⟨fun x y => x.value < y.value⟩
instance : Absolute ℝ := ⟨fun x => ⟨(x.value.natAbs : ℤ)⟩⟩
instance : Norm ℝ := ⟨fun x => (x.value.natAbs : ℤ)⟩
instance : Floor ℝ := ⟨fun x => x.value⟩
instance : Coe ℕ ℝ := ⟨fun n => ⟨(n : ℤ)⟩⟩
instance : Coe ℤ ℝ := ⟨fun n => ⟨n⟩⟩

def pow (x : ℝ) : ℕ → ℝ
  | 0 => 1
  | n + 1 => pow x n * x

instance : HPow ℝ ℕ ℝ := ⟨pow⟩

protected def sqrt (x : ℝ) : ℝ := x
def pi : ℝ := 3

scoped notation "π" => Real.pi
prefix:100 "√" => Real.sqrt

theorem ext {x y : ℝ} (h : x.value = y.value) : x = y := by
  cases x
  cases y
  exact congrArg Real.mk h

theorem add_comm (x y : ℝ) : x + y = y + x := ext (Int.add_comm x.value y.value)
theorem mul_comm (x y : ℝ) : x * y = y * x := ext (Int.mul_comm x.value y.value)
theorem le_refl (x : ℝ) : x ≤ x := Int.le_refl x.value

end Real

namespace Rational

instance : OfNat ℚ n := ⟨⟨(n : ℤ)⟩⟩
instance : Add ℚ := ⟨fun x y => ⟨x.value + y.value⟩⟩
instance : Mul ℚ := ⟨fun x y => ⟨x.value * y.value⟩⟩
instance : Absolute ℚ := ⟨fun x => ⟨(x.value.natAbs : ℤ)⟩⟩

end Rational

namespace Complex

def I : ℂ := ⟨0, 1⟩
instance : OfNat ℂ n := ⟨⟨OfNat.ofNat n, 0⟩⟩
instance : Add ℂ := ⟨fun z w => ⟨z.re + w.re, z.im + w.im⟩⟩
instance : Mul ℂ := ⟨fun z w => ⟨z.re * w.re - z.im * w.im, z.re * w.im + z.im * w.re⟩⟩
instance : Norm ℂ := ⟨fun z => Norm.norm z.re + Norm.norm z.im⟩

end Complex

instance : Absolute ℤ := ⟨fun x => (x.natAbs : ℤ)⟩
