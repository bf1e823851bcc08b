import MiniMathlib.Data.Real
import MiniMathlib.Data.Finset

/-! Matrices as functions, with trace and transpose. -/

universe u v w

def Matrix (m : Type u) (n : Type v) (α : Type w) : Type (max u v w) := m → n → α

namespace Matrix

variable {m : Type u} {n : Type v} {α : Type w}

def transpose (A : Matrix m n α) : Matrix n m α := fun i j => A j i

scoped postfix:1024 "ᵀ" => Matrix.transpose

def trace [Add α] [OfNat α 0] {k : ℕ} (A : Matrix (Fin k) (Fin k) α) : α :=
  (Finset.range k).sum fun i => if h : i < k then A ⟨i, h⟩ ⟨i, h⟩ else 0

theorem transpose_transpose (A : Matrix m n α) : transpose (transpose A) = A := rfl

end Matrix
