"""Attacks, soak test and benchmark of the verifier."""
