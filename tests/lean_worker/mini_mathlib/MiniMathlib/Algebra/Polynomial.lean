import MiniMathlib.Data.Real

/-! Polynomials as lists of coefficients, with evaluation. -/

universe u

structure Polynomial (R : Type u) where
  coefficients : List R

namespace Polynomial

variable {R : Type u} [Add R] [Mul R] [OfNat R 0] [OfNat R 1]

scoped notation:9000 R "[X]" => Polynomial R

def X : Polynomial R := ⟨[0, 1]⟩
def C (a : R) : Polynomial R := ⟨[a]⟩
def eval (x : R) (p : Polynomial R) : R := p.coefficients.foldr (fun a rest => a + x * rest) 0

namespace Monic.Deep.Down

theorem eval_zero (x : R) : eval x (⟨[]⟩ : Polynomial R) = 0 := rfl

end Monic.Deep.Down

end Polynomial
