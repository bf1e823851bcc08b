noncomputable def T.add : Nat → Nat → Nat
  | n, .zero => n
  | n, .succ m => .succ (T.add n m)
noncomputable def T.sub : Nat → Nat → Nat
  | n, .zero => n
  | n, .succ m => Nat.pred (T.sub n m)
noncomputable def T.mul : Nat → Nat → Nat
  | _, .zero => .zero
  | n, .succ m => T.add (T.mul n m) n
noncomputable def T.pow (m : Nat) : Nat → Nat
  | .zero => .succ .zero
  | .succ n => T.mul (T.pow m n) m
noncomputable def T.beq : Nat → Nat → Bool
  | .zero, .zero => true
  | .zero, .succ _ => false
  | .succ _, .zero => false
  | .succ n, .succ m => T.beq n m
noncomputable def T.ble : Nat → Nat → Bool
  | .zero, _ => true
  | .succ _, .zero => false
  | .succ n, .succ m => T.ble n m
noncomputable def T.all (f : Nat → Bool) : Nat → Bool
  | .zero => true
  | .succ n => cond (f n) (T.all f n) false
noncomputable def T.div.go : Nat → Nat → Nat → Nat
  | .zero, _, _ => .zero
  | .succ f, n, m => cond (T.ble m n) (.succ (T.div.go f (T.sub n m) m)) .zero
noncomputable def T.div (n m : Nat) : Nat := cond (T.beq m .zero) .zero (T.div.go n n m)
noncomputable def T.mod.go : Nat → Nat → Nat → Nat
  | .zero, n, _ => n
  | .succ f, n, m => cond (T.ble m n) (T.mod.go f (T.sub n m) m) n
noncomputable def T.mod (n m : Nat) : Nat := cond (T.beq m .zero) n (T.mod.go n n m)
noncomputable def T.gcd.go : Nat → Nat → Nat → Nat
  | .zero, _, n => n
  | .succ f, m, n => cond (T.beq m .zero) n (T.gcd.go f (T.mod n m) m)
noncomputable def T.gcd (m n : Nat) : Nat := T.gcd.go (.succ m) m n
noncomputable def T.bit.go (op : Nat → Nat → Nat) : Nat → Nat → Nat → Nat
  | .zero, _, _ => .zero
  | .succ f, n, m => T.add (T.mul 2 (T.bit.go op f (T.div n 2) (T.div m 2))) (op (T.mod n 2) (T.mod m 2))
noncomputable def T.land (n m : Nat) : Nat := T.bit.go T.mul (T.add n m) n m
noncomputable def T.lor (n m : Nat) : Nat := T.bit.go (fun a b => cond (T.beq (T.add a b) .zero) .zero (.succ .zero)) (T.add n m) n m
noncomputable def T.xor (n m : Nat) : Nat := T.bit.go (fun a b => T.mod (T.add a b) 2) (T.add n m) n m
noncomputable def T.shiftLeft : Nat → Nat → Nat
  | n, .zero => n
  | n, .succ m => T.shiftLeft (T.mul 2 n) m
noncomputable def T.shiftRight : Nat → Nat → Nat
  | n, .zero => n
  | n, .succ m => T.div (T.shiftRight n m) 2
noncomputable def T.log2.go : Nat → Nat → Nat
  | .zero, _ => .zero
  | .succ f, n => cond (T.ble 2 n) (.succ (T.log2.go f (T.div n 2))) .zero
noncomputable def T.log2 (n : Nat) : Nat := T.log2.go n n
noncomputable def T.minus (a b : Nat) : Int := cond (T.ble b a) (Int.ofNat (T.sub a b)) (Int.negSucc (Nat.pred (T.sub b a)))
noncomputable def T.int (i : Nat) : Int := T.minus i 6
noncomputable def T.same : Int → Int → Bool
  | .ofNat a, .ofNat b => T.beq a b
  | .negSucc a, .negSucc b => T.beq a b
  | _, _ => false
noncomputable def T.divides (i j : Nat) : Bool := match Int.ediv (T.int i) (T.int j), Int.emod (T.int i) (T.int j) with
  | q, .ofNat r => cond (T.beq j 6) (T.same q 0) (T.ble (Nat.succ r) (Int.natAbs (T.int j))) &&
      T.same (Int.add (Int.mul (T.int j) q) (.ofNat r)) (T.int i)
  | q, r => T.beq j 6 && T.same q 0 && T.same r (T.int i)
