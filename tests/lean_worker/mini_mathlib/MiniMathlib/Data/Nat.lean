/-! Names of the number types, factorials and congruences. -/

notation "ℕ" => Nat
notation "ℤ" => Int

namespace Nat

def factorial : ℕ → ℕ
  | 0 => 1
  | n + 1 => (n + 1) * factorial n

scoped notation:10000 n "!" => Nat.factorial n

def Coprime (m n : ℕ) : Prop := ∀ d : ℕ, d ∣ m → d ∣ n → d = 1
def Prime (p : ℕ) : Prop := 2 ≤ p ∧ ∀ d : ℕ, d ∣ p → d = 1 ∨ d = p
def ModEq (n a b : ℕ) : Prop := a % n = b % n

notation:50 a " ≡ " b " [MOD " n "]" => ModEq n a b

theorem factorial_succ (n : ℕ) : factorial (n + 1) = (n + 1) * factorial n := rfl

end Nat
