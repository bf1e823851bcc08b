"""Splitting of an untrusted Lean file into checks that the pool can vouch for.

Such a file carries its own statements, so a verdict can only cover what Lean reports about that text: that it contains theorems, that each
is proved, and from which axioms. The text is therefore restricted by an allow-list before Lean sees it: theorems, plain definitions,
namespaces, sections, variables, `open` and a few options. Anything that could forge Lean's output (syntax, attributes, instances, inductive
types, commands that begin with `#`, axioms) is refused with an error message, and so is a file that proves nothing.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import msgspec

from lean_worker.errors import LeanWorkerError
from lean_worker.lexer import LexError, Token, tokens
from lean_worker.proof_filter import filter_proof
from lean_worker.protocol import Check, Message, Verdict
from lean_worker.service.kimina_wire import Position, ReplMessage, Sorry
from lean_worker.source import Declaration, SourceError, declarations
from lean_worker.statement import split_imports

_THEOREMS = frozenset({"theorem", "lemma", "example"})
_PLAIN = "def abbrev open namespace section end variable variables universe universes noncomputable private protected nonrec"
_COMMANDS = frozenset(_PLAIN.split())
_OPTIONS = frozenset({"maxHeartbeats", "maxRecDepth", "autoImplicit", "relaxedAutoImplicit"})
_PRELUDE = re.compile(r"\s*prelude(?=\s)")


class Unreadable(LeanWorkerError):
    """The text cannot be split into theorems, so there is no verdict; the message gives the reason."""


@dataclass(frozen=True)
class Snippet:
    """A snippet split into theorems.

    `refused`: what the allow-list refuses. `trailing`: text follows the last theorem. `complete`: every theorem was parsed.
    """

    text: str
    theorems: tuple[Declaration, ...]
    refused: tuple[ReplMessage, ...]
    sorries: tuple[Sorry, ...]
    trailing: bool
    complete: bool

    def whole(self) -> Check:
        """Return a check that the whole text elaborates, with Lean's errors at their positions. Its verdict covers no proof."""
        return Check("whole", "theorem end_of_snippet : True := by sorry", "trivial", self.text)

    def audits(self) -> list[Check]:
        """Return each theorem as a check: statement, proof, and the text before it as header."""
        return [theorem.check() for theorem in self.theorems]


def take_apart(code: str, provided: Callable[[str], bool], most: int, most_before: int) -> Snippet:
    """Split a snippet into theorems.

    Args:
        code: the Lean file.
        provided: returns whether the backend provides a module.
        most: maximum number of theorems.
        most_before: maximum number of characters before each theorem, summed over the theorems.

    Raises:
        Unreadable: a limit is exceeded, an import is not provided, or the text cannot be parsed.
    """
    text = code.replace("\r\n", "\n")
    if prelude := _PRELUDE.match(text):
        text = " " * len("prelude") + text[: prelude.end() - len("prelude")] + text[prelude.end() :]
    modules, body = split_imports(text)
    missing = [module for module in modules if not provided(module)]
    if missing:
        raise Unreadable(f"module {missing[0]} is not provided here; remove the line `import {missing[0]}` or use another service")
    try:
        token_list = tokens(body)
        theorems = declarations(body, "the snippet", most + 1)
    except (LexError, SourceError) as error:
        raise Unreadable(f"cannot split the snippet into theorems: {error}") from error
    if len(theorems) > most:
        raise Unreadable(f"the snippet contains more than {most} theorems; split it")
    before = sum(theorem.header_end for theorem in theorems)
    if before > most_before:
        raise Unreadable(f"the text before each theorem sums to {before} characters, more than {most_before}; split the snippet")
    last = theorems[-1].end if theorems else 0
    holes = [token for token in token_list if token.kind == "name" and token.text == "sorry"]
    position = _Positions(body)
    return Snippet(
        text=text,
        theorems=tuple(_own_check(theorem, text) for theorem in theorems),
        refused=tuple(_refused(body, token_list, position)),
        sorries=tuple(Sorry(position(token.start), position(token.end)) for token in holes),
        trailing=any(token.start >= last for token in token_list),
        complete=len(theorems) == sum(token.kind == "name" and token.text in _THEOREMS for token in token_list),
    )


