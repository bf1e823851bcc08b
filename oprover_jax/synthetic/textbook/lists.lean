/-! Lists: append, length, map, reverse and membership. -/

theorem append_nil_right (α : Type) (xs : List α) : xs ++ [] = xs := by
  rw [List.append_nil]

theorem append_nil_left (α : Type) (xs : List α) : [] ++ xs = xs := by
  rw [List.nil_append]

theorem append_regroup (α : Type) (xs ys zs : List α) : xs ++ ys ++ zs = xs ++ (ys ++ zs) := by
  rw [List.append_assoc]

theorem append_regroup_back (α : Type) (xs ys zs : List α) : xs ++ (ys ++ zs) = xs ++ ys ++ zs := by
  rw [← List.append_assoc]

theorem append_nil_middle (α : Type) (xs ys : List α) : xs ++ [] ++ ys = xs ++ ys := by
  rw [List.append_nil]

theorem append_nil_both (α : Type) (xs : List α) : [] ++ (xs ++ []) = xs := by
  rw [List.nil_append, List.append_nil]

theorem append_four (α : Type) (xs ys zs ws : List α) : xs ++ ys ++ zs ++ ws = xs ++ (ys ++ (zs ++ ws)) := by
  rw [List.append_assoc, List.append_assoc]

theorem append_cons_front (α : Type) (x : α) (xs ys : List α) : x :: xs ++ ys = x :: (xs ++ ys) := by
  rw [List.cons_append]

theorem append_singleton (α : Type) (x : α) (xs : List α) : [x] ++ xs = x :: xs := by
  rfl

theorem cons_equal (α : Type) (x : α) (xs ys : List α) (h : xs = ys) : x :: xs = x :: ys := by
  rw [h]

theorem append_equal (α : Type) (xs ys zs : List α) (h : xs = ys) : xs ++ zs = ys ++ zs := by
  rw [h]

theorem length_empty (α : Type) : ([] : List α).length = 0 := by
  rfl

theorem length_next (α : Type) (x : α) (xs : List α) : (x :: xs).length = xs.length + 1 := by
  rfl

theorem length_sum (α : Type) (xs ys : List α) : (xs ++ ys).length = xs.length + ys.length := by
  rw [List.length_append]

theorem length_sum_swap (α : Type) (xs ys : List α) : (xs ++ ys).length = ys.length + xs.length := by
  rw [List.length_append, Nat.add_comm]

theorem length_append_swap (α : Type) (xs ys : List α) : (xs ++ ys).length = (ys ++ xs).length := by
  rw [List.length_append, List.length_append, Nat.add_comm]

theorem length_sum_three (α : Type) (xs ys zs : List α) : (xs ++ ys ++ zs).length = xs.length + ys.length + zs.length := by
  rw [List.length_append, List.length_append]

theorem length_of_map (α : Type) (f : α → α) (xs : List α) : (xs.map f).length = xs.length := by
  rw [List.length_map]

theorem length_of_map_twice (α : Type) (f : α → α) (xs : List α) : ((xs.map f).map f).length = xs.length := by
  rw [List.length_map, List.length_map]

theorem length_of_reverse (α : Type) (xs : List α) : xs.reverse.length = xs.length := by
  rw [List.length_reverse]

theorem length_of_reverse_map (α : Type) (f : α → α) (xs : List α) : (xs.map f).reverse.length = xs.length := by
  rw [List.length_reverse, List.length_map]

theorem map_over_append (α : Type) (f : α → α) (xs ys : List α) : (xs ++ ys).map f = xs.map f ++ ys.map f := by
  rw [List.map_append]

theorem map_over_three (α : Type) (f : α → α) (xs ys zs : List α) : (xs ++ ys ++ zs).map f = xs.map f ++ ys.map f ++ zs.map f := by
  rw [List.map_append, List.map_append]

theorem map_over_cons (α : Type) (f : α → α) (x : α) (xs : List α) : (x :: xs).map f = f x :: xs.map f := by
  rw [List.map_cons]

theorem map_composed (α : Type) (f g : α → α) (xs : List α) : (xs.map f).map g = xs.map (g ∘ f) := by
  rw [List.map_map]

