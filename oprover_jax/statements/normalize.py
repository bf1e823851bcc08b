"""One normal form for statements that mean the same: what deduplication, decontamination and statement ids are made of.

Removed: comments, white space, the theorem's name, the ending `:= by sorry`. Made equal: ASCII and Unicode spellings, grouped and
single binders, and names of bound variables (of the signature, of ∀, ∃, fun), which are numbered in order of appearance. A name that
is not seen to be bound is kept, so two different statements never get one normal form by renaming.
"""

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache

_NAME = r"(?:«[^»]*»|[^\W\d][\w'!?₀-₉ₐ-ₜ]*)"
_TOKEN = re.compile(
    rf"""
      "(?:\\.|[^"\\])*"
    | '(?:\\.[^']*|[^'\\])'
    | \d[\w.]*
    | {_NAME}(?:\.{_NAME})*
    | :=|<->|->|=>|<=|>=|/\\|\\/|≠|::|\+\+|==|!=|&&|\|\||\$>|<\||\|>|[^\s]
    """,
    re.VERBOSE,
)
_COMMENT_OR_STRING = re.compile(r'--[^\n]*|/-|"(?:\\.|[^"\\])*(?:"|$)', re.DOTALL)
_NESTING = re.compile(r"/-|-/")
_SPELLING = {"->": "→", "<->": "↔", "/\\": "∧", "\\/": "∨", "<=": "≤", ">=": "≥", "λ": "fun", "↦": "=>", "Π": "∀"}
_OPEN = {"(": ")", "[": "]", "{": "}", "⟨": "⟩", "⦃": "⦄"}
_CLOSE = set(_OPEN.values())
_GROUPS = set("({⦃[")
_BINDERS = {"∀": ",", "∃": ",", "fun": "=>"}
_DECLARATION = {"theorem", "lemma", "example"}
_DEFINING = {"def", "abbrev", "instance", "structure", "inductive", "class", "axiom", "opaque", "variable", "notation", "local", "macro"}
is_name = re.compile(rf"(?!(?:in|ᶠ)$)(?:{_NAME}|_)").fullmatch


def strip_comments(text: str) -> str:
    """`text` with line comments and nested block comments replaced by a space; string literals are left alone."""
    if "--" not in text and "/-" not in text:
        return text
    out, index = [], 0
    while found := _COMMENT_OR_STRING.search(text, index):
        if found[0] != "/-":
            out.append(text[index : found.start() if found[0].startswith("--") else found.end()])
            index = found.end()
            continue
        out.append(text[index : found.start()])
        depth, index = 1, found.end()
        while depth and (edge := _NESTING.search(text, index)):
            depth, index = depth + (1 if edge[0] == "/-" else -1), edge.end()
        if depth:
            return "".join(out)
        out.append(" ")
    return "".join([*out, text[index:]])


def tokens(text: str) -> list[str]:
    """Lean tokens of `text` without comments, in their Unicode spelling."""
    spelling = _SPELLING.get
    return [spelling(word, word) for word in _TOKEN.findall(strip_comments(text))]


def normalise(formal: str, header: str = "") -> str:
    """The normal form of a declaration, after the tokens of its header (which is never renamed: later lines refer to it)."""
    context, words = _split(tokens(formal))
    signature = _Renamer(words).signature()
    before = _joined_tokens(header)
    return " ".join([*([before] if before else []), *context, *(["⊢"] if before or context else []), *signature])


def signature_words(formal: str) -> list[str]:
    """The tokens of a declaration after its name, without the ending; names of variables as they are."""
    return _split(tokens(formal))[1]


def context_words(formal: str, header: str = "") -> list[str]:
    """The tokens of the header, and of what the declaration's own text defines before it."""
    return [*tokens(header), *_split(tokens(formal))[0]]


def statement_id(formal: str, header: str = "") -> str:
    """16 hexadecimal digits of the hash of the normal form."""
    return short_hash(normalise(formal, header))


def proof_id(statement: str, proof: str) -> str:
    """16 hexadecimal digits of the hash of the id of a statement and the tokens of a proof of it, with or without its `:=`."""
    words = tokens(proof)
    return short_hash(" ".join([statement, *words[words[:1] == [":="] :]]))


