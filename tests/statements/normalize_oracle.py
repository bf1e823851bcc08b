"""The normal form written plainly, a character and a bracket at a time: slow, and what the fast one is compared with."""

import re
from collections.abc import Sequence

_TOKEN = re.compile(
    r"""
      (?P<string>"(?:\\.|[^"\\])*")
    | (?P<char>'(?:\\.[^']*|[^'\\])')
    | (?P<number>\d[\w.]*)
    | (?P<name>(?:«[^»]*»|[^\W\d][\w'!?₀-₉ₐ-ₜ]*)(?:\.(?:«[^»]*»|[^\W\d][\w'!?₀-₉ₐ-ₜ]*))*)
    | (?P<symbol>:=|<->|->|=>|<=|>=|/\\|\\/|≠|::|\+\+|==|!=|&&|\|\||\$>|<\||\|>|[^\s])
    """,
    re.VERBOSE,
)
_STRING = re.compile(r'"(?:\\.|[^"\\])*("|$)', re.DOTALL)
_SPELLING = {"->": "→", "<->": "↔", "/\\": "∧", "\\/": "∨", "<=": "≤", ">=": "≥", "λ": "fun", "↦": "=>", "Π": "∀"}
_OPEN = {"(": ")", "[": "]", "{": "}", "⟨": "⟩", "⦃": "⦄"}
_CLOSE = set(_OPEN.values())
_BINDERS = {"∀": ",", "∃": ",", "fun": "=>"}
_DECLARATION = {"theorem", "lemma", "example"}
_DEFINING = {"def", "abbrev", "instance", "structure", "inductive", "class", "axiom", "opaque", "variable", "notation", "local", "macro"}


def strip_comments(text: str) -> str:
    """`text` with line comments and nested block comments replaced by a space; string literals are left alone."""
    out, index, depth = [], 0, 0
    while index < len(text):
        pair = text[index : index + 2]
        if pair == "/-":
            depth, index = depth + 1, index + 2
        elif pair == "-/" and depth:
            depth, index = depth - 1, index + 2
            out.append(" ")
        elif depth:
            index += 1
        elif pair == "--":
            end = text.find("\n", index)
            index = len(text) if end < 0 else end
        elif text[index] == '"':
            literal = _STRING.match(text, index)
            out.append(literal[0] if literal else '"')
            index += len(out[-1])
        else:
            out.append(text[index])
            index += 1
    return "".join(out)


def tokens(text: str) -> list[str]:
    """Lean tokens of `text` without comments, in their Unicode spelling."""
    return [_SPELLING.get(found[0], found[0]) for found in _TOKEN.finditer(strip_comments(text))]


def normalise(formal: str, header: str = "") -> str:
    """The normal form of a declaration, after the tokens of its header (which is never renamed: later lines refer to it)."""
    context, words = _without_name(_without_ending(tokens(formal)))
    signature = _rename(words)
    before = [*tokens(header), *context]
    return " ".join([*before, "⊢", *signature] if before else signature)


def _without_ending(words: list[str]) -> list[str]:
    for ending in (["by", "sorry"], ["sorry"]):
        if words[-len(ending) :] == ending:
            words = words[: -len(ending)]
            break
    return words[:-1] if words and words[-1] == ":=" else words


def _without_name(words: list[str]) -> tuple[list[str], list[str]]:
    for index, word in enumerate(words):
        if word in _DECLARATION:
            named = word != "example" and index + 1 < len(words)
            return words[:index] if _DEFINING & set(words[:index]) else [], words[index + 1 + named :]
    return [], words


def _matching(words: Sequence[str], start: int) -> int:
    """Index of the bracket that closes the one at `start`; the last index where none does."""
    depth = 0
    for index in range(start, len(words)):
        depth += (words[index] in _OPEN) - (words[index] in _CLOSE)
        if depth == 0:
            return index
    return len(words) - 1


