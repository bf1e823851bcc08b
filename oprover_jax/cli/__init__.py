"""Command line `oprover`: argument parsing only."""
