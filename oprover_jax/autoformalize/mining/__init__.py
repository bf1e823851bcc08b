"""Mining of candidate statements from text with a classifier (OProofs, branch 2).

`autoformalize` turns candidates into verified formal statements with a policy and Lean.
"""
