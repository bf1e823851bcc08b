"""The `oprover` command line: argument parsing only."""
