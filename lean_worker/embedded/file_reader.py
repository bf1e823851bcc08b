"""A whole file as Lean reads it: its theorems with their axioms, its holes, and the goals at given positions.

The text is elaborated once, as it is. Standard library only: the fork server loads it as a plain script.
"""

import os
import re
from collections.abc import Sequence
from itertools import accumulate
from typing import Any

from frontend import Frontend, public
from goals import GoalReader
from info_trees import TacticReader
from objects import LeanError, field
from syntax import children, kind, leaf_text, span, walk

_COMMAND = "Lean.Parser.Command."
_NAMED = {f"{_COMMAND}theorem": "theorem", f"{_COMMAND}lemmaDeclaration": "lemma", "lemma": "lemma"}
_EXAMPLE = f"{_COMMAND}example"
_THEOREMS = frozenset({*_NAMED, _EXAMPLE})
_NAME = f"{_COMMAND}declId"
_VALUES = frozenset(f"{_COMMAND}{name}" for name in ("declValSimple", "declValEqns", "whereStructInst"))
_HOLES = {"Lean.Parser.Term.sorry": "term", "Lean.Parser.Tactic.tacticSorry": "tactic", "Lean.Parser.Tactic.tacticAdmit": "tactic"}
_AS_PLAIN_LEAN = "set_option relaxedAutoImplicit true\n"  # a check forbids these variables, as its statement could have a wrong letter
_PLAIN_PART = re.compile(r"[^\W\d][\w'!?]*")
_WORDS = frozenset({"theorem", "lemma", "example"})
_OPTIONS = frozenset({"Lean.Parser.Command.set_option", "Lean.Parser.Tactic.set_option", "Lean.Parser.Term.set_option"})


def read_file(
    frontend: Frontend, state: int, text: str, positions: Sequence[int] = (), show_holes: bool = True, show_tactics: bool = False
) -> dict[str, Any]:
    """Elaborate a text on top of a state.

    Args:
        frontend: the frontend.
        state: the state after the imports.
        text: the file without its imports.
        positions: byte offsets at which goals are wanted.
        show_holes: whether the goal of each hole is wanted.
        show_tactics: whether all tactics with their goals are wanted.

    Returns:
        `messages` as Lean prints them, each with the number of its `command`, or None; `commands`: [start, end] of each, empty ones
        included; `theorems`: name, keyword, start, end, value (where `:=` or the alternatives begin), command, axioms (None if Lean did not
        declare it); `holes`: start, end, kind ("tactic" or "term"), goal (None if unknown) and the theorem's number (None outside);
        `goals`: one per position, or None; `tactics` as `TacticReader` returns them; `unclear`: [start, end] of commands that contain a
        word such as `theorem` but no theorem; `debug`: start of the first option of the kind debug.*, or None. Offsets are in bytes.
    """
    source = text.encode()
    reader = GoalReader(frontend.objects, text)
    tactics = TacticReader(frontend.objects, reader)
    found: dict[str, Any] = {"commands": [], "theorems": [], "holes": [], "tactics": [], "unclear": [], "debug": None}
    found["goals"] = [None] * len(positions)

    def look(before: int, command: int, after: int) -> None:
        number = len(found["commands"])
        start, end = place = span(command) or (len(source), len(source))
        found["commands"].append([start, end])
        # where a declaration cannot be read, the parser may leave the node of a theorem that has no text
        nodes = [node for node in walk(command, _THEOREMS, quoted=False) if kind(node) in _THEOREMS and span(node)]
        theorems = [_theorem(frontend, before, after, node, source, place) | {"command": number} for node in nodes]
        first = len(found["theorems"])
        found["theorems"] += theorems
        if not theorems and any(leaf_text(node, source) in _WORDS for node in walk(command, quoted=False)):
            found["unclear"].append([start, end])
        if found["debug"] is None and b"debug" in source[start:end]:
            found["debug"] = _debug_option(command, source)
        trees = field(frontend.trees(after), 2)
        if show_tactics:
            found["tactics"] += tactics.tactics(trees)
        for at, position in enumerate(positions):
            if start <= position <= end and found["goals"][at] is None:
                found["goals"][at] = reader.goals(trees, position)
        if b"sorry" not in source[start:end] and b"admit" not in source[start:end]:
            return
        for node in walk(command, frozenset(_HOLES), quoted=False):
            if kind(node) not in _HOLES or (hole := span(node)) is None:
                continue
            owner = next((first + i for i, theorem in enumerate(theorems) if theorem["start"] <= hole[0] < theorem["end"]), None)
            goal = reader.goals(trees, hole[0]) if show_holes and _HOLES[kind(node)] == "tactic" else None
            found["holes"].append({"start": hole[0], "end": hole[1], "kind": _HOLES[kind(node)], "goal": goal, "theorem": owner})

    state = frontend.run(state, _AS_PLAIN_LEAN).state
    run = frontend.run(state, text, look=look)
    if show_holes:
        _fill_terms(frontend, state, text, found["holes"])
    numbers = [number for number, count in enumerate(run.counts) for _ in range(count - (run.counts[number - 1] if number else 0))]
    lines = text.split("\n")
    starts = [0, *accumulate(len(line.encode()) + 1 for line in lines)]
    messages = []
    for message, number in zip(run.messages, numbers, strict=True):
        line, column = message["pos"]["line"] - 1, message["pos"]["column"]
        at = starts[line] + len(lines[line][:column].encode())
        begins = found["commands"][number][0]
        while number and at < found["commands"][number][0]:  # found after the command to which it belongs
            number -= 1
        skipped = source[at:begins].strip() and at > found["commands"][number][1]  # about text that no command holds
        messages.append(message | {"command": None if skipped else number})
    return found | {"messages": messages, "options": frontend.options(run.state)}


