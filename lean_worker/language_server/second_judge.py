"""Slow tier of an installed Lean: statement and candidate compiled apart, their files compared as data, and checked again by its kernel.

Five processes, each in the sandbox, none of which runs code of a candidate except the one that compiles it:

1. That Lean compiles the statement, 2. and the candidate, each to an .olean of its own.
3. A reader without Lean compares the two theorems with all that they rest on, and lists what the proof uses (`files_judge.py`).
4. That Lean, with the imports alone, prints the axioms of each imported constant that the proof uses. A process that loaded the
   candidate's file would be shorter, but macros and initialisers of that file would run in it and could imitate its answer.
5. That Lean's re-checker (leanchecker or lean4checker) lets the kernel check the candidate's file again. It loads files as data too.

Before the first check, the same is tried on a file with known content: the reader must read it as it was written, and the re-checker must
accept it. Otherwise this Lean has no slow tier, and the answer says so.
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lean_worker.embedded.slow_phases import MODULE, OLEAN, Judgement, Program, Setting, SlowLimits, compile_module, run_phase
from lean_worker.embedded.slow_tier import SlowTier
from lean_worker.language_server.layout import PROBE, layout_problem
from lean_worker.protocol import ALLOWED_AXIOMS
from lean_worker.sandbox.sandbox import SandboxConfig

CHECKERS = ("leanchecker", "lean4checker")

NO_CHECKER = (
    "its toolchain has no leanchecker and the project no lean4checker; use Lean 4.28 or newer, or build "
    "https://github.com/leanprover/lean4checker in the project"
)

_HEARTBEATS = 200_000
_ADDRESS_SPACE = 32 << 30
_FILES_JUDGE = Path(__file__).parent / "files_judge.py"
_AUDITED = "' depends on axioms: ["
_FREE = "' does not depend on any axioms"


def find_checker(toolchain: Path, project: Path | None, path: str) -> Path | None:
    """Return the re-checker of a toolchain, of a project or on the PATH, in this order, or None."""
    built = [] if project is None else [project / ".lake" / "build" / "bin", *project.glob(".lake/packages/*/.lake/build/bin")]
    folders = [toolchain / "bin", *built, *map(Path, filter(None, path.split(os.pathsep)))]
    found = (folder / name for folder in folders for name in CHECKERS)
    return next((file.resolve() for file in found if os.access(file, os.X_OK) and file.is_file()), None)


@dataclass
class InstalledJudge:
    """Judge of compiled files for one installed Lean. Thread-safe.

    Args:
        checker: the re-checker.
        opening: the imports of the file on which reader and re-checker are tried.
    """

    checker: Path
    opening: str = ""
    _trying: threading.Lock = field(default_factory=threading.Lock)
    _problem: Judgement | None = None
    _tried: bool = False

    def __call__(self, setting: Setting, statement: Path, candidate: Path, target: tuple[str, ...], deadline: float) -> Judgement:
        """Judge a candidate's file against a statement's; `target` is the end of the theorem's name."""
        with self._trying:
            if not self._tried:
                self._problem = self._try(setting)
                self._tried = self._problem is None or self._problem.kind == "unavailable"
            if self._problem is not None:
                return self._problem
        answer = _compare(setting, statement, candidate, target, deadline)
        if answer["kind"] != "accepted":
            return Judgement(answer["kind"], answer["reason"])
        axioms, refused = _axioms(setting, answer, deadline)
        if refused is not None:
            return refused
        wrong = self._recheck(setting, candidate.parent, deadline)
        if wrong is not None:
            return wrong
        return Judgement("accepted", "", tuple(axioms), tuple(".".join(name) for name in answer["own"]))

    def _try(self, setting: Setting) -> Judgement | None:
        """Return why this Lean has no slow tier, or None if a file with known content is read and checked again."""
        remedy = "use the fast tier, or another Lean"
        deadline = time.monotonic() + setting.limits.seconds
        with tempfile.TemporaryDirectory(dir=setting.folder) as folder:
            place = Path(folder) / "probe"
            kind, reason = compile_module(setting, place, self.opening + PROBE, deadline)
            if kind:
                return Judgement("unavailable", f"a file for trial does not compile: {reason}; {remedy}")
            problem = layout_problem((place / OLEAN).read_bytes())
            if problem:
                version = setting.program.version
                return Judgement("unavailable", f"the .olean files of Lean {version} have a layout unknown here: {problem}; {remedy}")
            wrong = self._recheck(setting, place, deadline)
            if wrong is not None:
                return Judgement("unavailable", f"{self.checker} does not accept a correct file: {wrong.reason}; rebuild it for this Lean")
        return None

    def _recheck(self, setting: Setting, folder: Path, deadline: float) -> Judgement | None:
        """Let the kernel check the module in a folder again; return None if it accepts."""
        environment = dict(setting.program.environment)
        environment["LEAN_PATH"] = os.pathsep.join(filter(None, [str(folder), environment.get("LEAN_PATH")]))
        # it starts `lean --print-prefix`, and runs nothing of the module
        ran = run_phase(setting, [str(self.checker), MODULE], None, (folder, self.checker), deadline, environment, processes=None)
        if ran.kind:
            return Judgement(ran.kind, f"the re-checker {ran.reason}")
        return Judgement("kernel", f"{self.checker.name}: {ran.output.strip()[-300:]}") if ran.code else None


