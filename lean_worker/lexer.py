"""Lexer for Lean source that agrees with Lean, and refuses text that Lean could tokenize differently.

The rules for names, literals and comments are Lean's own (`src/Init/Meta/Defs.lean` and `src/Lean/Parser/Basic.lean`). Lean's table of
symbols grows with every `notation`, so symbols are single characters here, and a text is refused if a longer symbol could swallow the
beginning of a comment or of a character literal. Lexing takes time linear in the length of the text.
"""

import re
from typing import Literal, NamedTuple

TokenKind = Literal["name", "number", "string", "character", "symbol"]

_LETTERS = (
    "a-zA-Z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017f\u0391-\u039f\u03a1\u03a2\u03a4-\u03a9\u03b1-\u03ba\u03bc-\u03fb"
    "\u1f00-\u1ffe\u2100-\u214f\U0001d49c-\U0001d59f"
)
_DIGITS = "0-9\u2080-\u2089\u2090-\u209c\u1d62-\u1d6a\u2c7c"
_PART = rf"(?:[{_LETTERS}][{_LETTERS}{_DIGITS}'!?]*+|«[^»\n\r]*+»)"
_NAME_START = re.compile(rf"[{_LETTERS}]")
_DECIMAL = r"[0-9](?:_*+[0-9])*+"
_ESCAPE = r"""\\(?:[\\"'rnt]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})"""
_GAP = r"\\\n[ \t]*+(?!\n)"

_BEHIND_A_DOT = r"(?<=\.)(?<!\.\.)"

_TOKEN = re.compile(
    r"[ \n\r\t]*+(?:"
    r"(?P<raw>r\#*+\")"
    rf"|(?P<name>{_PART}(?:\.{_PART})*+(?!\"))"
    r"|(?P<plain>[()\[\]{}⟨⟩,;]|:=|=>|@\[)"
    rf"|(?P<number>(?:{_BEHIND_A_DOT}[1-9][0-9]*+(?!\.?[eE][+-]?[0-9])"
    rf"|(?!{_BEHIND_A_DOT})(?>0[xX](?:_*+[0-9a-fA-F])++|0[bB](?:_*+[01])++|0[oO](?:_*+[0-7])++"
    rf"|{_DECIMAL}(?:\.{_DECIMAL}|\.(?=[eE][+-]?[0-9]))?(?:[eE][+-]?{_DECIMAL})?))(?![{_LETTERS}{_DIGITS}]))"
    r"|(?P<line>--[^\n]*+)"
    r"|(?P<block>/-)"
    rf"|(?P<string>\"[^\"\\\r]*+(?:(?:{_ESCAPE}|{_GAP})[^\"\\\r]*+)*+\")"
    rf"|(?P<character>'(?:[^\\'\n\r]|{_ESCAPE})')"
    rf"|(?P<quote>''?(?=[\s()\[\]{{}},⟨⟩])|(?<=\])'(?=[{_LETTERS}]))"
    r"|(?P<symbol>-/|.)"
    r"|\Z)",
    re.S,
)
_COMMENT_MARK = re.compile(r"/-|-/")
_DOCUMENTATION_GAP = re.compile(r"[ \n\r\t]*+(?:--[^\n]*+|(?P<block>/-)(?![-!]))")
_NEVER = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ud800-\udfff]|\r(?!\n)")
_NAME_PART = re.compile(r"«([^»]*)»|([^.«]+)")
CLOSED_SYMBOLS = frozenset("()[]{}⟨⟩,;·") | {":=", "=>", "@["}
_SWALLOWED = frozenset("\"'\\«-/")
_KINDS: dict[str, TokenKind] = {"name": "name", "number": "number", "string": "string"}
_QUOTE = "a single quote does not begin a character literal"
_UNFINISHED = {
    "-/": "`-/` does not close a comment",
    '"': "a string is not closed, or contains an escape that Lean does not know",
    "«": "a « is not closed on its line",
    "'": _QUOTE,
}


