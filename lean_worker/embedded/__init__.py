"""The Lean kernel, elaborator and parser out of a pip wheel, with a core library of our own."""
