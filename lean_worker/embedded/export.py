"""Export of proofs in the lean4export format, for kernels that are independent of Lean's own, and a second check of the exported file.

Every step is a sandboxed process of its own, as in the slow tier. What is exported has been checked by Lean's kernel twice: when it was
compiled, and again from the written file, where not even the core library is trusted.
"""

import json
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lean_worker.candidate import Candidate
from lean_worker.document import write_module
from lean_worker.embedded.build import NAME, OPENING, CoreLibrary
from lean_worker.embedded.slow_phases import OLEAN, Setting, SlowLimits, compile_module, judge_files, run_phase
from lean_worker.embedded.work_folder import WorkFolder
from lean_worker.protocol import ALLOWED_AXIOMS, Kind
from lean_worker.sandbox.sandbox import SandboxConfig, settle
from lean_worker.statement import Statement

_SCRIPT = Path(__file__).parent / "export_judge.py"
_FILE = "export.ndjson"
_EXPORTER = ("lean-worker", "1.0.0")
_ANYWHERE = SandboxConfig()
_LIMITS = SlowLimits()

NamePart = str | int


@dataclass(frozen=True)
class Theorem:
    """Result for one theorem, named in full; it was exported if `kind` is `accepted`."""

    name: str
    kind: Kind
    reason: str = ""
    axioms: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exported:
    """Result of an export. `declarations` is the number of those in the file, which exists only if a theorem was accepted."""

    theorems: tuple[Theorem, ...]
    declarations: int = 0

    @property
    def accepted(self) -> bool:
        """Whether every theorem was exported."""
        return bool(self.theorems) and all(theorem.kind == "accepted" for theorem in self.theorems)


@dataclass(frozen=True)
class Rechecked:
    """Result of checking an exported file; `theorems` are those that the core library does not have."""

    kind: Kind
    reason: str = ""
    axioms: tuple[str, ...] = ()
    theorems: tuple[str, ...] = ()
    declarations: int = 0


@contextmanager
def export_setting(core: CoreLibrary, limits: SlowLimits = _LIMITS, sandbox: SandboxConfig = _ANYWHERE) -> Iterator[Setting]:
    """Provide a temporary folder, limits and sandbox for exports. Raises SandboxError if a required sandbox does not hold."""
    settle(sandbox)
    folder = WorkFolder()
    try:
        yield Setting(core, folder.path, limits, sandbox)
    finally:
        folder.close()


def export_proof(setting: Setting, header: str, statement: Statement, candidate: Candidate, out: Path) -> Exported:
    """Judge a candidate as the slow tier does and write its theorem, under the statement's name, to `out`."""
    target = statement.parts
    with tempfile.TemporaryDirectory(dir=setting.folder) as folder:
        required, given = Path(folder) / "statement", Path(folder) / "candidate"
        kind, reason = compile_module(setting, required, write_module(OPENING, header, statement, None))
        if kind:
            return _failed(target, "statement" if kind == "error" else kind, reason)
        kind, reason = compile_module(setting, given, write_module(OPENING, header, statement, candidate))
        if kind:
            return _failed(target, kind, reason)
        judged = judge_files(setting, required / OLEAN, given / OLEAN, target)
        if judged.kind != "accepted":
            return _failed(target, judged.kind, judged.reason)
        return export_compiled(setting, given / OLEAN, [target], out)


def export_source(setting: Setting, text: str, targets: Sequence[tuple[NamePart, ...]] | None, out: Path) -> Exported:
    """Compile a whole module, which begins with its prelude and imports, and write some or all of its theorems to `out`."""
    with tempfile.TemporaryDirectory(dir=setting.folder) as folder:
        place = Path(folder) / "source"
        kind, reason = compile_module(setting, place, text)
        if kind:
            return Exported(tuple(theorem for target in targets or [()] for theorem in _failed(target, kind, reason).theorems))
        return export_compiled(setting, place / OLEAN, targets, out)


def export_compiled(setting: Setting, compiled: Path, targets: Sequence[tuple[NamePart, ...]] | None, out: Path) -> Exported:
    """Write theorems of a compiled file, with all that they depend on, to `out`, and check the written file.

    Args:
        setting: the Lean, the limits and the sandbox.
        compiled: an .olean file that imports the core library only; it is not trusted.
        targets: full names or ends of names of theorems, or None for all that a user may have written.
        out: path to write; its folder must exist.
    """
    with tempfile.TemporaryDirectory(dir=setting.folder) as folder:
        made = Path(folder) / _FILE
        request = {"task": "write", "compiled": str(compiled), "targets": targets, "out": str(made), "exporter": _EXPORTER}
        answer = _ask(setting, request, Path(folder), (compiled,))
        if "theorems" not in answer:
            return Exported(tuple(Theorem(_shown(target), answer["kind"], answer["reason"]) for target in targets or [()]))
        theorems = tuple(Theorem(each["name"], each["kind"], each["reason"], tuple(each["axioms"])) for each in answer["theorems"])
        if not any(theorem.kind == "accepted" for theorem in theorems):
            return Exported(theorems)
        again = recheck_export(setting, made)
        if again.kind != "accepted":
            reason = f"the exported file was refused: {again.reason}"
            return Exported(tuple(replace(each, kind=again.kind, reason=reason) if each.kind == "accepted" else each for each in theorems))
        shutil.copyfile(made, out)
        return Exported(theorems, again.declarations)


def recheck_export(setting: Setting, path: Path) -> Rechecked:
    """Read an exported file and let Lean's kernel check all its declarations from nothing, those of the core library included.

    Those that the core library has must equal it, so that names and axioms mean what they do there.
    """
    answer = _ask(setting, {"task": "recheck", "export": str(path.resolve())}, None, (path.resolve(),))
    axioms, theorems = (tuple(answer.get(key, ())) for key in ("axioms", "theorems"))
    return Rechecked(answer["kind"], answer["reason"], axioms, theorems, answer.get("declarations", 0))


def _failed(target: tuple[NamePart, ...], kind: Kind, reason: str) -> Exported:
    return Exported((Theorem(_shown(target), kind, reason),))


def _shown(target: tuple[NamePart, ...]) -> str:
    return ".".join(map(str, target))


def _ask(setting: Setting, request: dict[str, Any], writable: Path | None, read: tuple[Path, ...]) -> dict[str, Any]:
    core = setting.core
    request = {
        **request,
        "library": str(core.library.path),
        "core": str(core.path / NAME / "All.olean"),
        "allowed": sorted(ALLOWED_AXIOMS),
    }
    command = [sys.executable, "-I", "-S", "-W", "ignore", str(_SCRIPT), json.dumps(request)]
    ran = run_phase(setting, command, writable, read, time.monotonic() + setting.limits.seconds)
    if ran.kind:
        return {"kind": ran.kind, "reason": f"the exporter {ran.reason}"}
    try:
        answer: dict[str, Any] = json.loads(ran.output.strip().split("\n")[-1])
    except ValueError:
        answer = {}
    if "theorems" in answer or "kind" in answer:
        return answer
    return {"kind": "crash", "reason": f"the exporter ended with exit code {ran.code} without an answer: {ran.output.strip()[-300:]}"}