class _Positions:
    """Line and column of any offset in a text."""

    def __init__(self, text: str) -> None:
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def __call__(self, offset: int) -> Position:
        line = bisect_right(self._starts, offset)
        return Position(line, offset - self._starts[line - 1])


def lean_errors(snippet: Snippet, whole: Verdict) -> list[ReplMessage]:
    """Return the errors that Lean reports in the text, from the verdict of `Snippet.whole`."""
    if whole.kind != "statement":
        return []
    lines = snippet.text.rstrip("\n").count("\n") + 1
    moved = [_moved(message, lines, lines) for message in whole.messages]
    # `theorem` belongs to the closing check, after the end of the text
    return [msgspec.structs.replace(m, data=m.data.replace("unexpected token 'theorem'", "unexpected end of input", 1)) for m in moved]


def theorem_messages(snippet: Snippet, theorem: Declaration, verdict: Verdict) -> list[ReplMessage]:
    """Return Lean's messages about one theorem, plus an error if it depends on an axiom that is not allowed."""
    lines = snippet.text.rstrip("\n").count("\n") + 1
    messages = [_moved(message, theorem.line - 1, lines) for message in verdict.messages]
    if verdict.kind in ("axiom", "hole") and verdict.axioms:
        messages.append(error_at(snippet, theorem, f"`{theorem.name}` depends on axioms: {', '.join(verdict.axioms)}"))
    return messages


def error_at(snippet: Snippet, theorem: Declaration | None, text: str) -> ReplMessage:
    """Return an error of this service at a theorem, or at the beginning of the snippet."""
    place = Position(theorem.line if theorem else 1, 0)
    return ReplMessage("error", place, place, text)


def _moved(message: Message, by: int, last: int) -> ReplMessage:
    begin, end = (min(last, max(1, line + by)) for line in (message.line, message.end_line))
    severity = message.severity if message.severity != "information" else "info"
    return ReplMessage(severity, Position(begin, message.column), Position(end, message.end_column), message.text)


def _own_check(theorem: Declaration, text: str) -> Declaration:
    """Return the declaration with the imports back in its header. The harness adds its own line break before match alternatives."""
    statement = theorem.statement
    if theorem.proof.startswith("|"):
        statement = f"{statement.removesuffix(':= by sorry').rstrip()} := by sorry"
    return replace(theorem, text=text, statement=statement)


def _refused(body: str, token_list: Sequence[Token], position: _Positions) -> list[ReplMessage]:
    """Return an error for each command with a token that is not allowed; text at the start of a line begins a command."""
    starts = [0, *(token.start for token in token_list if token.start and body[token.start - 1] == "\n"), len(body)]
    bare = _without_allowed(body, token_list)
    out = []
    for start, end in pairwise(starts):
        reason = filter_proof(bare[start:end]) if bare[start:end].strip() else None
        if reason:
            text = reason.rule.replace("; a proof is one term or tactic block", ", which is not allowed in a snippet")
            first = start + len(body[start:end]) - len(body[start:end].lstrip())
            out.append(ReplMessage("error", position(first), position(end), text))
    return out


def _without_allowed(body: str, token_list: Sequence[Token]) -> str:
    """Return the text with comments and allowed tokens blanked and everything else in place."""
    bare = [character if character == "\n" else " " for character in body]
    for at, token in enumerate(token_list):
        option = token.text == "set_option" and _harmless_option(token_list[at + 1 : at + 3])
        allowed = token.text in _THEOREMS or token.text in _COMMANDS or token.text == "sorry"
        if not option and not (token.kind == "name" and allowed):
            bare[token.start : token.end] = body[token.start : token.end]
    return "".join(bare)


def _harmless_option(following: Sequence[Token]) -> bool:
    if len(following) < 2 or following[0].text not in _OPTIONS:
        return False
    value = following[1].text
    return value in ("true", "false") if following[0].text.endswith("mplicit") else value.isdigit() and int(value) > 0
