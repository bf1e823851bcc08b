"""Public sets of theorems and proofs, as rows of one kind: which columns each has (`layouts`), how its files are read (`files`), how a
Lean text is taken apart (`split`), what a row must be to enter (`rows`)."""
