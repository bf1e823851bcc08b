"""A user's text file, read and written without a change to its byte order mark and line ends."""

from dataclasses import dataclass
from pathlib import Path

from oprover_jax.errors import InputError
from oprover_jax.posttraining.run_folder import write_atomic

_MARK = "\ufeff"


@dataclass(frozen=True)
class Source:
    """A text with line feeds alone. `mark` and `returns` say whether the file has a byte order mark and Windows line ends."""

    text: str
    mark: bool = False
    returns: bool = False


def read_source(path: Path) -> Source:
    """Return the text of a file. Raises InputError if it is not UTF-8."""
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 (byte {error.start}); convert it to UTF-8, which Lean requires") from error
    lines = text.removeprefix(_MARK).replace("\r\n", "\n")
    return Source(lines, text.startswith(_MARK), "\r\n" in text)


def write_source(path: Path, source: Source, text: str) -> None:
    """Write a text in the form of the file that it comes from, in one step."""
    text = text.replace("\n", "\r\n") if source.returns else text
    write_atomic(path, (_MARK + text if source.mark else text).encode())
