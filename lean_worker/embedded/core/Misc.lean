prelude
import OProverCore.Quote
/- Functions of Option, equivalence relations, quotients by a Setoid, and the classes behind ⊆, ∅, ∪ and ∩. -/
set_option linter.unusedVariables false
universe u v w

namespace Option
variable {α : Type u} {β : Type v}
def map (f : α → β) : Option α → Option β
  | none => none
  | some a => some (f a)
def bind : Option α → (α → Option β) → Option β
  | none, _ => none
  | some a, f => f a
def getD : Option α → α → α
  | some a, _ => a
  | none, d => d
def isSome : Option α → Bool
  | some _ => true
  | none => false
def isNone : Option α → Bool
  | some _ => false
  | none => true
def merge (f : α → α → α) : Option α → Option α → Option α
  | none, none => none
  | some a, none => some a
  | none, some b => some b
  | some a, some b => some (f a b)
@[simp] theorem map_none (f : α → β) : map f none = none := rfl
@[simp] theorem map_some (a : α) (f : α → β) : map f (some a) = some (f a) := rfl
@[simp] theorem bind_none (f : α → Option β) : Option.bind none f = none := rfl
@[simp] theorem bind_some (a : α) (f : α → Option β) : Option.bind (some a) f = f a := rfl
@[simp] theorem getD_none {a : α} : getD none a = a := rfl
@[simp] theorem getD_some {a b : α} : getD (some a) b = a := rfl
@[simp] theorem isSome_none : (none : Option α).isSome = false := rfl
@[simp] theorem isSome_some {a : α} : (some a).isSome = true := rfl
theorem some_inj {a b : α} : some a = some b ↔ a = b := ⟨Option.some.inj, congrArg some⟩
instance [DecidableEq α] : DecidableEq (Option α) := fun a b => match a, b with
  | none, none => isTrue rfl
  | none, some _ => isFalse (fun h => nomatch h)
  | some _, none => isFalse (fun h => nomatch h)
  | some a, some b => match decEq a b with
    | isTrue h => isTrue (h ▸ rfl)
    | isFalse h => isFalse (fun e => h (Option.some.inj e))
instance : Inhabited (Option α) where default := none
end Option
instance {α : Type u} : Inhabited (List α) where default := []
instance {α : Type u} {β : Type v} [Inhabited α] [Inhabited β] : Inhabited (α × β) where default := (default, default)

class EmptyCollection (α : Type u) where
  emptyCollection : α
class HasSubset (α : Type u) where
  Subset : α → α → Prop
export HasSubset (Subset)
class HasSSubset (α : Type u) where
  SSubset : α → α → Prop
export HasSSubset (SSubset)
class Union (α : Type u) where
  union : α → α → α
class Inter (α : Type u) where
  inter : α → α → α
class SDiff (α : Type u) where
  sdiff : α → α → α
class Insert (α : outParam (Type u)) (γ : Type v) where
  insert : α → γ → γ
export Insert (insert)
class Singleton (α : outParam (Type u)) (β : Type v) where
  singleton : α → β
export Singleton (singleton)
instance {α : Type u} : EmptyCollection (List α) where emptyCollection := []
instance {α : Type u} : HasSubset (List α) where Subset l m := ∀ ⦃a⦄, a ∈ l → a ∈ m

structure Equivalence {α : Sort u} (r : α → α → Prop) : Prop where
  refl : ∀ x, r x x
  symm : ∀ {x y}, r x y → r y x
  trans : ∀ {x y z}, r x y → r y z → r x z
class HasEquiv (α : Sort u) where
  Equiv : α → α → Sort v
class Setoid (α : Sort u) where
  r : α → α → Prop
  iseqv : Equivalence r
instance instHasEquivOfSetoid {α : Sort u} [Setoid α] : HasEquiv α where Equiv := Setoid.r
namespace Setoid
variable {α : Sort u} [s : Setoid α]
theorem refl (a : α) : Setoid.r a a := s.iseqv.refl a
theorem symm {a b : α} (h : Setoid.r a b) : Setoid.r b a := s.iseqv.symm h
theorem trans {a b c : α} (h₁ : Setoid.r a b) (h₂ : Setoid.r b c) : Setoid.r a c := s.iseqv.trans h₁ h₂
end Setoid
protected abbrev Quot.liftOn {α : Sort u} {β : Sort v} {r : α → α → Prop} (q : Quot r) (f : α → β) (c : ∀ a b, r a b → f a = f b) : β :=
  Quot.lift f c q
@[elab_as_elim] protected theorem Quot.inductionOn {α : Sort u} {r : α → α → Prop} {motive : Quot r → Prop} (q : Quot r)
    (h : ∀ a, motive (Quot.mk r a)) : motive q := Quot.ind h q
