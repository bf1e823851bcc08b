"""Tactics of an elaborated text with the goals before and after each, from Lean's information trees.

Standard library only: the fork server loads it as a plain script.
"""

import ctypes
from typing import Any

from goals import GoalReader
from objects import NOTHING, Objects, field, keep, read_array, read_list, tag
from syntax import is_original, kind, span

_CONTEXT, _NODE = 0, 1
_TACTIC = 0
# what only groups tactics
_SEQUENCES = ("tacticSeq", "tacticSeq1Indented", "tacticSeqBracketed", "paren", "tactic_<;>_")
_GROUPING = frozenset(
    {"", "null", "Lean.cdot", "Lean.cdotTk", "Lean.Parser.Term.byTactic", *(f"Lean.Parser.Tactic.{name}" for name in _SEQUENCES)}
)


class TacticReader:
    """Reader of the tactics of one text, whose goals `goals` shows."""

    def __init__(self, objects: Objects, goals: GoalReader) -> None:
        pointer = ctypes.c_void_p
        self._objects, self._goals = objects, goals
        self._merge = objects.function("l_Lean_Elab_PartialContextInfo_mergeIntoOuter_x3f", pointer, pointer)
        self._items = objects.function("l_Lean_PersistentArray_toArray___redArg", pointer)

    def tactics(self, trees: int) -> list[dict[str, Any]]:
        """Return the tactics of a command, given its information trees.

        Each has `kind`, `start`, `end` (bytes; None if it does not stand in the text), `synthetic`, `grouping` (whether it only groups
        others), `before`, `after` (goals) and `within` (the tactics inside).
        """
        return [tactic for tree in self._children(trees) for tactic in self._read(tree, NOTHING)]

    def _children(self, items: int) -> list[int]:
        return read_array(keep(self._items(keep(items))))

    def _read(self, tree: int, outer: int) -> list[dict[str, Any]]:
        if tree & 1 or tag(tree) not in (_CONTEXT, _NODE):
            return []
        if tag(tree) == _CONTEXT:
            return self._read(keep(field(tree, 1)), keep(self._merge(keep(field(tree, 0)), outer)))
        info = field(tree, 0)
        within = [tactic for child in self._children(field(tree, 1)) for tactic in self._read(child, outer)]
        if tag(info) != _TACTIC or outer & 1:
            return within
        tactic, context = field(info, 0), field(outer, 0)
        syntax = field(field(tactic, 0), 1)
        start, end = span(syntax) or (None, None)
        about = {
            "kind": kind(syntax),
            "start": start,
            "end": end,
            "synthetic": not is_original(syntax),
            "grouping": kind(syntax) in _GROUPING,
        }
        before, after = (self._shown(context, tactic, at) for at in (1, 3))
        return [about | {"before": before, "after": after, "within": within}]

    def _shown(self, context: int, tactic: int, at: int) -> list[str]:
        terms, wanted = keep(field(tactic, at)), keep(field(tactic, at + 1))
        return [self._goals.shown(context, terms, self._objects.list([keep(goal)])) for goal in read_list(wanted)]
