prelude
import OProverCore.Config
/- `ac_rfl`: expressions of one associative operation are compared through lists of their variables, sorted where the operation is
commutative, without repetitions where it is idempotent, and without neutral elements. -/
set_option linter.unusedVariables false
universe u

namespace Std
class LeftIdentity {α : Sort u} {β : Sort v} (op : α → β → β) (o : outParam α) : Prop
class LawfulLeftIdentity {α : Sort u} {β : Sort v} (op : α → β → β) (o : outParam α) : Prop extends LeftIdentity op o where
  left_id : ∀ a, op o a = a
class RightIdentity {α : Sort u} {β : Sort v} (op : α → β → α) (o : outParam β) : Prop
class LawfulRightIdentity {α : Sort u} {β : Sort v} (op : α → β → α) (o : outParam β) : Prop extends RightIdentity op o where
  right_id : ∀ a, op a o = a
class Identity {α : Sort u} (op : α → α → α) (o : outParam α) : Prop extends LeftIdentity op o, RightIdentity op o
class LawfulIdentity {α : Sort u} (op : α → α → α) (o : outParam α) : Prop extends Identity op o, LawfulLeftIdentity op o,
  LawfulRightIdentity op o
instance : Associative And := ⟨fun _ _ _ => propext and_assoc⟩
instance : Commutative And := ⟨fun _ _ => propext and_comm⟩
instance : IdempotentOp And := ⟨fun p => and_self p⟩
instance : Associative Or := ⟨fun _ _ _ => propext or_assoc⟩
instance : Commutative Or := ⟨fun _ _ => propext or_comm⟩
instance : IdempotentOp Or := ⟨fun p => or_self p⟩
instance : Commutative Iff := ⟨fun _ _ => propext iff_comm⟩
instance : LawfulIdentity And True where
  left_id := true_and
  right_id := and_true
instance : LawfulIdentity Or False where
  left_id := false_or
  right_id := or_false
end Std
instance : Std.LawfulIdentity (α := Nat) (· + ·) 0 where
  left_id := Nat.zero_add
  right_id := Nat.add_zero
instance : Std.LawfulIdentity (α := Nat) (· * ·) 1 where
  left_id := Nat.one_mul
  right_id := Nat.mul_one
instance : Std.Associative and := ⟨Bool.and_assoc⟩
instance : Std.Commutative and := ⟨Bool.and_comm⟩
instance : Std.IdempotentOp and := ⟨Bool.and_self⟩
instance : Std.Associative or := ⟨Bool.or_assoc⟩
instance : Std.Commutative or := ⟨Bool.or_comm⟩
instance : Std.IdempotentOp or := ⟨Bool.or_self⟩
instance {α : Type u} : Std.Associative (α := List α) (· ++ ·) := ⟨List.append_assoc⟩
instance {α : Type u} : Std.LawfulIdentity (α := List α) (· ++ ·) [] where
  left_id := List.nil_append
  right_id := List.append_nil
instance : Std.Associative (α := Nat) max := ⟨fun a b c => by
  apply Nat.le_antisymm
  · exact Nat.max_le.2 ⟨Nat.max_le.2 ⟨Nat.le_max_left _ _, Nat.le_trans (Nat.le_max_left _ _) (Nat.le_max_right _ _)⟩,
      Nat.le_trans (Nat.le_max_right _ _) (Nat.le_max_right _ _)⟩
  · exact Nat.max_le.2 ⟨Nat.le_trans (Nat.le_max_left _ _) (Nat.le_max_left _ _),
      Nat.max_le.2 ⟨Nat.le_trans (Nat.le_max_right _ _) (Nat.le_max_left _ _), Nat.le_max_right _ _⟩⟩⟩
instance : Std.Commutative (α := Nat) max := ⟨Nat.max_comm⟩
instance : Std.IdempotentOp (α := Nat) max := ⟨Nat.max_self⟩
instance : Std.Associative (α := Nat) min := ⟨fun a b c => by
  apply Nat.le_antisymm
  · exact Nat.le_min.2 ⟨Nat.le_trans (Nat.min_le_left _ _) (Nat.min_le_left _ _),
      Nat.le_min.2 ⟨Nat.le_trans (Nat.min_le_left _ _) (Nat.min_le_right _ _), Nat.min_le_right _ _⟩⟩
  · exact Nat.le_min.2 ⟨Nat.le_min.2 ⟨Nat.min_le_left _ _, Nat.le_trans (Nat.min_le_right _ _) (Nat.min_le_left _ _)⟩,
      Nat.le_trans (Nat.min_le_right _ _) (Nat.min_le_right _ _)⟩⟩
