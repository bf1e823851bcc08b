prelude
import OProverCore.WF
/- Syntax quotations and coercions, so that `macro`, `notation` and `infix` work in a user's own file; character and string literals. -/
set_option linter.unusedVariables false
universe u v w
namespace Lean
@[extern "n"] opaque Syntax.isOfKind (stx : Syntax) (k : SyntaxNodeKind) : Bool
@[extern "n"] opaque Syntax.getArg (stx : Syntax) (i : Nat) : Syntax
instance : Inhabited (Array α) where default := ⟨[]⟩
@[extern "n"] opaque Syntax.getArgs (stx : Syntax) : Array Syntax
@[extern "n"] opaque Syntax.getNumArgs (stx : Syntax) : Nat
@[extern "n"] opaque Syntax.matchesNull (stx : Syntax) (n : Nat) : Bool
@[extern "n"] opaque Syntax.matchesIdent (stx : Syntax) (id : Name) : Bool
@[extern "n"] opaque Syntax.matchesLit (stx : Syntax) (k : SyntaxNodeKind) (val : String) : Bool
@[extern "n"] opaque Syntax.getId (stx : Syntax) : Name
@[extern "n"] opaque Syntax.node1 (info : SourceInfo) (k : SyntaxNodeKind) (a₁ : Syntax) : Syntax
@[extern "n"] opaque Syntax.node2 (info : SourceInfo) (k : SyntaxNodeKind) (a₁ a₂ : Syntax) : Syntax
@[extern "n"] opaque Syntax.node3 (info : SourceInfo) (k : SyntaxNodeKind) (a₁ a₂ a₃ : Syntax) : Syntax
@[extern "n"] opaque Syntax.node4 (info : SourceInfo) (k : SyntaxNodeKind) (a₁ a₂ a₃ a₄ : Syntax) : Syntax
@[extern "n"] opaque Syntax.node5 (info : SourceInfo) (k : SyntaxNodeKind) (a₁ a₂ a₃ a₄ a₅ : Syntax) : Syntax
@[extern "n"] opaque Syntax.node6 (info : SourceInfo) (k : SyntaxNodeKind) (a₁ a₂ a₃ a₄ a₅ a₆ : Syntax) : Syntax
@[extern "n"] opaque Syntax.node7 (info : SourceInfo) (k : SyntaxNodeKind) (a₁ a₂ a₃ a₄ a₅ a₆ a₇ : Syntax) : Syntax
@[extern "n"] opaque Syntax.node8 (info : SourceInfo) (k : SyntaxNodeKind) (a₁ a₂ a₃ a₄ a₅ a₆ a₇ a₈ : Syntax) : Syntax
instance : Inhabited SourceInfo where default := .none
@[extern "n"] opaque SourceInfo.fromRef (ref : Syntax) (canonical : Bool := false) : SourceInfo
@[extern "n"] opaque addMacroScope (mainModule : Name) (n : Name) (scp : MacroScope) : Name
def MonadRef.mkInfoFromRefPos {m : Type → Type} [Monad m] [MonadRef m] : m SourceInfo :=
  bind getRef fun ref => pure (SourceInfo.fromRef ref)
def withRef {m : Type → Type} [Monad m] [MonadRef m] {α : Type} (ref : Syntax) (x : m α) : m α := MonadRef.withRef ref x
end Lean
instance : Inhabited Substring.Raw where default := ⟨"", ⟨0⟩, ⟨0⟩⟩
@[extern "n"] opaque String.toRawSubstring' (s : String) : Substring.Raw

/- coercions -/
class Coe (α : semiOutParam (Sort u)) (β : Sort v) where
  coe : α → β
class CoeTC (α : Sort u) (β : Sort v) where
  coe : α → β
class CoeOut (α : Sort u) (β : semiOutParam (Sort v)) where
  coe : α → β
class CoeTail (α : semiOutParam (Sort u)) (β : Sort v) where
  coe : α → β
class CoeDep (α : Sort u) (_ : α) (β : Sort v) where
  coe : β
class CoeT (α : Sort u) (_ : α) (β : Sort v) where
  coe : β
class CoeFun (α : Sort u) (γ : outParam (α → Sort v)) where
  coe : (f : α) → γ f
