"""Holes as statements of their own: from the goal that Lean prints at a `sorry` to a theorem that can be stated before its command.

The printed goal is only text: whether the theorem elaborates, and says what the hole wants, is for Lean to decide.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

from lean_worker.files import FileReport, Hole
from lean_worker.holes import command_of, prefix_of, without_comments
from lean_worker.statement import name_after

_INACCESSIBLE = re.compile(r"([\w'!?]+)✝([⁰¹²³⁴⁵⁶⁷⁸⁹]*)")
_NAME = r"(?:«[^»]*»|[^\s:«»()\[\]{}⟨⟩,]+)"
_HYPOTHESIS = re.compile(rf"({_NAME}(?:\s+{_NAME})*)\s:\s+(.*)", re.S)
_LEVELS = re.compile(r"\b(?:Type|Sort)\s+(?:\(([^()]*(?:\([^()]*\)[^()]*)*)\)|([^\W\d][\w.]*))|\.\{([^}]*)\}")
_LEVEL = re.compile(r"[^\W\d][\w']*")
_UNIVERSES = re.compile(r"^[ \t]*universes?[ \t]+([^\n]*)", re.M)
_DECLARER = re.compile(r"\s*(?:theorem|lemma)(?![\w.'!?])")
_OWED = re.compile(r"[(\[{⟨⦃]|[)\]}⟩⦄]|:=|(?<![\w.'])(?:let|have|let_fun)(?![\w'])")
_WIDTH = 100


class NotStated(ValueError):
    """The goal of a hole cannot be stated as a theorem of its own; the message says why, in one phrase."""


@dataclass(frozen=True)
class Hypothesis:
    """One hypothesis of a goal; `value` is that of a local definition, and `original` the name that Lean printed."""

    name: str
    original: str
    type: str
    value: str = ""

    @property
    def is_accessible(self) -> bool:
        return "✝" not in self.original


@dataclass(frozen=True)
class Goal:
    """A printed goal. Hypotheses that a proof could not name have new names, and so have their occurrences."""

    hypotheses: tuple[Hypothesis, ...]
    target: str


@dataclass(frozen=True)
class Extracted:
    """A hole as a theorem.

    `header` is the text before it, `statement` ends in `:= by sorry`. In the place of the hole a proof must follow the tactics `opening`,
    which give hypotheses the names and the form that they have in the theorem; `names` are those that it introduces. `call` is the tactic
    that closes the hole by the theorem.
    """

    name: str
    header: str
    statement: str
    opening: tuple[str, ...]
    names: tuple[str, ...]
    call: str


def read_goal(printed: str) -> Goal:
    """Return the first goal of a text that Lean printed. Raises NotStated if it has another form."""
    printed = printed.split("\n\n")[0].strip("\n")
    if printed in ("", "no goals"):
        raise NotStated("Lean shows no goal there" if printed else "Lean never comes to it")
    renamed = _fresh_names(printed)
    entries: list[list[str]] = []
    target: list[str] = []
    for line in printed.split("\n"):
        if target and not line.startswith(" "):
            break
        if target or line.startswith("⊢ "):
            target.append(line.removeprefix("⊢ ") if not target else line)
        elif line[:1] != " " and not line.startswith("case "):
            entries.append([line])
        elif entries:
            entries[-1].append(line)
    if not target:
        raise NotStated("what Lean shows there is not an ordinary goal")
    hypotheses: list[Hypothesis] = []
    for entry in entries:
        found = _HYPOTHESIS.fullmatch("\n".join(entry))
        if found is None:
            raise NotStated(f"the hypothesis `{entry[0]}` cannot be read")
        type_, value = _value(_replaced(found[2], renamed))
        hypotheses += [Hypothesis(renamed.get(name, name), name, type_, value) for name in re.findall(_NAME, found[1])]
    return Goal(tuple(hypotheses), _replaced("\n".join(target), renamed))


def extract(report: FileReport, hole: Hole, text: str, header: str | None = None, goal: str = "") -> Extracted:
    """State the goal of a hole as a theorem before the command that contains it.

    Args:
        report: what Lean said about the file.
        hole: one of its holes.
        text: the file.
        header: what replaces the text before the command; by default that text.
        goal: another print of the hole's goal.

    Raises:
        NotStated: the goal has no form that could be stated.
    """
    start, end = command_of(report, hole, text)
    header = text[:start] if header is None else header
    found = read_goal(goal or hole.goal)
    shown = ";\n".join([found.target, *(f"{each.type} {each.value}" for each in found.hypotheses)])
    if re.search(r"(?<![\w.'«])sorry(?![\w'])", shown):
        raise NotStated("its goal depends on another `sorry`; fill that one first")
    first = next((i for i, each in enumerate(found.hypotheses) if each.value), len(found.hypotheses))
    fixed, moved = found.hypotheses[:first], found.hypotheses[first:]
    name = _theorem_name(report, hole, text)
    bare = [each for each in fixed if _is_bare_instance(each, shown)]
    signature = _signature(f"theorem {name}{_parameters(shown, header)}", fixed, bare)
    target = "".join(f"{_bound(each)}\n" for each in moved) + found.target
    target = target.replace("\n", "\n    ")
    gap = "\n    " if "\n" in target or len(f"{signature} : {target}") > _WIDTH else " "
    prefix = prefix_of(text[start:end])
    opening = [line for line in (_rename(found.hypotheses, bare), _revert(moved)) if line]
    arguments = " ".join(each.name for each in fixed if each not in bare)
    levels = _levels(shown)
    ways = [f"exact {name} {arguments}", f"exact {name}.{{{', '.join(levels)}}} {arguments}", f"(apply {name} <;> assumption)"]
    return Extracted(
        name=name,
        header=header,
        statement=f"{prefix}{signature} :{gap}{target} := by sorry",
        opening=tuple(opening),
        names=tuple(each.name for each in found.hypotheses if not each.is_accessible and each not in bare),
        call=" ".join(["first", *(f"| {way.rstrip()}" for way in ways if levels or ".{" not in way)]),
    )


def _signature(start: str, fixed: Sequence[Hypothesis], bare: Sequence[Hypothesis]) -> str:
    """Return a theorem up to its binders; those of one type in a row share brackets."""
    binders = []
    for (type_, instance), group in groupby(fixed, key=lambda each: (each.type, each in bare)):
        names = " ".join(each.name for each in group)
        binders += [f"[{type_}]"] * (names.count(" ") + 1) if instance else [f"({names} : {type_})"]
    line = " ".join([start, *binders])
    if len(line) <= _WIDTH and "\n" not in line:
        return line
    return "\n    ".join([start, *(binder.replace("\n", "\n    ") for binder in binders)])


def _fresh_names(printed: str) -> dict[str, str]:
    """Return a new name for each name in a goal that is inaccessible or contains no usable name."""
    renamed: dict[str, str] = {}
    for found in _INACCESSIBLE.finditer(printed):
        if found[0] in renamed:
            continue
        base, number = found[1] if re.fullmatch(r"[^\W\d_][\w']*", found[1]) else "x", 1
        while re.search(rf"(?<![\w.]){base}_{number}(?![\w'])", printed) or f"{base}_{number}" in renamed.values():
            number += 1
        renamed[found[0]] = f"{base}_{number}"
    return renamed


def _replaced(text: str, renamed: dict[str, str]) -> str:
    return _INACCESSIBLE.sub(lambda found: renamed[found[0]], text)


def _value(text: str) -> tuple[str, str]:
    """Return the type of a hypothesis and its value, if it has one: after a `:=` of its own, outside brackets."""
    depth, owed = 0, 0
    for found in _OWED.finditer(text):
        mark = found[0]
        depth += (mark in "([{⟨⦃") - (mark in ")]}⟩⦄")
        if depth:
            continue
        if mark.isidentifier():
            owed += 1
        elif mark == ":=":
            if not owed:
                return text[: found.start()].rstrip(), text[found.end() :].strip()
            owed -= 1
    return text, ""


def _is_bare_instance(hypothesis: Hypothesis, shown: str) -> bool:
    return hypothesis.original.startswith("inst✝") and not re.search(rf"(?<![\w.]){hypothesis.name}(?![\w'])", shown)


def _bound(hypothesis: Hypothesis) -> str:
    if hypothesis.value:
        return f"let {hypothesis.name} : {hypothesis.type} := {hypothesis.value};"
    return f"∀ ({hypothesis.name} : {hypothesis.type}),"


def _rename(hypotheses: Sequence[Hypothesis], bare: Sequence[Hypothesis]) -> str:
    """Return the tactic that gives inaccessible hypotheses their new names: it counts from the last one."""
    hidden = [each for each in hypotheses if not each.is_accessible]
    while hidden and hidden[0] in bare:
        del hidden[0]
    return " ".join(["rename_i", *("_" if each in bare else each.name for each in hidden)]) if hidden else ""


def _revert(moved: Sequence[Hypothesis]) -> str:
    return " ".join(["revert", *(each.name for each in moved)]) if moved else ""


def _levels(shown: str) -> list[str]:
    """Return the universe levels that a goal mentions."""
    found = [name for match in _LEVELS.finditer(shown) for part in match.groups() if part for name in _LEVEL.findall(part)]
    return [name for name in dict.fromkeys(found) if name not in ("max", "imax")]


def _parameters(shown: str, header: str) -> str:
    """Return the universe parameters that a theorem must declare: those that the header does not."""
    known = {name for line in _UNIVERSES.findall(without_comments(header)) for name in line.split()}
    names = [name for name in _levels(shown) if name not in known]
    return f".{{{', '.join(names)}}}" if names else ""


def _theorem_name(report: FileReport, hole: Hole, text: str) -> str:
    """Return a name for the theorem of a hole, in the namespace that the dotted name of its own theorem opens."""
    space, own = "", "goal"
    declarer = None if hole.theorem is None else _DECLARER.match(text, report.theorems[hole.theorem].span.start)
    if declarer and (declared := name_after(text, declarer.end())[0]):
        space, _, own = declared.rpartition(".")
        if own.endswith("»"):
            space, own = declared.partition("«")[0].removesuffix("."), "goal"
    name = f"{own}_at_{hole.span.line}_{hole.span.column}"
    while re.search(rf"\b{re.escape(name)}\b", text):
        name += "'"
    return f"{space}.{name}" if space else name