instance : Std.Commutative (α := Nat) min := ⟨Nat.min_comm⟩
instance : Std.IdempotentOp (α := Nat) min := ⟨Nat.min_self⟩

namespace Lean.Data.AC
inductive Expr where
  | var (x : Nat)
  | op (lhs rhs : Expr)
structure Variable {α : Sort u} (op : α → α → α) : Type u where
  value : α
  neutral : Option (PLift (Std.LawfulIdentity op value))
structure Context (α : Sort u) where
  op : α → α → α
  assoc : Std.Associative op
  comm : Option (PLift (Std.Commutative op))
  idem : Option (PLift (Std.IdempotentOp op))
  vars : List (Variable op)
  arbitrary : α

variable {α : Sort u}
def find {β : Type u} : List β → Nat → Option β
  | [], _ => none
  | b :: _, 0 => some b
  | _ :: l, n + 1 => find l n
def Context.value (ctx : Context α) (i : Nat) : α := match find ctx.vars i with
  | some v => v.value
  | none => ctx.arbitrary
def Context.neutral (ctx : Context α) (i : Nat) : Bool := match find ctx.vars i with
  | some ⟨_, some _⟩ => true
  | _ => false
def eval (ctx : Context α) : Expr → α
  | .var x => ctx.value x
  | .op l r => ctx.op (eval ctx l) (eval ctx r)
def evalList (ctx : Context α) : List Nat → α
  | [] => ctx.arbitrary
  | [x] => ctx.value x
  | x :: y :: l => ctx.op (ctx.value x) (evalList ctx (y :: l))
def Expr.toList : Expr → List Nat
  | .var x => [x]
  | .op l r => l.toList ++ r.toList
def insert (x : Nat) : List Nat → List Nat
  | [] => [x]
  | y :: l => cond (Nat.ble x y) (x :: y :: l) (y :: insert x l)
def sort : List Nat → List Nat
  | [] => []
  | x :: l => insert x (sort l)
def mergeIdem : List Nat → List Nat
  | [] => []
  | x :: l => match mergeIdem l with
    | [] => [x]
    | y :: m => cond (Nat.beq x y) (y :: m) (x :: y :: m)
def removeNeutrals (ctx : Context α) : List Nat → List Nat
  | [] => []
  | [x] => [x]
  | x :: y :: l => match removeNeutrals ctx (y :: l) with
    | [] => [x]
    | [z] => cond (ctx.neutral z) [x] (cond (ctx.neutral x) [z] [x, z])
    | z :: w :: m => cond (ctx.neutral x) (z :: w :: m) (x :: z :: w :: m)
def norm (ctx : Context α) (e : Expr) : List Nat :=
  let xs := removeNeutrals ctx e.toList
  let xs := match ctx.comm with
    | some _ => sort xs
    | none => xs
  match ctx.idem with
  | some _ => mergeIdem xs
  | none => xs

theorem evalList_cons (ctx : Context α) (x : Nat) {l : List Nat} (h : l ≠ []) : evalList ctx (x :: l) = ctx.op (ctx.value x) (evalList ctx l) := by
  cases l with
  | nil => exact absurd rfl h
  | cons y l => rfl
theorem evalList_append (ctx : Context α) {l m : List Nat} (hl : l ≠ []) (hm : m ≠ []) :
    evalList ctx (l ++ m) = ctx.op (evalList ctx l) (evalList ctx m) := by
  induction l with
  | nil => exact absurd rfl hl
  | cons x l ih =>
    cases l with
    | nil => exact evalList_cons ctx x hm
    | cons y l =>
      show ctx.op (ctx.value x) (evalList ctx ((y :: l) ++ m)) = ctx.op (ctx.op _ _) _
      rw [ih (List.cons_ne_nil y l), ctx.assoc.assoc]
