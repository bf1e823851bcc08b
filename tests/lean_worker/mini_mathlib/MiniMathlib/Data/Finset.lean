import MiniMathlib.Data.Set
import MiniMathlib.Data.Nat

/-! Finite sets as lists, their cardinality, and big sums and products. -/

universe u v

structure Finset (α : Type u) where
  elements : List α

namespace Finset

variable {α : Type u} {β : Type v}

instance : Membership α (Finset α) := ⟨fun s x => x ∈ s.elements⟩
instance : EmptyCollection (Finset α) := ⟨⟨[]⟩⟩
instance : Singleton α (Finset α) := ⟨fun x => ⟨[x]⟩⟩
instance : Insert α (Finset α) := ⟨fun x s => ⟨x :: s.elements⟩⟩

def card (s : Finset α) : ℕ := s.elements.length
def sum [Add β] [OfNat β 0] (s : Finset α) (f : α → β) : β := (s.elements.map f).foldr (· + ·) 0
def prod [Mul β] [OfNat β 1] (s : Finset α) (f : α → β) : β := (s.elements.map f).foldr (· * ·) 1

def range : ℕ → Finset ℕ
  | 0 => ⟨[]⟩
  | n + 1 => ⟨(range n).elements ++ [n]⟩

scoped prefix:arg "#" => Finset.card

end Finset

namespace BigOperators

syntax "∑ " ident " ∈ " term ", " term:67 : term
syntax "∑ " ident " in " term ", " term:67 : term
syntax "∏ " ident " ∈ " term ", " term:67 : term
syntax "∏ " ident " in " term ", " term:67 : term

macro_rules
  | `(∑ $x:ident ∈ $s, $f) => `(Finset.sum $s fun ($x : _) => $f)
  | `(∑ $x:ident in $s, $f) => `(Finset.sum $s fun ($x : _) => $f)
  | `(∏ $x:ident ∈ $s, $f) => `(Finset.prod $s fun ($x : _) => $f)
  | `(∏ $x:ident in $s, $f) => `(Finset.prod $s fun ($x : _) => $f)

end BigOperators