class _Renamer:
    """Numbers bound names in order of appearance; `#n` is no Lean identifier, so a number never meets a free name."""

    def __init__(self) -> None:
        self.bound = 0

    def fresh(self) -> str:
        self.bound += 1
        return f"#{self.bound}"

    def body(self, words: Sequence[str], scope: dict[str, str]) -> list[str]:
        """Rename in a term; binders reach to the end of `words`, which is one bracket's content."""
        out: list[str] = []
        index = 0
        while index < len(words):
            word = words[index]
            if word in _OPEN:
                end = _matching(words, index)
                out += [word, *self.body(words[index + 1 : end], dict(scope)), words[end]] if words[end] == _OPEN[word] else words[index:]
                index = end + 1
            elif word in _BINDERS:
                index = self._binder(words, index, scope, out)
            else:
                out.append(_replace(word, scope) if not (out and out[-1] == ".") else word)
                index += 1
        return out

    def signature(self, words: Sequence[str]) -> list[str]:
        """Binder groups up to the colon, then the goal."""
        scope: dict[str, str] = {}
        out: list[str] = []
        index = 0
        while index < len(words) and words[index] in _OPEN:
            end = _matching(words, index)
            out += [token for group in self.group(words[index : end + 1], scope) for token in group]
            index = end + 1
        return [*out, *self.body(words[index:], scope)]

    def group(self, words: Sequence[str], scope: dict[str, str]) -> list[list[str]]:
        """One bracketed binder group, split into one group for each name; an instance without a name is only renamed inside."""
        inner = words[1:-1]
        colon = inner.index(":") if ":" in inner else -1
        names = inner[:colon] if colon >= 0 else inner if words[0] in "{⦃(" else []
        if not names or not all(_is_name(name) for name in names):
            return [[words[0], *self.body(inner, dict(scope)), words[-1]]]
        kind = self.body(inner[colon + 1 :], dict(scope)) if colon >= 0 else []
        out = []
        for name in names:
            scope[name] = self.fresh() if name != "_" else "_"
            out.append([words[0], scope[name], *([":", *kind] if kind else []), words[-1]])
        return out

    def _binder(self, words: Sequence[str], index: int, scope: dict[str, str], out: list[str]) -> int:
        """`∀ x y : T,`, `∀ (x : T) y,`, `∃ x, `, `fun x =>`: bind, and return the index after the separator."""
        word, stop = words[index], _BINDERS[words[index]]
        end, depth = index + 1, 0
        while end < len(words) and (depth or words[end] != stop):
            depth += (words[end] in _OPEN) - (words[end] in _CLOSE)
            end += 1
        inner = list(words[index + 1 : end])
        if inner and all(_is_name(name) for name in (inner[: inner.index(":")] if ":" in inner else inner)):
            inner = ["(", *inner, ")"]
        groups: list[list[str]] = []
        position = 0
        while position < len(inner):
            if inner[position] in "({⦃[":
                close = _matching(inner, position)
                groups += self.group(inner[position : close + 1], scope)
                position = close + 1
            elif _is_name(inner[position]):
                groups += self.group(["(", inner[position], ")"], scope)
                position += 1
            else:
                groups.append(self.body(inner[position:], scope))
                break
        for number, group in enumerate(groups, start=1):
            out += [word, *group] if number == len(groups) and end >= len(words) else [word, *group, stop]
        return end + 1


def _is_name(word: str) -> bool:
    return word not in ("in", "ᶠ") and bool(re.fullmatch(r"«[^»]*»|[^\W\d][\w'!?₀-₉ₐ-ₜ]*|_", word))


def _replace(word: str, scope: dict[str, str]) -> str:
    """A bound name, or a projection of one such as `h.left`."""
    if word in scope:
        return scope[word]
    head, dot, rest = word.partition(".")
    return f"{scope[head]}.{rest}" if dot and head in scope else word


def _rename(words: Sequence[str]) -> list[str]:
    return _Renamer().signature(words)
