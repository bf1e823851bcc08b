"""A whole file as Lean reads it: its theorems with their axioms, its holes, and the goals at given positions.

The text is elaborated once, as it is. Standard library only: the fork server loads it as a plain script.
"""

import re
from collections.abc import Sequence
from typing import Any

from frontend import Frontend, public
from goals import GoalReader
from objects import LeanError, field
from syntax import children, kind, leaf_text, span, walk

_COMMAND = "Lean.Parser.Command."
_NAMED = {f"{_COMMAND}theorem": "theorem", f"{_COMMAND}lemmaDeclaration": "lemma", "lemma": "lemma"}
_EXAMPLE = f"{_COMMAND}example"
_THEOREMS = frozenset({*_NAMED, _EXAMPLE})
_NAME = f"{_COMMAND}declId"
_VALUES = frozenset(f"{_COMMAND}{name}" for name in ("declValSimple", "declValEqns", "whereStructInst"))
_HOLES = {"Lean.Parser.Term.sorry": "term", "Lean.Parser.Tactic.tacticSorry": "tactic", "Lean.Parser.Tactic.tacticAdmit": "tactic"}
_KEYWORDS = frozenset({"theorem", "lemma", "example"})
_QUOTATIONS = frozenset(
    {
        "Lean.Parser.Term.dynamicQuot",
        *(f"Lean.Parser.{name}.quot" for name in ("Term", "Command", "Tactic", "Level")),
        "Lean.Parser.Tactic.quotSeq",
    }
)
_MADE_UP = "example_"
_MODIFIERS = re.compile(r"@\[[^\]]*(?:\[[^\]]*\][^\]]*)*\]|(?<![\w'.!?])(?:noncomputable|private|protected|nonrec|public)(?![\w'!?])")


def read_file(frontend: Frontend, state: int, text: str, positions: Sequence[int] = (), show_holes: bool = True) -> dict[str, Any]:
    """Elaborate a text on top of a state.

    Args:
        frontend: the frontend.
        state: the state after the imports.
        text: the file without its imports.
        positions: byte offsets at which goals are wanted.
        show_holes: whether the goal of each hole is wanted.

    Returns:
        `messages` as Lean prints them; `commands`: [start, end] of each; `theorems`: name, keyword, start, end, value (where `:=` or the
        alternatives begin) and axioms (None if Lean did not declare it); `holes`: start, end, kind ("tactic" or "term"), goal (None if
        unknown) and the theorem's number (None outside); `goals`: one per position, or None; `options` in force. Offsets are in bytes.
    """
    source = text.encode()
    reader = GoalReader(frontend.objects, text)
    found: dict[str, Any] = {"commands": [], "theorems": [], "holes": [], "goals": [None] * len(positions)}

    def look(before: int, command: int, after: int) -> None:
        place = span(command)
        if place is None:
            return
        start, end = place
        found["commands"].append([start, end])
        nodes = [node for node in walk(command, _THEOREMS | _QUOTATIONS) if kind(node) in _THEOREMS]
        stated = [(node, where) for node in nodes if (where := _keyword(node, source)) is not None]
        theorems = [_theorem(frontend, before, after, node, where, source, place) for node, where in stated]
        first = len(found["theorems"])
        found["theorems"] += theorems
        trees = field(frontend.trees(after), 2)
        for number, position in enumerate(positions):
            if start <= position <= end and found["goals"][number] is None:
                found["goals"][number] = reader.goals(trees, position)
        if b"sorry" not in source[start:end] and b"admit" not in source[start:end]:
            return
        for node in walk(command, _QUOTATIONS | frozenset(_HOLES)):
            if kind(node) not in _HOLES or (hole := span(node)) is None:
                continue
            owner = next((first + i for i, theorem in enumerate(theorems) if theorem["start"] <= hole[0] < theorem["end"]), None)
            goal = reader.goals(trees, hole[0]) if show_holes and _HOLES[kind(node)] == "tactic" else None
            found["holes"].append({"start": hole[0], "end": hole[1], "kind": _HOLES[kind(node)], "goal": goal, "theorem": owner})

    run = frontend.run(state, text, look=look)
    if show_holes:
        _fill_terms(frontend, state, text, found["holes"])
    return found | {"messages": run.messages, "options": frontend.options(run.state)}


