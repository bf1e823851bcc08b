"""Retrieval of verified proofs of similar statements: encoders, ScaNN index and memory."""
