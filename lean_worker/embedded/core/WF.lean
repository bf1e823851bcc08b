prelude
import OProverCore.Nat
/- Sizes, accessibility and well-founded recursion, on Nat measures and lexicographic orders, and tactic attributes. -/
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

/- Recursion on a measure in Nat, by fuel, so that it computes. -/
def WellFounded.Nat.fix.go {α : Sort u} {motive : α → Sort v} (h : α → Nat)
    (F : (x : α) → ((y : α) → InvImage (fun a b : Nat => a < b) h y x → motive y) → motive x) : (fuel : Nat) → (x : α) → h x < fuel → motive x
  | 0, x, hx => absurd hx (Nat.not_succ_le_zero (h x))
  | n + 1, x, hx => F x fun y hy => WellFounded.Nat.fix.go h F n y (Nat.lt_of_lt_of_le hy (Nat.le_of_succ_le_succ hx))
def WellFounded.Nat.fix {α : Sort u} {motive : α → Sort v} (h : α → Nat)
    (F : (x : α) → ((y : α) → InvImage (fun a b : Nat => a < b) h y x → motive y) → motive x) (x : α) : motive x :=
  WellFounded.Nat.fix.go h F (h x + 1) x Nat.le.refl
theorem WellFounded.Nat.fix.go_congr {α : Sort u} {motive : α → Sort v} (h : α → Nat)
    (F : (x : α) → ((y : α) → InvImage (fun a b : Nat => a < b) h y x → motive y) → motive x) (m : Nat) :
    ∀ (n : Nat) (x : α) (hm : h x < m) (hn : h x < n), fix.go h F m x hm = fix.go h F n x hn := by
  induction m with
  | zero => intro n x hm; exact absurd hm (Nat.not_succ_le_zero _)
  | succ m ih =>
    intro n x hm hn
    cases n with
    | zero => exact absurd hn (Nat.not_succ_le_zero _)
    | succ n => exact congrArg (F x) (funext fun y => funext fun hy => ih n y _ _)
theorem WellFounded.Nat.fix_eq {α : Sort u} {motive : α → Sort v} (h : α → Nat)
    (F : (x : α) → ((y : α) → InvImage (fun a b : Nat => a < b) h y x → motive y) → motive x) (x : α) :
    WellFounded.Nat.fix h F x = F x (fun y _ => WellFounded.Nat.fix h F y) :=
  congrArg (F x) (funext fun y => funext fun hy => WellFounded.Nat.fix.go_congr h F _ _ y _ _)
opaque Lean.opaqueId {α : Sort u} (x : α) : α := x

/- ### Lexicographic orders -/
@[reducible] def measure {α : Sort u} (f : α → Nat) : WellFoundedRelation α := invImage f Nat.lt_wfRel
theorem Subrelation.accessible {α : Sort u} {q r : α → α → Prop} {a : α} (h : ∀ {x y}, q x y → r x y) (ac : Acc r a) : Acc q a := by
  induction ac with
  | intro x _ ih => exact Acc.intro x fun y hy => ih y (h hy)
theorem Subrelation.wf {α : Sort u} {q r : α → α → Prop} (h : ∀ {x y}, q x y → r x y) (w : WellFounded r) : WellFounded q :=
  ⟨fun a => Subrelation.accessible h (w.apply a)⟩
theorem WellFounded.induction {α : Sort u} {r : α → α → Prop} (hwf : WellFounded r) {C : α → Prop} (a : α)
    (h : ∀ x, (∀ y, r y x → C y) → C x) : C a := by
  induction hwf.apply a with
  | intro x _ ih => exact h x ih
inductive Prod.Lex {α : Type u} {β : Type v} (ra : α → α → Prop) (rb : β → β → Prop) : α × β → α × β → Prop where
  | left {a₁ : α} (b₁ : β) {a₂ : α} (b₂ : β) (h : ra a₁ a₂) : Prod.Lex ra rb (a₁, b₁) (a₂, b₂)
  | right (a : α) {b₁ b₂ : β} (h : rb b₁ b₂) : Prod.Lex ra rb (a, b₁) (a, b₂)
theorem Prod.lex_def {α : Type u} {β : Type v} {r : α → α → Prop} {s : β → β → Prop} {p q : α × β} :
    Prod.Lex r s p q ↔ r p.1 q.1 ∨ p.1 = q.1 ∧ s p.2 q.2 := by
  constructor
  · intro h
    cases h with
    | left _ _ h => exact .inl h
    | right _ h => exact .inr ⟨rfl, h⟩
  · obtain ⟨a, b⟩ := p
    obtain ⟨c, d⟩ := q
    intro h
    cases h with
    | inl h => exact .left _ _ h
    | inr h =>
      obtain ⟨e, h⟩ := h
      cases e
      exact .right _ h
