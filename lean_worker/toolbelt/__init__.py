"""Toolbelt around statements and files: goals, holes, lemmas, refutation and lint. Every tool asks Lean, and none knows HTTP."""
