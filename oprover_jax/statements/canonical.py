"""One canonical form for statements that say the same in another shape: what near duplicates and decontamination compare.

Beyond `normalize` it makes equal: a hypothesis as a binder, behind `→` or behind `∀`; the order of binders that do not need each other;
a hypothesis `p ∧ q` and two hypotheses; `a ≥ b` and `b ≤ a` where both sides are terms; namespaces that an `open` may leave out
(`Real.sqrt`, `sqrt`); `ℕ` and `Nat`; brackets and types around a single word; kinds of binder brackets; and names bound by `∑`,
`∏`, `∫`, `let`, set-builders and patterns. It is a key to look up with, never an id: what it ignores can matter to Lean.
"""

import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from oprover_jax.statements.normalize import closing_brackets, context_words, is_name, signature_words

Word = str | int  # an int is a bound variable
Scope = dict[str, int]

_OPEN = {"(", "[", "{", "⟨", "⦃"}
_BIG = set("∑∏∫⋃⋂⨆⨅⨁⨂⨍∮Σ")
_BINDERS = {"∀", "∃", "fun", *_BIG}
_RELATIONS = {"=", "≠", "<", ">", "≤", "≥", "∈", "∉", "∣", "⊆", "⊂", "≡", "≃", "≅", "≈"}
_FLIPPED = {"≥": "≤", ">": "<"}
_REACHES_TO_THE_END = {*_BINDERS, "let", "have", "if", "match", "show"}
_SAME = {"in": "∈", "ℕ": "Nat", "ℤ": "Int", "ℚ": "Rat", "ℝ": "Real", "ℂ": "Complex", "√": "sqrt", "π": "pi", "↑": ""}
_DEFINING = {"def", "abbrev", "structure", "inductive", "class", "instance", "axiom", "opaque"}
_COMMANDS = {
    *_DEFINING,
    "variable",
    "import",
    "open",
    "set_option",
    "namespace",
    "section",
    "end",
    "noncomputable",
    "theorem",
    "lemma",
    "attribute",
    "@",
}
_NUMBER = re.compile(r"\d[\w.]*").fullmatch


@dataclass(frozen=True)
class Item:
    """A binder, or (`variable` None) a hypothesis whose name nobody uses, or the goal; `kind` is what stands after the colon."""

    variable: int | None
    kind: tuple[Word, ...]


def canonical(formal: str) -> list[Item]:
    """The binders and hypotheses of a declaration in an order that does not depend on how it was written, the goal last.

    Variables are numbered in order of appearance.
    """
    items = _without_unused_names(_Reader(signature_words(formal)).statement())
    return _numbered(_sorted(items))


def in_context(formal: str, header: str = "") -> list[Item]:
    """What the header and the text before the theorem define, in order, then the theorem under the variables that they declare.

    Nothing where they define nothing; imports, `open`s and lemmas are left out.
    """
    words = context_words(formal, header)
    starts = [index for index, word in enumerate(words) if word in _COMMANDS]
    around: list[Item] = []
    variables: list[str] = []
    for start, stop in pairwise([*starts, len(words)]):
        if words[start] == "variable":
            variables += words[start + 1 : stop]
        elif words[start] in _DEFINING:
            around += _numbered(_Reader(words[start + 1 + (words[start] != "instance") : stop]).statement())
    if not around and not variables:
        return []
    return [*around, *_numbered(_sorted(_without_unused_names(_Reader([*variables, *signature_words(formal)]).statement())))]


def canonical_text(items: Sequence[Item]) -> str:
    """One line for the whole statement; equal lines are statements that mean the same, up to what this module ignores."""
    return " ; ".join(" ".join(str(w) if isinstance(w, str) else f"#{w}" for w in (item.variable or 0, *item.kind)) for item in items)


