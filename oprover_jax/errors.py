"""The one error that a user's input can cause; the command line prints its sentence and exits with code 2."""


class InputError(ValueError):
    """Something the user gave is wrong. The message is one sentence that names the place, the value and the remedy."""
