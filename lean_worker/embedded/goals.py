"""Goals at positions of an elaborated text, from Lean's information trees, as an editor shows them.

Standard library only: the fork server loads it as a plain script.
"""

import ctypes

from objects import NOTHING, Objects, byte, field, keep, read_array, read_list, read_string, result

_WIDTH = 120  # as Lean's server prints
_CONTEXT_TERMS = 3  # the field of a command's context that holds the metavariables
_BEFORE, _AFTER = (1, 2), (3, 4)  # fields of a tactic's information: metavariables and goals


class GoalReader:
    """Reader of goals of one text."""

    def __init__(self, objects: Objects, text: str) -> None:
        pointer = ctypes.c_void_p
        self._objects = objects
        self._goals_at = objects.function("l_Lean_Elab_InfoTree_goalsAt_x3f", *(pointer,) * 3)
        self._show = objects.function("l_Lean_Elab_ContextInfo_ppGoals", *(pointer,) * 2)
        self._pretty = objects.function("l_Std_Format_pretty", *(pointer,) * 4)
        self._map = keep(objects.function("l_Lean_FileMap_ofString", pointer)(objects.string(text)))

    def goals(self, trees: int, offset: int, before: bool = False) -> str | None:
        """Return the goals at a byte offset, given a command's information trees, or None if no tactic stands there.

        With `before` they are those before the tactic that stands there, even at its end.
        """
        forest = keep(trees)
        roots = read_array(keep(field(forest, 1)))
        shown = []
        for root in roots:
            for found in read_list(keep(self._goals_at(self._map, keep(root), offset << 1 | 1))):
                shown.append(self._before_or_after(found, before))
        return "\n\n".join(dict.fromkeys(shown)) if shown else None

    def _before_or_after(self, found: int, before: bool) -> str:
        context, tactic = field(found, 0), field(found, 1)
        terms, goals = _AFTER if not before and byte(found, 8 + 8 * byte(found, 6)) else _BEFORE
        wanted = keep(field(tactic, goals))
        return "no goals" if wanted == NOTHING else self.shown(context, keep(field(tactic, terms)), wanted)

    def shown(self, context: int, terms: int, goals: int) -> str:
        """Return goals as text, given their context, the metavariables at that point, and the list of the goals."""
        command = field(context, 0)
        parts = [keep(field(command, index)) for index in range(byte(command, 6))]
        parts[_CONTEXT_TERMS] = terms
        rest = [keep(field(context, index)) for index in range(1, byte(context, 6))]
        own = self._objects.constructor(0, (self._objects.constructor(0, parts), *rest))
        each = [self._objects.list([keep(goal)]) for goal in read_list(goals)]
        texts = [keep(result(self._show(own, goal))) for goal in each]
        return "\n\n".join(read_string(keep(self._pretty(text, _WIDTH << 1 | 1, 1, 1))).strip() for text in texts)
