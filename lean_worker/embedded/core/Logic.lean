prelude
import OProverCore.Bind
/- Iff, Ne, elimination rules, calc (Trans), instances of Decidable, if-then-else, Subsingleton, and classical logic from choice. -/
set_option linter.unusedVariables false
set_option linter.defProp false
universe u v w

/- ### Iff, Eq, Ne -/
protected theorem Iff.refl (a : Prop) : a ↔ a := ⟨id, id⟩
protected theorem Iff.rfl {a : Prop} : a ↔ a := ⟨id, id⟩
theorem Iff.symm {a b : Prop} (h : a ↔ b) : b ↔ a := ⟨h.2, h.1⟩
theorem Iff.trans {a b c : Prop} (h₁ : a ↔ b) (h₂ : b ↔ c) : a ↔ c :=
  ⟨fun x => h₂.1 (h₁.1 x), fun x => h₁.2 (h₂.2 x)⟩
theorem Iff.of_eq {a b : Prop} (h : a = b) : a ↔ b := h ▸ Iff.rfl
theorem iff_of_eq {a b : Prop} (h : a = b) : a ↔ b := h ▸ Iff.rfl
theorem Iff.comm {a b : Prop} : (a ↔ b) ↔ (b ↔ a) := ⟨Iff.symm, Iff.symm⟩
theorem iff_iff_eq {a b : Prop} : (a ↔ b) ↔ a = b := ⟨propext, iff_of_eq⟩
theorem iff_of_true {a b : Prop} (ha : a) (hb : b) : a ↔ b := ⟨fun _ => hb, fun _ => ha⟩
theorem iff_of_false {a b : Prop} (ha : ¬a) (hb : ¬b) : a ↔ b := ⟨fun x => absurd x ha, fun x => absurd x hb⟩
theorem not_congr {a b : Prop} (h : a ↔ b) : ¬a ↔ ¬b := ⟨fun n x => n (h.2 x), fun n x => n (h.1 x)⟩

theorem Ne.symm {α : Sort u} {a b : α} (h : a ≠ b) : b ≠ a := fun e => h e.symm
theorem Ne.irrefl {α : Sort u} {a : α} (h : a ≠ a) : False := h rfl
theorem ne_of_apply_ne {α : Sort u} {β : Sort v} (f : α → β) {x y : α} (h : f x ≠ f y) : x ≠ y := fun e => h (congrArg f e)
theorem HEq.symm {α β : Sort u} {a : α} {b : β} (h : HEq a b) : HEq b a := by cases h; exact HEq.rfl
theorem heq_of_heq_of_eq {α β : Sort u} {a : α} {b b' : β} (h₁ : HEq a b) (h₂ : b = b') : HEq a b' := h₂ ▸ h₁
theorem type_eq_of_heq {α β : Sort u} {a : α} {b : β} (h : HEq a b) : α = β := by cases h; rfl

theorem trivial : True := True.intro
theorem Exists.elim {α : Sort u} {p : α → Prop} {b : Prop} (h : ∃ x, p x) (f : ∀ a, p a → b) : b :=
  match h with
  | ⟨w, hw⟩ => f w hw
theorem Or.elim {a b c : Prop} (h : a ∨ b) (f : a → c) (g : b → c) : c :=
  match h with
  | .inl x => f x
  | .inr y => g y
theorem Or.symm {a b : Prop} : a ∨ b → b ∨ a
  | .inl x => .inr x
  | .inr x => .inl x
theorem And.symm {a b : Prop} (h : a ∧ b) : b ∧ a := ⟨h.2, h.1⟩
theorem mt {a b : Prop} (h₁ : a → b) (h₂ : ¬b) : ¬a := fun h => h₂ (h₁ h)
theorem Not.intro {a : Prop} (h : a → False) : ¬a := h
def Not.elim {a : Prop} {α : Sort u} (h : ¬a) (ha : a) : α := absurd ha h

