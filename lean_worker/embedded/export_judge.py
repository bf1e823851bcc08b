"""Export of a compiled file's theorems, and check of an exported file, as a script: `python -I -S export_judge.py JSON`.

It prints its answer as JSON. Like `judge.py` it reads .olean files as data and runs nothing of them. The key `task` of the request names
one of two tasks:

- `write`: `core`, `compiled` (paths of .olean files), `targets` (names, each as its parts, or null for all theorems), `allowed` (axioms),
  `out` (path to write), `exporter` (name and version). The answer holds `theorems`, each with `name`, `kind`, `reason` and `axioms`, and
  the number of `declarations` written.
- `recheck`: `library`, `core`, `allowed`, `export` (path to read). The answer holds `kind`, `reason`, `axioms`, `theorems` (names) and
  the number of `declarations`.

Standard library only.
"""

import json
import os
import sys
from collections.abc import Set
from pathlib import Path
from typing import Any

sys.path.append(os.path.dirname(os.path.abspath(__file__)))

from compare import is_auxiliary
from declarations import Entry, Incomplete, Sources, families, read_entry, shown
from export_reader import Export, ExportError, read_export
from export_writer import Writer
from kernel import Kernel, KernelLost, KernelRefused
from olean import Name, Olean, OleanError, Table
from replay import replay


def _is_own(name: Name, constructors: Set[Name]) -> bool:
    """Return whether a user may have written this theorem; others come with a definition, a type or another theorem."""
    private = name[0] == "_private" and any(isinstance(part, int) for part in name)
    rest = name[[isinstance(part, int) for part in name].index(True) + 1 :] if private else name
    return name[:-1] not in constructors and "brecOn" not in rest and not any(map(is_auxiliary, rest))


def _chosen(compiled: Olean, targets: list[Name] | None) -> list[tuple[str, Name | None]]:
    """Return each target as it was given and its full name, which is None if there is not exactly one theorem of this name."""
    theorems = sorted((name for name in compiled.names if compiled.stored(name)[0] == "theorem"), key=shown)
    if targets is None:
        constructors = {name for name in compiled.names if compiled.stored(name)[0] == "constructor"}
        return [(shown(name), name) for name in theorems if _is_own(name, constructors)]
    found: list[tuple[str, Name | None]] = []
    for target in targets:
        fitting = [target] if target in theorems else [name for name in theorems if name[-len(target) :] == target]
        found.append((shown(target), fitting[0] if len(fitting) == 1 else None))
    return found


def write(request: dict[str, Any]) -> dict[str, Any]:
    """Write the theorems that are proved from the allowed axioms, with all that they depend on."""
    table, binders = Table(), dict[int, Name]()
    data = Path(request["core"]).read_bytes()
    core, compiled = Olean(data, table, binders), Olean(Path(request["compiled"]).read_bytes(), table, binders)
    if known := core.names & compiled.names:
        raise OleanError(f"{shown(min(known, key=shown))} is already declared in the core library")
    sources, written, theorems = Sources(table, (core, compiled)), set[Name](), []
    targets = None if request["targets"] is None else [tuple(target) for target in request["targets"]]
    lean = data[7:40].rstrip(b"\0").decode(), data[40:80].decode()
    with Path(request["out"]).open("w", encoding="utf-8", newline="\n") as file:
        writer = Writer(table, binders, file.write, lean, tuple(request["exporter"]))
        for title, name in _chosen(compiled, targets):
            kind, reason, axioms = "mismatch", f"there is not exactly one theorem {title}", list[str]()
            if name is not None:
                kind, reason, axioms, needed = _audited(sources, core, name, set(request["allowed"]))
                for family in needed:
                    if family[0].name not in written:
                        writer.family(family)
                        written |= {entry.name for entry in family}
            theorems.append({"name": shown(name or (title,)), "kind": kind, "reason": reason, "axioms": axioms})
    return {"theorems": theorems, "declarations": len(written)}


def _audited(sources: Sources, core: Olean, name: Name, allowed: set[str]) -> tuple[str, str, list[str], list[list[Entry]]]:
    """Return kind, reason, axioms, and what has to be written for a theorem."""
    try:
        needed = list(families(sources, name))
    except Incomplete as error:
        return "kernel", str(error), [], []
    axioms = {family[0].name for family in needed if family[0].kind == "axiom"}
    listed = sorted(map(shown, axioms))
    if refused := sorted(shown(axiom) for axiom in axioms if axiom not in core.names or shown(axiom) not in allowed):
        return "axiom", f"proved from {', '.join(refused)}", listed, []
    return "accepted", "", listed, needed


def _altered(export: Export, core: Olean) -> str:
    """Return the first declaration that differs from the core library's own of this name, or an empty string."""
    for name, entry in export.entries.items():
        if name in core.names and entry != read_entry(core, name):
            return shown(name)
    return ""


def recheck(request: dict[str, Any]) -> dict[str, Any]:
    """Check every declaration of an exported file by the kernel, and compare those of the core library with the library."""
    table = Table()
    core = Olean(Path(request["core"]).read_bytes(), table)
    with Path(request["export"]).open(encoding="utf-8", newline="\n") as file:
        export = read_export(file, table)
    entries = export.entries.values()
    axioms = sorted(shown(entry.name) for entry in entries if entry.kind == "axiom")
    constructors = {entry.name for entry in entries if entry.kind == "constructor"}
    own = [entry.name for entry in entries if entry.kind == "theorem" and entry.name not in core.names]
    theorems = [shown(name) for name in own if _is_own(name, constructors)]
    found = {"kind": "accepted", "reason": "", "axioms": axioms, "theorems": theorems, "declarations": len(entries)}
    if refused := [axiom for axiom in axioms if axiom not in request["allowed"]]:
        return found | {"kind": "axiom", "reason": f"declares {', '.join(refused)}"}
    if altered := _altered(export, core):
        return found | {"kind": "mismatch", "reason": f"{altered} is not what it is in the core library"}
    foreign = [entry.name for entry in entries if entry.kind in ("axiom", "quotient") and entry.name not in core.names]
    if foreign:
        return found | {"kind": "axiom", "reason": f"{shown(foreign[0])} is not part of the core library"}
    replay(Kernel(request["library"], None, table), export.families)
    return found


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Return the answer to one request."""
    try:
        return write(request) if request["task"] == "write" else recheck(request)
    except (OleanError, Incomplete, KeyError) as error:
        return {"kind": "kernel", "reason": f"the compiled file cannot be exported: {error}"}
    except (ExportError, UnicodeDecodeError) as error:
        return {"kind": "error", "reason": f"not a file of the lean4export format: {error}"}
    except KernelRefused as refused:
        return {"kind": "kernel", "reason": str(refused)}
    except KernelLost as lost:
        return {"kind": "crash", "reason": str(lost)}


if __name__ == "__main__":
    made = json.dumps(answer(json.loads(sys.argv[1]))).encode()
    sys.stdout.flush()
    os.write(1, b"\n" + made + b"\n")
    os._exit(0)  # skip the shutdown of Lean's threads
