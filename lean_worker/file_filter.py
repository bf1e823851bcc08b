"""Filter for whole files that are not trusted: an allow-list of commands, applied before Lean sees the text.

Such a file carries its own statements, so a verdict can only cover what Lean reports about that text: that it contains theorems, that each
is proved, and from which axioms. What the filter refuses could run code while Lean elaborates (syntax, attributes, commands that begin
with `#`), switch the kernel off (options), or change what a statement means that stands there in full view (instances, `include`).
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lean_worker.lexer import Token, tokens
from lean_worker.proof_filter import COMMANDS, filter_proof

_THEOREMS = frozenset({"theorem", "lemma", "example"})
_PLAIN = "def abbrev open namespace section end mutual variable variables universe universes noncomputable private protected nonrec"
_COMMANDS = frozenset(_PLAIN.split())
_OPTIONS = frozenset({"maxHeartbeats", "maxRecDepth", "autoImplicit", "relaxedAutoImplicit"})


@dataclass(frozen=True)
class FileRefusal:
    """A command that the filter refuses, and where it begins: lines count from 1, columns from 0."""

    line: int
    column: int
    rule: str


def filter_file(text: str, commands: frozenset[str] = COMMANDS) -> tuple[FileRefusal, ...]:
    """Return what is refused in a file without imports; nothing if Lean may see it. Raises LexError if it is not valid Lean text.

    Args:
        text: the file.
        commands: the tokens that begin a command in the Lean version in use.
    """
    return tuple(_refusals(text, tokens(text), commands))


def _refusals(text: str, token_list: Sequence[Token], commands: frozenset[str]) -> Iterator[FileRefusal]:
    """Yield a refusal for each piece, from one line that begins at the margin to the next, with a token that is not allowed."""
    starts = [0, *(token.start for token in token_list if token.start and text[token.start - 1] == "\n"), len(text)]
    lines = [0, *(match.end() for match in re.finditer("\n", text))]
    bare = _without_allowed(text, token_list)
    for start, end in pairwise(starts):
        reason = filter_proof(bare[start:end], commands) if bare[start:end].strip() else None
        if reason:
            first = start + len(text[start:end]) - len(text[start:end].lstrip())
            line = bisect_right(lines, first)
            rule = str(reason).replace(" in a proof", " in a file that is not trusted").replace("the proof", "a command")
            yield FileRefusal(line, first - lines[line - 1], rule)


def _without_allowed(text: str, token_list: Sequence[Token]) -> str:
    """Return the text with comments and allowed tokens blanked and everything else in place."""
    bare = [character if character == "\n" else " " for character in text]
    for at, token in enumerate(token_list):
        option = token.text == "set_option" and _harmless_option(token_list[at + 1 : at + 3])
        allowed = token.text in _THEOREMS or token.text in _COMMANDS or token.text == "sorry"
        if not option and not (token.kind == "name" and allowed):
            bare[token.start : token.end] = text[token.start : token.end]
    return "".join(bare)


def _harmless_option(following: Sequence[Token]) -> bool:
    if len(following) < 2 or following[0].text not in _OPTIONS:
        return False
    value = following[1].text
    return value in ("true", "false") if following[0].text.endswith("mplicit") else value.isdigit() and int(value) > 0
