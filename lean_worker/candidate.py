"""Parser for a prover's answer: a bare proof, or whole declarations that restate the theorem, with helpers before it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from lean_worker.lexer import LexError, Token, split_name, tokens
from lean_worker.proof_filter import COMMANDS, MAX_PROOF_LENGTH, filter_proof
from lean_worker.statement import DECLARERS, Statement, blank, declared_name, documented_from, head, split_imports

MAX_CANDIDATE_LENGTH = 2 * MAX_PROOF_LENGTH

_DECLARES = DECLARERS | {"structure", "inductive", "class", "mutual"}
_BINDERS = frozenset({"let", "let_fun", "have", "letI", "haveI"})  # in a type, each has a `:=` of its own
_OPENING, _CLOSING = frozenset("([{⟨⦃"), frozenset(")]}⟩⦄")


@dataclass(frozen=True)
class Candidate:
    """A parsed answer.

    `body` is a proof: it follows `:=` or begins with `|`. `helpers` are the commands before the theorem that it proves. `verbatim` is the
    whole answer if it declares the theorem by the statement's own name: Lean then reads it as it is, and the types are compared; otherwise
    the proof is attached to the statement. `line` and `column` say where the proof stands in the answer, if that has declarations.
    """

    body: str
    helpers: str = ""
    verbatim: str = ""
    line: int = 0
    column: int = 0

    @property
    def attachable(self) -> bool:
        """Whether Lean is to read the answer as it is, but its proof could also be attached to the statement."""
        return bool(self.verbatim and self.body)

    @property
    def attached(self) -> "Candidate":
        """The same proof and helpers, but after our own statement."""
        return Candidate(self.body, self.helpers, "", self.line, self.column)


class Refused(ValueError):
    """The candidate must not be passed to Lean; the message gives the reason."""


def read_candidate(
    text: str,
    helpers_permitted: bool = True,
    statement: Statement | None = None,
    header: str = "",
    commands: frozenset[str] = COMMANDS,
) -> Candidate:
    """Return an answer, parsed.

    Args:
        text: the prover's answer.
        helpers_permitted: whether other declarations may precede the theorem.
        statement: the statement to be proved.
        header: what precedes the statement; the answer may repeat its commands, and these are blanked.
        commands: the tokens that begin a command in the Lean version in use.

    Raises:
        Refused: the filter refuses it, helpers are not permitted, or the text has more than MAX_CANDIDATE_LENGTH characters, in which case
            it is not parsed.
    """
    if len(text) > MAX_CANDIDATE_LENGTH:
        raise Refused(f"the proof with its declarations is longer than {MAX_CANDIDATE_LENGTH} characters")
    text = text.replace("\r\n", "\n").removeprefix("\ufeff")
    try:
        candidate = split_candidate(text, statement, header)
    except LexError:
        candidate = Candidate(text)
    if candidate.line == 0:
        refused = filter_proof(candidate.body, commands)
    else:
        if not helpers_permitted and _declares(candidate.helpers):
            raise Refused("helper declarations are not allowed in this check")
        refused = filter_declarations(candidate.verbatim or candidate.helpers + candidate.body, commands)
    if refused:
        raise Refused(str(refused))
    return candidate


def split_candidate(text: str, statement: Statement | None = None, header: str = "") -> Candidate:
    """Split an answer without checking it. Raises LexError if it is not valid Lean text."""
    token_list = tokens(text)
    keywords = [
        i for i, token in enumerate(token_list) if token.kind == "name" and token.text in DECLARERS and _begins(text, token_list, i)
    ]
    if not keywords:
        return Candidate(text)
    text = _without(split_imports(text)[1], statement, header)
    named = [i for i in keywords if statement is not None and _ends_alike(declared_name(text, token_list[i])[0], statement)]
    target = (named or keywords)[-1]
    opening = _proof_start(text, token_list, target, statement)
    if opening is None:
        return Candidate(text) if not named else Candidate("", "", text, 1, 0)
    begin = documented_from(text, token_list, head(token_list, target))
    end = documented_from(text, token_list, head(token_list, after)) if (after := _next(keywords, target)) is not None else len(text)
    return Candidate(
        body=text[opening.start : end].rstrip(),
        helpers=text[:begin] if text[:begin].strip() else "",
        verbatim=text if named and statement is not None and statement.named else "",
        line=text.count("\n", 0, opening.start) + 1,
        column=opening.start - (text.rfind("\n", 0, opening.start) + 1),
    )


def _next(keywords: Sequence[int], target: int) -> int | None:
    return next((i for i in keywords if i > target), None)


def _begins(text: str, token_list: Sequence[Token], at: int) -> bool:
    """Return whether a declaration begins here: its head stands at the beginning of a line, or of the text."""
    start = token_list[head(token_list, at)].start
    line = text[text.rfind("\n", 0, start) + 1 : start]
    return not line.strip() or line.rstrip().endswith("-/")


def _declares(text: str) -> bool:
    try:
        return any(token.kind == "name" and token.text in _DECLARES for token in tokens(text))
    except LexError:
        return True


def _ends_alike(name: str, statement: Statement) -> bool:
    parts = tuple(part for part in split_name(name) if part != "_root_") if name else ()
    shorter = min(len(parts), len(statement.parts))
    return shorter > 0 and parts[-shorter:] == statement.parts[-shorter:]


def _proof_start(text: str, token_list: Sequence[Token], keyword: int, statement: Statement | None) -> Token | None:
    """Return the `:=`, or the first match alternative, at which the proof of a declaration begins."""
    if statement is not None and (restated := _restated_end(text, token_list, keyword, statement)) is not None:
        return restated
    depth, owed = 0, 0
    for index in range(keyword + 1, len(token_list)):
        token = token_list[index]
        depth += (token.text in _OPENING or token.text == "@[") - (token.text in _CLOSING)
        if depth:
            continue
        if token.kind == "name" and token.text in _BINDERS:
            owed += 1
        elif token.text == ":=":
            if not owed:
                return token
            owed -= 1
        elif token.text == "|" and not owed and not text[text.rfind("\n", 0, token.start) + 1 : token.start].strip():
            before = token_list[index - 1].text
            if before != "with" and not _within_match(token_list, keyword, index):
                return token
    return None


def _within_match(token_list: Sequence[Token], keyword: int, at: int) -> bool:
    return any(token.kind == "name" and token.text == "match" for token in token_list[keyword:at])


def _restated_end(text: str, token_list: Sequence[Token], keyword: int, statement: Statement) -> Token | None:
    """Return the `:=` or `|` after a declaration that repeats the statement token by token."""
    end = declared_name(text, token_list[keyword])[1]
    begin = next((i for i in range(keyword, len(token_list)) if token_list[i].start >= end), len(token_list))
    stated = [token.text for token in tokens(statement.after)]
    at = begin + len(stated)
    if at >= len(token_list) or token_list[at].text not in (":=", "|"):
        return None
    return token_list[at] if [token.text for token in token_list[begin:at]] == stated else None


def _without(text: str, statement: Statement | None, header: str) -> str:
    """Blank the commands at the beginning of an answer that repeat those of the header or of the statement's context, in their order.

    Lean has read them already. A namespace or section is not blanked if it is closed before the statement, unless with all of its content.
    """
    ours = [_words(chunk) for part in (header, statement.context if statement else "") for chunk in _chunks(part)]
    ours = [chunk for chunk in ours if chunk]
    chunks = _chunks(text)
    opened = _scopes(ours)
    at, repeated = 0, 0
    matched: list[tuple[str, ...]] = []
    for number, chunk in enumerate(chunks, 1):
        if not (words := _words(chunk)):
            continue
        if words not in ours[at:]:
            break
        at = ours.index(words, at) + 1
        matched.append(words)
        if (within := _scopes(matched)) == opened[: len(within)]:
            repeated = number
    return "".join([*map(blank, chunks[:repeated]), *chunks[repeated:]])


def _words(chunk: str) -> tuple[str, ...]:
    return tuple(token.text for token in tokens(chunk))


def _scopes(commands: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return the namespaces and sections that are open after these commands."""
    scopes: list[tuple[str, ...]] = []
    for words in commands:
        if words[0] in ("namespace", "section") or words[:2] == ("noncomputable", "section"):
            scopes.append(words)
        elif words[0] == "end" and scopes:
            scopes.pop()
    return scopes


def _chunks(text: str) -> list[str]:
    """Split a text before each line that begins at the margin."""
    starts = [0, *(match.end() for match in re.finditer(r"\n(?=[^\s\-/|)}\]])", text)), len(text)]
    return [text[begin:end] for begin, end in pairwise(starts)]


def filter_declarations(text: str, commands: frozenset[str]) -> str | None:
    return None