def short_hash(text: str) -> str:
    """16 hexadecimal digits of the SHA-256 of `text`."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@lru_cache(maxsize=1024)
def _joined_tokens(header: str) -> str:
    """Remembered, because thousands of statements have the same header."""
    return " ".join(tokens(header))


def _split(words: list[str]) -> tuple[list[str], list[str]]:
    """What a declaration needs and defines itself before it begins (attributes and modifiers are not that), and its signature."""
    for ending in (["by", "sorry"], ["sorry"]):
        if words[-len(ending) :] == ending:
            words = words[: -len(ending)]
            break
    words = words[:-1] if words and words[-1] == ":=" else words
    for index, word in enumerate(words):
        if word in _DECLARATION:
            named = word != "example" and index + 1 < len(words)
            before = words[:index]
            return before if _DEFINING.intersection(before) else [], words[index + 1 + named :]
    return [], words


def closing_brackets(words: Sequence[str]) -> dict[int, int]:
    """For the index of each bracket that is closed, the index of the bracket that closes it; kinds of brackets are not compared."""
    closes: dict[int, int] = {}
    waiting: list[int] = []
    for index, word in enumerate(words):
        if word in _OPEN:
            waiting.append(index)
        elif word in _CLOSE and waiting:
            closes[waiting.pop()] = index
    return closes


class _Renamer:
    """Numbers bound names in order of appearance; `#n` is no Lean identifier, so a number never meets a free name.

    A term is a range of indices: binders in it reach to its end, and a bracket that nothing closes does too.
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.closes = closing_brackets(words)
        self.bound = 0

    def signature(self) -> list[str]:
        """Binder groups up to the colon, then the goal."""
        scope: dict[str, str] = {}
        out: list[str] = []
        index, stop = 0, len(self.words)
        while index < stop and self.words[index] in _OPEN:
            end = self._end(index, stop)
            for group in self._group(self.words[index], index + 1, end, self.words[end], scope):
                out += group
            index = end + 1
        return out + self._body(index, stop, scope)

    def _end(self, index: int, stop: int) -> int:
        """Index of the bracket that closes the one at `index`; the last index of the term where none does."""
        return min(self.closes.get(index, stop - 1), stop - 1)

    def _body(self, index: int, stop: int, scope: dict[str, str]) -> list[str]:
        words = self.words
        out: list[str] = []
        while index < stop:
            word = words[index]
            if word in _OPEN:
                end = self._end(index, stop)
                if words[end] == _OPEN[word]:
                    out += [word, *self._body(index + 1, end, dict(scope)), words[end]]
                else:
                    out += words[index:stop]
                index = end + 1
            elif word in _BINDERS:
                index = self._binder(index, stop, scope, out)
            else:
                out.append(word if out and out[-1] == "." else _replace(word, scope))
                index += 1
        return out

    def _group(self, opening: str, start: int, end: int, closing: str, scope: dict[str, str]) -> list[list[str]]:
        """One binder group between brackets, split into one group for each name; an instance without a name is only renamed inside."""
        words = self.words
        colon = next((index for index in range(start, end) if words[index] == ":"), -1)
        names = words[start:colon] if colon >= 0 else words[start:end] if opening != "[" and opening in _GROUPS else []
        if not names or not all(map(is_name, names)):
            return [[opening, *self._body(start, end, dict(scope)), closing]]
        kind = [":", *renamed] if colon >= 0 and (renamed := self._body(colon + 1, end, dict(scope))) else []
        out = []
        for name in names:
            self.bound += name != "_"
            scope[name] = f"#{self.bound}" if name != "_" else "_"
            out.append([opening, scope[name], *kind, closing])
        return out

    def _binder(self, index: int, stop: int, scope: dict[str, str], out: list[str]) -> int:
        """`∀ x y : T,`, `∀ (x : T) y,`, `∃ x, `, `fun x =>`: bind, and return the index after the separator."""
        words = self.words
        word, separator = words[index], _BINDERS[words[index]]
        start, end, depth = index + 1, index + 1, 0
        while end < stop and (depth or words[end] != separator):
            depth += (words[end] in _OPEN) - (words[end] in _CLOSE)
            end += 1
        colon = next((at for at in range(start, end) if words[at] == ":"), end)
        groups: list[list[str]] = []
        if start < end and all(map(is_name, words[start:colon])):
            groups, start = self._group("(", start, end, ")", scope), end
        while start < end:
            if words[start] in _GROUPS:
                close = self._end(start, end)
                groups += self._group(words[start], start + 1, close, words[close], scope)
                start = close + 1
            elif is_name(words[start]):
                groups += self._group("(", start, start + 1, ")", scope)
                start += 1
            else:
                groups.append(self._body(start, end, scope))
                break
        for number, group in enumerate(groups, start=1):
            out += [word, *group] if number == len(groups) and end >= stop else [word, *group, separator]
        return end + 1


def _replace(word: str, scope: dict[str, str]) -> str:
    """A bound name, or a projection of one such as `h.left`."""
    if word in scope:
        return scope[word]
    if "." not in word:
        return word
    head, _, rest = word.partition(".")
    return f"{scope[head]}.{rest}" if head in scope else word
