"""Parsers for the statement of a check, for the header before it, and for the text that a proof completes it to.

Nothing is moved or rewritten: a statement is cut only where the proof goes, and where its declaration begins.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from lean_worker.errors import LeanWorkerError
from lean_worker.header import MAX_HEADER_LENGTH, header_reason
from lean_worker.lexer import LexError, Token, split_name, tokens
from lean_worker.proof_filter import COMMANDS

MAX_STATEMENT_LENGTH = 60_000

DECLARERS = frozenset({"theorem", "lemma", "example", "def", "abbrev", "instance"})
UNNAMED = frozenset({"example", "instance"})
MODIFIERS = frozenset({"private", "protected", "noncomputable", "nonrec", "public", "local", "scoped", "partial", "unsafe", "meta"})
SCOPED = frozenset({"open", "set_option", "variable", "variables", "universe", "include", "omit", "attribute", "export"})
_ONLY_AT_THE_TOP = frozenset({"import", "prelude"})
_IMPORT = re.compile(r"\s*(?:public[ \t]+)?(?:meta[ \t]+)?import[ \t]+(?:all[ \t]+)?([^\W\d]['\w.«»]*)[ \t]*(?:--[^\n]*)?(?:\n|\Z)")
_COMMENT = re.compile(r"\s*(?:--[^\n]*(?:\n|\Z)|(?P<block>/-)(?![-!]))")
_BLOCK_MARK = re.compile(r"/-|-/")
_BEGINS_COMMENT = re.compile(r"--[^\n]*|(?P<block>/-)")
_ALTERNATIVES = re.compile(r"\|(?!\|)")


class StatementError(LeanWorkerError):
    """The text is not a statement that can be checked; `line` counts from 1 in the statement, `kind` is that of the verdict."""

    def __init__(self, reason: str, line: int = 1, kind: Literal["statement", "unreadable"] = "unreadable") -> None:
        super().__init__(reason)
        self.line = line
        self.kind: Literal["statement", "unreadable"] = kind


@dataclass(frozen=True)
class Statement:
    """A parsed statement: the commands before its declaration (`context`), and the declaration up to its `:=` (`text`), both verbatim.

    The declaration begins at line `line` (from 1) and column `column` of the original. In `text`, its attributes and modifiers end at
    `keyword`; `name` ends at `name_end`, or is made up if the declaration has none, and the keyword ends there. `by` says that the
    original ends in `:= by`, so that a proof may be tactics alone.
    """

    text: str
    keyword: int
    name: str
    name_end: int
    context: str = ""
    line: int = 1
    column: int = 0
    by: bool = False

    @property
    def declarer(self) -> str:
        """The keyword itself."""
        return re.split(r"[^a-z]", self.text[self.keyword :], maxsplit=1)[0]

    @property
    def proposition(self) -> bool:
        """Whether the keyword is that of a theorem, and not of a definition, instance or example, which may also be data."""
        return self.declarer in ("theorem", "lemma")

    @property
    def named(self) -> bool:
        """Whether the declaration has a name of its own."""
        return self.name_end > self.keyword + len(self.declarer)

    @property
    def after(self) -> str:
        """The text between the name and `:=`."""
        return self.text[self.name_end :]

    @property
    def parts(self) -> tuple[str, ...]:
        """The components of the name, without guillemets and `_root_`."""
        return tuple(part for part in split_name(self.name) if part != "_root_")

    @property
    def path(self) -> tuple[str, ...]:
        """The components of the name, with `_root_` if it is a full one."""
        return split_name(self.name)

    @property
    def namespace(self) -> str:
        """The name without its last component, as written; a dot within guillemets is not a separator."""
        last = self.name.rfind("«") if self.name.endswith("»") else self.name.rfind(".") + 1
        return self.name[:last].removesuffix(".")


def _line(source: str, position: int) -> int:
    return source.count("\n", 0, position) + 1


def blank(text: str) -> str:
    """Return spaces in place of the text, with its line breaks."""
    return re.sub(r"[^\n]", " ", text)


@lru_cache(maxsize=256)  # a prover asks about the same few statements again and again
def split_statement(source: str) -> Statement:
    """Parse a statement: any commands, the last of which is a declaration that ends in `:= by sorry`, `:= sorry`, `:= by` or `:=`.

    Raises StatementError if it is not.
    """
    if len(source) > MAX_STATEMENT_LENGTH:
        raise StatementError(f"the statement has {len(source)} characters, more than {MAX_STATEMENT_LENGTH}; shorten it")
    source = source.replace("\r\n", "\n").removeprefix("\ufeff")
    try:
        token_list = tokens(source)
    except LexError as error:
        raise StatementError(str(error), _line(source, error.position)) from error
    close, by = _ending(source, token_list)
    at = next((i for i in range(close - 1, -1, -1) if token_list[i].kind == "name" and token_list[i].text in DECLARERS), None)
    if at is None:
        raise StatementError("a statement must end in a declaration: `theorem NAME ... := by sorry`")
    declarer = token_list[at]
    begin = documented_from(source, token_list, head(token_list, at))
    name, name_end = declared_name(source, declarer)
    if not name and declarer.text not in UNNAMED:
        raise StatementError(f"`{declarer.text}` is not followed by a name", _line(source, declarer.start))
    return Statement(
        text=source[begin : token_list[close].start],
        keyword=declarer.start - begin,
        name=name or f"{declarer.text}_",
        name_end=name_end - begin,
        context=source[:begin] if token_list[0].start < begin else "",
        line=_line(source, begin),
        column=begin - (source.rfind("\n", 0, begin) + 1),
        by=by,
    )


def _ending(source: str, token_list: Sequence[Token]) -> tuple[int, bool]:
    """Return the token `:=` where the proof goes, and whether the text ends in `:= by`."""
    texts = [token.text for token in token_list[-3:]]
    for ending, by in (([":=", "by", "sorry"], False), ([":=", "sorry"], False), ([":=", "by"], True), ([":="], False)):
        if texts[-len(ending) :] == ending:
            return len(token_list) - len(ending), by
    raise StatementError("a statement must end in `:= by sorry`, `:= sorry`, `:= by` or `:=`", _line(source, len(source.rstrip())))


def head(token_list: Sequence[Token], keyword: int) -> int:
    """Return the token at which the declaration of a keyword begins: its attributes, modifiers and prefixes such as `open A in` count."""
    at = keyword
    while at:
        before = token_list[at - 1]
        if before.text == "]" and (opening := _opening(token_list, at - 1)) is not None:
            at = opening
        elif before.kind == "name" and before.text in MODIFIERS:
            at -= 1
        elif before.text == "in" and (scope := _scope(token_list, at - 1)) is not None:
            at = scope
        else:
            break
    return at


def _opening(token_list: Sequence[Token], closing: int) -> int | None:
    """Return the `@[` whose bracket closes here, or None if the bracket is none of an attribute list."""
    depth = 0
    for at in range(closing, -1, -1):
        text = token_list[at].text
        depth += (text == "]") - (text in ("[", "@["))
        if depth == 0:
            return at if text == "@[" else None
        if text in DECLARERS:
            return None
    return None


def _scope(token_list: Sequence[Token], closing: int) -> int | None:
    """Return the command that `in` belongs to, if it is one that may precede a declaration."""
    for at in range(closing - 1, -1, -1):
        token = token_list[at]
        if token.kind == "name" and token.text in SCOPED:
            return at
        if token.text in DECLARERS or token.text == "in":
            return None
    return None


def documented_from(source: str, token_list: Sequence[Token], first: int) -> int:
    """Return where the documentation right before a token begins, or the token's own start."""
    begin = token_list[first].start
    previous = token_list[first - 1].end if first else 0
    close = previous + len(source[previous:begin].rstrip()) - 2
    if close < previous or not source.startswith("-/", close):
        return begin
    mark = source.rfind("/--", previous, close)
    return begin if mark < 0 or "-/" in source[mark:close] else mark


