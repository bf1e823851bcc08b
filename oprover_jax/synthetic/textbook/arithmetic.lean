/-! Natural number arithmetic: laws of addition and multiplication by rewriting. -/

theorem add_swap (a b : Nat) : a + b = b + a := by
  rw [Nat.add_comm a b]

theorem add_regroup (a b c : Nat) : a + b + c = a + (b + c) := by
  rw [Nat.add_assoc]

theorem add_regroup_back (a b c : Nat) : a + (b + c) = a + b + c := by
  rw [← Nat.add_assoc]

theorem add_swap_inner (a b c : Nat) : a + (b + c) = a + (c + b) := by
  rw [Nat.add_comm b c]

theorem add_swap_outer (a b c : Nat) : a + b + c = c + (a + b) := by
  rw [Nat.add_comm (a + b) c]

theorem add_swap_front (a b c : Nat) : a + (b + c) = b + (a + c) := by
  rw [Nat.add_left_comm]

theorem add_swap_back (a b c : Nat) : a + b + c = a + c + b := by
  rw [Nat.add_right_comm]

theorem add_rotate (a b c : Nat) : a + b + c = b + c + a := by
  rw [Nat.add_assoc, Nat.add_comm a (b + c)]

theorem add_reverse (a b c : Nat) : a + (b + c) = c + b + a := by
  rw [Nat.add_comm a (b + c), Nat.add_comm b c]

theorem add_nothing (a : Nat) : a + 0 = a := by
  rw [Nat.add_zero]

theorem nothing_add (a : Nat) : 0 + a = a := by
  rw [Nat.zero_add]

theorem add_nothing_inner (a b : Nat) : a + 0 + b = a + b := by
  rw [Nat.add_zero]

theorem nothing_add_swap (a b : Nat) : 0 + (a + b) = b + a := by
  rw [Nat.zero_add, Nat.add_comm a b]

theorem add_nothing_both (a b : Nat) : a + 0 + (0 + b) = a + b := by
  rw [Nat.add_zero, Nat.zero_add]

theorem mul_swap (a b : Nat) : a * b = b * a := by
  rw [Nat.mul_comm a b]

theorem mul_regroup (a b c : Nat) : a * b * c = a * (b * c) := by
  rw [Nat.mul_assoc]

theorem mul_regroup_back (a b c : Nat) : a * (b * c) = a * b * c := by
  rw [← Nat.mul_assoc]

theorem mul_swap_inner (a b c : Nat) : a * (b * c) = a * (c * b) := by
  rw [Nat.mul_comm b c]

theorem mul_swap_outer (a b c : Nat) : a * b * c = c * (a * b) := by
  rw [Nat.mul_comm (a * b) c]

theorem mul_swap_front (a b c : Nat) : a * (b * c) = b * (a * c) := by
  rw [Nat.mul_left_comm]

theorem mul_rotate (a b c : Nat) : a * b * c = b * c * a := by
  rw [Nat.mul_assoc, Nat.mul_comm a (b * c)]

theorem mul_nothing (a : Nat) : a * 0 = 0 := by
  rw [Nat.mul_zero]

theorem nothing_mul (a : Nat) : 0 * a = 0 := by
  rw [Nat.zero_mul]

theorem mul_single (a : Nat) : a * 1 = a := by
  rw [Nat.mul_one]

theorem single_mul (a : Nat) : 1 * a = a := by
  rw [Nat.one_mul]

theorem single_mul_swap (a b : Nat) : 1 * (a * b) = b * a := by
  rw [Nat.one_mul, Nat.mul_comm a b]

theorem mul_nothing_add (a b : Nat) : a * 0 + b = b := by
  rw [Nat.mul_zero, Nat.zero_add]

theorem add_nothing_mul (a b : Nat) : a + 0 * b = a := by
  rw [Nat.zero_mul, Nat.add_zero]

theorem mul_single_add (a b : Nat) : a * 1 + b = a + b := by
  rw [Nat.mul_one]

theorem mul_over_add (a b c : Nat) : a * (b + c) = a * b + a * c := by
  rw [Nat.mul_add]

theorem add_times (a b c : Nat) : (a + b) * c = a * c + b * c := by
  rw [Nat.add_mul]

