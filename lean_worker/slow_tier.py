"""The strict check, for whatever is stored or reported: three processes, and the kernel checks the proof a second time.

The first process compiles the statement alone, the second the candidate, each to an .olean of its own. The third, which never runs or
parses anything of the candidate as Lean, reads both files as data: it compares the proved theorem with the statement (kind, universe
levels, type, and every definition below it), collects the axioms of all constants below the proof, and lets the kernel check every
declaration of the candidate below the theorem again, rebuilt term by term, on top of the core library. The core library itself, and a
statement's own elaboration, are trusted; a fault of this Lean's kernel is not caught, for there is no second kernel.
"""

import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import msgspec

from lean_worker.document import Statement, StatementError, check_header, split_statement, write_module
from lean_worker.embedded.build import HEADER, CoreLibrary
from lean_worker.lexer import LexError, tokens
from lean_worker.protocol import Check
from lean_worker.sandbox import SandboxConfig, settle
from lean_worker.screen import screen
from lean_worker.slow_phases import MODULE, NO_VERDICT, OLEAN, Setting, SlowKind, SlowLimits, compile_module, judge_files

_ANYWHERE = SandboxConfig()
_LIMITS = SlowLimits()


class Recheck(msgspec.Struct, frozen=True):
    """The verdict of the slow tier. `accepted` is None where nobody can say: infrastructure failed, which is never a rejection.

    `rechecked` names the constants that the kernel checked again. `seconds` holds the wall clock of each phase that ran: "statement" (near
    0 where an earlier check compiled it), "candidate", "judge".
    """

    id: str
    accepted: bool | None
    kind: SlowKind
    reason: str = ""
    axioms: tuple[str, ...] = ()
    rechecked: tuple[str, ...] = ()
    seconds: dict[str, float] = msgspec.field(default_factory=dict)
    tier: str = "slow"
    lean: str = ""
    library: str = ""
    sandbox: str = ""


def _parts(name: str) -> tuple[str, ...]:
    try:
        return tuple(part for token in tokens(name) for part in token.parts)
    except LexError as error:
        raise StatementError(f"{name} is no name: {error}") from error


class _Statements:
    """The statements compiled so far, each once."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._known: dict[str, tuple[Path, SlowKind | None, str]] = {}

    def compiled(self, text: str) -> tuple[Path, SlowKind | None, str]:
        if text not in self._known:
            folder = self._setting.folder / f"statement{len(self._known)}"
            kind, reason = compile_module(self._setting, folder, text)
            entry = folder / OLEAN, "statement" if kind == "error" else kind, reason
            if kind in NO_VERDICT:
                return entry
            self._known[text] = entry
        return self._known[text]


def _verdict(
    setting: Setting,
    check_id: str,
    kind: SlowKind,
    reason: str,
    seconds: dict[str, float] | None = None,
    axioms: tuple[str, ...] = (),
    rechecked: tuple[str, ...] = (),
) -> Recheck:
    accepted = None if kind in NO_VERDICT else kind == "accepted"
    report = settle(setting.sandbox)
    return Recheck(
        check_id,
        accepted,
        kind,
        reason,
        axioms,
        rechecked,
        seconds or {},
        lean=setting.core.lean_version,
        library=setting.core.hash,
        sandbox=" ".join([report.kind, *report.mechanisms]),
    )


def _recheck(setting: Setting, statements: _Statements, check_id: str, stub: str, text: str, target: tuple[str, ...]) -> Recheck:
    seconds: dict[str, float] = {}
    began = time.monotonic()

    def lap(phase: str) -> None:
        nonlocal began
        seconds[phase] = time.monotonic() - began
        began = time.monotonic()

    trusted, kind, reason = statements.compiled(stub)
    lap("statement")
    if kind:
        return _verdict(setting, check_id, kind, reason, seconds)
    with tempfile.TemporaryDirectory(dir=setting.folder) as folder:
        place = Path(folder) / "candidate"
        kind, reason = compile_module(setting, place, text)
        lap("candidate")
        if kind:
            return _verdict(setting, check_id, kind, reason, seconds)
        judged = judge_files(setting, trusted, place / OLEAN, target)
        lap("judge")
    return _verdict(setting, check_id, judged.kind, judged.reason, seconds, judged.axioms, judged.rechecked)


def _statement(header: str, source: str) -> Statement:
    check_header(header)
    return split_statement(source)


def recheck_many(
    checks: Iterable[Check], core: CoreLibrary, limits: SlowLimits = _LIMITS, sandbox: SandboxConfig = _ANYWHERE
) -> list[Recheck]:
    """The slow verdict of each check, in order; a statement that several checks share is compiled once.

    One process at a time; callers that want more run several of these. Raises SandboxError where a required sandbox does not hold.
    """
    settle(sandbox)
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(core, Path(folder), limits, sandbox)
        statements = _Statements(setting)
        found = []
        for check in checks:
            refused = screen(check.proof)
            if refused:
                found.append(_verdict(setting, check.id, "forbidden", refused))
                continue
            try:
                statement = _statement(check.header, check.statement)
                target = (MODULE, *_parts(statement.name))
            except StatementError as error:
                found.append(_verdict(setting, check.id, "statement", str(error)))
                continue
            stub = write_module(check.header, statement, None, MODULE)
            text = write_module(check.header, statement, check.proof, MODULE)
            found.append(_recheck(setting, statements, check.id, stub, text, target))
        return found


def recheck(check: Check, core: CoreLibrary, limits: SlowLimits = _LIMITS, sandbox: SandboxConfig = _ANYWHERE) -> Recheck:
    """The slow verdict of one check. Raises SandboxError where a required sandbox does not hold."""
    return recheck_many([check], core, limits, sandbox)[0]


def recheck_source(check: Check, core: CoreLibrary, limits: SlowLimits = _LIMITS, sandbox: SandboxConfig = _ANYWHERE) -> Recheck:
    """The slow verdict where `check.proof` is a whole source, helper declarations and the theorem, that stands behind the header.

    The source must declare the statement's theorem under the statement's own name. It is not screened, may hold any command and so may
    run native code: without a sandbox that holds this raises SandboxError.
    """
    settle(replace(sandbox, required=True))
    with tempfile.TemporaryDirectory() as folder:
        setting = Setting(core, Path(folder), limits, sandbox)
        try:
            statement = _statement(check.header, check.statement)
            target = _parts(statement.name)
        except StatementError as error:
            return _verdict(setting, check.id, "statement", str(error))
        opening = HEADER + check.header.rstrip("\n") + "\n"
        stub = f"{opening}{statement.before}{statement.name}{statement.after}:= sorry\n"
        return _recheck(setting, _Statements(setting), check.id, stub, f"{opening}{check.proof}\n", target)
