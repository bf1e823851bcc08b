"""Branch 2 of OProofs, from text to candidates: a classifier of mathematical statements, and the mine that it works in.

What turns candidates into verified formal statements needs a policy and Lean, and stands in `autoformalize/`.
"""
