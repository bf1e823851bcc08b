prelude
import OProverCore.NatMore
/- Lists: functions and their lemmas on length, append, map, filter, reverse, membership, folds, take and drop. -/
set_option linter.unusedVariables false
set_option linter.defProp false
universe u v w
variable {α : Type u} {β : Type v} {γ : Type w}

namespace List
/- ### Functions -/
def filter (p : α → Bool) : List α → List α
  | [] => []
  | a :: l => match p a with
    | true => a :: filter p l
    | false => filter p l
def foldr (f : α → β → β) (init : β) : List α → β
  | [] => init
  | a :: l => f a (foldr f init l)
def replicate : Nat → α → List α
  | 0, _ => []
  | n + 1, a => a :: replicate n a
def take : Nat → List α → List α
  | 0, _ => []
  | _ + 1, [] => []
  | n + 1, a :: l => a :: take n l
def drop : Nat → List α → List α
  | 0, l => l
  | _ + 1, [] => []
  | n + 1, _ :: l => drop n l
def head? : List α → Option α
  | [] => none
  | a :: _ => some a
def tail : List α → List α
  | [] => []
  | _ :: l => l
def any : List α → (α → Bool) → Bool
  | [], _ => false
  | a :: l, p => p a || any l p
def all : List α → (α → Bool) → Bool
  | [], _ => true
  | a :: l, p => p a && all l p
def zipWith (f : α → β → γ) : List α → List β → List γ
  | a :: l, b :: m => f a b :: zipWith f l m
  | _, _ => []
def flatten : List (List α) → List α
  | [] => []
  | l :: ls => l ++ flatten ls
protected def sum [Add α] [OfNat α 0] : List α → α
  | [] => 0
  | a :: l => a + List.sum l
def isEmpty : List α → Bool
  | [] => true
  | _ :: _ => false
def concat : List α → α → List α
  | [], b => [b]
  | a :: l, b => a :: concat l b

/- ### Constructors -/
theorem cons_ne_nil (a : α) (l : List α) : a :: l ≠ [] := fun h => nomatch h
theorem cons_inj_right (a : α) {l m : List α} : a :: l = a :: m ↔ l = m := ⟨fun h => (List.cons.inj h).2, fun h => h ▸ rfl⟩
theorem head_eq_of_cons_eq {a b : α} {l m : List α} (h : a :: l = b :: m) : a = b := (List.cons.inj h).1
theorem tail_eq_of_cons_eq {a b : α} {l m : List α} (h : a :: l = b :: m) : l = m := (List.cons.inj h).2
protected def decEq [DecidableEq α] : (l m : List α) → Decidable (l = m)
  | [], [] => isTrue rfl
  | [], _ :: _ => isFalse (fun h => nomatch h)
  | _ :: _, [] => isFalse (fun h => nomatch h)
  | a :: l, b :: m => match decEq a b, List.decEq l m with
    | isTrue h, isTrue g => isTrue (h ▸ g ▸ rfl)
    | isFalse h, _ => isFalse (fun e => h (head_eq_of_cons_eq e))
    | _, isFalse g => isFalse (fun e => g (tail_eq_of_cons_eq e))
instance [DecidableEq α] : DecidableEq (List α) := List.decEq
instance instDecidableMem [DecidableEq α] (a : α) : (l : List α) → Decidable (a ∈ l)
  | [] => isFalse (fun h => nomatch h)
  | b :: l => match decEq a b, instDecidableMem a l with
    | isTrue h, _ => isTrue (h ▸ Mem.head l)
    | _, isTrue g => isTrue (Mem.tail b g)
    | isFalse h, isFalse g => isFalse (fun m => match m with | Mem.head _ => h rfl | Mem.tail _ m => g m)

/- ### length, append -/
@[simp] theorem length_nil : length ([] : List α) = 0 := rfl
@[simp] theorem length_cons {a : α} {as : List α} : length (a :: as) = length as + 1 := rfl
@[simp] theorem nil_append (as : List α) : [] ++ as = as := rfl
@[simp] theorem cons_append {a : α} {as bs : List α} : (a :: as) ++ bs = a :: (as ++ bs) := rfl
@[simp] theorem append_nil (as : List α) : as ++ [] = as := by
  induction as with
  | nil => rfl
  | cons a as ih => exact congrArg (cons a) ih
@[simp] theorem append_assoc (as bs cs : List α) : (as ++ bs) ++ cs = as ++ (bs ++ cs) := by
  induction as with
  | nil => rfl
  | cons a as ih => exact congrArg (cons a) ih
