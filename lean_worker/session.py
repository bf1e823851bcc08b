"""What the pool asks of a backend, whichever way it runs Lean: start a session, ask it questions, end it."""

from dataclasses import dataclass
from typing import Literal, Protocol

import msgspec

from lean_worker.candidate import Candidate
from lean_worker.document import Answer
from lean_worker.errors import LeanWorkerError
from lean_worker.jobs import Question
from lean_worker.protocol import Kind
from lean_worker.sandbox.sandbox import SandboxConfig
from lean_worker.statement import Statement

Outcome = Literal["exit", "timeout", "flood", "signal"]


class WorkerLost(Exception):
    """The Lean process ended before it answered."""


class BackendUnavailable(LeanWorkerError):
    """A backend cannot be used here; the message says why and what to do."""


@dataclass(frozen=True)
class Limits:
    """What one check may use. `seconds` is wall clock, for a candidate and for each of its header and its statement where these have to be
    elaborated first; `heartbeats` makes most runaway proofs errors."""

    seconds: float = 10.0
    heartbeats: int = 4_000
    memory_bytes: int = 8 << 30
    output_bytes: int = 8 << 20

    def __post_init__(self) -> None:
        if self.seconds <= 0:
            raise ValueError(f"the time limit must be positive, not {self.seconds}")
        if self.heartbeats < 100:
            raise ValueError(f"a limit of {self.heartbeats} heartbeats lets no proof through; give 100 or more")
        if self.memory_bytes < 5 << 30:
            raise ValueError(f"Lean reserves 4.5 GiB of address space, so it does not start with {self.memory_bytes} bytes; give 8 GiB")

    @property
    def options(self) -> dict[str, str]:
        """Lean options that every check runs under. Without relaxedAutoImplicit a mistyped name is an error instead of a new variable."""
        fixed = {"Elab.async": "false", "linter.all": "false", "relaxedAutoImplicit": "false"}
        return {"maxHeartbeats": str(self.heartbeats), **fixed}


@dataclass(frozen=True)
class Finding:
    """What Lean said about a question as far as it came, and how that ended: by itself, killed at a limit, or by a signal (`code`)."""

    answer: Answer
    outcome: Outcome = "exit"
    code: int = 0


class Recheck(msgspec.Struct, frozen=True):
    """The verdict of the slow tier. `accepted` is None where nobody can say: infrastructure failed, which is never a rejection.

    `rechecked` names the constants that the kernel checked again. `seconds` holds the wall clock of each phase that ran: "statement" (near
    0 where an earlier check compiled it), "candidate", "judge".
    """

    accepted: bool | None
    kind: Kind
    reason: str = ""
    axioms: tuple[str, ...] = ()
    rechecked: tuple[str, ...] = ()
    seconds: dict[str, float] = msgspec.field(default_factory=dict)
    sandbox: str = ""


class Session(Protocol):
    """A running Lean that is warm for one opening (imports). Not thread-safe: one question at a time."""

    @property
    def pid(self) -> int: ...

    @property
    def usable(self) -> bool:
        """Whether it can take another question; one that was killed at a limit cannot."""
        ...

    def run(self, question: Question) -> Finding:
        """Answer a question in a document of its own. Raise WorkerLost where the process dies meanwhile."""
        ...

    def kill(self) -> None:
        """Ends it with everything it started."""
        ...


class SecondJudge(Protocol):
    """The slow tier: judges again what the fast tier accepted, in processes that never ran the candidate. Many threads may ask."""

    @property
    def inside(self) -> SandboxConfig:
        """The sandbox settings of its processes."""
        ...

    def recheck(self, header: str, statement: Statement, candidate: Candidate) -> Recheck: ...

    def close(self) -> None: ...


class Backend(Protocol):
    """A way to run Lean. `prelude` and `imports` open every document; a check's header may import modules under `allowed` instead.

    `isolates`: whether one session keeps apart what it runs for different clients, by a process for each header and candidate. Where it
    does not, the pool gives no session that ran a client's header or helpers to anybody else. `commands` are the tokens that begin a
    command there.
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
        """The sandbox settings of the process that runs a document."""
        ...

    def second_judge(self, seconds: float = ...) -> SecondJudge | None:
        """What judges on the slow tier, with that wall clock for a recheck; None where this backend has none."""
        ...

    def start(self, opening: str, limits: Limits) -> Session:
        """A session in which `opening` (prelude and imports) is, or will be, loaded. Raises WorkerLost where it does not come up."""
        ...


def provides(backend: Backend, module: str) -> bool:
    """Whether a header may import the module: one of the backend's own, or one under a root that it allows."""
    return module in backend.imports or any(f"{module}.".startswith(f"{root}.") for root in backend.allowed)