def installed_tier(
    program: Program, checker: Path | None, opening: str, seconds: float, heartbeats: int | None, sandbox: SandboxConfig
) -> SlowTier | None:
    """Return the slow tier of an installed Lean, or None without a re-checker."""
    if checker is None:
        return None
    # the files of a library are mapped into memory, so address space is no measure of what is used
    limits = SlowLimits(seconds, heartbeats or _HEARTBEATS, memory_bytes=_ADDRESS_SPACE)
    return SlowTier(program, limits, sandbox, InstalledJudge(checker, opening), opening)


def _compare(setting: Setting, statement: Path, candidate: Path, target: Sequence[str], deadline: float) -> dict[str, Any]:
    search = [entry for entry in setting.program.environment.get("LEAN_PATH", "").split(os.pathsep) if entry]
    search += [str(path / "lib" / "lean") for path in setting.program.read]
    request = {"statement": str(statement), "candidate": str(candidate), "target": target, "module": [MODULE], "search": search}
    command = [sys.executable, "-I", "-S", "-W", "ignore", str(_FILES_JUDGE), json.dumps(request)]
    ran = run_phase(setting, command, None, (statement, candidate), deadline)
    if ran.kind:
        return {"kind": ran.kind, "reason": f"the comparison {ran.reason}"}
    try:
        answer: dict[str, Any] = json.loads(ran.output.strip().split("\n")[-1])
    except ValueError:
        return {"kind": "crash", "reason": f"the comparison ended with exit code {ran.code} without an answer: {ran.output.strip()[-300:]}"}
    return answer


def _axioms(setting: Setting, answer: dict[str, Any], deadline: float) -> tuple[list[str], Judgement | None]:
    """Return the axioms of the proof, or why it is refused, from what its imports alone say about the constants that it uses."""
    imports = "prelude\n" + "".join(f"import {_spelled(module)}\n" for module in answer["imports"])
    own, imported = answer["own"], answer["imported"]
    asked = [*imported, *own]
    text = imports + "set_option pp.fullNames true\n" + "".join(f"#print axioms {_spelled(name)}\n" for name in asked)
    first = imports.count("\n") + 2
    with tempfile.TemporaryDirectory(dir=setting.folder) as folder:
        source = Path(folder) / "Axioms.lean"
        source.write_text(text, encoding="utf-8")
        program = setting.program
        ran = run_phase(setting, [*program.command, "--json", "-j1", str(source)], None, (source,), deadline)
    if ran.kind:
        return [], Judgement(ran.kind, f"Lean {ran.reason} before the axioms were known")
    printed = _printed(ran.output, first)
    axioms: set[str] = {".".join(name) for name in answer["axioms"]}
    for number, name in enumerate(asked):
        found = printed.get(number)
        if number >= len(imported):
            if found is not None:
                return [], Judgement("kernel", f"{'.'.join(name)}: already declared")
        elif found is None:
            return [], Judgement("kernel", f"{'.'.join(name)}: unknown constant")
        else:
            axioms |= found
    refused = axioms - ALLOWED_AXIOMS | {".".join(name) for name in answer["axioms"]}
    if refused:
        return [], Judgement("axiom", f"proved from {', '.join(sorted(refused))}", tuple(sorted(axioms)))
    return sorted(axioms), None


def _spelled(name: Sequence[str]) -> str:
    return ".".join(f"«{part}»" for part in name)


def _printed(output: str, first: int) -> dict[int, set[str]]:
    """Return the axioms that Lean printed, by the number of the line after the first."""
    found: dict[int, set[str]] = {}
    for line in output.split("\n"):
        try:
            message = json.loads(line)
            text, number = message["data"], message["pos"]["line"] - first
        except (ValueError, TypeError, KeyError):
            continue
        if _FREE in text:
            found[number] = set()
        elif _AUDITED in text:
            found[number] = {each.strip() for each in text.rpartition("[")[2].rstrip().removesuffix("]").split(",")}
    return found
