"""Filter for whole files that are not trusted: what such a file may contain is decided by position and token, before Lean sees it.

Such a file carries its own statements, so a verdict can only cover what Lean reports about that text: that it contains theorems, that each
is proved, and from which axioms. The filter refuses what `filter_declarations` refuses in a candidate, except `sorry`, which a file may
contain. In addition it refuses what changes the meaning of a statement that stands there in full view: a candidate's statement is compared
with the given one, that of a file with nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lean_worker.lexer import Token, read
from lean_worker.proof_filter import COMMANDS, filter_declarations, live_tokens

# An instance can give `2 + 2` another value, and an included variable is a hypothesis that the theorem does not mention.
_CHANGES_STATEMENTS = frozenset({"instance", "default_instance", "include"})
_HOLE = "sorry"
_NAME = "hole_"  # has the length of `sorry`, and no rule is about it


@dataclass(frozen=True)
class FileRefusal:
    """Text that the filter refuses, and where it begins: lines count from 1, columns from 0."""

    line: int
    column: int
    rule: str


def filter_file(text: str, commands: frozenset[str] = COMMANDS, most: int = 1_000_000) -> tuple[FileRefusal, ...]:
    """Return what is refused in a file without imports; nothing if Lean may see it. Raises LexError if it is not valid Lean text.

    Args:
        text: the file.
        commands: the tokens that begin a command in the Lean version in use.
        most: maximum number of characters.
    """
    reading = read(text)
    if reading.broken is not None:
        raise reading.broken
    token_list, certain = live_tokens(reading, text)
    if not token_list:
        return ()
    refusal = filter_declarations(_without_holes(text, token_list[:certain]), commands, most=most)
    rule = "" if refusal is None else refusal.rule.replace(" in a candidate", " in a file that is not trusted")
    found = [] if refusal is None else [FileRefusal(refusal.line, refusal.column, rule)]
    return (*found, *_changes(text, token_list))


def _without_holes(text: str, token_list: list[Token]) -> str:
    parts, at = [], 0
    for token in token_list:
        if token.text == _HOLE:
            parts += [text[at : token.start], _NAME]
            at = token.end
    return "".join([*parts, text[at:]])


def _changes(text: str, token_list: list[Token]) -> Iterator[FileRefusal]:
    """Yield a refusal for each word that can change what a statement means."""
    line, start = 1, 0
    for token in token_list:
        if token.kind == "name" and token.text in _CHANGES_STATEMENTS:
            line += text.count("\n", start, token.start)
            start = token.start
            rule = f"`{token.text}` can change what a statement means, so it is not allowed in a file that is not trusted"
            yield FileRefusal(line, token.start - (text.rfind("\n", 0, token.start) + 1), rule)