class CoeSort (α : Sort u) (β : outParam (Sort v)) where
  coe : α → β
attribute [coe_decl] Coe.coe CoeTC.coe CoeOut.coe CoeTail.coe CoeDep.coe CoeT.coe CoeFun.coe CoeSort.coe
instance [Coe α β] : CoeTC α β where coe a := Coe.coe a
instance [CoeOut α β] : CoeTC α β where coe a := CoeOut.coe a
instance [CoeTail α β] : CoeTC α β where coe a := CoeTail.coe a
instance [CoeTC α β] : CoeT α a β where coe := CoeTC.coe a
instance [CoeDep α a β] : CoeT α a β where coe := CoeDep.coe a
instance boolToProp : Coe Bool Prop where coe b := b = true
instance boolToSort : CoeSort Bool Prop where coe b := b = true
instance decPropToBool (p : Prop) [Decidable p] : CoeDep Prop p Bool where coe := decide p
instance subtypeCoe {α : Sort u} {p : α → Prop} : CoeOut (Subtype p) α where coe v := v.val
namespace Lean
instance : CoeOut SyntaxNodeKind SyntaxNodeKinds where coe k := [k]
abbrev Term := TSyntax `term
instance : Coe Syntax (TSyntax k) where coe s := ⟨s⟩
instance {ks : SyntaxNodeKinds} : CoeOut (TSyntax ks) Syntax where coe s := s.raw
abbrev Ident := TSyntax `ident
abbrev StrLit := TSyntax `str
abbrev NumLit := TSyntax `num
instance : Coe Ident Term where coe s := ⟨s.raw⟩
instance : Coe StrLit Term where coe s := ⟨s.raw⟩
instance : Coe NumLit Term where coe s := ⟨s.raw⟩
end Lean

/- array literals in quotations -/
@[extern "lean_mk_empty_array_with_capacity"] def Array.mkEmpty {α : Type u} (c : @& Nat) : Array α := ⟨[]⟩
@[extern "lean_array_push"] def Array.push {α : Type u} (a : Array α) (v : α) : Array α := ⟨a.toList ++ [v]⟩
def List.toArray {α : Type u} (l : List α) : Array α := ⟨l⟩
def Array.mkArray0 {α : Type u} : Array α := ⟨[]⟩
def Array.mkArray1 {α : Type u} (a0 : α) : Array α := ⟨[a0]⟩
def Array.mkArray2 {α : Type u} (a0 a1 : α) : Array α := ⟨[a0, a1]⟩
def Array.mkArray3 {α : Type u} (a0 a1 a2 : α) : Array α := ⟨[a0, a1, a2]⟩
def Array.mkArray4 {α : Type u} (a0 a1 a2 a3 : α) : Array α := ⟨[a0, a1, a2, a3]⟩
def Array.mkArray5 {α : Type u} (a0 a1 a2 a3 a4 : α) : Array α := ⟨[a0, a1, a2, a3, a4]⟩
def Array.mkArray6 {α : Type u} (a0 a1 a2 a3 a4 a5 : α) : Array α := ⟨[a0, a1, a2, a3, a4, a5]⟩
def Array.mkArray7 {α : Type u} (a0 a1 a2 a3 a4 a5 a6 : α) : Array α := ⟨[a0, a1, a2, a3, a4, a5, a6]⟩
def Array.mkArray8 {α : Type u} (a0 a1 a2 a3 a4 a5 a6 a7 : α) : Array α := ⟨[a0, a1, a2, a3, a4, a5, a6, a7]⟩

/- string literals unfold to `String.ofList [Char.ofNat ..]` in the kernel: this name must exist -/
theorem Nat.isValidChar.lt {n : Nat} (h : n.isValidChar) : n < 2 ^ 32 :=
  h.elim (fun x => Nat.lt_trans x (by decide)) (fun x => Nat.lt_trans x.2 (by decide))
def Char.ofNat (n : Nat) : Char :=
  if h : n.isValidChar then ⟨⟨⟨⟨n, h.lt⟩⟩⟩, h⟩ else ⟨⟨⟨⟨0, by decide⟩⟩⟩, .inl (by decide)⟩