/- ### calc steps -/
class Trans.{r₁, r₂, r₃, a, b, c} {α : Sort a} {β : Sort b} {γ : Sort c} (r : α → β → Sort r₁) (s : β → γ → Sort r₂)
    (t : outParam (α → γ → Sort r₃)) where
  trans : ∀ {a : α} {b : β} {c : γ}, r a b → s b c → t a c
instance instTransEq {α : Sort u} {γ : Sort v} (r : α → γ → Sort w) : Trans (α := α) Eq r r where
  trans e h := e ▸ h
instance instTransEq_1 {α : Sort u} {β : Sort v} (r : α → β → Sort w) : Trans (α := α) r Eq r where
  trans h e := e ▸ h
instance : Trans Iff Iff Iff where
  trans := Iff.trans

/- ### Decidable instances -/
instance [Decidable p] : Decidable (¬p) :=
  match ‹Decidable p› with
  | isTrue h => isFalse (fun n => n h)
  | isFalse h => isTrue h
instance [dp : Decidable p] [dq : Decidable q] : Decidable (p ∧ q) :=
  match dp with
  | isTrue hp => match dq with
    | isTrue hq => isTrue ⟨hp, hq⟩
    | isFalse hq => isFalse (fun h => hq h.2)
  | isFalse hp => isFalse (fun h => hp h.1)
instance [dp : Decidable p] [dq : Decidable q] : Decidable (p ∨ q) :=
  match dp with
  | isTrue hp => isTrue (.inl hp)
  | isFalse hp => match dq with
    | isTrue hq => isTrue (.inr hq)
    | isFalse hq => isFalse (fun h => h.elim hp hq)
instance [dp : Decidable p] [dq : Decidable q] : Decidable (p → q) :=
  match dp with
  | isFalse hp => isTrue (fun h => absurd h hp)
  | isTrue hp => match dq with
    | isTrue hq => isTrue (fun _ => hq)
    | isFalse hq => isFalse (fun h => hq (h hp))
instance [dp : Decidable p] [dq : Decidable q] : Decidable (p ↔ q) :=
  match dp, dq with
  | isTrue hp, isTrue hq => isTrue (iff_of_true hp hq)
  | isFalse hp, isFalse hq => isTrue (iff_of_false hp hq)
  | isTrue hp, isFalse hq => isFalse (fun h => hq (h.1 hp))
  | isFalse hp, isTrue hq => isFalse (fun h => hp (h.2 hq))
instance {α : Sort u} [DecidableEq α] (a b : α) : Decidable (a ≠ b) := inferInstance (α := Decidable (¬ a = b))

theorem Decidable.em (p : Prop) [d : Decidable p] : p ∨ ¬p :=
  match d with
  | isTrue h => .inl h
  | isFalse h => .inr h
theorem Decidable.byContradiction {p : Prop} [d : Decidable p] (h : ¬p → False) : p :=
  match d with
  | isTrue h => h
  | isFalse n => (h n).elim
theorem Decidable.of_not_not {p : Prop} [Decidable p] : ¬¬p → p := fun h => Decidable.byContradiction h
theorem Decidable.decide_eq_true_iff {p : Prop} [Decidable p] : decide p = true ↔ p := ⟨of_decide_eq_true, decide_eq_true⟩

theorem ite_eq_left {c : Prop} {h : Decidable c} (hc : c) {α : Sort u} {t e : α} : (ite c t e) = t :=
  match h with
  | isTrue _ => rfl
  | isFalse n => absurd hc n
theorem ite_eq_right {c : Prop} {h : Decidable c} (hc : ¬c) {α : Sort u} {t e : α} : (ite c t e) = e :=
  match h with
  | isTrue y => absurd y hc
  | isFalse _ => rfl
theorem dite_eq_left {c : Prop} {h : Decidable c} (hc : c) {α : Sort u} {t : c → α} {e : ¬c → α} : (dite c t e) = t hc :=
  match h with
  | isTrue _ => rfl
  | isFalse n => absurd hc n
theorem dite_eq_right {c : Prop} {h : Decidable c} (hc : ¬c) {α : Sort u} {t : c → α} {e : ¬c → α} : (dite c t e) = e hc :=
  match h with
  | isTrue y => absurd y hc
  | isFalse _ => rfl

