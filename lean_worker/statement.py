"""Parsers for the statement of a check and the header before it."""

import re
from dataclasses import dataclass

from lean_worker.allowed import begins_command
from lean_worker.errors import LeanWorkerError
from lean_worker.header import MAX_HEADER_LENGTH, header_reason
from lean_worker.lexer import LexError, Token, tokens
from lean_worker.proof_filter import COMMANDS, HOLES, interpolated, runs_code

MAX_STATEMENT_LENGTH = 60_000

_DECLARERS = ("theorem", "lemma", "example")
_MODIFIERS = frozenset({"private", "protected", "noncomputable", "nonrec"})
_ONLY_AT_THE_TOP = frozenset({"import", "prelude"})
_IMPORT = re.compile(r"\s*import[ \t]+([A-Za-z_][\w.]*)[ \t]*(?:\n|\Z)")


class StatementError(LeanWorkerError):
    """The text is not a statement that can be checked; `line` counts from 1 in the statement."""

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True)
class Statement:
    """A parsed statement: `before` is the text up to the name, `after` the text between the name and `:=`.

    Both keep the lines of the original. `after` begins at line `line` and column `column` of the original.
    """

    before: str
    name: str
    after: str
    line: int
    column: int

    @property
    def parts(self) -> tuple[str, ...]:
        """The components of the name, without guillemets."""
        return tuple(part for token in tokens(self.name) for part in token.parts)

    @property
    def namespace(self) -> str:
        """The name without its last component, as written; a dot within guillemets is not a separator."""
        last = self.name.rfind("«") if self.name.endswith("»") else self.name.rfind(".") + 1
        return self.name[:last].removesuffix(".")


def _line(source: str, position: int) -> int:
    return source.count("\n", 0, position) + 1


def _blank(source: str) -> str:
    return re.sub(r"[^\n]", " ", source)


def _skip_attribute(token_list: list[Token], at: int) -> int:
    depth = 0
    for index in range(at, len(token_list)):
        depth += token_list[index].text in ("@[", "[")
        depth -= token_list[index].text == "]"
        if depth == 0:
            return index + 1
    raise StatementError("the attribute list of the statement is not closed")


def _ending(source: str, token_list: list[Token]) -> Token:
    texts = [token.text for token in token_list[-3:]]
    if texts[-2:] == [":=", "sorry"]:
        return token_list[-2]
    if texts == [":=", "by", "sorry"]:
        return token_list[-3]
    raise StatementError("a statement must end in `:= by sorry` or `:= sorry`", _line(source, len(source.rstrip())))


def _is_refused(source: str, token_list: list[Token], at: int, commands: frozenset[str]) -> bool:
    token = token_list[at]
    if token.kind == "string":
        return interpolated(token, token_list[at - 1])
    if token.text == "#":
        return not source.startswith("[", token.end)
    return token.text in HOLES | {"@[", "`"} or begins_command(source, token, commands) or runs_code(source, token)


def split_statement(source: str, commands: frozenset[str] = COMMANDS) -> Statement:
    """Parse a statement. Attributes and modifiers are dropped: they do not change what is to be proved.

    `commands` are the tokens that begin a command in the Lean version in use; a statement must not contain them.
    Raises StatementError if it is not one `theorem`, `lemma` or `example` that ends in `:= by sorry` or `:= sorry`.
    """
    if len(source) > MAX_STATEMENT_LENGTH:
        raise StatementError(f"the statement has {len(source)} characters, more than {MAX_STATEMENT_LENGTH}; shorten it")
    source = source.replace("\r\n", "\n")
    try:
        token_list = tokens(source)
    except LexError as error:
        raise StatementError(str(error), _line(source, error.position)) from error
    at = 0
    while at < len(token_list) and (token_list[at].text == "@[" or token_list[at].text in _MODIFIERS):
        at = _skip_attribute(token_list, at) if token_list[at].text == "@[" else at + 1
    if at == len(token_list) or token_list[at].text not in _DECLARERS:
        raise StatementError("a statement must be one `theorem`, `lemma` or `example`")
    declarer, following = token_list[at], token_list[at + 1 : at + 2]
    named = declarer.text != "example"
    if named and (not following or following[0].kind != "name"):
        raise StatementError(f"`{declarer.text}` is not followed by a name", _line(source, declarer.start))
    close = _ending(source, token_list)
    name = following[0] if named else declarer
    for index in range(at, len(token_list)):
        token = token_list[index]
        if name.end <= token.start < close.start and _is_refused(source, token_list, index, commands):
            raise StatementError(f"`{token.text}` is not allowed in a statement", _line(source, token.start))
    gap = _blank(source[declarer.end : name.start]) if named else " "
    return Statement(
        before=f"{_blank(source[: declarer.start])}theorem{gap}",
        name=name.text if named else "example_",
        after=source[name.end : close.start],
        line=_line(source, name.end),
        column=name.end - (source.rfind("\n", 0, name.end) + 1),
    )


def check_header(header: str, trusted: bool = True, commands: frozenset[str] = COMMANDS) -> None:
    """Raise StatementError if a header, without its imports, is not allowed before a statement.

    A trusted header must not hide what follows it, name another library or switch the kernel off. An untrusted one, received over the
    network, must also satisfy an allow-list: nothing in it may run code while Lean elaborates it.
    """
    if len(header) > MAX_HEADER_LENGTH:
        raise StatementError(f"the header has {len(header)} characters, more than {MAX_HEADER_LENGTH}; shorten it")
    try:
        token_list = tokens(header)
    except LexError as error:
        raise StatementError(f"header: {error}", 1) from error
    for at, token in enumerate(token_list):
        hides = token.text in _ONLY_AT_THE_TOP or (token.text == "#" and header.startswith("exit", token.end))
        if hides or (at == 0 and token.text == "module") or (token.kind == "name" and "debug" in token.parts):
            text = "#exit" if token.text == "#" else token.text
            raise StatementError(f"`{text}` is not allowed in a header")
    if not trusted and (reason := header_reason(header, commands)):
        raise StatementError(f"header: {reason}")


def is_harmless(header: str, commands: frozenset[str] = COMMANDS) -> bool:
    """Return whether an allowed header would also pass as untrusted: none of its code runs."""
    return header_reason(header, commands) is None


def split_imports(header: str) -> tuple[dict[str, int], str]:
    """Return the modules imported by the first lines of a header, each with its line as messages count it (0: the header's last line), and
    the header with these lines blanked."""
    header = header.replace("\r\n", "\n")
    modules, at = {}, 0
    line = -header.rstrip("\n").count("\n")
    while match := _IMPORT.match(header, at):
        modules[match[1]] = line + header.count("\n", at, match.start(1))
        line += header.count("\n", at, match.end())
        at = match.end()
    return modules, _blank(header[:at]) + header[at:]
