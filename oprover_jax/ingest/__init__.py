"""Published sets of theorems and proofs become statements and proofs of a corpus."""
