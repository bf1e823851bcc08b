"""Exceptions that the command line reports as one sentence."""


class InputError(ValueError):
    """Invalid user input. The message is one sentence with the field, the value and the remedy. Exit code 2."""


class TrainingFailed(RuntimeError):
    """Training cannot continue: too many consecutive steps were skipped because of spikes or non-finite loss or gradients. Exit code 1."""


class DoesNotFit(RuntimeError):
    """A compiled program needs more memory than its chips have. Exit code 1."""


class LeanAway(RuntimeError):
    """Lean gave no verdict for as long as patience lasts; `left` says what remains. Nothing was stored without a verdict. Exit code 1."""

    def __init__(self, reason: str, left: str = "") -> None:
        super().__init__(f"{reason}; {left} left, and the same command resumes with them once Lean is back" if left else reason)
        self.reason = reason


class DiskFull(OSError):
    """A disk, quota or file size limit was reached. Existing files are intact. Exit code 1."""
