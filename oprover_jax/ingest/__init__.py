"""Ingestion of published sets of theorems and proofs into a corpus."""
