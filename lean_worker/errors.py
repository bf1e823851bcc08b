"""The root of what this package raises for a user to read."""


class LeanWorkerError(ValueError):
    """Something the user can put right; the message is one sentence that says what and how."""