theorem toList_ne_nil (e : Expr) : e.toList ≠ [] := by
  induction e with
  | var x => exact List.cons_ne_nil x []
  | op l r ihl _ => exact fun h => ihl (List.append_eq_nil_iff.1 h).1
theorem evalList_toList (ctx : Context α) (e : Expr) : evalList ctx e.toList = eval ctx e := by
  induction e with
  | var x => rfl
  | op l r ihl ihr => exact (evalList_append ctx (toList_ne_nil l) (toList_ne_nil r)).trans (by rw [ihl, ihr]; rfl)
theorem insert_ne_nil (x : Nat) (l : List Nat) : insert x l ≠ [] := by
  cases l with
  | nil => exact List.cons_ne_nil _ _
  | cons y l =>
    show cond (Nat.ble x y) _ _ ≠ _
    cases Nat.ble x y <;> exact List.cons_ne_nil _ _
theorem evalList_insert (ctx : Context α) (h : Std.Commutative ctx.op) (x : Nat) (l : List Nat) :
    evalList ctx (insert x l) = evalList ctx (x :: l) := by
  induction l with
  | nil => rfl
  | cons y l ih =>
    show evalList ctx (cond (Nat.ble x y) _ _) = _
    cases Nat.ble x y with
    | true => rfl
    | false =>
      show evalList ctx (y :: insert x l) = _
      rw [evalList_cons ctx y (insert_ne_nil x l), ih, evalList_cons ctx x (List.cons_ne_nil y l)]
      cases l with
      | nil => exact h.comm _ _
      | cons z l =>
        rw [evalList_cons ctx x (List.cons_ne_nil z l), evalList_cons ctx y (List.cons_ne_nil z l), ← ctx.assoc.assoc,
          h.comm (ctx.value y), ctx.assoc.assoc]
theorem evalList_sort (ctx : Context α) (h : Std.Commutative ctx.op) (l : List Nat) : evalList ctx (sort l) = evalList ctx l := by
  induction l with
  | nil => rfl
  | cons x l ih =>
    refine (evalList_insert ctx h x (sort l)).trans ?_
    cases l with
    | nil => rfl
    | cons y l => exact (evalList_cons ctx x (insert_ne_nil y (sort l))).trans (congrArg (ctx.op (ctx.value x)) ih)
theorem evalList_mergeIdem (ctx : Context α) (h : Std.IdempotentOp ctx.op) (l : List Nat) : evalList ctx (mergeIdem l) = evalList ctx l := by
  induction l with
  | nil => rfl
  | cons x l ih =>
    cases l with
    | nil => rfl
    | cons z l =>
      rw [evalList_cons ctx x (List.cons_ne_nil z l), ← ih]
      show evalList ctx (match mergeIdem (z :: l) with
        | [] => [x]
        | y :: m => cond (Nat.beq x y) (y :: m) (x :: y :: m)) = _
      have nonempty : mergeIdem (z :: l) ≠ [] := by
        show (match mergeIdem l with
          | [] => [z]
          | y :: m => cond (Nat.beq z y) (y :: m) (z :: y :: m)) ≠ []
        cases mergeIdem l with
        | nil => exact List.cons_ne_nil _ _
        | cons y m =>
          show cond (Nat.beq z y) _ _ ≠ _
          cases Nat.beq z y <;> exact List.cons_ne_nil _ _
      cases e : mergeIdem (z :: l) with
      | nil => exact absurd e nonempty
      | cons y m =>
        show evalList ctx (cond (Nat.beq x y) (y :: m) (x :: y :: m)) = _
        cases b : Nat.beq x y with
        | false => rfl
        | true =>
          cases Nat.eq_of_beq_eq_true b
          show evalList ctx (x :: m) = _
          cases m with
          | nil => exact (h.idempotent _).symm
          | cons w m => rw [evalList_cons ctx x (List.cons_ne_nil w m), ← ctx.assoc.assoc, h.idempotent]
