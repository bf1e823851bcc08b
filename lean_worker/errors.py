"""Base class of the errors that this package raises for users."""


class LeanWorkerError(ValueError):
    """An error that the user can fix; the message is one sentence with the problem and the remedy."""