def _debug_option(command: int, source: bytes) -> int | None:
    """Return where an option of the kind debug.* is set, which could switch the kernel off."""
    for node in walk(command, quoted=False):
        if kind(node) in _OPTIONS and any(leaf_text(leaf, source).startswith("debug.") for leaf in walk(node)):
            return (span(node) or (0, 0))[0]
    return None


def _theorem(frontend: Frontend, before: int, after: int, node: int, source: bytes, command: tuple[int, int]) -> dict[str, Any]:
    start, end = span(node) or (0, 0)
    names = [each for each in walk(node, _VALUES) if kind(each) == _NAME]
    value = next((where[0] for each in walk(node, _VALUES) if kind(each) in _VALUES and (where := span(each))), end)
    keyword = _NAMED.get(kind(node), "example")
    name = leaf_text(children(names[0])[0], source) if names else ""
    theorem: dict[str, Any] = {"name": name, "keyword": keyword, "start": start, "end": end, "value": value, "axioms": None}
    if keyword == "example":
        after, name = _named(frontend, before, source, start, command)
    target = frontend.find(before, after, _parts(name)) if name else None
    if theorem["name"]:
        full = frontend.full_name(before, _parts(name)) if target is None else public(target.name)
        theorem["name"] = ".".join(_written(str(part)) for part in full)
    if target is not None:
        theorem["axioms"] = frontend.axioms(after, target.name)
    return theorem


def _named(frontend: Frontend, before: int, source: bytes, start: int, command: tuple[int, int]) -> tuple[int, str]:
    """Elaborate an example under a name, since Lean forgets examples, with its tokens in their columns; return the state and the name."""
    line = source.rfind(b"\n", 0, command[0]) + 1
    until = start + len(b"example")
    lead = source[line : command[0]].decode(errors="replace")
    margin = source[source.rfind(b"\n", 0, until) + 1 : until].decode(errors="replace")
    above = source[command[0] : start].decode(errors="replace")
    rest = source[until : command[1]].decode(errors="replace")
    name = f"example_{os.urandom(8).hex()}"  # no declaration of the file may have it
    # like an example, and unlike a theorem, a definition has the variables that its proof mentions, and may be data
    return frontend.run(before, f"{' ' * len(lead)}{above}def {name}\n{' ' * len(margin)}{rest}\n").state, name


def _written(part: str) -> str:
    return part if _PLAIN_PART.fullmatch(part) else f"«{part}»"


def _parts(name: str) -> tuple[str, ...]:
    """Return the components of a name as written, `_root_` included."""
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