theorem if_pos {c : Prop} {h : Decidable c} (hc : c) {α : Sort u} {t e : α} : (ite c t e) = t := ite_eq_left hc
theorem if_neg {c : Prop} {h : Decidable c} (hc : ¬c) {α : Sort u} {t e : α} : (ite c t e) = e := ite_eq_right hc
theorem dif_pos {c : Prop} {h : Decidable c} (hc : c) {α : Sort u} {t : c → α} {e : ¬c → α} : (dite c t e) = t hc := dite_eq_left hc
theorem dif_neg {c : Prop} {h : Decidable c} (hc : ¬c) {α : Sort u} {t : c → α} {e : ¬c → α} : (dite c t e) = e hc := dite_eq_right hc

class Subsingleton (α : Sort u) : Prop where
  intro ::
  allEq : (a b : α) → a = b
protected theorem Subsingleton.elim {α : Sort u} [h : Subsingleton α] (a b : α) : a = b := h.allEq a b
protected theorem Subsingleton.helim {α β : Sort u} [h₁ : Subsingleton α] (h₂ : α = β) (a : α) (b : β) : HEq a b := by
  subst h₂; exact heq_of_eq (Subsingleton.elim a b)
instance instSubsingletonProp (p : Prop) : Subsingleton p := ⟨fun _ _ => rfl⟩
instance instSubsingletonDecidable (p : Prop) : Subsingleton (Decidable p) := ⟨fun a b =>
  match a, b with
  | isTrue _, isTrue _ => rfl
  | isFalse _, isFalse _ => rfl
  | isTrue h, isFalse n => absurd h n
  | isFalse n, isTrue h => absurd h n⟩

/- ### Classical logic -/
namespace Classical
theorem em (p : Prop) : p ∨ ¬p :=
  let U (x : Prop) : Prop := x = True ∨ p
  let V (x : Prop) : Prop := x = False ∨ p
  have exU : ∃ x, U x := ⟨True, .inl rfl⟩
  have exV : ∃ x, V x := ⟨False, .inl rfl⟩
  let u : {x : Prop // U x} := choice (match exU with | ⟨x, h⟩ => ⟨⟨x, h⟩⟩)
  let v : {x : Prop // V x} := choice (match exV with | ⟨x, h⟩ => ⟨⟨x, h⟩⟩)
  have key : u.val ≠ v.val ∨ p :=
    match u.property, v.property with
    | .inr h, _ => .inr h
    | _, .inr h => .inr h
    | .inl hu, .inl hv => .inl (hu.symm ▸ hv.symm ▸ fun e => e ▸ True.intro)
  have same : p → u.val = v.val := fun hp =>
    have e : U = V := funext fun x => propext ⟨fun _ => .inr hp, fun _ => .inr hp⟩
    have : ∀ (W : Prop → Prop) (h : U = W) (nU : Nonempty {x : Prop // U x}) (nW : Nonempty {x : Prop // W x}),
        (choice nU).val = (choice nW).val := by
      intro W h; subst h; intros; rfl
    this V e _ _
  match key with
  | .inl hne => .inr (fun hp => hne (same hp))
  | .inr hp => .inl hp
noncomputable scoped instance (priority := 10) propDecidable (a : Prop) : Decidable a :=
  choice (match em a with
    | .inl h => ⟨isTrue h⟩
    | .inr h => ⟨isFalse h⟩)
theorem byContradiction {p : Prop} (h : ¬p → False) : p := (em p).elim id (fun n => (h n).elim)
theorem byCases {p q : Prop} (h₁ : p → q) (h₂ : ¬p → q) : q := (em p).elim h₁ h₂
theorem not_not {a : Prop} : ¬¬a ↔ a := ⟨fun h => byContradiction h, fun h n => n h⟩
end Classical
theorem Decidable.not_not [Decidable p] : ¬¬p ↔ p := ⟨of_not_not, fun h n => n h⟩
