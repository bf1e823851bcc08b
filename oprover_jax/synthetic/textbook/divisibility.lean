/-! Divisibility of natural numbers: one theorem for each rule. -/

theorem divides_itself (a : Nat) : a ∣ a := by
  exact Nat.dvd_refl a

theorem divides_chain (a b c : Nat) (h1 : a ∣ b) (h2 : b ∣ c) : a ∣ c := by
  exact Nat.dvd_trans h1 h2

theorem divides_product_left (a b : Nat) : a ∣ a * b := by
  exact Nat.dvd_mul_right a b

theorem divides_product_right (a b : Nat) : a ∣ b * a := by
  exact Nat.dvd_mul_left a b

theorem divides_sum (a b c : Nat) (h1 : a ∣ b) (h2 : a ∣ c) : a ∣ b + c := by
  exact Nat.dvd_add h1 h2

theorem divides_multiple (a b c : Nat) (h : a ∣ b) : a ∣ b * c := by
  exact Nat.dvd_trans h (Nat.dvd_mul_right b c)

theorem divides_quotient (a b k : Nat) (h : b = a * k) : a ∣ b := by
  exact ⟨k, h⟩