theorem mul_over_add_swap (a b c : Nat) : a * (b + c) = a * c + a * b := by
  rw [Nat.mul_add, Nat.add_comm (a * b) (a * c)]

theorem add_times_swap (a b c : Nat) : (a + b) * c = c * a + c * b := by
  rw [Nat.mul_comm (a + b) c, Nat.mul_add]

theorem factor_left (a b c : Nat) : a * b + a * c = a * (b + c) := by
  rw [← Nat.mul_add]

theorem factor_right (a b c : Nat) : a * c + b * c = (a + b) * c := by
  rw [← Nat.add_mul]

theorem mul_over_three (a b c d : Nat) : a * (b + c + d) = a * b + a * c + a * d := by
  rw [Nat.mul_add, Nat.mul_add]

theorem square_sum (a b : Nat) : (a + b) * (a + b) = (a + b) * a + (a + b) * b := by
  rw [Nat.mul_add]

theorem mul_next (a b : Nat) : a * (b + 1) = a * b + a := by
  rw [Nat.mul_add, Nat.mul_one]

theorem next_mul (a b : Nat) : (a + 1) * b = a * b + b := by
  rw [Nat.add_mul, Nat.one_mul]

theorem mul_over_single (a b : Nat) : a * (b + 1) = a + a * b := by
  rw [Nat.mul_add, Nat.mul_one, Nat.add_comm (a * b) a]

theorem given_value (a b c : Nat) (h1 : a = b + c) : a + b = b + c + b := by
  rw [h1]

theorem given_value_swap (a b c : Nat) (h1 : a = b + c) : a = c + b := by
  rw [h1, Nat.add_comm b c]

theorem given_two_values (a b c d : Nat) (h1 : a = c) (h2 : b = d) : a + b = c + d := by
  rw [h1, h2]

theorem given_two_values_swap (a b c d : Nat) (h1 : a = c) (h2 : b = d) : a + b = d + c := by
  rw [h1, h2, Nat.add_comm c d]

theorem given_product (a b c : Nat) (h1 : a = b * c) : a = c * b := by
  rw [h1, Nat.mul_comm b c]

theorem given_zero (a b : Nat) (h1 : a = 0) : a + b = b := by
  rw [h1, Nat.zero_add]

theorem given_one (a b : Nat) (h1 : a = 1) : a * b = b := by
  rw [h1, Nat.one_mul]

theorem succ_as_add (a : Nat) : Nat.succ a = a + 1 := by
  rfl

theorem add_succ_right (a b : Nat) : a + (b + 1) = a + b + 1 := by
  rfl

theorem add_succ_left (a b : Nat) : a + 1 + b = a + b + 1 := by
  rw [Nat.add_right_comm]

theorem succ_equal (a b : Nat) (h : a = b) : a + 1 = b + 1 := by
  rw [h]

theorem succ_not_zero (a : Nat) : a + 1 ≠ 0 := by
  exact Nat.succ_ne_zero a

theorem add_cancel_right (a b c : Nat) (h : a + c = b + c) : a = b := by
  exact Nat.add_right_cancel h

theorem add_cancel_left (a b c : Nat) (h : c + a = c + b) : a = b := by
  exact Nat.add_left_cancel h

theorem sub_nothing (a : Nat) : a - 0 = a := by
  rw [Nat.sub_zero]

theorem sub_itself (a : Nat) : a - a = 0 := by
  rw [Nat.sub_self]

theorem add_then_sub (a b : Nat) : a + b - b = a := by
  rw [Nat.add_sub_cancel]

theorem sum_computed : 2 + 3 = 5 := by
  decide

theorem product_computed : 6 * 7 = 42 := by
  decide

theorem mixed_computed : 2 * 3 + 4 = 10 := by
  decide

theorem order_computed : 3 * 4 < 15 := by
  decide

theorem order_refuted : ¬(5 + 2 ≤ 6) := by
  decide

theorem neutral_simple (a b : Nat) : 0 + a * 1 + b * 0 = a := by
  simp

theorem zero_simple (a b : Nat) : (a + 0) * 1 + 0 * b = a := by
  simp
