"""Slow tier: the strict check for proofs that are stored or reported, with three processes and a second check by the kernel.

The first process compiles the statement alone, the second the candidate, each to an .olean of its own. The third, which never runs or
parses anything of the candidate as Lean, reads both files as data: it compares the proved theorem with the statement (kind, universe
levels, type, and every definition that it depends on), collects the axioms of all constants that the proof depends on, and lets the kernel
check every declaration of the candidate that the theorem depends on again, rebuilt term by term, on top of the core library. The core
library itself, and a statement's own elaboration, are trusted; a fault of this Lean's kernel is not caught, as there is no second kernel.
"""

import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from lean_worker.candidate import Candidate
from lean_worker.document import own_type, write_module
from lean_worker.embedded.build import OPENING, CoreLibrary
from lean_worker.embedded.slow_phases import (
    OLEAN,
    Judgement,
    Program,
    Setting,
    SlowLimits,
    SlowTierClosed,
    compile_module,
    judge_files,
    phase_sandbox,
)
from lean_worker.embedded.statement_cache import StatementCache
from lean_worker.embedded.work_folder import WorkFolder
from lean_worker.protocol import NO_VERDICT
from lean_worker.sandbox.sandbox import SandboxConfig, settle
from lean_worker.session import Recheck
from lean_worker.statement import Statement

JudgeFiles = Callable[[Setting, Path, Path, tuple[str, ...], float], Judgement]

_ANYWHERE = SandboxConfig()
_LIMITS = SlowLimits()


class SlowTier:
    """Slow tier. Each calling thread runs one check at a time; several threads may call. A statement is compiled once for all its proofs.

    Use as a context manager: it keeps compiled statements in a temporary folder. Raises SandboxError if a required sandbox does not hold.

    Args:
        lean: the embedded Lean, or an installed one.
        limits: limits of a recheck.
        sandbox: sandbox of every process.
        judge: judges two compiled files.
        opening: prelude and imports of a check that names none.
    """

    def __init__(
        self,
        lean: CoreLibrary | Program,
        limits: SlowLimits = _LIMITS,
        sandbox: SandboxConfig = _ANYWHERE,
        judge: JudgeFiles = judge_files,
        opening: str = OPENING,
    ) -> None:
        settle(sandbox)
        self._folder = WorkFolder()
        self._setting = Setting(lean, self._folder.path, limits, sandbox)
        self._judge_files, self._opening = judge, opening
        self._statements = StatementCache(self._setting, limits.kept_statements, limits.kept_bytes)
        self._idle = threading.Condition()
        self._busy = 0

    def __enter__(self) -> "SlowTier":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    @property
    def folder(self) -> Path:
        """Temporary folder, which is removed on `close`."""
        return self._folder.path

    @property
    def inside(self) -> SandboxConfig:
        """Sandbox settings of its processes, without the folder that each may write."""
        return phase_sandbox(self._setting)

    def close(self) -> None:
        """Stop everything in progress, without a verdict, and remove all files. May be called from any thread, and more than once."""
        self._setting.running.close()
        with self._idle:
            self._idle.wait_for(lambda: self._busy == 0)
            self._folder.close()

    def recheck(self, header: str, statement: Statement, candidate: Candidate, opening: str = "") -> Recheck:
        """Return the verdict on a candidate, whether or not the proof filter has seen it. After `close`, its kind is `unavailable`.

        `opening` is prelude and imports of the check; by default those of the tier.
        """
        with self._idle:
            if self._setting.running.closed:
                return self._verdict(Judgement("unavailable", "the slow tier is closed"))
            self._busy += 1
        try:
            return self._recheck(opening or self._opening, header, statement, candidate)
        finally:
            with self._idle:
                self._busy -= 1
                self._idle.notify_all()

    def _recheck(self, opening: str, header: str, statement: Statement, candidate: Candidate) -> Recheck:
        stub = write_module(opening, header, statement, None)
        text = write_module(opening, header, statement, candidate)
        if not _encodable(stub):
            return self._verdict(Judgement("statement", "the statement contains half of a surrogate pair; send valid Unicode"))
        if not _encodable(text):
            return self._verdict(Judgement("error", "the proof contains half of a surrogate pair; send valid Unicode"))
        try:
            recheck = self._judge(stub, text, statement.parts)
        except SlowTierClosed as error:
            return self._verdict(Judgement("unavailable", str(error)))
        if recheck.kind == "mismatch" and own_type(statement, candidate):
            remedy = "state it as a theorem with the hypotheses that the proof needs"
            return self._verdict(Judgement("unreadable", f"the proof mentions variables that the statement does not; {remedy}"))
        return recheck

    def _judge(self, stub: str, text: str, target: tuple[str, ...]) -> Recheck:
        seconds: dict[str, float] = {}
        began = time.monotonic()

        def lap(phase: str) -> None:
            nonlocal began
            seconds[phase] = time.monotonic() - began
            began = time.monotonic()

        with self._statements.use(stub) as statement:
            lap("statement")
            if statement.kind:
                return self._verdict(Judgement(statement.kind, statement.reason), seconds)
            deadline = began + self._setting.limits.seconds
            with tempfile.TemporaryDirectory(dir=self._setting.folder) as folder:
                place = Path(folder) / "candidate"
                kind, reason = compile_module(self._setting, place, text, deadline)
                lap("candidate")
                if kind:
                    return self._verdict(Judgement(kind, reason), seconds)
                judged = self._judge_files(self._setting, statement.olean, place / OLEAN, target, deadline)
                lap("judge")
        return self._verdict(judged, seconds)

    def _verdict(self, judged: Judgement, seconds: dict[str, float] | None = None) -> Recheck:
        accepted = None if judged.kind in NO_VERDICT else judged.kind == "accepted"
        report = settle(self._setting.sandbox)
        sandbox = " ".join([report.kind, *report.mechanisms])
        return Recheck(accepted, judged.kind, judged.reason, judged.axioms, judged.rechecked, seconds or {}, sandbox)


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
