"""Branch 2 of OProofs: informal texts become formal statements, elaborated by Lean, scored by a critic, checked for vacuity."""