theorem agree_add : T.all (fun n => T.all (fun m => Nat.beq (T.add n m) (Nat.add n m)) 13) 13 = true := by decide +kernel
theorem agree_sub : T.all (fun n => T.all (fun m => Nat.beq (T.sub n m) (Nat.sub n m)) 13) 13 = true := by decide +kernel
theorem agree_mul : T.all (fun n => T.all (fun m => Nat.beq (T.mul n m) (Nat.mul n m)) 13) 13 = true := by decide +kernel
theorem agree_pow : T.all (fun n => T.all (fun m => Nat.beq (T.pow n m) (Nat.pow n m)) 5) 5 = true := by decide +kernel
theorem agree_div : T.all (fun n => T.all (fun m => Nat.beq (T.div n m) (Nat.div n m)) 13) 13 = true := by decide +kernel
theorem agree_mod : T.all (fun n => T.all (fun m => Nat.beq (T.mod n m) (Nat.mod n m)) 13) 13 = true := by decide +kernel
theorem agree_gcd : T.all (fun n => T.all (fun m => Nat.beq (T.gcd n m) (Nat.gcd n m)) 13) 13 = true := by decide +kernel
theorem agree_land : T.all (fun n => T.all (fun m => Nat.beq (T.land n m) (Nat.land n m)) 13) 13 = true := by decide +kernel
theorem agree_lor : T.all (fun n => T.all (fun m => Nat.beq (T.lor n m) (Nat.lor n m)) 13) 13 = true := by decide +kernel
theorem agree_xor : T.all (fun n => T.all (fun m => Nat.beq (T.xor n m) (Nat.xor n m)) 13) 13 = true := by decide +kernel
theorem agree_shiftLeft : T.all (fun n => T.all (fun m => Nat.beq (T.shiftLeft n m) (Nat.shiftLeft n m)) 5) 5 = true := by decide +kernel
theorem agree_shiftRight : T.all (fun n => T.all (fun m => Nat.beq (T.shiftRight n m) (Nat.shiftRight n m)) 13) 13 = true := by decide +kernel
theorem agree_beq : T.all (fun n => T.all (fun m => cond (T.beq n m) (Nat.beq n m) (Bool.not (Nat.beq n m))) 13) 13 = true := by decide +kernel
theorem agree_ble : T.all (fun n => T.all (fun m => cond (T.ble n m) (Nat.ble n m) (Bool.not (Nat.ble n m))) 13) 13 = true := by decide +kernel
theorem agree_log2 : T.all (fun n => Nat.beq (T.log2 n) (Nat.log2 n)) 40 = true := by decide +kernel
theorem agree_Int.add : T.all (fun i => T.all (fun j => T.same (T.int i + T.int j) (T.minus (T.add i j) 12)) 13) 13 = true := by decide +kernel
theorem agree_Int.sub : T.all (fun i => T.all (fun j => T.same (T.int i - T.int j) (T.minus i j)) 13) 13 = true := by decide +kernel
theorem agree_Int.mul : T.all (fun i => T.all (fun j => T.same (T.int i * T.int j) (T.minus (T.add (T.mul i j) 36) (T.mul 6 (T.add i j)))) 13) 13 = true := by decide +kernel
theorem agree_Int.neg : T.all (fun i => T.all (fun j => T.same (-T.int i) (T.minus 6 i)) 13) 13 = true := by decide +kernel
theorem agree_Int.div : T.all (fun i => T.all (fun j => T.divides i j) 13) 13 = true := by decide +kernel
theorem agree_Int.le : T.all (fun i => T.all (fun j => T.beq (cond (decide (T.int i ≤ T.int j)) 1 0) (cond (T.ble i j) 1 0)) 13) 13 = true := by decide +kernel
theorem agree_Int.lt : T.all (fun i => T.all (fun j => T.beq (cond (decide (T.int i < T.int j)) 1 0) (cond (T.ble (.succ i) j) 1 0)) 13) 13 = true := by decide +kernel
theorem agree_Int.decEq : T.all (fun i => T.all (fun j => T.beq (cond (decide (T.int i = T.int j)) 1 0) (cond (T.beq i j) 1 0)) 13) 13 = true := by decide +kernel
theorem agree_Int.natAbs : T.all (fun i => T.all (fun j => T.beq (Int.natAbs (T.int i)) (T.add (T.sub i 6) (T.sub 6 i))) 13) 13 = true := by decide +kernel
theorem agree_Int.toNat : T.all (fun i => T.all (fun j => T.beq (Int.toNat (T.int i)) (T.sub i 6)) 13) 13 = true := by decide +kernel
