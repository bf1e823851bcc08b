"""The strict check, for whatever is stored or reported: three processes, and the kernel checks the proof a second time.

The first process compiles the statement alone, the second the candidate, each to an .olean of its own. The third, which never runs or
parses anything of the candidate as Lean, reads both files as data: it compares the proved theorem with the statement (kind, universe
levels, type, and every definition below it), collects the axioms of all constants below the proof, and lets the kernel check every
declaration of the candidate below the theorem again, rebuilt term by term, on top of the core library. The core library itself, and a
statement's own elaboration, are trusted; a fault of this Lean's kernel is not caught, for there is no second kernel.
"""

import contextlib
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import msgspec

from lean_worker.document import Statement, StatementError, check_header, split_statement, write_module
from lean_worker.embedded.build import NAME, CoreLibrary, lean_command, lean_environment
from lean_worker.lexer import LexError, tokens
from lean_worker.protocol import ALLOWED_AXIOMS, Check
from lean_worker.sandbox import SandboxConfig, SandboxError, settle, wrap
from lean_worker.screen import screen

SlowKind = Literal[
    "accepted",
    "error",  # Lean refused the candidate
    "forbidden",  # the screen refused a token
    "mismatch",  # what was proved is not the statement
    "axiom",  # proved from an axiom outside the allowed three, `sorry` included
    "kernel",  # the compiled proof did not stand a second check by the kernel
    "statement",  # the statement itself does not elaborate
    "timeout",  # no verdict: a phase took too long
    "crash",  # no verdict: a process died, or the kernel ran out of means
    "unavailable",  # no verdict: a process could not be started
]

_JUDGE = Path(__file__).parent / "embedded" / "judge.py"
_MODULE = "Judged"
_NO_VERDICT = ("timeout", "crash", "unavailable")
_ANYWHERE = SandboxConfig()
_SANDBOX_REFUSED = 125


@dataclass(frozen=True)
class SlowLimits:
    """For each of the three phases: `seconds` of wall clock, `heartbeats` of Lean (thousands of small allocations), address space."""

    seconds: float = 60.0
    heartbeats: int = 20_000
    memory_bytes: int = 8 << 30


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


@dataclass(frozen=True)
class _Setting:
    core: CoreLibrary
    limits: SlowLimits
    sandbox: SandboxConfig
    folder: Path


@dataclass(frozen=True)
class _Ran:
    """How a process ended: `kind` is None where it ended by itself with exit code `code`."""

    kind: SlowKind | None
    reason: str
    code: int
    output: str


def _run(setting: _Setting, command: list[str], writable: Path | None, read: tuple[Path, ...]) -> _Ran:
    core = setting.core
    config = replace(
        setting.sandbox,
        writable=writable,
        read=(core.library.path.parent, core.path, *read, *setting.sandbox.read),
        max_processes=1,
        memory_bytes=setting.limits.memory_bytes,
    )
    file_bytes = 256 << 20
    with tempfile.TemporaryFile(dir=setting.folder) as output:
        process = subprocess.Popen(
            wrap(command, config),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=lean_environment(core.path),
            cwd="/",
            start_new_session=True,
        )
        with contextlib.suppress(OSError):  # a process that has ended needs no limit
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
            if settle(config).kind == "none":
                resource.prlimit(process.pid, resource.RLIMIT_AS, (setting.limits.memory_bytes,) * 2)
        try:
            code = process.wait(setting.limits.seconds)
        except subprocess.TimeoutExpired:
            return _Ran("timeout", f"no answer within {setting.limits.seconds:g} s", 0, "")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        output.seek(0)
        text = output.read().decode("utf-8", "replace")
    if code == _SANDBOX_REFUSED and setting.sandbox.kind != "none":
        return _Ran("unavailable", text.strip() or "the sandbox did not start", code, text)
    if code < 0 or code > 128:
        return _Ran("crash", f"died by signal {-code if code < 0 else code - 128}", code, text)
    return _Ran(None, "", code, text)


def _first_error(output: str) -> str | None:
    for line in output.splitlines():
        try:
            message = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(message, dict) and message.get("severity") == "error":
            return f"{message['pos']['line']}:{message['pos']['column']}: {message['data']}"
    return None


def _compile(setting: _Setting, folder: Path, text: str) -> tuple[SlowKind | None, str]:
    """Compile a module to `folder`; a kind and a reason where it did not come to an .olean."""
    folder.mkdir()
    source, target = folder / f"{_MODULE}.lean", folder / f"{_MODULE}.olean"
    source.write_text(text, encoding="utf-8")
    settings = {"maxHeartbeats": setting.limits.heartbeats, "Elab.async": "false", "linter.all": "false", "relaxedAutoImplicit": "false"}
    options = ["--json", "-j1", *(f"-D{name}={value}" for name, value in settings.items())]
    command = lean_command(setting.core.library, *options, "-R", folder, "-o", target, source)
    ran = _run(setting, command, folder, (folder,))
    if ran.kind:
        return ran.kind, f"Lean {ran.reason}"
    wrong = _first_error(ran.output)
    if wrong is not None:
        return "error", wrong
    if ran.code or target.is_symlink() or not target.is_file():
        return "crash", f"Lean ended with exit code {ran.code} and left no .olean"
    return None, ""


