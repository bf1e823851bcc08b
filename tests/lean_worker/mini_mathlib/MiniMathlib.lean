import MiniMathlib.Namespaces
import MiniMathlib.Data.Set
import MiniMathlib.Data.Nat
import MiniMathlib.Data.Real
import MiniMathlib.Data.Finset
import MiniMathlib.Algebra.Polynomial
import MiniMathlib.Algebra.Matrix
import MiniMathlib.Analysis.Topology

/-! A small library whose surface is Mathlib's: its notations and names, over placeholder types on which ordinary proofs work. -/