@[simp] theorem length_append {as bs : List α} : (as ++ bs).length = as.length + bs.length := by
  induction as with
  | nil => exact (Nat.zero_add _).symm
  | cons a as ih => exact (congrArg (· + 1) ih).trans (Nat.add_right_comm as.length bs.length 1)
theorem append_cons (as : List α) (b : α) (bs : List α) : as ++ b :: bs = as ++ [b] ++ bs := by simp
theorem singleton_append {a : α} {l : List α} : [a] ++ l = a :: l := rfl
theorem append_cancel_left {as bs cs : List α} (h : as ++ bs = as ++ cs) : bs = cs := by
  induction as with
  | nil => exact h
  | cons a as ih => exact ih (tail_eq_of_cons_eq h)
@[simp] theorem append_cancel_left_eq (as bs cs : List α) : (as ++ bs = as ++ cs) = (bs = cs) :=
  propext ⟨append_cancel_left, fun h => h ▸ rfl⟩
theorem append_eq_nil_iff {as bs : List α} : as ++ bs = [] ↔ as = [] ∧ bs = [] := by
  cases as with
  | nil => exact ⟨fun h => ⟨rfl, h⟩, fun h => h.2⟩
  | cons a as => exact ⟨fun h => (nomatch h), fun h => (nomatch h.1)⟩
theorem eq_nil_of_length_eq_zero {l : List α} (h : l.length = 0) : l = [] := by
  cases l with
  | nil => rfl
  | cons a l => exact absurd h (Nat.succ_ne_zero _)
@[simp] theorem length_eq_zero_iff {l : List α} : l.length = 0 ↔ l = [] := ⟨eq_nil_of_length_eq_zero, fun h => h ▸ rfl⟩
theorem ne_nil_of_length_eq_add_one {l : List α} {n : Nat} (h : l.length = n + 1) : l ≠ [] := fun e => by subst e; cases h
theorem length_pos_iff {l : List α} : 0 < l.length ↔ l ≠ [] := by
  cases l with
  | nil => exact ⟨fun h => absurd h (Nat.lt_irrefl 0), fun h => absurd rfl h⟩
  | cons a l => exact ⟨fun _ => cons_ne_nil a l, fun _ => Nat.succ_pos _⟩
@[simp] theorem length_singleton {a : α} : [a].length = 1 := rfl

/- ### map, filter -/
@[simp] theorem map_nil {f : α → β} : map f [] = [] := rfl
@[simp] theorem map_cons {f : α → β} {a : α} {l : List α} : map f (a :: l) = f a :: map f l := rfl
@[simp] theorem length_map {as : List α} (f : α → β) : (as.map f).length = as.length := by
  induction as with
  | nil => rfl
  | cons a as ih => exact congrArg (· + 1) ih
@[simp] theorem map_append {f : α → β} {l₁ l₂ : List α} : map f (l₁ ++ l₂) = map f l₁ ++ map f l₂ := by
  induction l₁ with
  | nil => rfl
  | cons a l ih => exact congrArg (cons (f a)) ih
@[simp] theorem map_map {g : β → γ} {f : α → β} {l : List α} : map g (map f l) = map (g ∘ f) l := by
  induction l with
  | nil => rfl
  | cons a l ih => exact congrArg (cons (g (f a))) ih
@[simp] theorem map_id_fun : map (id : α → α) = id := by
  funext l
  induction l with
  | nil => rfl
  | cons a l ih => exact congrArg (cons a) ih
theorem map_id (l : List α) : map (id : α → α) l = l := congrFun map_id_fun l
@[simp] theorem map_id' (l : List α) : map (fun a => a) l = l := map_id l
theorem map_congr_left {f g : α → β} {l : List α} (h : ∀ a, a ∈ l → f a = g a) : map f l = map g l := by
  induction l with
  | nil => rfl
  | cons a l ih =>
    have head : f a = g a := h a (Mem.head l)
    have rest : map f l = map g l := ih (fun b hb => h b (Mem.tail a hb))
    show f a :: map f l = g a :: map g l
    rw [head, rest]
@[simp] theorem map_eq_nil_iff {f : α → β} {l : List α} : map f l = [] ↔ l = [] := by
  cases l with
  | nil => exact ⟨fun _ => rfl, fun _ => rfl⟩
  | cons a l => exact ⟨fun h => (nomatch h), fun h => (nomatch h)⟩
@[simp] theorem filter_nil {p : α → Bool} : filter p [] = [] := rfl
theorem filter_cons_of_pos {p : α → Bool} {a : α} {l : List α} (h : p a = true) : filter p (a :: l) = a :: filter p l := by
  show (match p a with | true => a :: filter p l | false => filter p l) = _
  rw [h]
