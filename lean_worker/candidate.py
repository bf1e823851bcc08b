"""Parser for a prover's answer: helper declarations, and the proof that follows our own statement."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from lean_worker.lexer import LexError, Token, tokens
from lean_worker.proof_filter import COMMANDS, MAX_PROOF_LENGTH, filter_proof
from lean_worker.statement import StatementError, split_statement

MAX_CANDIDATE_LENGTH = 2 * MAX_PROOF_LENGTH

_TARGETS = frozenset({"theorem", "lemma", "example"})
_HELPERS = frozenset({"theorem", "lemma", "def"})
_MODIFIERS = frozenset({"private", "protected", "noncomputable", "nonrec"})
_LIMITS = frozenset({"maxHeartbeats", "maxRecDepth"})
_OPENING, _CLOSING = frozenset("([{⟨"), frozenset(")]}⟩")


@dataclass(frozen=True)
class Candidate:
    """A parsed answer: `body` follows `:=` or begins with `|`; `helpers` are declarations before the statement, each at a line start."""

    body: str
    helpers: str = ""


class Refused(ValueError):
    """The candidate must not be passed to Lean; the message gives the reason."""


@dataclass(frozen=True)
class _Stated:
    """Tokens of a statement after its name, and the names that it uses."""

    tokens: tuple[str, ...] = ()
    names: frozenset[str] = frozenset()


def read_candidate(text: str, helpers_permitted: bool, statement: str | None = None, commands: frozenset[str] = COMMANDS) -> Candidate:
    """Return a proof unchanged, or reduce a whole declaration to its proof: its statement is ignored in favour of ours.

    Args:
        text: the prover's answer; declarations before the last one are helpers.
        helpers_permitted: whether helpers are allowed.
        statement: the statement to be proved. If the answer restates it, the proof is what follows the restatement.
        commands: the tokens that begin a command in the Lean version in use.

    Raises:
        Refused: the proof filter refuses the proof or a helper, helpers are not permitted, or the text has more than
            MAX_CANDIDATE_LENGTH characters, in which case it is not parsed.
    """
    if len(text) > MAX_CANDIDATE_LENGTH:
        raise Refused(f"the proof with its declarations is longer than {MAX_CANDIDATE_LENGTH} characters")
    stated = _stated(statement)
    try:
        candidate = _split(text, stated)
        helpers = _declarations(candidate.helpers)
    except LexError as error:
        raise Refused(str(error)) from error
    if candidate.helpers.strip() and not helpers_permitted:
        raise Refused("helper declarations are not allowed in this check")
    refused = filter_proof(candidate.body, commands, stated.names)
    for keyword, name, rest in helpers:
        refused = refused or _helper_reason(keyword, name, rest, commands)
    if refused:
        raise Refused(refused)
    return candidate


def split_candidate(text: str, statement: str | None = None) -> Candidate:
    """Split the text without checking it. Raises LexError if it is not valid Lean text."""
    return _split(text, _stated(statement))


def _stated(statement: str | None) -> _Stated:
    if statement is None:
        return _Stated()
    try:
        token_list = tokens(split_statement(statement).after)
    except (StatementError, LexError):
        return _Stated()
    return _Stated(tuple(token.text for token in token_list), frozenset(token.text for token in token_list if token.kind == "name"))


def _split(text: str, stated: _Stated) -> Candidate:
    text = text.replace("\r\n", "\n")
    token_list = tokens(text)
    keywords = [index for index, token in enumerate(token_list) if token.kind == "name" and token.text in _TARGETS | _HELPERS]
    if not keywords or token_list[keywords[-1]].text not in _TARGETS:
        return Candidate(text)
    lists = _attribute_lists(token_list)
    target = keywords[-1]
    opening = _restated_end(token_list, target, stated.tokens) or _proof_start(token_list[target:])
    if opening is None or _head(token_list, keywords[0], lists) != 0:
        return Candidate(text)
    helpers = _helpers(text, token_list, [*keywords[:-1], _head(token_list, target, lists)]) if len(keywords) > 1 else ""
    return Candidate(text[opening.start :], helpers)


def _attribute_lists(token_list: Sequence[Token]) -> dict[int, int]:
    """Map each bracket that closes an attribute list to the bracket that opens it."""
    lists: dict[int, int] = {}
    opened: list[int] = []
    for index, token in enumerate(token_list):
        if token.text in ("@[", "["):
            opened.append(index)
        elif token.text == "]" and opened and token_list[opening := opened.pop()].text == "@[":
            lists[index] = opening
    return lists


def _head(token_list: Sequence[Token], keyword: int, lists: dict[int, int]) -> int:
    """Return where the declaration of a keyword begins, including the attributes, modifiers and limits before it."""
    at = keyword
    while at:
        option = [token.text for token in token_list[max(0, at - 4) : at]]
        if at - 1 in lists:
            at = lists[at - 1]
        elif token_list[at - 1].text in _MODIFIERS:
            at -= 1
        elif len(option) == 4 and option[0] == "set_option" and option[1] in _LIMITS and option[2].isdecimal() and option[3] == "in":
            at -= 4
        else:
            break
    return at


def _restated_end(token_list: Sequence[Token], keyword: int, stated: Sequence[str]) -> Token | None:
    """Return the `:=` or `|` after a declaration that repeats the statement token by token."""
    begin = keyword + (1 if token_list[keyword].text == "example" else 2)
    end = begin + len(stated)
    if not stated or end >= len(token_list) or token_list[end].text not in (":=", "|"):
        return None
    return token_list[end] if all(token.text == text for token, text in zip(token_list[begin:end], stated, strict=True)) else None


def _proof_start(token_list: Sequence[Token]) -> Token | None:
    """Return the first `:=` or `|` outside brackets."""
    depth = 0
    for token in token_list:
        depth += (token.text in _OPENING or token.text == "@[") - (token.text in _CLOSING)
        if depth == 0 and token.text in (":=", "|"):
            return token
    return None


def _helpers(text: str, token_list: Sequence[Token], heads: Sequence[int]) -> str:
    """Return the text before the last head, with the documentation before each head blanked."""
    parts, at = [], 0
    for head in heads:
        begin, end = token_list[head - 1].end if head else 0, token_list[head].start
        gap = text[begin:end]
        parts += [text[at:begin], re.sub(r"[^\n]", " ", gap) if "/--" in gap or "/-!" in gap else gap]
        at = end
    return "".join(parts)


def _declarations(text: str) -> list[tuple[Token | None, Token | None, str]]:
    """Return keyword, name and rest of each helper, preceded by the text before the first one, if any."""
    token_list = tokens(text)
    starts = [index for index, token in enumerate(token_list) if token.kind == "name" and token.text in _TARGETS | _HELPERS]
    ends = [*(token_list[index].start for index in starts[1:]), len(text)]
    out: list[tuple[Token | None, Token | None, str]] = []
    if token_list and starts[:1] != [0]:
        out.append((None, None, text[: token_list[starts[0]].start if starts else len(text)]))
    for index, end in zip(starts, ends, strict=True) if starts else ():
        out.append((token_list[index], token_list[index + 1] if index + 1 < len(token_list) else None, text[token_list[index].end : end]))
    return out


def _helper_reason(keyword: Token | None, name: Token | None, rest: str, commands: frozenset[str]) -> str | None:
    if keyword is not None and keyword.text not in _HELPERS:
        return f"`{keyword.text}` cannot be a helper; use theorem, lemma or def"
    if name is not None and "_root_" in name.parts:
        return f"`{name.text}` cannot be the name of a helper; remove `_root_`"
    return filter_proof(rest, commands)
