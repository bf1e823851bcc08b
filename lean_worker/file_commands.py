"""Where the commands, theorems and holes of a file are, for a Lean that answers with messages only.

Lean says where commands begin and end: with `TRACE` it sends one message for each. The lexer reads only within a command: the keyword, the
name, the `:=` and the words `sorry`.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from lean_worker.document import Raw
from lean_worker.files import line_starts
from lean_worker.lexer import LexError, Token, tokens
from lean_worker.statement import DECLARERS, MODIFIERS, declared_name

# a check forbids these variables, as its statement could have a wrong letter; a file is read as plain Lean reads it
AS_PLAIN_LEAN = "set_option relaxedAutoImplicit true "
TRACE = f"{AS_PLAIN_LEAN}set_option trace.Elab.command true\n"
Elaborate = Callable[[str], list[Raw]]

HOLES = frozenset({"sorry", "admit"})

_TRACED = "[Elab.command]"
_CATCHES_MESSAGES = "#guard_msgs"  # it would take the traces for messages of its command
_THEOREMS = frozenset({"theorem", "lemma", "example"})
_ELEMENTS = DECLARERS | {"opaque", "axiom", "inductive", "structure", "class", "end"}
_BINDERS = frozenset({"let", "let_fun", "have", "letI", "haveI"})  # in a type, each has a `:=` of its own
_OPENING, _CLOSING = frozenset("([{⟨⦃"), frozenset(")]}⟩⦄")
_SCOPES = frozenset({"namespace", "section", "end"})
_TACTIC_BEFORE = ("by", ";", "·", "<;>", "{")


@dataclass(frozen=True)
class Stated:
    """A theorem, lemma or example: offsets in code points of its attributes and modifiers (`head`), of its keyword, of its end and of its
    proof, the number of its command, its name as written, and the namespace in which it stands."""

    keyword: str
    name: str
    head: int
    start: int
    end: int
    value: int
    command: int
    namespace: str

    @property
    def full(self) -> str:
        """The full name, as it would be written in the file."""
        return self.name.removeprefix("_root_.") if self.name.startswith("_root_.") else f"{self.namespace}.{self.name}".lstrip(".")


@dataclass(frozen=True)
class Places:
    """Conversion between offsets in code points, Lean's lines (from 1) and columns, and offsets in bytes."""

    text: str
    starts: Sequence[int]
    bytes_before: Sequence[int]

    def offset(self, position: dict[str, int]) -> int:
        line = min(max(position["line"], 1), len(self.starts))
        return min(self.starts[line - 1] + position["column"], len(self.text))

    def line_column(self, offset: int) -> tuple[int, int]:
        line = bisect_right(self.starts, offset)
        return line, offset - self.starts[line - 1]


def places(text: str) -> Places:
    """Return the conversion for a text."""
    return Places(text, line_starts(text), [0, *accumulate(len(character.encode(errors="replace")) for character in text)])


@dataclass(frozen=True)
class Outline:
    """What Lean says about a file, and where its commands (start and end) and theorems are."""

    text: str
    where: Places
    messages: tuple[Raw, ...]
    commands: tuple[tuple[int, int], ...]
    theorems: tuple[Stated, ...]

    def command_at(self, offset: int) -> int | None:
        """Return the number of the command to which a message at an offset belongs: the last one that begins before it.

        A message about text that no command holds belongs to none.
        """
        found = bisect_right(self.commands, offset, key=lambda command: command[0]) - 1
        after = self.commands[found + 1][0] if found + 1 < len(self.commands) else offset
        skipped = found < 0 or (offset > self.commands[found][1] and self.text[offset:after].strip())
        return None if skipped else found

    @property
    def failed(self) -> tuple[bool, ...]:
        """For each theorem whether Lean found an error in its command."""
        wrong = [self.where.offset(each["pos"]) for each in self.messages if each["severity"] == "error"]
        spans = [self.commands[each.command] for each in self.theorems]
        return tuple(any(start <= at <= end for at in wrong) for start, end in spans)


def outline(elaborate: Elaborate, text: str) -> Outline:
    """Return the outline of a file. `elaborate` returns Lean's messages about a text, with lines of that text."""
    where = places(text)
    traced = [moved(each, 1) for each in elaborate(TRACE + text)]
    commands = find_commands(traced, where)
    found = [each for each in traced if not is_trace(each)]
    if _CATCHES_MESSAGES in text:
        found = [moved(each, 1) for each in elaborate(f"{AS_PLAIN_LEAN}\n{text}")]
    return Outline(text, where, tuple(found), tuple(commands), tuple(find_theorems(text, commands)))


def debug_option(text: str) -> str:
    """Return a sentence if a file sets an option of the kind debug.*, which can switch the kernel off, or an empty string."""
    try:
        token_list = tokens(text)
    except LexError:
        return ""
    for option, name in pairwise(token_list):
        if option.text == "set_option" and name.kind == "name" and name.parts[0] == "debug":
            line = text.count("\n", 0, option.start) + 1
            return f"line {line} sets an option of the kind debug.*, which can switch the kernel off; remove it"
    return ""


def moved(raw: Raw, lines: int) -> Raw:
    """Return a message that stands so many lines higher."""
    end = raw.get("endPos") or raw["pos"]
    shifted = {name: {"line": place["line"] - lines, "column": place["column"]} for name, place in (("pos", raw["pos"]), ("endPos", end))}
    return {**raw, **shifted}


def is_trace(raw: Raw) -> bool:
    """Return whether a message is only there because of TRACE."""
    return bool(raw["severity"] == "information" and raw["data"].startswith(_TRACED))


