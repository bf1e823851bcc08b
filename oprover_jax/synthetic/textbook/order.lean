/-! The order of the natural numbers. -/

theorem le_same (a : Nat) : a ≤ a := by
  exact Nat.le_refl a

theorem le_join (a b c : Nat) (h1 : a ≤ b) (h2 : b ≤ c) : a ≤ c := by
  exact Nat.le_trans h1 h2

theorem lt_join (a b c : Nat) (h1 : a < b) (h2 : b < c) : a < c := by
  exact Nat.lt_trans h1 h2

theorem lt_le_join (a b c : Nat) (h1 : a < b) (h2 : b ≤ c) : a < c := by
  exact Nat.lt_of_lt_of_le h1 h2

theorem le_lt_join (a b c : Nat) (h1 : a ≤ b) (h2 : b < c) : a < c := by
  exact Nat.lt_of_le_of_lt h1 h2

theorem le_join_three (a b c d : Nat) (h1 : a ≤ b) (h2 : b ≤ c) (h3 : c ≤ d) : a ≤ d := by
  exact Nat.le_trans h1 (Nat.le_trans h2 h3)

theorem lt_join_three (a b c d : Nat) (h1 : a < b) (h2 : b ≤ c) (h3 : c ≤ d) : a < d := by
  exact Nat.lt_of_lt_of_le h1 (Nat.le_trans h2 h3)

theorem le_from_lt (a b : Nat) (h : a < b) : a ≤ b := by
  exact Nat.le_of_lt h

theorem le_from_eq (a b : Nat) (h : a = b) : a ≤ b := by
  exact Nat.le_of_eq h

theorem le_from_eq_back (a b : Nat) (h : a = b) : b ≤ a := by
  exact Nat.le_of_eq h.symm

theorem le_from_lt_chain (a b c : Nat) (h1 : a < b) (h2 : b < c) : a ≤ c := by
  exact Nat.le_of_lt (Nat.lt_trans h1 h2)

theorem le_both (a b : Nat) (h1 : a ≤ b) (h2 : b ≤ a) : a = b := by
  exact Nat.le_antisymm h1 h2

theorem le_cycle (a b c : Nat) (h1 : a ≤ b) (h2 : b ≤ c) (h3 : c ≤ a) : a = b := by
  exact Nat.le_antisymm h1 (Nat.le_trans h2 h3)

theorem lt_itself (a : Nat) : ¬(a < a) := by
  exact Nat.lt_irrefl a

theorem lt_no_cycle (a b : Nat) (h1 : a < b) (h2 : b < a) : False := by
  exact Nat.lt_irrefl a (Nat.lt_trans h1 h2)

theorem lt_not_ge (a b : Nat) (h1 : a < b) : ¬(b ≤ a) := by
  intro h
  exact Nat.lt_irrefl a (Nat.lt_of_lt_of_le h1 h)

theorem le_not_gt (a b : Nat) (h1 : a ≤ b) : ¬(b < a) := by
  intro h
  exact Nat.lt_irrefl a (Nat.lt_of_le_of_lt h1 h)

theorem lt_not_equal (a b : Nat) (h : a < b) : a ≠ b := by
  intro h1
  rw [h1] at h
  exact Nat.lt_irrefl b h

theorem le_total_either (a b : Nat) : a ≤ b ∨ b ≤ a := by
  exact Nat.le_total a b

theorem lt_or_above (a b : Nat) : a < b ∨ b ≤ a := by
  exact Nat.lt_or_ge a b

theorem zero_below (a : Nat) : 0 ≤ a := by
  exact Nat.zero_le a

theorem zero_below_succ (a : Nat) : 0 < a + 1 := by
  exact Nat.succ_pos a

theorem below_succ (a : Nat) : a ≤ a + 1 := by
  exact Nat.le_succ a

theorem strictly_below_succ (a : Nat) : a < a + 1 := by
  exact Nat.lt_succ_self a

theorem le_step (a b : Nat) (h : a ≤ b) : a ≤ b + 1 := by
  exact Nat.le_trans h (Nat.le_succ b)

theorem lt_step (a b : Nat) (h : a ≤ b) : a < b + 1 := by
  exact Nat.succ_le_succ h