theorem Prod.Lex.right' {β : Type v} {a₁ a₂ : Nat} {b₁ b₂ : β} {rb : β → β → Prop} (h₁ : a₁ ≤ a₂) (h₂ : rb b₁ b₂) :
    Prod.Lex (fun a b : Nat => a < b) rb (a₁, b₁) (a₂, b₂) := by
  rcases Nat.lt_or_eq_of_le h₁ with h | h
  · exact .left _ _ h
  · subst h; exact .right _ h₂
theorem Prod.lexAccessible {α : Type u} {β : Type v} {ra : α → α → Prop} {rb : β → β → Prop} {a : α} (aca : Acc ra a)
    (acb : ∀ b, Acc rb b) (b : β) : Acc (Prod.Lex ra rb) (a, b) := by
  induction aca generalizing b with
  | intro a _ iha =>
    induction acb b with
    | intro b _ ihb =>
      constructor
      intro p h
      cases h with
      | left _ _ h => exact iha _ h _
      | right _ h => exact ihb _ h
@[reducible] def Prod.lex {α : Type u} {β : Type v} (ha : WellFoundedRelation α) (hb : WellFoundedRelation β) : WellFoundedRelation (α × β) where
  rel := Prod.Lex ha.rel hb.rel
  wf := ⟨fun p => Prod.lexAccessible (ha.wf.apply p.1) (fun b => hb.wf.apply b) p.2⟩
instance Prod.instWellFoundedRelation {α : Type u} {β : Type v} [ha : WellFoundedRelation α] [hb : WellFoundedRelation β] :
    WellFoundedRelation (α × β) := Prod.lex ha hb
inductive PSigma.Lex {α : Sort u} {β : α → Sort v} (r : α → α → Prop) (s : ∀ a, β a → β a → Prop) : PSigma β → PSigma β → Prop where
  | left {a₁ : α} (b₁ : β a₁) {a₂ : α} (b₂ : β a₂) : r a₁ a₂ → PSigma.Lex r s ⟨a₁, b₁⟩ ⟨a₂, b₂⟩
  | right (a : α) {b₁ b₂ : β a} : s a b₁ b₂ → PSigma.Lex r s ⟨a, b₁⟩ ⟨a, b₂⟩
theorem PSigma.lexAccessible {α : Sort u} {β : α → Sort v} {r : α → α → Prop} {s : ∀ a, β a → β a → Prop} {a : α} (aca : Acc r a)
    (acb : ∀ a, WellFounded (s a)) (b : β a) : Acc (PSigma.Lex r s) ⟨a, b⟩ := by
  induction aca with
  | intro a _ iha =>
    induction (acb a).apply b with
    | intro b _ ihb =>
      constructor
      intro p h
      cases h with
      | left _ _ h => exact iha _ h _
      | right _ h => exact ihb _ h
@[reducible] def PSigma.lex {α : Sort u} {β : α → Sort v} (ha : WellFoundedRelation α) (hb : (a : α) → WellFoundedRelation (β a)) :
    WellFoundedRelation (PSigma β) where
  rel := PSigma.Lex ha.rel (fun a => (hb a).rel)
  wf := ⟨fun p => PSigma.lexAccessible (ha.wf.apply p.1) (fun a => (hb a).wf) p.2⟩
instance PSigma.instWellFoundedRelation {α : Sort u} {β : α → Sort v} [ha : WellFoundedRelation α] [hb : (a : α) → WellFoundedRelation (β a)] :
    WellFoundedRelation (PSigma β) := PSigma.lex ha hb

/- ### What the termination tactics cite -/
theorem Nat.pred_lt : ∀ {n : Nat}, n ≠ 0 → pred n < n
  | 0, h => absurd rfl h
  | n + 1, _ => Nat.le.refl
theorem Nat.pred_lt' {n m : Nat} (h : m < n) : pred n < n := Nat.pred_lt (Nat.ne_zero_of_lt h)
theorem Nat.sub_one_lt {n : Nat} (h : n ≠ 0) : n - 1 < n := Nat.pred_lt h
theorem Nat.sub_lt_of_lt {a b c : Nat} (h : a < c) : a - b < c := Nat.lt_of_le_of_lt (Nat.sub_le a b) h
theorem Nat.sub_succ_lt_self {a i : Nat} (h : i < a) : a - (i + 1) < a - i := Nat.pred_lt (Nat.ne_of_gt (Nat.sub_pos_of_lt h))
theorem Nat.sub_add_lt_sub {n m : Nat} (h₁ : m < n) : n - (m + 1) < n - m := Nat.sub_succ_lt_self h₁
theorem Nat.lt_of_sub_pos {m n : Nat} (h : 0 < n - m) : m < n := Nat.not_le.1 fun g => Nat.ne_of_gt h (Nat.sub_eq_zero_of_le g)
attribute [refl] Nat.le_refl Iff.refl
attribute [symm] Eq.symm Iff.symm HEq.symm Ne.symm
attribute [ext] funext
