"""Lean statements as the tokens that retrieval compares: comments and the theorem's name gone, variables numbered."""

import re
from collections.abc import Iterable
from itertools import pairwise

_TOKEN = re.compile(
    r"""
      "(?:[^"\\]|\\.)*"                                           # string
    | «[^»]*»                                                     # quoted identifier
    | [^\W\d][\w'!?₀-₉]*                                          # identifier component
    | \.(?=[^\W\d]) [\w'!?₀-₉]+                                   # field or later component, its dot included
    | \d+(?:\.\d+)?
    | <->|->|<-|=>|:=|<=|>=|!=|==|/\\|\\/|&&|\|\||\+\+|::|<\|>|\|>|<\||\.\.
    | \S
    """,
    re.VERBOSE,
)
_COMMENT_EDGE = re.compile(r"/-|-/|--[^\n]*")
_ASCII_SPELLING = {"->": "→", "<-": "←", "<->": "↔", "<=": "≤", ">=": "≥", "/\\": "∧", "\\/": "∨", "λ": "fun", "lemma": "theorem"}
_BINDER_OPEN = frozenset("({[⦃")
_BINDER_WORDS = frozenset(["∀", "∃", "∃!", "fun", "Σ", "let", "have"])
_KEYWORDS = frozenset(["theorem", "example", "def", "by", "if", "then", "else", "match", "with", "in", "do"]) | _BINDER_WORDS
_SHORT_NAME = re.compile(r"[a-zα-ω][0-9₀-₉']*\Z")


def strip_comments(source: str) -> str:
    """`source` with line comments and nested block comments replaced by one space; string literals are not looked into."""
    kept, depth, start = [], 0, 0
    for edge in _COMMENT_EDGE.finditer(source):
        if depth == 0 and edge.group() != "-/":
            kept.append(source[start : edge.start()])
            start = edge.end()
            depth = 1 if edge.group() == "/-" else 0
        elif edge.group() == "/-":
            depth += 1
        elif edge.group() == "-/" and depth:
            depth -= 1
            start = edge.end()
    return " ".join(kept if depth else [*kept, source[start:]])


def tokenise(source: str) -> list[str]:
    """Lean tokens of `source` without comments; ASCII spellings become Unicode; `xs.length` is `xs`, `.length`."""
    return [_ASCII_SPELLING.get(token, token) for token in _TOKEN.findall(strip_comments(source))]


def statement_tokens(formal: str) -> list[str]:
    """Tokens of a declaration without its name and its `:= by sorry`, each variable replaced by `?0`, `?1`, ... in order of appearance.

    Two statements that differ only in the names of the theorem and of its variables give the same tokens. Variables are
    the names that a binder introduces and, since Lean binds them by itself, single letters with a subscript or prime.
    """
    tokens = tokenise(formal)
    if tokens[-3:] == [":=", "by", "sorry"] or tokens[-2:] == [":=", "sorry"]:
        tokens = tokens[: -3 if tokens[-2] == "by" else -2]
    for at, token in enumerate(tokens):
        if token in ("theorem", "example", "def"):
            end = at + 1
            while token != "example" and end < len(tokens) and (end == at + 1 or tokens[end].startswith(".")):
                end += 1
            tokens = tokens[:at] + tokens[end:]
            break
    variables = _bound_names(tokens)
    numbers: dict[str, str] = {}
    return [numbers.setdefault(t, f"?{len(numbers)}") if t in variables else t for t in tokens]


def _bound_names(tokens: list[str]) -> frozenset[str]:
    bound = {t for t in tokens if _SHORT_NAME.match(t)}
    for at, token in enumerate(tokens):
        if token in _BINDER_OPEN or token in _BINDER_WORDS:
            end = at + 1
            while end < len(tokens) and _is_name(tokens[end]):
                end += 1
            # A bracket binds only where a colon follows; otherwise it groups an expression.
            if token in _BINDER_WORDS or (end < len(tokens) and tokens[end] == ":"):
                bound.update(tokens[at + 1 : end])
    return frozenset(bound)


def _is_name(token: str) -> bool:
    return (token[0].isalpha() or token[0] in "_«") and token not in _KEYWORDS


def ngrams(tokens: list[str]) -> Iterable[str]:
    """Unigrams and bigrams with numbered variables, and bigrams in which all variables are one: near for statements alike in shape."""
    shape = ["?" if t[0] == "?" and len(t) > 1 else t for t in tokens]
    yield from tokens
    yield from (f"{a} {b}" for a, b in pairwise(tokens))
    yield from (f"~{a} {b}" for a, b in pairwise(shape))
