prelude
import OProverCore.Nat
set_option linter.unusedVariables false
universe u v w
