"""Implementations of the `oprover` verbs that combine several packages, one module each."""
