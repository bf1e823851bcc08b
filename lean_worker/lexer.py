"""Lexer for Lean source that reads a text as Lean does, and says from where on it cannot be sure of that.

The rules for names, literals and comments are Lean's own (`src/Init/Meta/Defs.lean` and `src/Lean/Parser/Basic.lean`). Lean's table of
symbols grows with every `notation`, so symbols are single characters here. Where a longer symbol could swallow the beginning of a comment
or of a literal, the lexer continues with the likely reading and reports the place. Lexing takes time linear in the length of the text.
"""

import re
from typing import Literal, NamedTuple

TokenKind = Literal["name", "number", "string", "character", "symbol"]

_LETTERS = (
    "a-zA-Z_\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u017f\u0391-\u039f\u03a1\u03a2\u03a4-\u03a9\u03b1-\u03ba\u03bc-\u03fb"
    "\u1f00-\u1ffe\u2100-\u214f\U0001d49c-\U0001d59f"
)
_DIGITS = "0-9\u2080-\u2089\u2090-\u209c\u1d62-\u1d6a\u2c7c"
_BARE_PART = rf"[{_LETTERS}][{_LETTERS}{_DIGITS}'!?]*+"
_PART = rf"(?:{_BARE_PART}|«[^«»\n\r]*+»)"
_DECIMAL = r"[0-9](?:_*+[0-9])*+"
_ESCAPE = r"""\\(?:[\\"'rnt]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4})"""
_GAP = r"\\\r?\n[ \t]*+(?!\r?\n)"

_BEHIND_A_DOT = r"(?<=\.)(?<!\.\.)"

_TOKEN = re.compile(
    r"[ \n\r\t]*+(?:"
    r"(?P<raw>r\#*+\")"
    rf"|(?P<name>{_PART}(?:\.{_PART})*+)"
    r"|(?P<plain>[()\[\]{}⟨⟩,;]|:=|=>|@\[)"
    rf"|(?P<number>{_BEHIND_A_DOT}[1-9][0-9]*+(?!\.?[eE][+-]?[0-9])"
    rf"|(?!{_BEHIND_A_DOT})(?>0[xX](?:_*+[0-9a-fA-F])++|0[bB](?:_*+[01])++|0[oO](?:_*+[0-7])++"
    rf"|{_DECIMAL}(?:\.{_DECIMAL}|\.(?=[eE][+-]?[0-9]))?(?:[eE][+-]?{_DECIMAL})?))"
    r"|(?P<swallowing>//|<-)(?=-)"  # `//-1` and `<--1` begin with a symbol, not with a comment
    r"|(?P<line>--[^\n]*+)"
    r"|(?P<block>/-)"
    rf"|(?P<string>\"[^\"\\]*+(?:(?:{_ESCAPE}|{_GAP})[^\"\\]*+)*+\")"
    rf"|(?P<odd>\"[^\"\\]*+(?:\\.[^\"\\]*+)*+\")"
    r"|(?P<open>\")"
    rf"|(?P<character>'(?:[^\\'\n\r]|{_ESCAPE})')"
    rf"|(?P<quote>''?(?=[\s()\[\]{{}},⟨⟩])|(?<=\])'(?=[{_LETTERS}]))"
    r"|(?P<symbol>-/|.)"
    r"|\Z)",
    re.S,
)
_RUNS_ON = re.compile(rf"[{_LETTERS}{_DIGITS}]")
_COMMENT_MARK = re.compile(r"/-|-/")
_DOCUMENTATION_GAP = re.compile(r"[ \n\r\t]*+(?:--[^\n]*+|(?P<block>/-)(?![-!]))")
NEVER = re.compile("[\x00\ud800-\udfff]")
_UNUSUAL = re.compile("[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff]|\r(?!\n)")
_NAME_PART = re.compile(r"«([^»]*)»|([^.«]+)")
_WORD = re.compile(rf"(?P<name>{_BARE_PART}(?:\.{_BARE_PART})*+)|(?P<number>[0-9]+)|(?P<symbol>:=|=>|@\[|\S)")
CLOSED_SYMBOLS = frozenset("()[]{}⟨⟩,;·") | {":=", "=>", "@["}
_SWALLOWED = frozenset("\"'\\«-/")
_KINDS: dict[str, TokenKind] = {"name": "name", "number": "number", "string": "string", "odd": "string", "character": "character"}
_BOM = "\ufeff"


class LexError(ValueError):
    """The text is broken: Lean cannot read it either; `position` is an offset in code points."""

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


class Reading(NamedTuple):
    """The tokens of a text. Lean may read it differently from offset `sure` on, which is the text's length if it cannot.

    `broken` is the reason why the tokens end before the text does. `documentation` is where documentation begins that nothing follows.
    """

    tokens: list[Token]
    sure: int
    broken: LexError | None = None
    documentation: int | None = None


