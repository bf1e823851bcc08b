"""Long-lived Lean process behind two pipes, in a process group that ends with its parent; shared by the server and the REPL backends."""

import contextlib
import os
import select
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from lean_worker.lifeline import guarded
from lean_worker.processes import tree_memory
from lean_worker.session import Outcome, WorkerLost

OPENING_SECONDS = 300.0  # Mathlib from a cold disk takes a minute and more
_RESERVED_BYTES = 24 << 30  # Lean's threads reserve address space that they never touch, so resident memory is limited separately
_LOOK_SECONDS = 0.25


class LimitReached(Exception):
    """The current document has reached a limit; `outcome` says which."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome: Outcome = outcome


class Child:
    """Lean process. Not thread-safe except for `kill`, which may be called at any time; read and write only within `exclusive`.

    `memory_bytes` limits the resident memory of the process and its descendants.
    """

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], folder: Path, memory_bytes: int) -> None:
        self._memory_bytes = memory_bytes
        self._using = threading.RLock()  # the pipes must not be closed while they are read
        self._look = 0.0
        watched, self._lifeline = os.pipe()
        # discard standard error: an unread pipe would block a process that writes much
        self._process = subprocess.Popen(
            guarded(command, watched, address_space=memory_bytes + _RESERVED_BYTES),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=dict(environment),
            cwd=folder,
            start_new_session=True,
            pass_fds=(watched,),
        )
        os.close(watched)
        self._ended = os.pidfd_open(self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Keep `kill` in another thread from closing the pipes meanwhile. Raises WorkerLost if it has already closed them."""
        with self._using:
            if self._lifeline < 0:
                raise WorkerLost(f"the Lean process {self.pid} was killed")
            yield

    def write(self, data: bytes) -> None:
        """Write to standard input. Raises WorkerLost if the process has closed it."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
            self._process.stdin.flush()
        except OSError as error:
            raise WorkerLost(f"the Lean process {self.pid} accepts no input: {error}") from error

    def read(self, deadline: float) -> bytes:
        """Return the next output. Raises WorkerLost at its end, LimitReached at the deadline (time.monotonic) or above the memory limit."""
        assert self._process.stdout is not None
        pipe = self._process.stdout.fileno()
        poll = select.poll()
        poll.register(pipe, select.POLLIN)
        poll.register(self._ended, select.POLLIN)
        while True:
            now = time.monotonic()
            if now >= deadline:
                raise LimitReached("timeout")
            if now >= self._look:
                self._look = now + _LOOK_SECONDS
                if tree_memory(self.pid) > self._memory_bytes:
                    raise LimitReached("signal")
            ready = dict(poll.poll((min(deadline, self._look) - now) * 1000))
            piece = os.read(pipe, 1 << 20) if pipe in ready else b""
            if piece:
                return piece
            if ready:
                raise WorkerLost(f"the Lean process {self.pid} ended (exit code {self._process.poll()})")

    def kill(self) -> None:
        """Kill the process and its descendants."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        with self._using:
            if self._lifeline < 0:
                return
            os.close(self._lifeline)
            os.close(self._ended)
            self._lifeline = -1
            for stream in (self._process.stdin, self._process.stdout):
                assert stream is not None
                with contextlib.suppress(OSError):  # unsent bytes of a dead process
                    stream.close()
