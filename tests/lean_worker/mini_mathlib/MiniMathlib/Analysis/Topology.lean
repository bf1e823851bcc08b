import MiniMathlib.Data.Set
import MiniMathlib.Data.Real

/-! Filters, neighbourhoods and limits, of the coarsest kind. -/

universe u v

def Filter (α : Type u) : Type u := Set (Set α)

namespace Filter

def atTop {α : Type u} [LE α] : Filter α := {s | ∃ a, ∀ b ≥ a, b ∈ s}
def Tendsto {α : Type u} {β : Type v} (f : α → β) (l : Filter α) (l' : Filter β) : Prop :=
  ∀ s : Set β, (show Set (Set β) from l') s → (show Set (Set α) from l) (f ⁻¹' s)

theorem tendsto_id {α : Type u} {l : Filter α} : Tendsto id l l := fun _ h => h

end Filter

def nhds {α : Type u} (x : α) : Filter α := {s | x ∈ s}

namespace Topology

scoped notation "𝓝" => nhds

end Topology

theorem mem_of_mem_nhds {α : Type u} {x : α} {s : Set α} (h : (show Set (Set α) from nhds x) s) : x ∈ s := h
