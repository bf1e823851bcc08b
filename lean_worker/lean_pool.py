"""Interface of everything that checks proofs: the local pool and the client of remote services."""

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from typing import Protocol, runtime_checkable

from lean_worker.files import FileReport
from lean_worker.pool import PoolStatus, StatementReport
from lean_worker.protocol import Check, LeanDescription, Verdict


@runtime_checkable
class LeanPool(Protocol):
    """Pool of Lean workers, here or remote. Thread-safe."""

    def describe(self) -> LeanDescription:
        """Return which Lean answers. A remote pool asks its services once and raises LeanWorkerError if they are unavailable or differ."""
        ...

    def submit(self, check: Check, client: str = "", *, retry: bool = True) -> "Future[Verdict]":
        """Submit one check. Clients take turns; cancelling the future cancels the check.

        Without `retry`, a remote pool does not wait for services that are away; the caller then decides when to ask again.
        """
        ...

    def check_many(self, checks: Iterable[Check]) -> list[Verdict]:
        """Return the verdicts of all checks in input order."""
        ...

    def check_statement(self, statement: str, header: str = "") -> StatementReport:
        """Return whether one statement, which ends in `:= by sorry` or `:= sorry`, elaborates."""
        ...

    def check_statements(self, statements: Sequence[str], header: str = "") -> list[StatementReport]:
        """Return whether each statement elaborates, in input order."""
        ...

    def read_file(self, text: str, *, tactics: bool = False, seconds: float | None = None, client: str = "") -> "Future[FileReport]":
        """Let Lean read a whole file: the verdict on each theorem, and its holes with their goals."""
        ...

    def status(self) -> PoolStatus:
        """Return queue, workers, sessions and memory, summed over services."""
        ...

    def close(self) -> None:
        """End everything; unfinished checks get no verdict."""
        ...
