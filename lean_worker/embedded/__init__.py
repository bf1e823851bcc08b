"""The Lean kernel, elaborator and parser from a pip wheel, with this project's own core library."""
