/-! Sets, with set-builder notation, bounded quantifiers, images and preimages. -/

universe u v

def Set (α : Type u) : Type u := α → Prop

def setOf {α : Type u} (p : α → Prop) : Set α := p

syntax "Type*" : term
macro_rules
  | `(Type*) => `(Type _)

syntax "{" ident " | " term "}" : term
syntax "{" ident " : " term " | " term "}" : term
syntax "{" ident " ∈ " term " | " term "}" : term
syntax "∀ " ident " ∈ " term ", " term : term
syntax "∀ " ident " > " term ", " term : term
syntax "∀ " ident " ≥ " term ", " term : term
syntax "∀ " ident " < " term ", " term : term
syntax "∀ " ident " ≤ " term ", " term : term
syntax "∃ " ident " ∈ " term ", " term : term
syntax "∃ " ident " > " term ", " term : term
syntax "∃! " ident ", " term : term

macro_rules
  | `({ $x:ident | $p }) => `(setOf fun ($x : _) => $p)
  | `({ $x:ident : $t | $p }) => `(setOf fun ($x : $t) => $p)
  | `({ $x:ident ∈ $s | $p }) => `(setOf fun ($x : _) => $x ∈ $s ∧ $p)
  | `(∀ $x:ident ∈ $s, $p) => `(∀ $x:ident, $x ∈ $s → $p)
  | `(∀ $x:ident > $y, $p) => `(∀ $x:ident, $x > $y → $p)
  | `(∀ $x:ident ≥ $y, $p) => `(∀ $x:ident, $x ≥ $y → $p)
  | `(∀ $x:ident < $y, $p) => `(∀ $x:ident, $x < $y → $p)
  | `(∀ $x:ident ≤ $y, $p) => `(∀ $x:ident, $x ≤ $y → $p)
  | `(∃ $x:ident ∈ $s, $p) => `(∃ $x:ident, $x ∈ $s ∧ $p)
  | `(∃ $x:ident > $y, $p) => `(∃ $x:ident, $x > $y ∧ $p)
  | `(∃! $x:ident, $p) => `(∃ $x:ident, $p ∧ ∀ other, (fun ($x : _) => $p) other → other = $x)

namespace Set

variable {α : Type u} {β : Type v}

instance : Membership α (Set α) := ⟨fun s x => s x⟩
instance : HasSubset (Set α) := ⟨fun s t => ∀ x, x ∈ s → x ∈ t⟩
instance : EmptyCollection (Set α) := ⟨fun _ => False⟩
instance : Union (Set α) := ⟨fun s t => {x | x ∈ s ∨ x ∈ t}⟩
instance : Inter (Set α) := ⟨fun s t => {x | x ∈ s ∧ x ∈ t}⟩
instance : SDiff (Set α) := ⟨fun s t => {x | x ∈ s ∧ x ∉ t}⟩
instance : Singleton α (Set α) := ⟨fun a => {x | x = a}⟩
instance : Insert α (Set α) := ⟨fun a s => {x | x = a ∨ x ∈ s}⟩

def univ : Set α := {_x | True}
def image (f : α → β) (s : Set α) : Set β := {y | ∃ x, x ∈ s ∧ f x = y}
def preimage (f : α → β) (s : Set β) : Set α := {x | f x ∈ s}
def range (f : α → β) : Set β := {y | ∃ x, f x = y}
def compl (s : Set α) : Set α := {x | x ∉ s}

infixl:80 " '' " => image
infixl:80 " ⁻¹' " => preimage
postfix:max "ᶜ" => compl

theorem mem_setOf_eq {a : α} {p : α → Prop} : (a ∈ {x | p x}) = p a := rfl
theorem mem_image_of_mem (f : α → β) {x : α} {s : Set α} (h : x ∈ s) : f x ∈ f '' s := ⟨x, h, rfl⟩
theorem image_subset {s t : Set α} (f : α → β) (h : s ⊆ t) : f '' s ⊆ f '' t := fun _ ⟨x, hx, e⟩ => ⟨x, h x hx, e⟩
theorem subset_preimage_image (f : α → β) (s : Set α) : s ⊆ f ⁻¹' (f '' s) := fun x h => ⟨x, h, rfl⟩

def Icc [LE α] (a b : α) : Set α := {x | a ≤ x ∧ x ≤ b}
def Ioo [LT α] (a b : α) : Set α := {x | a < x ∧ x < b}

end Set