theorem filter_cons_of_neg {p : α → Bool} {a : α} {l : List α} (h : ¬p a = true) : filter p (a :: l) = filter p l := by
  show (match p a with | true => a :: filter p l | false => filter p l) = _
  cases e : p a with
  | true => exact absurd e h
  | false => rfl
@[simp] theorem filter_append {p : α → Bool} (l₁ l₂ : List α) : filter p (l₁ ++ l₂) = filter p l₁ ++ filter p l₂ := by
  induction l₁ with
  | nil => rfl
  | cons a l ih =>
    show filter p (a :: (l ++ l₂)) = filter p (a :: l) ++ filter p l₂
    cases e : p a with
    | true => rw [filter_cons_of_pos e, filter_cons_of_pos e, ih]; rfl
    | false =>
      have h : ¬p a = true := fun t => Bool.noConfusion (e.symm.trans t)
      rw [filter_cons_of_neg h, filter_cons_of_neg h, ih]
theorem length_filter_le (p : α → Bool) (l : List α) : (filter p l).length ≤ l.length := by
  induction l with
  | nil => exact Nat.le.refl
  | cons a l ih =>
    cases e : p a with
    | true => rw [filter_cons_of_pos e]; exact Nat.succ_le_succ ih
    | false => rw [filter_cons_of_neg (fun t => Bool.noConfusion (e.symm.trans t))]; exact Nat.le.step ih

/- ### reverse -/
@[simp] theorem reverseAux_nil {r : List α} : reverseAux [] r = r := rfl
@[simp] theorem reverseAux_cons {a : α} {l r : List α} : reverseAux (a :: l) r = reverseAux l (a :: r) := rfl
theorem reverseAux_eq {as bs : List α} : reverseAux as bs = reverse as ++ bs := by
  have key : ∀ (as bs cs : List α), reverseAux as (bs ++ cs) = reverseAux as bs ++ cs := by
    intro as
    induction as with
    | nil => intro bs cs; rfl
    | cons a as ih => intro bs cs; exact ih (a :: bs) cs
  exact key as [] bs
@[simp] theorem reverse_nil : reverse ([] : List α) = [] := rfl
@[simp] theorem reverse_cons {a : α} {as : List α} : reverse (a :: as) = reverse as ++ [a] := reverseAux_eq (as := as) (bs := [a])
@[simp] theorem reverse_append {as bs : List α} : (as ++ bs).reverse = bs.reverse ++ as.reverse := by
  induction as with
  | nil => simp
  | cons a as ih => simp [ih]
@[simp] theorem reverse_reverse (as : List α) : as.reverse.reverse = as := by
  induction as with
  | nil => rfl
  | cons a as ih => simp [ih]
@[simp] theorem length_reverse {as : List α} : (as.reverse).length = as.length := by
  induction as with
  | nil => rfl
  | cons a as ih => simp [ih]
@[simp] theorem map_reverse {f : α → β} {l : List α} : l.reverse.map f = (l.map f).reverse := by
  induction l with
  | nil => rfl
  | cons a l ih => simp [ih]
theorem reverse_singleton {a : α} : reverse [a] = [a] := rfl
theorem reverse_eq_nil_iff {xs : List α} : xs.reverse = [] ↔ xs = [] :=
  ⟨fun h => by rw [← reverse_reverse xs, h]; rfl, fun h => by rw [h]; rfl⟩
theorem reverse_inj {xs ys : List α} : xs.reverse = ys.reverse ↔ xs = ys :=
  ⟨fun h => by rw [← reverse_reverse xs, h, reverse_reverse], fun h => h ▸ rfl⟩

/- ### membership -/
theorem not_mem_nil {a : α} : ¬a ∈ ([] : List α) := fun h => nomatch h
theorem mem_cons_self {a : α} {l : List α} : a ∈ a :: l := Mem.head l
theorem mem_cons_of_mem (y : α) {a : α} {l : List α} (h : a ∈ l) : a ∈ y :: l := Mem.tail y h
@[simp] theorem mem_cons {a b : α} {l : List α} : a ∈ b :: l ↔ a = b ∨ a ∈ l := by
  constructor
  · intro h
    cases h with
    | head => exact .inl rfl
    | tail _ h => exact .inr h
  · intro h
    cases h with
    | inl h => subst h; exact Mem.head l
    | inr h => exact Mem.tail b h
@[simp] theorem mem_nil_iff {a : α} : a ∈ ([] : List α) ↔ False := ⟨fun h => (nomatch h), False.elim⟩
theorem mem_singleton_self (a : α) : a ∈ [a] := Mem.head []
theorem eq_of_mem_singleton {a b : α} (h : b ∈ [a]) : b = a := by
  cases h with
  | head => rfl
  | tail _ h => exact nomatch h
