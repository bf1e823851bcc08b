"""Verified proofs of similar statements: encoders, the ScaNN index and the memory."""