theorem neutral_spec (ctx : Context α) {i : Nat} (h : ctx.neutral i = true) : Std.LawfulIdentity ctx.op (ctx.value i) := by
  unfold Context.neutral at h
  unfold Context.value
  cases e : find ctx.vars i with
  | none => rw [e] at h; exact absurd h Bool.false_ne_true
  | some v =>
    rw [e] at h
    obtain ⟨value, neutral⟩ := v
    cases neutral with
    | none => exact absurd h Bool.false_ne_true
    | some n => exact n.down
theorem evalList_removeNeutrals (ctx : Context α) (l : List Nat) : evalList ctx (removeNeutrals ctx l) = evalList ctx l := by
  induction l with
  | nil => rfl
  | cons x l ih =>
    cases l with
    | nil => rfl
    | cons y l =>
      rw [evalList_cons ctx x (List.cons_ne_nil y l), ← ih]
      show evalList ctx (match removeNeutrals ctx (y :: l) with
        | [] => [x]
        | [z] => cond (ctx.neutral z) [x] (cond (ctx.neutral x) [z] [x, z])
        | z :: w :: m => cond (ctx.neutral x) (z :: w :: m) (x :: z :: w :: m)) = _
      have nonempty : removeNeutrals ctx (y :: l) ≠ [] := by
        cases l with
        | nil => exact List.cons_ne_nil _ _
        | cons w l =>
          show (match removeNeutrals ctx (w :: l) with
            | [] => [y]
            | [z] => cond (ctx.neutral z) [y] (cond (ctx.neutral y) [z] [y, z])
            | z :: w :: m => cond (ctx.neutral y) (z :: w :: m) (y :: z :: w :: m)) ≠ []
          split
          · exact List.cons_ne_nil _ _
          · next z _ => cases ctx.neutral z <;> cases ctx.neutral y <;> exact List.cons_ne_nil _ _
          · cases ctx.neutral y <;> exact List.cons_ne_nil _ _
      cases e : removeNeutrals ctx (y :: l) with
      | nil => exact absurd e nonempty
      | cons z m =>
        cases m with
        | nil =>
          show evalList ctx (cond (ctx.neutral z) [x] (cond (ctx.neutral x) [z] [x, z])) = ctx.op (ctx.value x) (ctx.value z)
          cases hz : ctx.neutral z with
          | true => exact ((neutral_spec ctx hz).right_id _).symm
          | false => cases hx : ctx.neutral x with
            | true => exact ((neutral_spec ctx hx).left_id _).symm
            | false => rfl
        | cons w m =>
          show evalList ctx (cond (ctx.neutral x) (z :: w :: m) (x :: z :: w :: m)) = _
          cases hx : ctx.neutral x with
          | true => exact ((neutral_spec ctx hx).left_id _).symm
          | false => rfl
theorem evalList_norm (ctx : Context α) (e : Expr) : evalList ctx (norm ctx e) = eval ctx e := by
  refine Eq.trans ?_ ((evalList_removeNeutrals ctx _).trans (evalList_toList ctx e))
  unfold norm
  cases hi : ctx.idem with
  | none => cases hc : ctx.comm with
    | none => rfl
    | some c => exact evalList_sort ctx c.down _
  | some i => cases hc : ctx.comm with
    | none => exact evalList_mergeIdem ctx i.down _
    | some c => exact (evalList_mergeIdem ctx i.down _).trans (evalList_sort ctx c.down _)
def same : List Nat → List Nat → Bool
  | [], [] => true
  | x :: l, y :: m => and (Nat.beq x y) (same l m)
  | _, _ => false
theorem eq_of_same : (l m : List Nat) → same l m = true → l = m
  | [], [], _ => rfl
  | x :: l, y :: m, h => by
    have both := (Bool.and_eq_true _ _ ▸ h : Nat.beq x y = true ∧ same l m = true)
    rw [Nat.eq_of_beq_eq_true both.1, eq_of_same l m both.2]
  | [], _ :: _, h => absurd h Bool.false_ne_true
  | _ :: _, [], h => absurd h Bool.false_ne_true
theorem Context.eq_of_norm (ctx : Context α) (a b : Expr) (h : same (norm ctx a) (norm ctx b) = true) : eval ctx a = eval ctx b := by
  rw [← evalList_norm ctx a, eq_of_same _ _ h, evalList_norm ctx b]
end Lean.Data.AC