def split_name(text: str) -> tuple[str, ...]:
    """Return the components of a name; a component in guillemets may contain dots and spaces."""
    if "«" not in text:
        return tuple(text.split("."))
    return tuple(match[2] or match[1] for match in _NAME_PART.finditer(text))


def tokens(source: str) -> list[Token]:
    """Return the tokens of `source` in order, in their likely reading.

    Raises LexError for an unclosed comment or string, and for characters that no Lean file contains. A line may end in CR LF, and the text
    may begin with a byte order mark.
    """
    reading = read(source)
    if reading.broken is not None:
        raise reading.broken
    return reading.tokens


def read(source: str) -> Reading:
    """Return the tokens of `source` in order and how far they are certain. Raises nothing."""
    if never := NEVER.search(source):
        what = "NUL" if never[0] == "\0" else f"half of a surrogate pair, U+{ord(never[0]):04X}"
        return Reading([], 0, LexError(f"the text contains {what}", never.start()))
    begin = len(_BOM) if source.startswith(_BOM) else 0
    unusual = _UNUSUAL.search(source, begin)
    reader = _Reader(source, unusual.start() if unusual else len(source))
    try:
        reader.run(begin)
    except LexError as error:
        reader.doubt(error.position)
        return Reading(reader.tokens, reader.sure, error)
    last = reader.tokens[-1].end if reader.tokens else 0
    return Reading(reader.tokens, reader.sure, None, reader.documented if reader.documented >= last else None)


def words_from(source: str, start: int) -> list[Token]:
    """Return all names, numbers and symbols from `start` on as if nothing there were a comment, a string or in guillemets.

    However Lean reads that text, no word that it sees is missing, except those behind letters that a symbol swallows.
    """
    found = []
    for match in _WORD.finditer(source, start):
        kind: TokenKind = "name" if match.lastgroup == "name" else "number" if match.lastgroup == "number" else "symbol"
        found.append(Token(kind, match[0], *match.span()))
    return found


class _Reader:
    """Tokens of a text read so far. From `sure` on, Lean may read the text differently."""

    def __init__(self, source: str, sure: int) -> None:
        self.source = source
        self.sure = sure
        self.documented = -1
        self.tokens: list[Token] = []

    def run(self, begin: int) -> None:
        """Read from `begin` to the end. Raises LexError for a comment or string that is not closed."""
        at: int | None = begin
        while at is not None:
            at = self._continue(at)

    def doubt(self, position: int) -> None:
        """Note that Lean may read the text differently from `position` on."""
        self.sure = min(self.sure, position)

    def _continue(self, at: int) -> int | None:
        """Add the tokens from `at` up to the next block comment or raw string; return where to continue, or None at the end."""
        source, add = self.source, self.tokens.append
        for match in _TOKEN.finditer(source, at):
            group = match.lastgroup
            if group is None:
                break
            start, end = match.span(group)
            if group == "raw":
                self._check_gap(start)
                end = _raw_string_end(source, start, end)
                add(Token("string", source[start:end], start, end))
                return end
            if group == "line" or group == "block":
                self._check_gap(start)
                if group == "block":
                    if source.startswith("/--", start):
                        self.documented = start
                    return _comment_end(source, start)
                continue
            if group == "open":
                raise LexError("a string is not closed", start)
            if group == "character":
                self._check_gap(start, "]")
            elif group == "odd" or group == "swallowing" or (group == "number" and _RUNS_ON.match(source, end)):
                self.doubt(start)
            elif group == "quote" or group == "symbol":
                self._check_symbol(group, start, end)
            add(Token(_KINDS.get(group, "symbol"), source[start:end], start, end))
        return None

    def _check_gap(self, start: int, also: str = "") -> None:
        """Doubt text directly after a symbol that a longer one could begin with: for Lean, `//-` is `//` and `-`, not a comment."""
        previous = self.tokens[-1] if self.tokens else None
        if previous is None or previous.end < start or previous.kind != "symbol":
            return
        if previous.text not in CLOSED_SYMBOLS or previous.text == also:
            self.doubt(previous.start)

    def _check_symbol(self, group: str, start: int, end: int) -> None:
        """Doubt a character that begins an unfinished token, and a quote after which Lean could continue elsewhere.

        Where `⁻¹'` is not a symbol, Lean reports an error two characters after the quote and continues from there.
        """
        text = self.source[start:end]
        if group == "quote":
            if not _SWALLOWED.isdisjoint(self.source[end : end + 2]):
                self.doubt(start)
        elif text in ("«", "'") or text in "0123456789" or not text.isprintable():
            self.doubt(start)


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
