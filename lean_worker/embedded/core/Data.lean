prelude
import OProverCore.Core
/- Order and equality of Nat, every further Nat function that the kernel computes by name (each must be defined, and correctly: see
agree.lean), lists, options, and the layouts of Fin, machine words, characters, strings and arrays that the runtime expects. -/
set_option linter.unusedVariables false
set_option linter.defProp false
set_option bootstrap.genMatcherCode false
universe u v w

/- ### Nat order and decidability -/
protected inductive Nat.le (n : Nat) : Nat → Prop where
  | refl : Nat.le n n
  | step {m : Nat} : Nat.le n m → Nat.le n (.succ m)
protected def Nat.lt (n m : Nat) : Prop := Nat.le (.succ n) m
instance instLENat : LE Nat where le := Nat.le
instance instLTNat : LT Nat where lt := Nat.lt
instance instAddNat : Add Nat where add := Nat.add
instance instMulNat : Mul Nat where mul := Nat.mul
instance Nat.instSub : Sub Nat where sub := Nat.sub
@[reducible] def instSubNat : Sub Nat where sub := Nat.sub
instance instNatPowNat : NatPow Nat where pow := Nat.pow
instance : Inhabited Nat where default := .zero

theorem Nat.eq_of_beq_eq_true : {n m : Nat} → Eq (Nat.beq n m) true → Eq n m
  | .zero, .zero, _ => rfl
  | .zero, .succ _, h => Bool.noConfusion h
  | .succ _, .zero, h => Bool.noConfusion h
  | .succ n, .succ m, h => congrArg Nat.succ (Nat.eq_of_beq_eq_true (n := n) (m := m) h)
theorem Nat.beq_refl : (n : Nat) → Eq (Nat.beq n n) true
  | .zero => rfl
  | .succ n => Nat.beq_refl n
theorem Nat.ne_of_beq_eq_false {n m : Nat} (h : Eq (Nat.beq n m) false) : Not (Eq n m) :=
  fun e => Bool.noConfusion (Eq.trans (Eq.symm (Nat.beq_refl n)) (Eq.trans (congrArg (Nat.beq n) e) h))

@[extern "lean_nat_dec_eq"] def Nat.decEq (n m : Nat) : Decidable (Eq n m) :=
  match h : Nat.beq n m with
  | true => isTrue (Nat.eq_of_beq_eq_true h)
  | false => isFalse (Nat.ne_of_beq_eq_false h)
instance : DecidableEq Nat := Nat.decEq
attribute [gen_constructor_elims] Nat Bool
theorem Nat.zero_le : (n : Nat) → LE.le 0 n
  | .zero => Nat.le.refl
  | .succ n => Nat.le.step (Nat.zero_le n)
theorem Nat.succ_le_succ {n m : Nat} : LE.le n m → LE.le (Nat.succ n) (Nat.succ m)
  | .refl => Nat.le.refl
  | .step h => Nat.le.step (Nat.succ_le_succ h)
theorem Nat.le_of_ble_eq_true : {n m : Nat} → Eq (Nat.ble n m) true → LE.le n m
  | .zero, m, _ => Nat.zero_le m
  | .succ _, .zero, h => Bool.noConfusion h
  | .succ n, .succ m, h => Nat.succ_le_succ (Nat.le_of_ble_eq_true (n := n) (m := m) h)
theorem Nat.ble_self_eq_true : (n : Nat) → Eq (Nat.ble n n) true
  | .zero => rfl
  | .succ n => Nat.ble_self_eq_true n
theorem Nat.ble_succ_eq_true : {n m : Nat} → Eq (Nat.ble n m) true → Eq (Nat.ble n (.succ m)) true
  | .zero, _, _ => rfl
  | .succ _, .zero, h => Bool.noConfusion h
  | .succ n, .succ m, h => Nat.ble_succ_eq_true (n := n) (m := m) h
theorem Nat.ble_eq_true_of_le {n m : Nat} (h : LE.le n m) : Eq (Nat.ble n m) true :=
  match h with
  | .refl => Nat.ble_self_eq_true n
  | .step h => Nat.ble_succ_eq_true (Nat.ble_eq_true_of_le h)