theorem succ_both (a b : Nat) (h : a ≤ b) : a + 1 ≤ b + 1 := by
  exact Nat.succ_le_succ h

theorem succ_both_back (a b : Nat) (h : a + 1 ≤ b + 1) : a ≤ b := by
  exact Nat.le_of_succ_le_succ h

theorem succ_twice (a b : Nat) (h : a ≤ b) : a + 1 + 1 ≤ b + 1 + 1 := by
  exact Nat.succ_le_succ (Nat.succ_le_succ h)

theorem below_sum_left (a b : Nat) : a ≤ a + b := by
  exact Nat.le_add_right a b

theorem below_sum_right (a b : Nat) : a ≤ b + a := by
  exact Nat.le_add_left a b

theorem below_sum_three (a b c : Nat) : a ≤ a + b + c := by
  exact Nat.le_trans (Nat.le_add_right a b) (Nat.le_add_right (a + b) c)

theorem weaken_right (a b c : Nat) (h : a ≤ b) : a ≤ b + c := by
  exact Nat.le_trans h (Nat.le_add_right b c)

theorem weaken_left (a b c : Nat) (h : a ≤ b) : a ≤ c + b := by
  exact Nat.le_trans h (Nat.le_add_left b c)

theorem weaken_strict (a b c : Nat) (h : a < b) : a < b + c := by
  exact Nat.lt_of_lt_of_le h (Nat.le_add_right b c)

theorem weaken_chain (a b c d : Nat) (h1 : a ≤ b) (h2 : b ≤ c) : a ≤ d + c := by
  exact Nat.le_trans h1 (Nat.le_trans h2 (Nat.le_add_left c d))

theorem add_right_mono (a b c : Nat) (h : a ≤ b) : a + c ≤ b + c := by
  exact Nat.add_le_add_right h c

theorem add_left_mono (a b c : Nat) (h : a ≤ b) : c + a ≤ c + b := by
  exact Nat.add_le_add_left h c

theorem add_both_mono (a b c d : Nat) (h1 : a ≤ b) (h2 : c ≤ d) : a + c ≤ b + d := by
  exact Nat.add_le_add h1 h2

theorem add_three_mono (a b c d e f : Nat) (h1 : a ≤ b) (h2 : c ≤ d) (h3 : e ≤ f) : a + c + e ≤ b + d + f := by
  exact Nat.add_le_add (Nat.add_le_add h1 h2) h3

theorem add_mono_succ (a b c : Nat) (h : a ≤ b) : a + c + 1 ≤ b + c + 1 := by
  exact Nat.succ_le_succ (Nat.add_le_add_right h c)

theorem mul_left_mono (a b c : Nat) (h : a ≤ b) : c * a ≤ c * b := by
  exact Nat.mul_le_mul_left c h

theorem mul_right_mono (a b c : Nat) (h : a ≤ b) : a * c ≤ b * c := by
  exact Nat.mul_le_mul_right c h

theorem mul_add_mono (a b c d : Nat) (h : a ≤ b) : c * a + d ≤ c * b + d := by
  exact Nat.add_le_add_right (Nat.mul_le_mul_left c h) d

theorem add_mono_chain (a b c d : Nat) (h1 : a ≤ b) (h2 : b + c ≤ d) : a + c ≤ d := by
  exact Nat.le_trans (Nat.add_le_add_right h1 c) h2

theorem positive_from_nonzero (a : Nat) (h : a ≠ 0) : 0 < a := by
  exact Nat.pos_of_ne_zero h

theorem below_zero (a : Nat) (h : a ≤ 0) : a = 0 := by
  exact Nat.le_antisymm h (Nat.zero_le a)

theorem bound_two (a b c : Nat) (h1 : a ≤ c) (h2 : b ≤ c) : a + b ≤ c + c := by
  exact Nat.add_le_add h1 h2

theorem not_lt_gives_le (a b : Nat) (h : ¬(a < b)) : b ≤ a := by
  exact Nat.not_lt.mp h

theorem not_le_gives_lt (a b : Nat) (h : ¬(a ≤ b)) : b < a := by
  exact Nat.not_le.mp h

theorem difference_exists (a b : Nat) (h : a ≤ b) : ∃ k, b = a + k := by
  exact Nat.exists_eq_add_of_le h
