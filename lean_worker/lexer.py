"""A lexer for Lean source that would rather refuse than guess.

Where Lean's own rule is wider than ours (exotic letters in identifiers) the text is split into more tokens than Lean sees, never fewer,
so that no keyword can hide inside what is taken for a name.
"""

from dataclasses import dataclass
from typing import Literal

TokenKind = Literal["name", "number", "string", "character", "symbol"]

_ESCAPES = frozenset("\\\"'rnt")
_PAIRED_SYMBOLS = (":=", "=>", "@[", "/-", "-/")


class LexError(ValueError):
    """The text holds something this lexer does not understand; `position` is its offset in code points."""

    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.position = position


@dataclass(frozen=True)
class Token:
    """One token and where it stands: `text` is `source[start:end]`. Comments are no tokens."""

    kind: TokenKind
    text: str
    start: int
    end: int

    @property
    def parts(self) -> tuple[str, ...]:
        """The components of a name, guillemets removed; of anything else its text."""
        return _split_name(self.text) if self.kind == "name" else (self.text,)


def _starts_name(character: str) -> bool:
    if character.isascii():
        return character.isalpha() or character == "_"
    return ("α" <= character <= "ω" and character != "λ") or ("Α" <= character <= "Ω" and character not in "ΠΣ")


def _continues_name(character: str) -> bool:
    return _starts_name(character) or character in "'!?" or character in "0123456789" or "₀" <= character <= "₉"


def _split_name(text: str) -> tuple[str, ...]:
    parts, at = [], 0
    while at < len(text):
        if text[at] == "«":
            end = text.index("»", at)
            parts.append(text[at + 1 : end])
            at = end + 2
        else:
            end = text.find(".", at)
            end = len(text) if end < 0 else end
            parts.append(text[at:end])
            at = end + 1
    return tuple(parts)


def _comment_end(source: str, start: int) -> int:
    depth, at = 0, start
    while at < len(source):
        pair = source[at : at + 2]
        if pair == "/-":
            depth, at = depth + 1, at + 2
        elif pair == "-/":
            depth, at = depth - 1, at + 2
            if depth == 0:
                return at
        else:
            at += 1
    raise LexError("a comment is not closed", start)


def _name_part_end(source: str, start: int) -> int:
    """End of one component of a name, or `start` where none begins."""
    if start < len(source) and source[start] == "«":
        end = source.find("»", start)
        if end < 0 or "\n" in source[start:end]:
            raise LexError("a « is not closed", start)
        return end + 1
    if start == len(source) or not _starts_name(source[start]):
        return start
    end = start + 1
    while end < len(source) and _continues_name(source[end]):
        end += 1
    return end


def _name_end(source: str, start: int) -> int:
    end = _name_part_end(source, start)
    while end < len(source) and source[end] == "." and (further := _name_part_end(source, end + 1)) > end + 1:
        end = further
    return end


def _string_end(source: str, start: int) -> int:
    at = start + 1
    while at < len(source):
        if source[at] == '"':
            return at + 1
        if source[at] == "\\":
            if source[at + 1 : at + 2] not in _ESCAPES:
                raise LexError("a string holds an escape other than \\\\ \\\" \\' \\n \\r \\t", at)
            at += 1
        at += 1
    raise LexError("a string is not closed", start)


def _character_end(source: str, start: int) -> int:
    body = 2 if source[start + 1 : start + 2] == "\\" else 1
    end = start + body + 1
    if source[end : end + 1] != "'" or source[start + 1] in "'\n":
        raise LexError("a single quote begins no character literal", start)
    return end + 1


def tokens(source: str) -> list[Token]:
    """The tokens of `source` in order. Raises LexError for what is not understood, unclosed comments and strings among it."""
    found: list[Token] = []
    at = 0
    while at < len(source):
        character = source[at]
        if character in " \n\t":
            at += 1
            continue
        if not character.isprintable() or "\ud800" <= character <= "\udfff":
            raise LexError(f"the character U+{ord(character):04X} is not allowed", at)
        if source.startswith("--", at):
            newline = source.find("\n", at)
            at = len(source) if newline < 0 else newline
            continue
        if source.startswith("/-", at):
            at = _comment_end(source, at)
            continue
        kind: TokenKind = "symbol"
        end = at + (2 if source.startswith(_PAIRED_SYMBOLS, at) else 1)
        if (name_end := _name_end(source, at)) > at:
            kind, end = "name", name_end
            if source[end : end + 1] == '"':
                raise LexError("a string with a prefix is not understood", at)
        elif character in "0123456789":
            kind = "number"
            while end < len(source) and source[end] in "0123456789":
                end += 1
            if end < len(source) and _continues_name(source[end]):
                raise LexError("a number runs into a name", at)
        elif character == '"':
            kind, end = "string", _string_end(source, at)
        elif character == "'":
            kind, end = "character", _character_end(source, at)
        found.append(Token(kind, source[at:end], at, end))
        at = end
    return found
