"""The strict check, for whatever is stored or reported: three processes, and the kernel checks the proof a second time.

The first process compiles the statement alone, the second the candidate, each to an .olean of its own. The third, which never runs or
parses anything of the candidate as Lean, reads both files as data: it compares the proved theorem with the statement (kind, universe
levels, type, and every definition below it), collects the axioms of all constants below the proof, and lets the kernel check every
declaration of the candidate below the theorem again, rebuilt term by term, on top of the core library. The core library itself, and a
statement's own elaboration, are trusted; a fault of this Lean's kernel is not caught, for there is no second kernel.
"""

import itertools
import tempfile
import time
from pathlib import Path
from types import TracebackType

from lean_worker.candidate import Candidate
from lean_worker.document import write_module
from lean_worker.embedded.build import OPENING, CoreLibrary
from lean_worker.embedded.slow_phases import MODULE, OLEAN, Setting, SlowLimits, compile_module, judge_files
from lean_worker.lexer import LexError, tokens
from lean_worker.protocol import NO_VERDICT, Kind
from lean_worker.sandbox.sandbox import SandboxConfig, settle
from lean_worker.session import Recheck
from lean_worker.statement import Statement, StatementError

_ANYWHERE = SandboxConfig()
_LIMITS = SlowLimits()
_KEPT = 4096


class SlowTier:
    """Judges one check at a time in the thread that asks; several threads may ask. A statement is compiled once for all its proofs.

    Use as a context manager: it keeps compiled statements in a temporary folder. Raises SandboxError where a required sandbox does not
    hold.
    """

    def __init__(self, core: CoreLibrary, limits: SlowLimits = _LIMITS, sandbox: SandboxConfig = _ANYWHERE) -> None:
        settle(sandbox)
        self._folder = tempfile.TemporaryDirectory(prefix="lean-slow-")
        self._setting = Setting(core, Path(self._folder.name), limits, sandbox)
        self._number = itertools.count()
        self._known: dict[str, tuple[Path, Kind | None, str]] = {}

    def __enter__(self) -> "SlowTier":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._folder.cleanup()

    def recheck(self, header: str, statement: Statement, candidate: Candidate) -> Recheck:
        """The verdict on a candidate that the screen let through."""
        try:
            target = (MODULE, *_parts(statement.name))
        except StatementError as error:
            return self._verdict("statement", str(error))
        stub = write_module(OPENING, header, statement, None, MODULE)
        return self._judge(stub, write_module(OPENING, header, statement, candidate, MODULE), target)

    def _judge(self, stub: str, text: str, target: tuple[str, ...]) -> Recheck:
        seconds: dict[str, float] = {}
        began = time.monotonic()

        def lap(phase: str) -> None:
            nonlocal began
            seconds[phase] = time.monotonic() - began
            began = time.monotonic()

        trusted, kind, reason = self._statement(stub)
        lap("statement")
        if kind:
            return self._verdict(kind, reason, seconds)
        with tempfile.TemporaryDirectory(dir=self._setting.folder) as folder:
            place = Path(folder) / "candidate"
            kind, reason = compile_module(self._setting, place, text)
            lap("candidate")
            if kind:
                return self._verdict(kind, reason, seconds)
            judged = judge_files(self._setting, trusted, place / OLEAN, target)
            lap("judge")
        return self._verdict(judged.kind, judged.reason, seconds, judged.axioms, judged.rechecked)

    def _statement(self, text: str) -> tuple[Path, Kind | None, str]:
        known = self._known.get(text)
        if known is None:
            if len(self._known) >= _KEPT:
                self._known.clear()
            folder = self._setting.folder / f"statement{next(self._number)}"
            kind, reason = compile_module(self._setting, folder, text)
            known = folder / OLEAN, "statement" if kind == "error" else kind, reason
            if kind not in NO_VERDICT:
                self._known[text] = known
        return known

    def _verdict(
        self,
        kind: Kind,
        reason: str,
        seconds: dict[str, float] | None = None,
        axioms: tuple[str, ...] = (),
        rechecked: tuple[str, ...] = (),
    ) -> Recheck:
        accepted = None if kind in NO_VERDICT else kind == "accepted"
        report = settle(self._setting.sandbox)
        sandbox = " ".join([report.kind, *report.mechanisms])
        return Recheck(accepted, kind, reason, axioms, rechecked, seconds or {}, sandbox)


def _parts(name: str) -> tuple[str, ...]:
    try:
        return tuple(part for token in tokens(name) for part in token.parts)
    except LexError as error:
        raise StatementError(f"{name} is no name: {error}") from error