class _Reader:
    """Reads a signature; every binding occurrence of a name gets a number of its own."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = words
        self.closes = closing_brackets(words)
        self.bound = 0

    def statement(self) -> list[Item]:
        scope: Scope = {}
        items: list[Item] = []
        index, stop = 0, len(self.words)
        while index < stop and self.words[index] in _OPEN:
            end = self._end(index, stop)
            items += self._group(index + 1, end, scope)
            index = end + 1
        return items + self._goal(index + (self.words[index : index + 1] == [":"]), stop, scope)

    def _end(self, index: int, stop: int) -> int:
        return min(self.closes.get(index, stop - 1), stop - 1)

    def _bind(self, name: str, scope: Scope) -> int:
        self.bound += 1
        if name != "_":
            scope[name] = self.bound
        return self.bound

    def _top(self, start: int, stop: int) -> Iterator[int]:
        """Indices outside of brackets."""
        while start < stop:
            yield start
            start = self._end(start, stop) + 1 if self.words[start] in _OPEN else start + 1

    def _group(self, start: int, end: int, scope: Scope) -> list[Item]:
        """The content of a binder's brackets: names with a type, names alone, or an instance."""
        colon = next((i for i in range(start, end) if self.words[i] == ":"), -1)
        names = self.words[start : colon if colon >= 0 else end]
        if not all(map(is_name, names)) or (colon < 0 and len(names) > 1):
            return _conjuncts(self._term(start, end, dict(scope)))
        if colon < 0:
            return [Item(self._bind(name, scope), ()) for name in names]
        kind = self._term(colon + 1, end, dict(scope))
        return [Item(self._bind(name, scope), tuple(kind)) for name in names]

    def _goal(self, start: int, stop: int, scope: Scope) -> list[Item]:
        """`∀` and antecedents become items; what is left is the goal."""
        words, items = self.words, list[Item]()
        while start < stop:
            if words[start] == "(" and self._end(start, stop) == stop - 1 and words[stop - 1] == ")":
                start, stop = start + 1, stop - 1
            elif words[start] == "∀" and (comma := next((i for i in self._top(start, stop) if words[i] == ","), -1)) >= 0:
                items += self._binders(start + 1, comma, scope)
                start = comma + 1
            elif (arrow := self._arrow(start, stop)) >= 0:
                dependent = (
                    words[start] == "(" and self._end(start, arrow) == arrow - 1 and ":" in words[start:arrow] and is_name(words[start + 1])
                )
                items += self._group(start + 1, arrow - 1, scope) if dependent else _conjuncts(self._term(start, arrow, dict(scope)))
                start = arrow + 1
            else:
                break
        return [*items, Item(None, ("⊢", *_flip(self._term(start, stop, scope))))]

    def _arrow(self, start: int, stop: int) -> int:
        """Index of the first `→` that takes the term apart, -1 where `↔` binds looser or nothing does."""
        found = -1
        for index in self._top(start, stop):
            word = self.words[index]
            if word in _REACHES_TO_THE_END:
                break
            if word == "↔":
                return -1
            if word == "→" and found < 0:
                found = index
        return found

    def _binders(self, start: int, end: int, scope: Scope) -> list[Item]:
        """What stands between `∀`, `∑`, ... and its comma: names, groups, `x : T`, `x > 0`, `x ∈ s`, patterns."""
        items: list[Item] = []
        variables: list[int] = []
        while start < end:
            word = self.words[start]
            if word in ("(", "{", "[", "⦃"):
                close = self._end(start, end)
                typed = any(self.words[i] == ":" for i in self._top(start + 1, close))
                items += (self._group if typed else self._binders)(start + 1, close, scope)
                start = close + 1
            elif word == "⟨":
                close = self._end(start, end)
                items += [Item(self._bind(name, scope), ()) for name in self.words[start:close] if is_name(name)]
                start = close + 1
            elif is_name(word):
                variables.append(self._bind(word, scope))
                start += 1
            elif word == ":":
                kind = tuple(self._term(start + 1, end, dict(scope)))
                return [*items, *(Item(variable, kind) for variable in variables)]
            elif word in _RELATIONS or word == "in":
                rest = self._term(start, end, dict(scope))
                items += [Item(variable, ()) for variable in variables]
                return items + [item for variable in variables for item in _conjuncts([variable, *rest])]
            else:
                start += 1
        return items + [Item(variable, ()) for variable in variables]

    def _term(self, start: int, stop: int, scope: Scope) -> list[Word]:
        words, out = self.words, list[Word]()
        while start < stop:
            word = words[start]
            if word in _OPEN:
                end = self._end(start, stop)
                out += self._bracket(start, end, scope)
                start = end + 1
            elif word in _BINDERS:
                separator = "=>" if word == "fun" else ","
                end = next((i for i in self._top(start, stop) if words[i] == separator), stop)
                out.append(word)
                for item in self._binders(start + 1, end, scope):
                    out += [*([item.variable] if item.variable else []), *([":"] if item.variable and item.kind else []), *item.kind, ","]
                start = end + 1
            elif word == "let" and start + 1 < stop and is_name(words[start + 1]):
                out += [word, self._bind(words[start + 1], scope)]
                start += 2
            else:
                out += _looked_up(word, scope)
                start += 1
        return out

    def _bracket(self, start: int, end: int, scope: Scope) -> list[Word]:
        """A bracket with its content, without the bracket around one word or a word and its type; a set-builder or subtype binds."""
        words, inner = self.words, dict(scope)
        bars = (i for i in self._top(start + 1, end) if words[i] == "|" or words[i : i + 2] == ["/", "/"])
        bar = next(bars, -1) if words[start] == "{" else -1
        if bar > start + 1 and (is_name(words[start + 1]) or words[start + 1] in ("(", "⟨")):
            last = self._end(start + 1, bar) if words[start + 1] in _OPEN else start + 1
            pattern = [self._bind(name, inner) for name in words[start + 1 : last + 1] if is_name(name)]
            return ["{", *pattern, *self._term(last + 1, end, inner), "}"]
        content = self._term(start + 1, end, inner)
        if words[start] == "(" and (len(content) == 1 or (len(content) == 3 and content[1] == ":")):
            return content[:1]
        return [words[start], *content, words[end]]