_PART = r"(?:«[^»\n]*»|[^\s«».,:;()\[\]{}⦃⦄⟨⟩\d\"`@#|=+*/<>\\^~&%$-][^\s«».,:;()\[\]{}⦃⦄⟨⟩\"`@#|=+*/<>\\^~&%$-]*)"
_NAME = re.compile(rf"\s*(?:--[^\n]*\n\s*|/-(?:[^-]|-(?!/))*-/\s*)*({_PART}(?:\.{_PART})*)")


def declared_name(source: str, declarer: Token) -> tuple[str, int]:
    """Return the name after a keyword and where it ends; an empty name ends with the keyword."""
    return name_after(source, declarer.end)


def name_after(source: str, at: int) -> tuple[str, int]:
    """Return the name that follows position `at`, after white space and comments, and where it ends; ("", at) if there is none."""
    found = _NAME.match(source, at)
    return (found[1], found.end(1)) if found else ("", at)


def attach(source: str, proof: str) -> str:
    """Return the text that a statement and a bare proof make; the lines and columns of a verdict's messages refer to it."""
    statement = split_statement(source)
    return _before(source, statement) + statement.text + ending(proof, statement.by)


def renamed(source: str, name: str) -> str:
    """Return a statement with its declaration under another name, and everything else as it is; without a name, nothing changes.

    Raises StatementError if the text is not a statement.
    """
    statement = split_statement(source)
    if not statement.named:
        return source
    before, keyword = _before(source, statement), statement.text[: statement.name_end].removesuffix(statement.name)
    space = "" if keyword[-1:].isspace() or keyword.endswith("-/") else " "
    rest = source.replace("\r\n", "\n").removeprefix("\ufeff")[len(before) + statement.name_end :]
    return f"{before}{keyword}{space}{name}{rest}"