theorem Quot.exists_rep {α : Sort u} {r : α → α → Prop} (q : Quot r) : ∃ a, Quot.mk r a = q :=
  Quot.ind (β := fun q => ∃ a, Quot.mk r a = q) (fun a => ⟨a, rfl⟩) q
def Quotient {α : Sort u} (s : Setoid α) : Sort u := Quot s.r
namespace Quotient
protected def mk {α : Sort u} (s : Setoid α) (a : α) : Quotient s := Quot.mk s.r a
protected def mk' {α : Sort u} [s : Setoid α] (a : α) : Quotient s := Quotient.mk s a
theorem sound {α : Sort u} {s : Setoid α} {a b : α} : s.r a b → Quotient.mk s a = Quotient.mk s b := fun h => Quot.sound h
protected abbrev lift {α : Sort u} {β : Sort v} {s : Setoid α} (f : α → β) : (∀ a b, s.r a b → f a = f b) → Quotient s → β := Quot.lift f
protected theorem ind {α : Sort u} {s : Setoid α} {motive : Quotient s → Prop} (h : ∀ a, motive (Quotient.mk s a)) (q : Quotient s) : motive q :=
  Quot.ind h q
@[elab_as_elim] protected theorem inductionOn {α : Sort u} {s : Setoid α} {motive : Quotient s → Prop} (q : Quotient s)
    (h : ∀ a, motive (Quotient.mk s a)) : motive q := Quot.ind h q
protected abbrev liftOn {α : Sort u} {β : Sort v} {s : Setoid α} (q : Quotient s) (f : α → β) (c : ∀ a b, s.r a b → f a = f b) : β :=
  Quot.lift f c q
theorem exists_rep {α : Sort u} {s : Setoid α} (q : Quotient s) : ∃ a, Quotient.mk s a = q :=
  Quot.ind (β := fun q => ∃ a, Quotient.mk s a = q) (fun a => ⟨a, rfl⟩) q
theorem exact {α : Sort u} {s : Setoid α} {a b : α} (h : Quotient.mk s a = Quotient.mk s b) : s.r a b := by
  have same : ∀ x y, s.r x y → (s.r a x) = (s.r a y) := fun x y g => propext ⟨fun k => s.iseqv.trans k g, fun k => s.iseqv.trans k (s.iseqv.symm g)⟩
  have : Quot.lift (s.r a) same (Quotient.mk s a) = Quot.lift (s.r a) same (Quotient.mk s b) := by rw [h]
  exact Eq.mp this (s.iseqv.refl a)
end Quotient

namespace Classical
noncomputable def indefiniteDescription {α : Sort u} (p : α → Prop) (h : ∃ x, p x) : {x // p x} :=
  choice (match h with | ⟨x, px⟩ => ⟨⟨x, px⟩⟩)
noncomputable def choose {α : Sort u} {p : α → Prop} (h : ∃ x, p x) : α := (indefiniteDescription p h).val
theorem choose_spec {α : Sort u} {p : α → Prop} (h : ∃ x, p x) : p (choose h) := (indefiniteDescription p h).property
end Classical
noncomputable def Exists.choose {α : Sort u} {p : α → Prop} (h : ∃ x, p x) : α := Classical.choose h
theorem Exists.choose_spec {α : Sort u} {p : α → Prop} (h : ∃ x, p x) : p h.choose := Classical.choose_spec h
theorem Or.intro_left {a : Prop} (b : Prop) (h : a) : a ∨ b := .inl h
theorem Or.intro_right (a : Prop) {b : Prop} (h : b) : a ∨ b := .inr h
theorem eq_iff_iff {p q : Prop} : p = q ↔ (p ↔ q) := ⟨iff_of_eq, propext⟩
theorem le_of_le_of_eq {α : Type u} {a b c : α} [LE α] (h₁ : a ≤ b) (h₂ : b = c) : a ≤ c := h₂ ▸ h₁
theorem le_of_eq_of_le {α : Type u} {a b c : α} [LE α] (h₁ : a = b) (h₂ : b ≤ c) : a ≤ c := h₁ ▸ h₂
theorem lt_of_lt_of_eq {α : Type u} {a b c : α} [LT α] (h₁ : a < b) (h₂ : b = c) : a < c := h₂ ▸ h₁
theorem lt_of_eq_of_lt {α : Type u} {a b c : α} [LT α] (h₁ : a = b) (h₂ : b < c) : a < c := h₁ ▸ h₂

/-! `lemma` is `theorem`, as in Mathlib: statements and answers use both words. -/
namespace Lean.Parser.Command
syntax (name := lemmaDeclaration) declModifiers group("lemma " declId ppIndent(declSig) declVal) : command
macro_rules
  | `($modifiers:declModifiers lemma $name:declId $signature:declSig $value:declVal) =>
    `($modifiers:declModifiers theorem $name:declId $signature:declSig $value:declVal)
end Lean.Parser.Command