theorem Nat.not_le_of_not_ble_eq_true {n m : Nat} (h : Not (Eq (Nat.ble n m) true)) : Not (LE.le n m) :=
  fun h' => h (Nat.ble_eq_true_of_le h')
@[extern "lean_nat_dec_le"] instance Nat.decLe (n m : Nat) : Decidable (LE.le n m) :=
  match _root_.decEq (Nat.ble n m) true with
  | isTrue h => isTrue (Nat.le_of_ble_eq_true h)
  | isFalse h => isFalse (Nat.not_le_of_not_ble_eq_true h)
@[extern "lean_nat_dec_lt"] instance Nat.decLt (n m : Nat) : Decidable (LT.lt n m) := Nat.decLe (.succ n) m
instance : BEq Nat where beq := Nat.beq

instance {α : Sort u} [Inhabited α] : Nonempty α := ⟨default⟩
instance instInhabitedForall {α : Sort u} {β : α → Sort v} [(a : α) → Inhabited (β a)] : Inhabited ((a : α) → β a) where
  default := fun _ => default
instance Pi.instNonempty {α : Sort u} {β : α → Sort v} [(a : α) → Nonempty (β a)] : Nonempty ((a : α) → β a) :=
  ⟨fun a => Classical.ofNonempty⟩

/- The kernel replaces these names by big-number arithmetic as well; every one of them must be
   defined here, or a user file could define it wrongly and prove False. -/
def Nat.div.go : Nat → Nat → Nat → Nat
  | .zero, _, _ => .zero
  | .succ f, n, m => cond (Nat.ble m n) (.succ (Nat.div.go f (Nat.sub n m) m)) .zero
@[extern "lean_nat_div"] def Nat.div (n m : Nat) : Nat := cond (Nat.beq m .zero) .zero (Nat.div.go n n m)
def Nat.mod.go : Nat → Nat → Nat → Nat
  | .zero, n, _ => n
  | .succ f, n, m => cond (Nat.ble m n) (Nat.mod.go f (Nat.sub n m) m) n
@[extern "lean_nat_mod"] def Nat.mod (n m : Nat) : Nat := cond (Nat.beq m .zero) n (Nat.mod.go n n m)
def Nat.gcd.go : Nat → Nat → Nat → Nat
  | .zero, _, n => n
  | .succ f, m, n => cond (Nat.beq m .zero) n (Nat.gcd.go f (Nat.mod n m) m)
@[extern "lean_nat_gcd"] def Nat.gcd (m n : Nat) : Nat := Nat.gcd.go (.succ m) m n
def Nat.bit.go (op : Nat → Nat → Nat) : Nat → Nat → Nat → Nat
  | .zero, _, _ => .zero
  | .succ f, n, m => Nat.add (Nat.mul 2 (Nat.bit.go op f (Nat.div n 2) (Nat.div m 2))) (op (Nat.mod n 2) (Nat.mod m 2))
@[extern "lean_nat_land"] def Nat.land (n m : Nat) : Nat := Nat.bit.go Nat.mul (Nat.add n m) n m
@[extern "lean_nat_lor"] def Nat.lor (n m : Nat) : Nat := Nat.bit.go (fun a b => cond (Nat.beq (Nat.add a b) .zero) .zero (.succ .zero)) (Nat.add n m) n m
@[extern "lean_nat_lxor"] def Nat.xor (n m : Nat) : Nat := Nat.bit.go (fun a b => Nat.mod (Nat.add a b) 2) (Nat.add n m) n m
@[extern "lean_nat_shiftl"] def Nat.shiftLeft : Nat → Nat → Nat
  | n, .zero => n
  | n, .succ m => Nat.shiftLeft (Nat.mul 2 n) m
@[extern "lean_nat_shiftr"] def Nat.shiftRight : Nat → Nat → Nat
  | n, .zero => n
  | n, .succ m => Nat.div (Nat.shiftRight n m) 2
def Nat.log2.go : Nat → Nat → Nat
  | .zero, _ => .zero
  | .succ f, n => cond (Nat.ble 2 n) (.succ (Nat.log2.go f (Nat.div n 2))) .zero
@[extern "lean_nat_log2"] def Nat.log2 (n : Nat) : Nat := Nat.log2.go n n
instance : Div Nat where div := Nat.div
instance : Mod Nat where mod := Nat.mod