def _before(source: str, statement: Statement) -> str:
    """Return the text before the declaration of a statement, comments included."""
    lines = source.replace("\r\n", "\n").removeprefix("\ufeff").split("\n")[: statement.line]
    return "\n".join([*lines[:-1], lines[-1][: statement.column]])


def ending(proof: str, by: bool = False) -> str:
    """Return the end of a declaration: the proof after `:=`, or its match alternatives, which have no `:=`."""
    body = proof.strip()
    if _ALTERNATIVES.match(body):
        indents = [len(line) - len(line.lstrip()) for line in body.split("\n")[1:] if line.lstrip().startswith("|")]
        return "\n" + " " * min(indents, default=2) + body
    term = (body.removeprefix(":=") if body.startswith(":=") else proof.rstrip()).lstrip(" \t")
    if by and not body.startswith(":=") and not re.match(r"by\b", body):
        lines = proof.rstrip().lstrip("\n")
        return f":= by\n{lines}" if lines[:1] in (" ", "\t") else ":= by\n  " + lines.replace("\n", "\n  ")
    return f":={term}" if term.startswith("\n") else f":= {term}"


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
            raise StatementError(f"`{text}` is not allowed in a header", kind="statement")
    if not trusted and (reason := header_reason(header, commands)):
        raise StatementError(f"header: {reason}", kind="statement")


def is_harmless(header: str, commands: frozenset[str] = COMMANDS) -> bool:
    """Return whether an allowed header would also pass as untrusted: none of its code runs."""
    return header_reason(header, commands) is None


def without_module(text: str) -> str:
    """Blank the word `module` or `prelude` with which a file may begin, after comments."""
    at = 0
    while end := _comment_end(text, at):
        at = end
    found = re.compile(r"\s*(module|prelude)\b(?!\.)").match(text, at)
    return text if found is None else text[: found.start(1)] + " " * len(found[1]) + text[found.end(1) :]


def _comment_end(text: str, at: int) -> int | None:
    """Return where a comment ends that begins here or after spaces, or None if there is none. Block comments may contain others."""
    match = _COMMENT.match(text, at)
    return match and (_block_end(text, match.end()) if match["block"] else match.end())


def _block_end(text: str, at: int) -> int:
    """Return where a block comment ends whose mark ends at `at`."""
    depth = 1
    for mark in _BLOCK_MARK.finditer(text, at):
        depth += 1 if mark[0] == "/-" else -1
        if depth == 0:
            return mark.end()
    return len(text)


def uncommented(text: str) -> str:
    """Return spaces in place of all comments and documentation, with their line breaks."""
    parts, at = [], 0
    while match := _BEGINS_COMMENT.search(text, at):
        end = _block_end(text, match.end()) if match["block"] else match.end()
        parts += [text[at : match.start()], blank(text[match.start() : end])]
        at = end
    return "".join([*parts, text[at:]])


def split_imports(header: str) -> tuple[dict[str, int], str]:
    """Return the modules imported by the first lines of a header, each with its line as messages count it (0: the header's last line), and
    the header with these lines blanked. Comments may precede and separate the imports."""
    header = header.replace("\r\n", "\n").removeprefix("\ufeff")
    modules, at = {}, 0
    last = header.rstrip("\n").count("\n")
    blanked: list[str] = []
    while True:
        if match := _IMPORT.match(header, at):
            modules[match[1]] = header.count("\n", 0, match.start(1)) - last
            blanked.append(blank(match[0]))
            at = match.end()
        elif end := _comment_end(header, at):
            blanked.append(header[at:end])
            at = end
        else:
            return modules, "".join(blanked) + header[at:]
