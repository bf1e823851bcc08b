"""Copies of a file in which Lean prints the axioms of every theorem, or the goals of holes that stand for terms.

What is added stands between commands, and every token of the file keeps its column.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from lean_worker.document import Raw
from lean_worker.file_commands import AS_PLAIN_LEAN, Elaborate, Outline, moved
from lean_worker.statement import blank

FULL_NAMES = f"{AS_PLAIN_LEAN}set_option pp.fullNames true\n"

_AUDIT = re.compile(r"'(.*)' (?:does not depend on any axioms|depends on axioms: \[([^\]]*)\])\s*", re.S)
_PRIVATE = re.compile(r"^_private\..*?\.0\.")


@dataclass(frozen=True)
class AuditCopy:
    """A copy of a file in which Lean prints the axioms of each theorem: `lines` has the two lines that ask about each, the second by the
    name as written."""

    text: str
    lines: tuple[tuple[int, int], ...]


def write_audit(file: Outline, label: str, definitions: Collection[int] = ()) -> AuditCopy:
    """Return the copy that audits the theorems of a file.

    Args:
        file: the file.
        label: the beginning of the names that examples get, since Lean forgets examples.
        definitions: the numbers of examples that prove nothing: they are declared as definitions.
    """
    text, where, theorems = file.text, file.where, file.theorems
    parts: list[str] = []
    asked: list[tuple[str, str]] = []
    lines: list[tuple[int, int]] = []
    at = line = 0

    def add(piece: str) -> None:
        nonlocal line
        parts.append(piece)
        line += piece.count("\n")

    for number, theorem in enumerate(theorems):
        name, full = theorem.name, theorem.full
        if theorem.keyword == "example":
            name = f"{label}_{number}"
            full = f"{theorem.namespace}.{name}".lstrip(".")
            until = theorem.start + len("example")
            declarer = "noncomputable def" if number in definitions else "theorem"
            add(text[at : theorem.head] + blank(text[theorem.head : theorem.start]))
            add(f"{declarer} {name}\n{' ' * where.line_column(until)[1]}")
            at = until
        asked.append((full, name))
        if number + 1 == len(theorems) or theorems[number + 1].command != theorem.command:
            end = file.commands[theorem.command][1]
            add(text[at:end] + "\n")
            for each in asked:
                lines.append((line + 1, line + 2))
                add(f"#print axioms _root_.{each[0]}\n#print axioms {each[1]}\n")
            add(" " * where.line_column(end)[1])
            at, asked = end, []
    add(text[at:])
    return AuditCopy("".join(parts), tuple(lines))


def _plain(name: str) -> str:
    """Return a name without guillemets and without what makes it private."""
    return _PRIVATE.sub("", name).replace("«", "").replace("»", "")


def read_audit(copy: AuditCopy, raw: Sequence[Raw], failed: Sequence[bool]) -> list[tuple[str, ...] | None]:
    """Return the axioms of each theorem, None if Lean did not declare it.

    A theorem in whose command Lean found an error (`failed`) may be missing, and its short name may then belong to another one.
    """
    printed: dict[int, tuple[str, tuple[str, ...]]] = {}
    for message in raw:
        if message["severity"] == "information" and (match := _AUDIT.fullmatch(message["data"])):
            axioms = tuple(_plain(name.strip()) for name in match[2].split(",")) if match[2] else ()
            printed[message["pos"]["line"]] = _plain(match[1]), axioms
    found: list[tuple[str, ...] | None] = []
    for number, (first, second) in enumerate(copy.lines):
        if first in printed:
            found.append(printed[first][1])
        elif second in printed and not failed[number]:
            found.append(printed[second][1])
        else:
            found.append(None)
    return found


def with_tactics(text: str, holes: Sequence[tuple[int, int]]) -> tuple[str, list[int]]:
    """Return a copy in which holes that stand for terms are tactic blocks, of which Lean records the goals, and their offsets there."""
    parts: list[str] = []
    offsets: list[int] = []
    at = size = 0
    for start, end in holes:
        for piece in (text[at:start], "(by "):
            parts.append(piece)
            size += len(piece)
        offsets.append(size)
        parts += [text[start:end], ")"]
        size += end - start + 1
        at = end
    return "".join([*parts, text[at:]]), offsets


def audit(elaborate: Elaborate, file: Outline, label: str) -> list[tuple[str, ...] | None]:
    """Return the axioms of each theorem, None if Lean did not declare it.

    An example that Lean does not accept as a theorem is tried again as a definition. `elaborate` and `label` as for `outline` and
    `write_audit`.
    """
    if not file.theorems:
        return []
    axioms = _audited(elaborate, file, write_audit(file, label))
    unnamed = {each.command for each in file.theorems if each.keyword == "example"}
    for number, each in enumerate(file.theorems):
        if each.keyword != "example" and each.command in unnamed:  # a `mutual` block with an example declares nothing
            axioms[number] = None
    others = {
        number
        for number, (each, found, failed) in enumerate(zip(file.theorems, axioms, file.failed, strict=True))
        if each.keyword == "example" and found is None and not failed
    }
    if others:
        again = _audited(elaborate, file, write_audit(file, label, others))
        axioms = [again[number] if number in others else found for number, found in enumerate(axioms)]
    return axioms


def _audited(elaborate: Elaborate, file: Outline, copy: AuditCopy) -> list[tuple[str, ...] | None]:
    return read_audit(copy, [moved(each, 1) for each in elaborate(FULL_NAMES + copy.text)], file.failed)


def found_in(
    file: Outline,
    axioms: Sequence[tuple[str, ...] | None],
    holes: Sequence[tuple[int, int, str, str | None]],
    goals: Sequence[str | None] = (),
) -> dict[str, Any]:
    """Return what was found in the form of `embedded.file_reader.read_file`; `holes` are start, end, kind and goal."""
    at, theorems = file.where.bytes_before, file.theorems
    owner = [next((i for i, each in enumerate(theorems) if each.start <= start < each.end), None) for start, *_ in holes]
    return {
        "messages": [{**message, "command": file.command_at(file.where.offset(message["pos"]))} for message in file.messages],
        "commands": [[at[start], at[end]] for start, end in file.commands],
        "theorems": [
            {
                "name": "" if each.keyword == "example" else _PRIVATE.sub("", each.full),
                "keyword": each.keyword,
                "start": at[each.start],
                "end": at[each.end],
                "value": at[each.value],
                "command": each.command,
                "axioms": found,
            }
            for each, found in zip(theorems, axioms, strict=True)
        ],
        "holes": [
            {"start": at[start], "end": at[end], "kind": kind, "goal": goal, "theorem": theorem}
            for (start, end, kind, goal), theorem in zip(holes, owner, strict=True)
        ],
        "goals": list(goals),
        "tactics": [],
        "unclear": [],
    }