def _looked_up(word: str, scope: Mapping[str, int]) -> list[Word]:
    if word in scope:
        return [scope[word]]
    if word in _SAME:
        return [_SAME[word]] if _SAME[word] else []
    if "." not in word or word in (".", "..") or _NUMBER(word):
        return [word]
    head, _, rest = word.partition(".")
    return [scope[head], f".{rest}"] if head in scope else [word.rpartition(".")[2]]


def _flip(words: Sequence[Word]) -> Sequence[Word]:
    """`a ≥ b` as `b ≤ a`, where the relation is the only one outside of brackets and nothing binds looser."""
    depth, at = 0, -1
    for index, word in enumerate(words):
        if word in _OPEN:
            depth += 1
        elif word in (")", "]", "}", "⟩", "⦄"):
            depth -= 1
        elif depth == 0 and (word in _RELATIONS or word in _REACHES_TO_THE_END or word in ("∧", "∨", "¬", "→", "↔", ",")):
            if at >= 0 or word not in _FLIPPED:
                return words
            at = index
    return [*words[at + 1 :], _FLIPPED[str(words[at])], *words[:at]] if at >= 0 else words


def _conjuncts(words: Sequence[Word]) -> list[Item]:
    """A hypothesis without a name, taken apart at each `∧` that nothing looser surrounds."""
    depth, cuts = 0, [-1]
    for index, word in enumerate(words):
        if word in _OPEN:
            depth += 1
        elif word in (")", "]", "}", "⟩", "⦄"):
            depth -= 1
        elif depth == 0 and (word in _REACHES_TO_THE_END or word in ("∨", "→", "↔")):
            return [Item(None, tuple(words))]
        elif depth == 0 and word == "∧":
            cuts.append(index)
    if len(cuts) == 1:
        stripped = (
            words[1:-1]
            if len(words) > 2 and words[0] == "(" and closing_brackets([str(word) for word in words]).get(0) == len(words) - 1
            else None
        )
        return _conjuncts(stripped) if stripped else [Item(None, tuple(_flip(words)))]
    return [item for start, end in zip(cuts, [*cuts[1:], len(words)], strict=True) for item in _conjuncts(words[start + 1 : end])]


def _without_unused_names(items: Sequence[Item]) -> list[Item]:
    """Hypotheses whose name nobody uses lose it, and are taken apart."""
    used = {word for item in items for word in item.kind if isinstance(word, int)}
    return [part for item in items for part in ([item] if item.variable is None or item.variable in used else _conjuncts(item.kind))]


def _sorted(items: Sequence[Item]) -> list[Item]:
    """In the order of what the items say, each variable known only by what is said about it (colour refinement); the goal stays last."""
    own = {item.variable for item in items if item.variable is not None}
    texts: list[list[str]] = []  # words of the items; a variable of an item's own is numbered within it
    slots: list[list[tuple[int, int]]] = []  # where in them the statement's variables stand
    for item in items:
        local: dict[int, str] = {}
        words = (item.variable, *item.kind) if item.variable is not None else item.kind
        texts.append([word if isinstance(word, str) else local.setdefault(word, f"@{len(local)}") for word in words])
        slots.append([(place, word) for place, word in enumerate(words) if isinstance(word, int) and word in own])
    colours = dict.fromkeys(own, "#")
    coloured = _coloured(texts, slots, colours)
    for _ in range(3):
        if len(set(colours.values())) == len(own):
            break
        seen: dict[int, list[str]] = {variable: [] for variable in own}
        for text, places in zip(coloured, slots, strict=True):
            for place, variable in places:
                seen[variable].append(f"{place} {text}")
        colours = {variable: f"#{zlib.crc32(' '.join([colours[variable], *sorted(seen[variable])]).encode()):x}" for variable in own}
        coloured = _coloured(texts, slots, colours)
    order = sorted(range(len(items) - 1), key=coloured.__getitem__)
    return [*(items[i] for i in order), *items[-1:]]


def _coloured(texts: Sequence[list[str]], slots: Sequence[Sequence[tuple[int, int]]], colours: Mapping[int, str]) -> list[str]:
    for text, places in zip(texts, slots, strict=True):
        for place, variable in places:
            text[place] = colours[variable]
    return [" ".join(text) for text in texts]


def _numbered(items: Sequence[Item]) -> list[Item]:
    numbers: dict[int, int] = {}

    def number(word: Word) -> Word:
        return word if isinstance(word, str) else numbers.setdefault(word, len(numbers) + 1)

    numbered = []
    for item in items:
        variable = None if item.variable is None else numbers.setdefault(item.variable, len(numbers) + 1)
        numbered.append(Item(variable, tuple(map(number, item.kind))))
    return numbered
