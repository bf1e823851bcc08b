"""Interfaces of backends and sessions, which the pool uses however Lean is run."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from lean_worker.candidate import Candidate
from lean_worker.document import Answer
from lean_worker.errors import LeanWorkerError
from lean_worker.files import FileReport
from lean_worker.jobs import Question
from lean_worker.protocol import Kind, LeanDescription
from lean_worker.sandbox.sandbox import SandboxConfig
from lean_worker.statement import Statement

Outcome = Literal["exit", "timeout", "flood", "signal"]


class WorkerLost(Exception):
    """The Lean process ended before it answered."""


class BackendUnavailable(LeanWorkerError):
    """A backend is unavailable; the message gives the reason and the remedy."""


@dataclass(frozen=True)
class Limits:
    """Limits of one check. `seconds` is wall clock, for the candidate and separately for header and statement if these must be elaborated
    first; `heartbeats` turns most runaway proofs into errors."""

    seconds: float = 10.0
    heartbeats: int = 20_000
    memory_bytes: int = 8 << 30
    output_bytes: int = 8 << 20

    def __post_init__(self) -> None:
        if self.seconds <= 0:
            raise ValueError(f"seconds is {self.seconds}; the time limit must be positive")
        if self.heartbeats < 100:
            raise ValueError(f"heartbeats is {self.heartbeats}, too few for any proof; give 100 or more")
        if self.memory_bytes < 5 << 30:
            raise ValueError(f"memory_bytes is {self.memory_bytes}, but Lean reserves 4.5 GiB of address space; give 8 GiB")

    @property
    def options(self) -> dict[str, str]:
        """Lean options of every check. Without relaxedAutoImplicit a mistyped name is an error instead of a new variable."""
        fixed = {"Elab.async": "false", "linter.all": "false", "relaxedAutoImplicit": "false"}
        return {"maxHeartbeats": str(self.heartbeats), **fixed}


@dataclass(frozen=True)
class Finding:
    """Lean's answer as far as it got, and how the run ended: by itself, killed at a limit, or by a signal (`code`).

    `file` is the report on a file, if the question was about one.
    """

    answer: Answer
    outcome: Outcome = "exit"
    code: int = 0
    file: FileReport | None = None


class Recheck(msgspec.Struct, frozen=True):
    """Verdict of the slow tier. `accepted` is None if there is no verdict because infrastructure failed, which is never a rejection.

    `rechecked` names the constants that the kernel checked again. `seconds` is the wall clock of each phase that ran: "statement" (near 0
    if an earlier check compiled it), "candidate", "judge".
    """

    accepted: bool | None
    kind: Kind
    reason: str = ""
    axioms: tuple[str, ...] = ()
    rechecked: tuple[str, ...] = ()
    seconds: dict[str, float] = msgspec.field(default_factory=dict)
    sandbox: str = ""


class Session(Protocol):
    """A running Lean, warm for one opening (imports). Not thread-safe: one question at a time."""

    @property
    def pid(self) -> int: ...

    @property
    def usable(self) -> bool:
        """Whether the session can take another question; one that was killed at a limit cannot."""
        ...

    def run(self, question: Question) -> Finding:
        """Answer a question in a document of its own. Raises WorkerLost if the process dies meanwhile."""
        ...

    def kill(self) -> None:
        """End the session and all its processes."""
        ...


class SecondJudge(Protocol):
    """Slow tier: verifies again what the fast tier accepted, in processes that never ran the candidate. Thread-safe."""

    @property
    def inside(self) -> SandboxConfig:
        """Sandbox settings of its processes."""
        ...

    def recheck(self, header: str, statement: Statement, candidate: Candidate, opening: str = ...) -> Recheck: ...

    def close(self) -> None: ...


class Backend(Protocol):
    """A way to run Lean. `prelude` and `imports` open every document; a check's header may import modules under `allowed` instead.

    `isolates`: whether one session isolates different clients, by a process for each header and candidate. If it does not, the pool never
    shares a session that ran a client's header or helpers with another client. `commands` are the tokens that begin a command.
    """

    @property
    def name(self) -> str: ...

    @property
    def lean(self) -> str: ...

    @property
    def library(self) -> str: ...

    @property
    def prelude(self) -> str: ...

    @property
    def imports(self) -> tuple[str, ...]: ...

    @property
    def allowed(self) -> frozenset[str]: ...

    @property
    def isolates(self) -> bool: ...

    @property
    def commands(self) -> frozenset[str]: ...

    @property
    def inside(self) -> SandboxConfig:
        """Sandbox settings of the process that runs a document."""
        ...

    @property
    def lacks(self) -> str:
        """What is missing for a slow tier, with the remedy; empty if there is one."""
        ...

    def second_judge(self, seconds: float = ..., heartbeats: int | None = ...) -> SecondJudge | None:
        """Return the slow tier, with this wall clock for a recheck and at least these heartbeats, or None if the backend has none."""
        ...

    def start(self, opening: str, limits: Limits) -> Session:
        """Start a session in which `opening` (prelude and imports) is, or will be, loaded. Raises WorkerLost if it does not start."""
        ...


def provides(backend: Backend | LeanDescription, module: str) -> bool:
    """Return whether a header may import the module: one of the backend's own, one under an allowed root, or one that is always there."""
    return module in backend.imports or is_under(module, backend.allowed) or is_always_there(module)


def is_always_there(module: str) -> bool:
    """Return whether every Lean has loaded the module: `Init`, for which the core library of the embedded Lean stands."""
    return is_under(module, {"Init"})


def is_under(module: str, roots: Iterable[str]) -> bool:
    """Return whether a module is one of the roots or below one."""
    return any(f"{module}.".startswith(f"{root}.") for root in roots)
