"""Public sets of theorems and proofs as rows of one kind: column layouts (`layouts`), file readers (`files`), a splitter for Lean text
(`split`), and row validation (`rows`)."""