class LexError(ValueError):
    """The text contains something that this lexer does not support; `position` is its offset in code points."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.position = position


class Token(NamedTuple):
    """One token and its position: `text` is `source[start:end]`. Comments are not tokens."""

    kind: TokenKind
    text: str
    start: int
    end: int

    @property
    def parts(self) -> tuple[str, ...]:
        """The components of a name without guillemets; for any other token, its text."""
        return split_name(self.text) if self.kind == "name" else (self.text,)


def split_name(text: str) -> tuple[str, ...]:
    """Return the components of a name; a component in guillemets may contain dots and spaces."""
    if "«" not in text:
        return tuple(text.split("."))
    return tuple(match[2] or match[1] for match in _NAME_PART.finditer(text))


def tokens(source: str) -> list[Token]:
    """Return the tokens of `source` in order.

    Raises LexError for unsupported text, including unclosed comments and strings. A line may end in CR LF.
    """
    if never := _NEVER.search(source):
        raise LexError(f"the character U+{ord(never[0]):04X} is not allowed", never.start())
    token_list: list[Token] = []
    at: int | None = 0
    while at is not None:
        at = _read(source, at, token_list)
    return token_list


def _read(source: str, at: int, token_list: list[Token]) -> int | None:
    """Add the tokens from `at` up to the next block comment or raw string; return where to continue, or None at the end of the text."""
    previous = token_list[-1] if token_list else None
    for match in _TOKEN.finditer(source, at):
        group = match.lastgroup
        if group is None:
            break
        start, end = match.span(group)
        kind: TokenKind = "symbol"
        if group in _KINDS:
            kind = _KINDS[group]
        elif group == "raw":
            _check_gap(previous, start, "raw string")
            end = _raw_string_end(source, start, end)
            token_list.append(Token("string", source[start:end], start, end))
            return end
        elif group == "line" or group == "block":
            _check_gap(previous, start, "comment")
            if group == "block":
                return _comment_end(source, start)
            continue
        elif group == "character":
            _check_gap(previous, start, "character literal", "]")
            kind = "character"
        elif group != "plain":
            _check_symbol(source, group, start, end)
        previous = Token(kind, source[start:end], start, end)
        token_list.append(previous)
    return None


def _comment_end(source: str, start: int) -> int:
    """Return the end of the block comment at `start`.

    Lean skips the character after `/-`, whatever it is, and comments directly after `/--` and `/-!`.
    """
    at = start + 3
    if source.startswith(("/--", "/-!"), start):
        while match := _DOCUMENTATION_GAP.match(source, at):
            at = match.end() if match["block"] is None else _comment_end(source, match.start("block"))
    depth = 1
    for mark in _COMMENT_MARK.finditer(source, at):
        depth += 1 if mark[0] == "/-" else -1
        if depth == 0:
            return mark.end()
    raise LexError("a comment is not closed", start)


def _raw_string_end(source: str, start: int, body: int) -> int:
    closing = '"' + source[start + 1 : body - 1]
    end = source.find(closing, body)
    if end < 0:
        raise LexError("a raw string is not closed", start)
    return end + len(closing)


def _check_gap(previous: Token | None, start: int, what: str, also: str = "") -> None:
    """Refuse text directly after a symbol that a longer one could begin with: for Lean, `//-` is `//` and `-`, not a comment."""
    if previous is None or previous.end < start or previous.kind != "symbol":
        return
    if previous.text not in CLOSED_SYMBOLS or previous.text == also:
        raise LexError(f"a {what} begins directly after a symbol; insert a space", start)


def _check_symbol(source: str, group: str, start: int, end: int) -> None:
    """Refuse a character that begins an unfinished token, and a quote after which Lean could continue elsewhere.

    Where `⁻¹'` is not a symbol, Lean reports an error two characters after the quote and continues from there.
    """
    character = source[start:end]
    if group == "quote":
        if not _SWALLOWED.isdisjoint(source[end : end + 2]):
            raise LexError(_QUOTE, start)
    elif character in _UNFINISHED:
        raise LexError(_UNFINISHED[character], start)
    elif character in "0123456789":
        raise LexError("a number runs into a name, or follows a dot and is not an index", start)
    elif not character.isprintable():
        raise LexError(f"the character U+{ord(character):04X} is not allowed", start)
    elif _NAME_START.match(character):
        raise LexError("a string with a prefix is not supported", start)
