"""The errors that the command line turns into one sentence."""


class InputError(ValueError):
    """Something the user gave is wrong. The message is one sentence that names the place, the value and the remedy. Exit code 2."""


class TrainingFailed(RuntimeError):
    """A training cannot go on: too many steps in a row moved nothing, their loss or gradient being not finite, or a spike. Exit code 1."""


class DoesNotFit(RuntimeError):
    """A program needs more memory than its chips have. Exit code 1."""


class DiskFull(OSError):
    """Nothing more can be written: disk, quota or file size limit. What was there before is whole. Exit code 1."""
