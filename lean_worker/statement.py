"""Reads the statement that a check states, and the header before it."""

import re
from dataclasses import dataclass

from lean_worker.errors import LeanWorkerError
from lean_worker.lexer import LexError, Token, tokens
from lean_worker.screen import DENIED

_DECLARERS = ("theorem", "lemma", "example")
_MODIFIERS = frozenset({"private", "protected", "noncomputable", "nonrec"})
_NOT_IN_HEADER = frozenset({"import", "prelude", "module", "exit", "debug"})
_IMPORT = re.compile(r"\s*import[ \t]+([A-Za-z_][\w.]*)[ \t]*(?:\n|\Z)")


class StatementError(LeanWorkerError):
    """The text is no statement that can be checked; `line` counts from 1 in the statement."""

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True)
class Statement:
    """A statement taken apart: `before` reaches to the place of the name, `after` goes on behind it up to `:=`.

    Both keep the lines of the original. On line `line` the original's column `column` is where `after` begins.
    """

    before: str
    name: str
    after: str
    line: int
    column: int


def _line(source: str, position: int) -> int:
    return source.count("\n", 0, position) + 1


def _blank(source: str) -> str:
    return re.sub(r"[^\n]", " ", source)


def _skip_attribute(found: list[Token], at: int) -> int:
    depth = 0
    for index in range(at, len(found)):
        depth += found[index].text in ("@[", "[")
        depth -= found[index].text == "]"
        if depth == 0:
            return index + 1
    raise StatementError("the attribute list of the statement is not closed")


def _ending(source: str, found: list[Token]) -> Token:
    texts = [token.text for token in found[-3:]]
    if texts[-2:] == [":=", "sorry"]:
        return found[-2]
    if texts == [":=", "by", "sorry"]:
        return found[-3]
    raise StatementError("a statement must end in `:= by sorry` or `:= sorry`", _line(source, len(source.rstrip())))


def split_statement(source: str) -> Statement:
    """Take a statement apart. Attributes and modifiers are dropped: they do not change what is to be proved.

    Raises StatementError where it is not one `theorem`, `lemma` or `example` that ends in `:= by sorry` or `:= sorry`.
    """
    try:
        found = tokens(source)
    except LexError as error:
        raise StatementError(str(error), _line(source, error.position)) from error
    at = 0
    while at < len(found) and (found[at].text == "@[" or found[at].text in _MODIFIERS):
        at = _skip_attribute(found, at) if found[at].text == "@[" else at + 1
    if at == len(found) or found[at].text not in _DECLARERS:
        raise StatementError("a statement must be one `theorem`, `lemma` or `example`")
    declarer, following = found[at], found[at + 1 : at + 2]
    named = declarer.text != "example"
    if named and (not following or following[0].kind != "name"):
        raise StatementError(f"`{declarer.text}` is not followed by a name", _line(source, declarer.start))
    close = _ending(source, found)
    name = following[0] if named else declarer
    for token in found:
        word = token.kind == "name" and len(token.parts) == 1 and token.text in DENIED
        if name.end <= token.start < close.start and (word or token.text in ("#", "@[", "`")):
            raise StatementError(f"`{token.text}` cannot stand in a statement", _line(source, token.start))
    gap = _blank(source[declarer.end : name.start]) if named else " "
    return Statement(
        before=f"{_blank(source[: declarer.start])}theorem{gap}",
        name=name.text if named else "example_",
        after=source[name.end : close.start],
        line=_line(source, name.end),
        column=name.end - (source.rfind("\n", 0, name.end) + 1),
    )


def name_parts(name: str) -> tuple[str, ...]:
    """Return the components of a name, guillemets removed. Raise StatementError for what is no name."""
    try:
        return tuple(part for token in tokens(name) for part in token.parts)
    except LexError as error:
        raise StatementError(f"{name} is no name: {error}") from error


def check_header(header: str) -> None:
    """Raises StatementError where the header would hide what follows it or name another library."""
    try:
        found = tokens(header)
    except LexError as error:
        raise StatementError(f"header: {error}", 1) from error
    for token in found:
        if token.kind == "name" and not _NOT_IN_HEADER.isdisjoint(token.parts):
            raise StatementError(f"`{token.text}` cannot stand in a header")


def split_imports(header: str) -> tuple[dict[str, int], str]:
    """The modules that the first lines of a header import, each with its line as messages count it (0: the header's last line), and
    the header with these lines blanked."""
    modules, at = {}, 0
    lines = _line(header, len(header.rstrip("\n")))
    while match := _IMPORT.match(header, at):
        modules[match[1]] = _line(header, match.start(1)) - lines
        at = match.end()
    return modules, _blank(header[:at]) + header[at:]