/- ### Containers -/
inductive List (α : Type u) where
  | nil : List α
  | cons (head : α) (tail : List α) : List α
inductive Option (α : Type u) where
  | none : Option α
  | some (val : α) : Option α
export Option (none some)
inductive Except (ε : Type u) (α : Type v) where
  | error : ε → Except ε α
  | ok : α → Except ε α

def List.length {α : Type u} : List α → Nat
  | .nil => 0
  | .cons _ t => HAdd.hAdd (List.length t) 1
def List.append {α : Type u} : List α → List α → List α
  | .nil, l => l
  | .cons a t, l => .cons a (List.append t l)
instance {α : Type u} : Append (List α) where append := List.append
def List.map {α : Type u} {β : Type v} (f : α → β) : List α → List β
  | .nil => .nil
  | .cons a t => .cons (f a) (List.map f t)
def List.foldl {α : Type u} {β : Type v} (f : α → β → α) : α → List β → α
  | a, .nil => a
  | a, .cons b t => List.foldl f (f a b) t
def List.reverseAux {α : Type u} : List α → List α → List α
  | .nil, r => r
  | .cons a t, r => List.reverseAux t (.cons a r)
def List.reverse {α : Type u} (l : List α) : List α := List.reverseAux l .nil
inductive List.Mem {α : Type u} (a : α) : List α → Prop where
  | head (t : List α) : Mem a (.cons a t)
  | tail (b : α) {t : List α} : Mem a t → Mem a (.cons b t)
instance {α : Type u} : Membership α (List α) where mem l a := List.Mem a l

/- ### Fin, machine words, characters, strings, arrays (layouts the runtime expects) -/
structure Fin (n : Nat) where
  mk ::
  val : Nat
  isLt : LT.lt val n
structure BitVec (w : Nat) where
  ofFin ::
  toFin : Fin (HPow.hPow 2 w)
abbrev UInt8.size : Nat := 256
structure UInt8 where
  ofBitVec ::
  toBitVec : BitVec 8
structure UInt16 where
  ofBitVec ::
  toBitVec : BitVec 16
structure UInt32 where
  ofBitVec ::
  toBitVec : BitVec 32
structure UInt64 where
  ofBitVec ::
  toBitVec : BitVec 64
attribute [extern "lean_uint8_of_nat_mk"] UInt8.ofBitVec
attribute [extern "lean_uint8_to_nat"] UInt8.toBitVec
attribute [extern "lean_uint16_of_nat_mk"] UInt16.ofBitVec
attribute [extern "lean_uint16_to_nat"] UInt16.toBitVec
attribute [extern "lean_uint32_of_nat_mk"] UInt32.ofBitVec
attribute [extern "lean_uint32_to_nat"] UInt32.toBitVec
attribute [extern "lean_uint64_of_nat_mk"] UInt64.ofBitVec
attribute [extern "lean_uint64_to_nat"] UInt64.toBitVec

abbrev Nat.isValidChar (n : Nat) : Prop :=
  Or (LT.lt n 0xd800) (And (LT.lt 0xdfff n) (LT.lt n 0x110000))
def UInt32.toNat (n : UInt32) : Nat := n.toBitVec.toFin.val
abbrev UInt32.isValidChar (n : UInt32) : Prop := n.toNat.isValidChar
structure Char where
  val : UInt32
  valid : val.isValidChar

structure String where
  mk ::
  data : List Char
def String.ofList (l : List Char) : String := String.mk l
attribute [extern "lean_string_mk"] String.mk
attribute [extern "lean_string_data"] String.data
instance : Inhabited String where default := String.mk .nil
instance : Inhabited UInt64 where default := .ofBitVec (.ofFin (.mk 0 (Nat.le_of_ble_eq_true rfl)))
@[extern "lean_string_append"] opaque String.append : String → String → String
@[extern "lean_string_hash"] opaque String.hash : (@& String) → UInt64
instance : Append String where append := String.append

structure Array (α : Type u) where
  mk ::
  toList : List α
attribute [extern "lean_array_to_list"] Array.toList
attribute [extern "lean_array_mk"] Array.mk