theorem mem_singleton {a b : α} : a ∈ [b] ↔ a = b := ⟨eq_of_mem_singleton, fun h => h ▸ mem_singleton_self a⟩
@[simp] theorem mem_append {a : α} {s t : List α} : a ∈ s ++ t ↔ a ∈ s ∨ a ∈ t := by
  induction s with
  | nil => simp
  | cons b s ih => simp [ih, or_assoc]
theorem mem_append_left {a : α} {as : List α} (bs : List α) (h : a ∈ as) : a ∈ as ++ bs := mem_append.2 (.inl h)
theorem mem_append_right {b : α} {bs : List α} (as : List α) (h : b ∈ bs) : b ∈ as ++ bs := mem_append.2 (.inr h)
@[simp] theorem mem_map {f : α → β} {l : List α} {b : β} : b ∈ l.map f ↔ ∃ a, a ∈ l ∧ f a = b := by
  induction l with
  | nil => exact ⟨fun h => (nomatch h), fun ⟨_, h, _⟩ => (nomatch h)⟩
  | cons x l ih =>
    constructor
    · intro h
      cases h with
      | head => exact ⟨x, Mem.head l, rfl⟩
      | tail _ h =>
        obtain ⟨a, ha, e⟩ := ih.1 h
        exact ⟨a, Mem.tail x ha, e⟩
    · intro ⟨a, ha, e⟩
      subst e
      cases ha with
      | head => exact Mem.head _
      | tail _ ha => exact Mem.tail _ (ih.2 ⟨a, ha, rfl⟩)
theorem mem_map_of_mem {f : α → β} {a : α} {l : List α} (h : a ∈ l) : f a ∈ l.map f := mem_map.2 ⟨a, h, rfl⟩
@[simp] theorem mem_reverse {x : α} {as : List α} : x ∈ reverse as ↔ x ∈ as := by
  induction as with
  | nil => exact Iff.rfl
  | cons a as ih => simp [ih, or_comm]
@[simp] theorem mem_filter {x : α} {p : α → Bool} {as : List α} : x ∈ filter p as ↔ x ∈ as ∧ p x = true := by
  induction as with
  | nil => exact ⟨fun h => (nomatch h), fun h => (nomatch h.1)⟩
  | cons a as ih =>
    cases e : p a with
    | true =>
      rw [filter_cons_of_pos e, mem_cons, mem_cons, ih]
      constructor
      · rintro (h | h)
        · subst h; exact ⟨.inl rfl, e⟩
        · exact ⟨.inr h.1, h.2⟩
      · rintro ⟨h | h, hp⟩
        · exact .inl h
        · exact .inr ⟨h, hp⟩
    | false =>
      rw [filter_cons_of_neg (fun t => Bool.noConfusion (e.symm.trans t)), mem_cons, ih]
      constructor
      · exact fun h => ⟨.inr h.1, h.2⟩
      · rintro ⟨h | h, hp⟩
        · subst h; exact Bool.noConfusion (e.symm.trans hp)
        · exact ⟨h, hp⟩
theorem ne_nil_of_mem {a : α} {l : List α} (h : a ∈ l) : l ≠ [] := fun e => by subst e; exact nomatch h

/- ### folds, replicate, take, drop -/
@[simp] theorem foldl_nil {f : β → α → β} {b : β} : [].foldl f b = b := rfl
@[simp] theorem foldl_cons {f : β → α → β} {a : α} {l : List α} {b : β} : (a :: l).foldl f b = l.foldl f (f b a) := rfl
@[simp] theorem foldr_nil {f : α → β → β} {b : β} : [].foldr f b = b := rfl
@[simp] theorem foldr_cons {f : α → β → β} {a : α} {l : List α} {b : β} : (a :: l).foldr f b = f a (l.foldr f b) := rfl
@[simp] theorem foldl_append {f : β → α → β} {b : β} {l l' : List α} : (l ++ l').foldl f b = l'.foldl f (l.foldl f b) := by
  induction l generalizing b with
  | nil => rfl
  | cons a l ih => exact ih
