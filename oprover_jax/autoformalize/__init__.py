"""Autoformalization (OProofs, branch 2): statements from informal texts, elaborated by Lean, scored by a critic, checked for vacuity."""