def find_commands(raw: Sequence[Raw], where: Places) -> list[tuple[int, int]]:
    """Return where each outermost command begins and ends, in order, from the traces."""
    spans = {(where.offset(each["pos"]), where.offset(each["endPos"])) for each in raw if is_trace(each)}
    found: list[tuple[int, int]] = []
    for start, end in sorted(spans, key=lambda span: (span[0], -span[1])):
        if end > start and (not found or start >= found[-1][1]):
            found.append((start, end))
    return found


def find_tokens(text: str, span: tuple[int, int]) -> list[Token]:
    """Return the tokens of a command, with their offsets in the file. A command that is cut off may not be valid; its words then count."""
    start, end = span
    try:
        found = tokens(text[start:end])
    except LexError:
        found = [Token("name", word[0], *word.span()) for word in re.finditer(r"[^\W\d][\w.'!?«»]*|:=|=>|@\[|\S", text[start:end])]
    return [Token(token.kind, token.text, token.start + start, token.end + start) for token in found]


def find_theorems(text: str, commands: Sequence[tuple[int, int]]) -> list[Stated]:
    """Return the theorems, lemmas and examples of all commands, in order."""
    scopes: list[tuple[str, str]] = []
    found: list[Stated] = []
    for number, span in enumerate(commands):
        token_list = find_tokens(text, span)
        _enter(scopes, token_list)
        namespace = ".".join(name for kind, name in scopes if kind == "namespace")
        found += _theorems(text, token_list, number, namespace)
    return found


def _enter(scopes: list[tuple[str, str]], token_list: Sequence[Token]) -> None:
    """Add the scopes that a command opens, and remove those that it closes."""
    at = next((i for i, token in enumerate(token_list[:8]) if token.text in _SCOPES), None)
    if at is None or _lead(token_list, at) != 0:
        return
    name = token_list[at + 1] if at + 1 < len(token_list) else None
    parts = name.text.split(".") if name is not None and name.kind == "name" else [""]
    if token_list[at].text == "end":
        del scopes[max(0, len(scopes) - len(parts)) :]
    else:
        scopes += [(token_list[at].text, part) for part in parts]


def _theorems(text: str, token_list: Sequence[Token], number: int, namespace: str) -> Iterator[Stated]:
    depth, mutual = 0, False
    for at, token in enumerate(token_list):
        depth += (token.text in _OPENING or token.text == "@[") - (token.text in _CLOSING)
        if depth or token.kind != "name":
            continue
        begin = _lead(token_list, at)
        first = begin == 0 or token_list[begin - 1].text == "in"
        mutual = mutual or (first and token.text == "mutual")
        if token.text not in _THEOREMS or not (first or mutual):
            continue
        last = _last(token_list, at) if mutual else len(token_list) - 1
        named = token.text != "example"
        name, name_end = declared_name(text, token) if named else ("", token.end)
        own = [each for each in token_list[at + 1 : last + 1] if each.start >= name_end]
        end = token_list[last].end
        value = _value(own)
        yield Stated(token.text, name, token_list[begin].start, token.start, end, end if value is None else value.start, number, namespace)


def _lead(token_list: Sequence[Token], keyword: int) -> int:
    """Return the token at which the attributes and modifiers of a declaration begin."""
    at = keyword
    while at:
        if token_list[at - 1].text == "]":
            opening = next((i for i in range(at - 1, -1, -1) if token_list[i].text == "@["), None)
            if opening is None:
                break
            at = opening
        elif token_list[at - 1].text in MODIFIERS:
            at -= 1
        else:
            break
    return at


def _last(token_list: Sequence[Token], keyword: int) -> int:
    """Return the last token of a declaration in a `mutual` block."""
    for at in range(keyword + 1, len(token_list)):
        if token_list[at].text in _ELEMENTS and token_list[at].kind == "name":
            return max(keyword, _lead(token_list, at) - 1)
    return len(token_list) - 1


def _value(token_list: Sequence[Token]) -> Token | None:
    """Return the `:=`, the first match alternative or the `where` at which the proof begins."""
    depth, owed, match = 0, 0, False
    alternative: Token | None = None
    for token in token_list:
        depth += (token.text in _OPENING or token.text == "@[") - (token.text in _CLOSING)
        if depth:
            continue
        if token.text == ":=" and owed:
            owed -= 1
        elif token.text == ":=" or (token.text == "where" and token.kind == "name"):
            return token
        elif token.text == "=>" and alternative is not None:
            return alternative
        elif token.text == "|" and not match:
            alternative = alternative or token
        elif token.kind == "name" and not alternative:
            owed += token.text in _BINDERS
            match = match or token.text in ("match", "fun", "nomatch")
    return None


def find_holes(text: str, commands: Sequence[tuple[int, int]]) -> list[tuple[Token, bool]]:
    """Return every `sorry` and `admit` outside of quotations, and whether it looks like a tactic."""
    found: list[tuple[Token, bool]] = []
    for span in commands:
        if not any(word in text[span[0] : span[1]] for word in HOLES):
            continue
        token_list = find_tokens(text, span)
        quoted = 0
        for at, token in enumerate(token_list):
            if quoted or (token.text == "(" and at and token_list[at - 1].text == "`" and token_list[at - 1].end == token.start):
                quoted += (token.text in _OPENING) - (token.text in _CLOSING)
            elif token.text in HOLES and token.kind == "name":
                before = text[span[0] : token.start].rstrip(" ")
                found.append((token, token.text == "admit" or before.endswith(("\n", *_TACTIC_BEFORE))))
    return found
