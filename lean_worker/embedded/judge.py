"""Judge of a candidate's .olean against a statement's: `python -I -S judge.py JSON`, which prints its answer as JSON.

The request: `library`, `core`, `statement`, `candidate` (paths of the shared library and of .olean files), `target` (the end of the
theorem's name, its parts), `allowed` (axioms). Nothing of the candidate is run or parsed as Lean here: its terms are read as data, compared
with the statement's, searched for axioms, rebuilt, and checked again by the kernel. Standard library only.

The answer: `kind` ("accepted", "statement", "mismatch", "axiom", "kernel" or "crash"), `reason`, `axioms`, `rechecked` (names).
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

sys.path.append(os.path.dirname(os.path.abspath(__file__)))

from compare import Refused, compare, mentioned, parts, shown
from kernel import Kernel, KernelLost, KernelRefused
from olean import Constant, Name, Olean, OleanError, Table

_SAFE = 1
_DECLARED = ("theorem", "definition", "opaque")


def full_name(statement: Olean, table: Table, ending: Name) -> Name:
    """Return the name of the statement's own theorem: among those that end like it, the one that is proved by `sorry`."""
    found = [name for name in statement.names if name[-len(ending) :] == ending and statement.constant(name).kind in _DECLARED]
    if len(found) > 1:
        found = [name for name in found if ("sorryAx",) in mentioned(table, [statement.constant(name).value])]
    if len(found) != 1:
        raise Refused("unreadable", f"{len(found)} theorems of the statement's file are named {shown(ending)}")
    return found[0]


def _audit(candidate: Olean, core: Olean, table: Table, target: Name, allowed: set[str]) -> tuple[list[str], set[Name]]:
    """Return the axioms that the target depends on, and the candidate's own constants that it depends on."""
    axioms: set[str] = set()
    refused: set[str] = set()
    own: set[Name] = set()
    waiting, seen = [target], {target}
    while waiting:
        name = waiting.pop()
        if name in core.names:
            kind, used = core.used(name)
        elif name in candidate.names:
            constant = candidate.constant(name)
            kind, used = constant.kind, mentioned(table, (constant.type, constant.value)) | parts(constant)
            own.add(name)
        else:
            raise Refused("kernel", f"{shown(name)}: unknown constant")
        if kind == "axiom":
            axioms.add(shown(name))
            if name in own or shown(name) not in allowed:  # a constant of the candidate may imitate an allowed axiom
                refused.add(shown(name))
        waiting += used - seen
        seen |= used
    if refused:
        raise Refused("axiom", f"proved from {', '.join(sorted(refused))}", sorted(axioms))
    return sorted(axioms), own


def _group(candidate: Olean, name: Name) -> list[Constant]:
    """Return the constants that the kernel must get together with this one: an inductive's with its constructors, or itself alone."""
    constant = candidate.constant(name)
    if constant.kind in ("constructor", "recursor"):
        constant = candidate.constant(constant.details[0])
    if constant.kind != "inductive":
        return [constant]
    types = [candidate.constant(each) for each in constant.details[1]]
    if any(each.kind != "inductive" for each in types):
        raise Refused("kernel", f"{shown(name)}: its family contains something that is not an inductive type")
    return types + [candidate.constant(each) for type_ in types for each in type_.details[2]]


def _hand_over(kernel: Kernel, group: list[Constant]) -> None:
    first = group[0]
    name = shown(first.name)
    if first.kind == "inductive":
        types = [each for each in group if each.kind == "inductive"]
        if any(each.details[3] for each in types):
            raise Refused("kernel", f"{name} is unsafe")
        by_name = {each.name: each for each in group}
        listed = [(each, [by_name[part] for part in each.details[2]]) for each in types]
        kernel.add_inductive(listed, first.details[0])
        return
    unsafe = {"definition": first.details[1:2] != (_SAFE,), "opaque": first.details[:1] != (0,)}.get(first.kind, False)
    if unsafe:
        raise Refused("kernel", f"{name} is unsafe or partial")
    kernel.add(first)


def _replay(kernel: Kernel, candidate: Olean, own: set[Name], table: Table) -> list[str]:
    """Let the kernel check every constant of `own`, dependencies first. Return their names in the order of checking."""
    done: set[Name] = set()
    order: list[str] = []
    for start in sorted(own, key=shown):
        stack, open_ = [start], set()
        while stack:
            name = stack[-1]
            if name in done:
                stack.pop()
                continue
            group = _group(candidate, name)
            inside = {constant.name for constant in group} | {name}
            needed = mentioned(table, [part for constant in group for part in (constant.type, constant.value)])
            missing = [other for other in needed - inside if other in own and other not in done]
            if missing and name in open_:
                raise Refused("kernel", f"{shown(name)} depends on itself")
            if missing:
                open_.add(name)
                stack += missing
                continue
            if group[0].name not in done:
                _hand_over(kernel, group)
                order += [shown(constant.name) for constant in group]
            done |= inside
            stack.pop()
    lost = [shown(name) for name in own if not kernel.has(name)]
    if lost:
        raise Refused("kernel", f"{lost[0]}: the kernel did not make this constant")
    return order


def judge(request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to one request."""
    table = Table()
    core, statement = Olean(Path(request["core"]).read_bytes(), table), Olean(Path(request["statement"]).read_bytes(), table)
    try:
        target = full_name(statement, table, tuple(request["target"]))
        candidate = Olean(Path(request["candidate"]).read_bytes(), table)
        known = candidate.names & core.names
        if known:
            raise Refused("kernel", f"{shown(min(known, key=shown))}: already declared")
        compare(statement, candidate, core.names, table, target)
        axioms, own = _audit(candidate, core, table, target, set(request["allowed"]))
        kernel = Kernel(request["library"], request["core"], table)
        return {"kind": "accepted", "reason": "", "axioms": axioms, "rechecked": _replay(kernel, candidate, own, table)}
    except Refused as refused:
        kind, reason, *axioms = refused.args
        return {"kind": kind, "reason": reason, "axioms": axioms[0] if axioms else [], "rechecked": []}
    except KernelRefused as refused:
        return {"kind": "kernel", "reason": str(refused), "axioms": [], "rechecked": []}
    except (OleanError, KeyError) as error:
        return {"kind": "kernel", "reason": f"the compiled proof cannot be read: {error}", "axioms": [], "rechecked": []}
    except KernelLost as lost:
        return {"kind": "crash", "reason": str(lost), "axioms": [], "rechecked": []}


if __name__ == "__main__":
    answer = json.dumps(judge(json.loads(sys.argv[1]))).encode()
    sys.stdout.flush()
    os.write(1, b"\n" + answer + b"\n")
    os._exit(0)  # skip the shutdown of Lean's threads
