prelude
import OProverCore.Nat
/- Sizes, accessibility and well-founded recursion on Nat measures (lexicographic orders are not there yet), and tactic attributes. -/
set_option linter.unusedVariables false
universe u v w

/- ### sizes and well-founded recursion -/
class SizeOf (α : Sort u) where
  sizeOf : α → Nat
export SizeOf (sizeOf)
@[reducible] def default.sizeOf (α : Sort u) : α → Nat := fun _ => 0
instance (priority := low) instSizeOfDefault (α : Sort u) : SizeOf α where
  sizeOf := default.sizeOf α
instance instSizeOfNat : SizeOf Nat where
  sizeOf n := n
@[simp] theorem sizeOf_nat (n : Nat) : sizeOf n = n := rfl
@[reducible] def wfParam {α : Sort u} (a : α) : α := a
inductive Acc {α : Sort u} (r : α → α → Prop) : α → Prop where
  | intro (x : α) (h : (y : α) → r y x → Acc r y) : Acc r x
inductive WellFounded {α : Sort u} (r : α → α → Prop) : Prop where
  | intro (h : (a : α) → Acc r a) : WellFounded r
theorem Acc.inv {α : Sort u} {r : α → α → Prop} {x y : α} (h : Acc r x) (hr : r y x) : Acc r y := by
  cases h with | intro _ h => exact h y hr
theorem WellFounded.apply {α : Sort u} {r : α → α → Prop} (wf : WellFounded r) (a : α) : Acc r a :=
  wf.rec (fun p => p) a
class WellFoundedRelation (α : Sort u) where
  rel : α → α → Prop
  wf : WellFounded rel
noncomputable def WellFounded.fixF {α : Sort u} {r : α → α → Prop} {C : α → Sort v}
    (F : ∀ x, (∀ y, r y x → C y) → C x) (x : α) (a : Acc r x) : C x :=
  Acc.rec (fun x₁ _ ih => F x₁ ih) a
noncomputable def WellFounded.fix {α : Sort u} {C : α → Sort v} {r : α → α → Prop} (hwf : WellFounded r)
    (F : ∀ x, (∀ y, r y x → C y) → C x) (x : α) : C x :=
  WellFounded.fixF F x (hwf.apply x)
theorem WellFounded.fixF_eq {α : Sort u} {r : α → α → Prop} {C : α → Sort v} (F : ∀ x, (∀ y, r y x → C y) → C x)
    (x : α) (acx : Acc r x) : fixF F x acx = F x (fun y p => fixF F y (acx.inv p)) := by
  cases acx with | intro x h => rfl
theorem WellFounded.fix_eq {α : Sort u} {C : α → Sort v} {r : α → α → Prop} (hwf : WellFounded r)
    (F : ∀ x, (∀ y, r y x → C y) → C x) (x : α) : hwf.fix F x = F x (fun y _ => hwf.fix F y) :=
  fixF_eq F x (hwf.apply x)
def InvImage {α : Sort u} {β : Sort v} (r : β → β → Prop) (f : α → β) : α → α → Prop := fun a b => r (f a) (f b)
theorem InvImage.accAux {α : Sort u} {β : Sort v} {r : β → β → Prop} (f : α → β) {b : β} (ac : Acc r b) :
    ∀ x, f x = b → Acc (InvImage r f) x := by
  induction ac with
  | intro b _ ih => 
    intro x e
    constructor
    intro y lt
    subst e
    exact ih (f y) lt y rfl
theorem InvImage.wf {α : Sort u} {β : Sort v} {r : β → β → Prop} (f : α → β) (h : WellFounded r) : WellFounded (InvImage r f) :=
  ⟨fun a => accAux f (h.apply (f a)) a rfl⟩
@[reducible] def invImage {α : Sort u} {β : Sort v} (f : α → β) (h : WellFoundedRelation β) : WellFoundedRelation α where
  rel := InvImage h.rel f
  wf := InvImage.wf f h.wf
theorem Nat.lt_wf : WellFounded (fun a b : Nat => a < b) := ⟨fun n => Nat.strongRecOn n (fun n ih => Acc.intro n ih)⟩
instance Nat.lt_wfRel : WellFoundedRelation Nat where
  rel a b := a < b
  wf := Nat.lt_wf
@[reducible] def sizeOfWFRel {α : Sort u} [SizeOf α] : WellFoundedRelation α := invImage sizeOf Nat.lt_wfRel
instance (priority := low) instWFSizeOf {α : Sort u} [SizeOf α] : WellFoundedRelation α := sizeOfWFRel
theorem Nat.sub_lt_aux (n : Nat) (h : n ≠ 0) : n - 1 < n := by
  cases n with
  | zero => exact absurd rfl h
  | succ n => exact Nat.le.refl

noncomputable def WellFounded.Nat.fix {α : Sort u} {motive : α → Sort v} (h : α → Nat)
    (F : (x : α) → ((y : α) → InvImage (fun a b : Nat => a < b) h y x → motive y) → motive x) (x : α) : motive x :=
  (InvImage.wf h Nat.lt_wf).fix F x
theorem WellFounded.Nat.fix_eq {α : Sort u} {motive : α → Sort v} (h : α → Nat)
    (F : (x : α) → ((y : α) → InvImage (fun a b : Nat => a < b) h y x → motive y) → motive x) (x : α) :
    WellFounded.Nat.fix h F x = F x (fun y _ => WellFounded.Nat.fix h F y) :=
  WellFounded.fix_eq _ F x
attribute [refl] Nat.le_refl Iff.refl
attribute [symm] Eq.symm Iff.symm HEq.symm Ne.symm
attribute [ext] funext