theorem map_identity (α : Type) (xs : List α) : xs.map id = xs := by
  rw [List.map_id]

theorem map_over_reverse (α : Type) (f : α → α) (xs : List α) : xs.reverse.map f = (xs.map f).reverse := by
  rw [List.map_reverse]

theorem reverse_over_append (α : Type) (xs ys : List α) : (xs ++ ys).reverse = ys.reverse ++ xs.reverse := by
  rw [List.reverse_append]

theorem reverse_twice (α : Type) (xs : List α) : xs.reverse.reverse = xs := by
  rw [List.reverse_reverse]

theorem reverse_append_reverse (α : Type) (xs ys : List α) : (xs.reverse ++ ys).reverse = ys.reverse ++ xs := by
  rw [List.reverse_append, List.reverse_reverse]

theorem reverse_over_cons (α : Type) (x : α) (xs : List α) : (x :: xs).reverse = xs.reverse ++ [x] := by
  rw [List.reverse_cons]

theorem reverse_three (α : Type) (xs ys zs : List α) : (xs ++ ys ++ zs).reverse = zs.reverse ++ (ys.reverse ++ xs.reverse) := by
  rw [List.reverse_append, List.reverse_append]

theorem member_front (α : Type) (x : α) (xs : List α) : x ∈ x :: xs := by
  exact List.mem_cons_self

theorem member_later (α : Type) (x y : α) (xs : List α) (h : x ∈ xs) : x ∈ y :: xs := by
  exact List.mem_cons_of_mem y h

theorem member_append_left (α : Type) (x : α) (xs ys : List α) (h : x ∈ xs) : x ∈ xs ++ ys := by
  exact List.mem_append_left ys h

theorem member_append_right (α : Type) (x : α) (xs ys : List α) (h : x ∈ ys) : x ∈ xs ++ ys := by
  exact List.mem_append_right xs h

theorem member_mapped (α : Type) (f : α → α) (x : α) (xs : List α) (h : x ∈ xs) : f x ∈ xs.map f := by
  exact List.mem_map_of_mem h

theorem list_cases (α : Type) (P : List α → Prop) (xs : List α) (h1 : P []) (h2 : ∀ x xs, P (x :: xs)) : P xs := by
  cases xs with
  | nil => exact h1
  | cons x xs => exact h2 x xs

theorem list_induction (α : Type) (P : List α → Prop) (xs : List α) (h1 : P []) (h2 : ∀ x xs, P xs → P (x :: xs)) : P xs := by
  induction xs with
  | nil => exact h1
  | cons x xs ih => exact h2 x xs ih

theorem length_recursion (f : List Nat → Nat) (xs : List Nat) (h1 : f [] = 0) (h2 : ∀ x xs, f (x :: xs) = f xs + 1) : f xs = xs.length := by
  induction xs with
  | nil => rw [h1, List.length_nil]
  | cons x xs ih => rw [h2, ih, List.length_cons]

theorem sum_recursion (f g : List Nat → Nat) (xs : List Nat) (h1 : f [] = 0) (h2 : g [] = 0) (h3 : ∀ x xs, f (x :: xs) = x + f xs) (h4 : ∀ x xs, g (x :: xs) = x + g xs) : f xs = g xs := by
  induction xs with
  | nil => rw [h1, h2]
  | cons x xs ih => rw [h3, h4, ih]

theorem sum_append_recursion (f : List Nat → Nat) (xs ys : List Nat) (h1 : f [] = 0) (h2 : ∀ x xs, f (x :: xs) = x + f xs) : f (xs ++ ys) = f xs + f ys := by
  induction xs with
  | nil => rw [List.nil_append, h1, Nat.zero_add]
  | cons x xs ih => rw [List.cons_append, h2, h2, ih, Nat.add_assoc]

theorem append_nil_simple (α : Type) (xs ys : List α) : xs ++ ([] ++ ys) = xs ++ ys := by
  simp

theorem reverse_twice_simple (α : Type) (xs ys : List α) : (xs ++ ys).reverse.reverse = xs ++ ys := by
  simp

theorem length_simple (α : Type) (f : α → α) (xs : List α) : (xs.reverse.map f).length = xs.length := by
  simp
