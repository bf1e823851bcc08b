"""Comparison of a candidate's .olean with a statement's for an installed Lean: `python -I -S files_judge.py JSON`, which prints JSON.

The request: `statement` and `candidate` (paths of .olean files), `target` (the end of the theorem's name, its parts), `module` (the name of
both modules), `search` (folders of imported modules). Nothing of either file is run. What comes from imported modules is named, not read:
a Lean that loads only these says which axioms it depends on. Standard library only.

The answer: `kind` ("accepted" if the candidate's theorem is the statement, else "mismatch", "axiom", "kernel", "unreadable" or
"unavailable"), `reason`, `imports` (the modules that both files import), `axioms` and `own` (axioms and constants of the candidate's file
below the theorem) and `imported` (constants of imported modules that these mention); names are lists of parts.
"""

import json
import os
import sys
from collections.abc import Container
from pathlib import Path
from typing import Any

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "embedded"))

from compare import Refused, compare, mentioned, parts, shown
from judge import full_name
from olean import Name, Olean, OleanError, Table

_MOST_MODULES = 400


class _Elsewhere(Container[Name]):
    """All names that neither file declares: those of imported modules, if they exist."""

    def __init__(self, *files: Olean) -> None:
        self._declared = set().union(*(file.names for file in files))

    def __contains__(self, name: object) -> bool:
        return name not in self._declared


class _Modules:
    """Imported modules, each read when a name in it is needed that no Lean text can spell."""

    def __init__(self, folders: list[str], table: Table) -> None:
        self._folders, self._table = [Path(folder) for folder in folders], table
        self._files: dict[Name, Olean | None] = {}

    def used(self, name: Name) -> set[Name]:
        """Return what a constant mentions; its name tells the module. Raises Refused if it cannot be found or is an axiom."""
        words = name[1:] if name[:1] == ("_private",) else name
        modules = [words[:length] for length in range(len(words), 0, -1) if all(isinstance(part, str) for part in words[:length])]
        for module in modules:
            file = self._open(module)
            if file is not None and name in file.names:
                kind, used = file.used(name)
                if kind == "axiom":
                    raise Refused("axiom", f"proved from {shown(name)}")
                return used
        raise Refused("unavailable", f"{shown(name)} is not found in the imported modules")

    def _open(self, module: Name) -> Olean | None:
        if module not in self._files:
            if len(self._files) > _MOST_MODULES:
                raise Refused("unavailable", f"more than {_MOST_MODULES} imported modules would have to be read")
            place = Path(*map(str, module)).with_suffix(".olean")
            path = next((folder / place for folder in self._folders if (folder / place).is_file()), None)
            self._files[module] = None if path is None else Olean(path.read_bytes(), self._table)
        return self._files[module]


def _can_be_spelled(name: Name) -> bool:
    return all(isinstance(part, str) and part and not set(part) & set("«»\n\r\0") for part in name)


def _audit(candidate: Olean, modules: _Modules, table: Table, target: Name, module: Name) -> dict[str, Any]:
    """Return the axioms and constants of the candidate's file below the target, and the imported constants that these mention."""
    own: set[Name] = set()
    axioms: set[Name] = set()
    imported: set[Name] = set()
    waiting, seen = [target], {target}
    while waiting:
        name = waiting.pop()
        if name in candidate.names:
            constant = candidate.constant(name)
            used = mentioned(table, (constant.type, constant.value)) | parts(constant)
            own.add(name)
            if constant.kind == "axiom":
                axioms.add(name)
            if not _can_be_spelled(name) and not _within(module, name):
                raise Refused("kernel", f"{shown(name)}: this name belongs to another module")
        elif _can_be_spelled(name):
            imported.add(name)
            used = set()
        else:
            used = modules.used(name)
        waiting += used - seen
        seen |= used
    return {"axioms": sorted(map(list, axioms)), "own": _listed(own), "imported": _listed(imported)}


def _listed(names: set[Name]) -> list[list[str]]:
    return sorted([str(part) for part in name] for name in names if _can_be_spelled(name))


def _within(module: Name, name: Name) -> bool:
    """Return whether a name contains that of the module: Lean so distinguishes names that it makes up."""
    return any(name[at : at + len(module)] == module for at in range(len(name)))


def judge(request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to one request."""
    table = Table()
    module: Name = tuple(request["module"])
    try:
        statement = Olean(Path(request["statement"]).read_bytes(), table)
        required = statement.imports
        target = full_name(statement, table, tuple(request["target"]))
        statement.constant(target)
    except (OleanError, KeyError) as error:
        return {"kind": "unavailable", "reason": f"the .olean files of this Lean cannot be read: {error}"}
    except Refused as refused:
        return {"kind": refused.args[0], "reason": refused.args[1]}
    try:
        candidate = Olean(Path(request["candidate"]).read_bytes(), table)
        if (candidate.version, candidate.imports) != (statement.version, required):
            raise Refused("kernel", "the proof's file is of another version of Lean, or imports other modules")
        compare(statement, candidate, _Elsewhere(statement, candidate), table, target)
        found = _audit(candidate, _Modules(request["search"], table), table, target, module)
        return {"kind": "accepted", "reason": "", "imports": [list(map(str, module)) for module in required], **found}
    except Refused as refused:
        return {"kind": refused.args[0], "reason": refused.args[1]}
    except (OleanError, KeyError) as error:
        return {"kind": "kernel", "reason": f"the compiled proof cannot be read: {error}"}


if __name__ == "__main__":
    print("\n" + json.dumps(judge(json.loads(sys.argv[1]))))