def _keyword(node: int, source: bytes) -> int | None:
    """Return where the keyword stands, behind documentation, attributes and modifiers. After a syntax error there may be none."""
    leaves = (each for each in walk(node) if leaf_text(each, source) in _KEYWORDS)
    found = next(leaves, None)
    place = None if found is None else span(found)
    return None if place is None else place[0]


def _theorem(frontend: Frontend, before: int, after: int, node: int, start: int, source: bytes, command: tuple[int, int]) -> dict[str, Any]:
    end = (span(node) or command)[1]
    names = [each for each in walk(node, _VALUES) if kind(each) == _NAME]
    value = next((where[0] for each in walk(node, _VALUES) if kind(each) in _VALUES and (where := span(each))), end)
    keyword = _NAMED.get(kind(node), "example")
    name = leaf_text(children(names[0])[0], source) if names else ""
    theorem: dict[str, Any] = {"name": name, "keyword": keyword, "start": start, "end": end, "value": value, "axioms": None}
    if keyword == "example":
        name = _MADE_UP
        for declarer in ("theorem", "noncomputable def"):
            after = _named(frontend, before, source, start, command, declarer)
            if frontend.find(before, after, (name,)) is not None:
                break
    target = frontend.find(before, after, _parts(name))
    if target is not None:
        theorem["name"] = theorem["name"] and ".".join(map(str, public(target.name)))
        theorem["axioms"] = frontend.axioms(after, target.name)
    return theorem


def _named(frontend: Frontend, before: int, source: bytes, start: int, command: tuple[int, int], declarer: str) -> int:
    """Return the state after an example under a name, since Lean forgets examples; its tokens stay in their columns."""
    line = source.rfind(b"\n", 0, command[0]) + 1
    until = start + len(b"example")
    lead = source[line : command[0]].decode(errors="replace")
    margin = source[source.rfind(b"\n", 0, until) + 1 : until].decode(errors="replace")
    above = _MODIFIERS.sub(" ", source[command[0] : start].decode(errors="replace"))
    rest = source[until : command[1]].decode(errors="replace")
    return frontend.run(before, f"{' ' * len(lead)}{above}{declarer} {_MADE_UP}\n{' ' * len(margin)}{rest}\n").state


def _parts(name: str) -> tuple[str, ...]:
    """Return the components of a name as written."""
    parts, at = [""], 0
    while at < len(name):
        if name[at] == "«" and (close := name.find("»", at)) > 0:
            parts[-1] += name[at + 1 : close]
            at = close
        elif name[at] == ".":
            parts.append("")
        else:
            parts[-1] += name[at]
        at += 1
    return tuple(parts)


def _fill_terms(frontend: Frontend, state: int, text: str, holes: list[dict[str, Any]]) -> None:
    """Find the goals of holes that stand for terms: in a copy of the text they are tactic blocks, of which Lean records the goals."""
    terms = [hole for hole in holes if hole["kind"] == "term"]
    if not terms:
        return
    source, parts, at, moved = text.encode(), [], 0, []
    for hole in terms:
        parts += [source[at : hole["start"]], b"(by "]
        moved.append(sum(map(len, parts)))
        parts += [source[hole["start"] : hole["end"]], b")"]
        at = hole["end"]
    copy = b"".join([*parts, source[at:]]).decode()
    reader = GoalReader(frontend.objects, copy)

    def look(before: int, command: int, after: int) -> None:
        place = span(command)
        for hole, offset in zip(terms, moved, strict=True):
            if place is not None and place[0] <= offset < place[1]:
                hole["goal"] = reader.goals(field(frontend.trees(after), 2), offset)

    try:
        frontend.run(state, copy, look=look)
    except LeanError:
        return