@[simp] theorem foldr_append {f : α → β → β} {b : β} {l l' : List α} : (l ++ l').foldr f b = l.foldr f (l'.foldr f b) := by
  induction l with
  | nil => rfl
  | cons a l ih => exact congrArg (f a) ih
@[simp] theorem replicate_zero {a : α} : replicate 0 a = [] := rfl
theorem replicate_succ {a : α} {n : Nat} : replicate (n + 1) a = a :: replicate n a := rfl
@[simp] theorem length_replicate {n : Nat} {a : α} : (replicate n a).length = n := by
  induction n with
  | zero => rfl
  | succ n ih => exact congrArg (· + 1) ih
theorem replicate_append_replicate {n m : Nat} {a : α} : replicate n a ++ replicate m a = replicate (n + m) a := by
  induction n with
  | zero => rw [Nat.zero_add]; rfl
  | succ n ih => rw [Nat.add_right_comm n 1 m]; exact congrArg (cons a) ih
@[simp] theorem map_replicate {n : Nat} {a : α} {f : α → β} : (replicate n a).map f = replicate n (f a) := by
  induction n with
  | zero => rfl
  | succ n ih => exact congrArg (cons (f a)) ih
@[simp] theorem take_zero {l : List α} : l.take 0 = [] := rfl
@[simp] theorem take_nil {i : Nat} : ([] : List α).take i = [] := by cases i <;> rfl
@[simp] theorem take_succ_cons {a : α} {as : List α} {i : Nat} : (a :: as).take (i + 1) = a :: as.take i := rfl
@[simp] theorem drop_zero {l : List α} : l.drop 0 = l := rfl
@[simp] theorem drop_nil {i : Nat} : ([] : List α).drop i = [] := by cases i <;> rfl
@[simp] theorem drop_succ_cons {a : α} {l : List α} {i : Nat} : (a :: l).drop (i + 1) = l.drop i := rfl
@[simp] theorem take_append_drop (i : Nat) (l : List α) : l.take i ++ l.drop i = l := by
  induction i generalizing l with
  | zero => rfl
  | succ i ih =>
    cases l with
    | nil => rfl
    | cons a l => exact congrArg (cons a) (ih l)
@[simp] theorem length_drop {i : Nat} {l : List α} : (drop i l).length = l.length - i := by
  induction i generalizing l with
  | zero => rfl
  | succ i ih =>
    cases l with
    | nil => exact (Nat.zero_sub (i + 1)).symm
    | cons a l => exact ih.trans (Nat.succ_sub_succ l.length i).symm
@[simp] theorem take_length {l : List α} : l.take l.length = l := by
  induction l with
  | nil => rfl
  | cons a l ih => exact congrArg (cons a) ih
@[simp] theorem drop_length {l : List α} : l.drop l.length = [] := by
  induction l with
  | nil => rfl
  | cons a l ih => exact ih

/- ### flatten, sum, all, any -/
@[simp] theorem flatten_nil : flatten ([] : List (List α)) = [] := rfl
@[simp] theorem flatten_cons {l : List α} {ls : List (List α)} : (l :: ls).flatten = l ++ ls.flatten := rfl
@[simp] theorem flatten_append {L₁ L₂ : List (List α)} : (L₁ ++ L₂).flatten = L₁.flatten ++ L₂.flatten := by
  induction L₁ with
  | nil => rfl
  | cons l ls ih => simp [ih]
@[simp] theorem sum_nil [Add α] [OfNat α 0] : ([] : List α).sum = 0 := rfl
@[simp] theorem sum_cons [Add α] [OfNat α 0] {a : α} {l : List α} : (a :: l).sum = a + l.sum := rfl
theorem sum_append_nat {l₁ l₂ : List Nat} : (l₁ ++ l₂).sum = l₁.sum + l₂.sum := by
  induction l₁ with
  | nil => exact (Nat.zero_add _).symm
  | cons a l ih => exact (congrArg (a + ·) ih).trans (Nat.add_assoc a l.sum l₂.sum).symm
@[simp] theorem all_nil {p : α → Bool} : ([] : List α).all p = true := rfl
@[simp] theorem all_cons {p : α → Bool} {a : α} {l : List α} : (a :: l).all p = (p a && l.all p) := rfl
@[simp] theorem any_nil {p : α → Bool} : ([] : List α).any p = false := rfl
@[simp] theorem any_cons {p : α → Bool} {a : α} {l : List α} : (a :: l).any p = (p a || l.any p) := rfl
@[simp] theorem isEmpty_nil : ([] : List α).isEmpty = true := rfl
@[simp] theorem isEmpty_cons {a : α} {l : List α} : (a :: l).isEmpty = false := rfl
@[simp] theorem head?_nil : ([] : List α).head? = none := rfl
@[simp] theorem head?_cons {a : α} {l : List α} : (a :: l).head? = some a := rfl
@[simp] theorem tail_cons {a : α} {as : List α} : (a :: as).tail = as := rfl
end List
