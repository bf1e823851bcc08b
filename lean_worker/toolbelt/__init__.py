"""Toolbelt around statements and files: goals, holes, refutation and lint. Every tool asks Lean, and none knows HTTP."""
