"""What a prover sent, taken apart: helper declarations, and the proof that will stand behind our own statement."""

from dataclasses import dataclass

from lean_worker.lexer import LexError, Token, tokens
from lean_worker.screen import MAX_PROOF_LENGTH, screen

MAX_CANDIDATE_LENGTH = 2 * MAX_PROOF_LENGTH

_TARGETS = frozenset({"theorem", "lemma", "example"})
_HELPERS = frozenset({"theorem", "lemma", "def"})
_OPENING, _CLOSING = frozenset("([{⟨"), frozenset(")]}⟩")


@dataclass(frozen=True)
class Candidate:
    """`body` follows `:=` or begins with `|`; `helpers` are whole declarations that stand before the statement, each at the margin."""

    body: str
    helpers: str = ""


class Refused(ValueError):
    """The candidate may not be shown to Lean; the text says why."""


def read_candidate(text: str, helpers_permitted: bool) -> Candidate:
    """A proof as it is, or a whole declaration cut down to what proves it: its statement is ignored in favour of ours.

    Declarations before the last one are helpers. Raises Refused for what the screen refuses, for helpers where none are permitted, and
    for more than MAX_CANDIDATE_LENGTH characters, which are not even read.
    """
    if len(text) > MAX_CANDIDATE_LENGTH:
        raise Refused(f"proof and declarations around it are longer than {MAX_CANDIDATE_LENGTH} characters")
    try:
        candidate = split_candidate(text)
    except LexError as error:
        raise Refused(str(error)) from error
    if candidate.helpers and not helpers_permitted:
        raise Refused("declarations besides the theorem are not allowed in this check")
    refused = screen(candidate.body)
    for keyword, rest in _declarations(candidate.helpers):
        if keyword not in _HELPERS:
            refused = refused or f"`{keyword}` cannot be a helper; theorem, lemma and def can"
        refused = refused or screen(rest)
    if refused:
        raise Refused(refused)
    return candidate


def split_candidate(text: str) -> Candidate:
    """Takes the text apart without judging it. Raises LexError for what is no Lean text."""
    found = tokens(text)
    starts = [i for i, token in enumerate(found) if _at_margin(text, token) and token.kind == "name"]
    if not found or found[0].text not in _TARGETS | _HELPERS or not starts or found[starts[-1]].text not in _TARGETS:
        return Candidate(text)
    last = found[starts[-1]]
    opening = _proof_start(found[starts[-1] :])
    if opening is None:
        return Candidate(text)
    return Candidate(text[opening.start :], text[: last.start])


def _declarations(text: str) -> list[tuple[str, str]]:
    """Keyword and rest of each declaration at the margin."""
    starts = [token for token in tokens(text) if _at_margin(text, token)]
    ends = [*(token.start for token in starts), len(text)][1:]
    return [(token.text, text[token.end : end]) for token, end in zip(starts, ends, strict=True)]


def _at_margin(text: str, token: Token) -> bool:
    return token.start == 0 or text[token.start - 1] == "\n"


def _proof_start(found: list[Token]) -> Token | None:
    """The first `:=` or `|` outside brackets."""
    depth = 0
    for token in found:
        depth += (token.text in _OPENING or token.text == "@[") - (token.text in _CLOSING)
        if depth == 0 and token.text in (":=", "|"):
            return token
    return None