def judge_files(
    core: CoreLibrary,
    statement: Path,
    candidate: Path,
    target: tuple[str | int, ...],
    limits: SlowLimits = SlowLimits(),
    sandbox: SandboxConfig = _ANYWHERE,
) -> tuple[SlowKind, str, tuple[str, ...], tuple[str, ...]]:
    """Judge a compiled candidate against a compiled statement, in a fresh process: kind, reason, axioms, constants checked again.

    `target` is the end of the theorem's name in the statement's file; the candidate's file must hold the very same name.
    """
    with tempfile.TemporaryDirectory() as folder:
        setting = _Setting(core, limits, sandbox, Path(folder))
        request = {
            "library": str(core.library.path),
            "core": str(core.path / NAME / "All.olean"),
            "statement": str(statement),
            "candidate": str(candidate),
            "target": target,
            "allowed": sorted(ALLOWED_AXIOMS),
        }
        command = [sys.executable, "-I", "-S", "-W", "ignore", str(_JUDGE), json.dumps(request)]
        ran = _run(setting, command, None, (statement, candidate))
    if ran.kind:
        return ran.kind, f"the judge {ran.reason}", (), ()
    try:
        answer = json.loads(ran.output.strip().splitlines()[-1])
        return answer["kind"], answer["reason"], tuple(answer["axioms"]), tuple(answer["rechecked"])
    except (IndexError, KeyError, TypeError, ValueError):
        return "crash", f"the judge ended with exit code {ran.code} and no answer: {ran.output.strip()[-300:]}", (), ()


def _parts(name: str) -> tuple[str, ...]:
    try:
        return tuple(part for token in tokens(name) for part in token.parts)
    except LexError as error:
        raise StatementError(f"{name} is no name: {error}") from error


class _Statements:
    """The statements compiled so far, each once."""

    def __init__(self, setting: _Setting) -> None:
        self._setting = setting
        self._known: dict[str, tuple[Path, SlowKind | None, str]] = {}

    def compiled(self, text: str) -> tuple[Path, SlowKind | None, str]:
        if text not in self._known:
            folder = self._setting.folder / f"statement{len(self._known)}"
            kind, reason = _compile(self._setting, folder, text)
            entry = folder / f"{_MODULE}.olean", "statement" if kind == "error" else kind, reason
            if kind in _NO_VERDICT:
                return entry
            self._known[text] = entry
        return self._known[text]


def _verdict(setting: _Setting, check_id: str, kind: SlowKind, reason: str, seconds: dict[str, float], **found: tuple[str, ...]) -> Recheck:
    accepted = None if kind in _NO_VERDICT else kind == "accepted"
    report = settle(setting.sandbox)
    sandbox = " ".join([report.kind, *report.mechanisms])
    core = setting.core
    return Recheck(
        check_id, accepted, kind, reason, seconds=seconds, lean=core.lean_version, library=core.hash, sandbox=sandbox, **found
    )


def _recheck(setting: _Setting, statements: _Statements, check_id: str, stub: str, text: str, target: tuple[str, ...]) -> Recheck:
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
        kind, reason = _compile(setting, place, text)
        lap("candidate")
        if kind:
            return _verdict(setting, check_id, kind, reason, seconds)
        judged = judge_files(setting.core, trusted, place / f"{_MODULE}.olean", target, setting.limits, setting.sandbox)
        lap("judge")
    return _verdict(setting, check_id, judged[0], judged[1], seconds, axioms=judged[2], rechecked=judged[3])


def _statement(header: str, source: str) -> Statement:
    check_header(header)
    return split_statement(source)


def recheck_many(
    checks: Iterable[Check], core: CoreLibrary, limits: SlowLimits = SlowLimits(), sandbox: SandboxConfig = _ANYWHERE
) -> list[Recheck]:
    """The slow verdict of each check, in order; a statement that several checks share is compiled once.

    One process at a time; callers that want more run several of these. Raises SandboxError where a required sandbox does not hold.
    """
    settle(sandbox)
    with tempfile.TemporaryDirectory() as folder:
        setting = _Setting(core, limits, sandbox, Path(folder))
        statements = _Statements(setting)
        found = []
        for check in checks:
            refused = screen(check.proof)
            if refused:
                found.append(_verdict(setting, check.id, "forbidden", refused, {}))
                continue
            try:
                statement = _statement(check.header, check.statement)
                target = (_MODULE, *_parts(statement.name))
            except StatementError as error:
                found.append(_verdict(setting, check.id, "statement", str(error), {}))
                continue
            stub = write_module(check.header, statement, None, _MODULE)
            text = write_module(check.header, statement, check.proof, _MODULE)
            found.append(_recheck(setting, statements, check.id, stub, text, target))
        return found


def recheck(check: Check, core: CoreLibrary, limits: SlowLimits = SlowLimits(), sandbox: SandboxConfig = _ANYWHERE) -> Recheck:
    """The slow verdict of one check. Raises SandboxError where a required sandbox does not hold."""
    return recheck_many([check], core, limits, sandbox)[0]


def recheck_source(
    check: Check, core: CoreLibrary, limits: SlowLimits = SlowLimits(), sandbox: SandboxConfig = _ANYWHERE
) -> Recheck:
    """The slow verdict where `check.proof` is a whole source, helper declarations and the theorem, that stands behind the header.

    The source must declare the statement's theorem under the statement's own name. It is not screened, may hold any command and so may
    run native code: without a sandbox that holds this raises SandboxError.
    """
    settle(replace(sandbox, required=True))
    with tempfile.TemporaryDirectory() as folder:
        setting = _Setting(core, limits, sandbox, Path(folder))
        try:
            statement = _statement(check.header, check.statement)
            target = _parts(statement.name)
        except StatementError as error:
            return _verdict(setting, check.id, "statement", str(error), {})
        stub = write_module(check.header, statement, None)
        header = write_module(check.header, replace(statement, before="", name="", after=""), None).rpartition(":= sorry")[0]
        return _recheck(setting, _Statements(setting), check.id, stub, header + check.proof + "\n", target)


__all__ = ["Recheck", "SandboxError", "SlowKind", "SlowLimits", "judge_files", "recheck", "recheck_many", "recheck_source"]
