"""Tree of Lean processes, each forked from one that has elaborated what comes before: library, header, statement, candidate.

`python fork_server.py LIBRARY SETTINGS`, LEAN_PATH set, standard input a Unix socket. SETTINGS is JSON: `opening` (the text that imports
the library), `options` (name and value pairs), `confined` (whether candidates are kept from starting or signalling other processes),
`huge_pages` (whether the kernel has them).

Messages are JSON objects after their length (4 bytes, big endian). A process of the tree first sends `{"ready": true}` or the reason why it
is not ready, then answers requests one by one; at the end of its input it ends, with all processes that it started. A request holds `text`,
`line` (added to the lines of messages), `seconds`, `memory_bytes`, `output_bytes`; for a statement `statement` (its name, and the text and
name under which it can stand next to its proof), for a candidate `most` (how many commands it may have, 0 for any number) and `judge` (a
name for the judge's theorem, whether to `compare` the types, and the kernel's `heartbeats`), for a file `positions`, `holes` and `tactics`
as `file_reader.read_file` takes them. If a socket comes with the request, the process that elaborates the text stays and answers requests
on it; otherwise it ends. The answer: `outcome` ("exit", "timeout", "flood" or "signal"), `code`, and as far as available `messages`,
`stray`, `unclear`, `reason`, `axioms` and `name`, or what `read_file` returns. Standard library only.
"""

import contextlib
import ctypes
import gc
import json
import os
import resource
import select
import signal
import socket
import struct
import sys
import time
from typing import Any, NoReturn

sys.path.append(os.path.dirname(os.path.abspath(__file__)))
sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sandbox"))

import confinement
from file_reader import read_file
from frontend import Frontend, Target
from huge_pages import use_huge_pages
from objects import LeanError

_PR_SET_PDEATHSIG = 1
_CONTROL = 0
_STACK_BYTES = 64 << 20  # deep nesting is a Lean error before it overflows the stack
_libc = ctypes.CDLL(None)
# not os.fork: Python's work after a fork touches hundreds of pages, and is not needed here (one thread, no hooks)
_fork = ctypes.PyDLL(None).fork


def send(control: socket.socket, message: dict[str, Any]) -> None:
    """Send one message."""
    body = json.dumps(message).encode()
    control.sendall(struct.pack(">I", len(body)) + body)


def receive(control: socket.socket) -> tuple[dict[str, Any], int | None] | None:
    """Return the next message and the descriptor that came with it, or None at the end of input."""
    head, descriptors, _, _ = socket.recv_fds(control, 4, 1)
    if len(head) < 4:
        return None
    left = struct.unpack(">I", head)[0]
    body = bytearray()
    while len(body) < left:
        piece = control.recv(min(1 << 20, left - len(body)))
        if not piece:
            return None
        body += piece
    return json.loads(body), (descriptors[0] if descriptors else None)


def _limit(name: int, value: int) -> None:
    resource.setrlimit(name, (value, value))


def _leave(code: int) -> NoReturn:
    os._exit(code)


class Tree:
    """A process of the tree: a frontend, the state that it has reached, and, after a statement, the theorem that is to be proved."""

    def __init__(self, frontend: Frontend, state: int, confined: bool) -> None:
        self.frontend, self.state, self.confined = frontend, state, confined
        self.wanted: Target | None = None
        self.named: tuple[str | int, ...] | None = None
        self.kept: tuple[int, ...] = ()  # the terms of `wanted`

    def serve(self, control: socket.socket) -> NoReturn:
        """Answer requests until the end of input."""
        send(control, {"ready": True})
        while (message := receive(control)) is not None:
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            send(control, self._ask_child(control, *message))
        _leave(0)

    def _ask_child(self, control: socket.socket, request: dict[str, Any], stays: int | None) -> dict[str, Any]:
        reader, writer = os.pipe()
        parent = os.getpid()
        child = _fork()
        if child == 0:
            try:
                for descriptor in (control.fileno(), reader):
                    os.close(descriptor)
                self._become_child(request, stays, writer, parent)
            finally:
                _leave(1)
        os.close(writer)
        if stays is not None:
            os.close(stays)
        try:
            output, outcome = _collect(control, reader, child, request)
        finally:
            os.close(reader)
        code = 0
        if outcome != "exit" or stays is None:
            code = _end(child, outcome != "exit")
        elif not output:
            outcome, code = "signal", _end(child, True)
        if outcome == "exit" and code < 0:
            outcome = "signal"
        found = json.loads(output) if outcome == "exit" and code == 0 and output else {}
        return {"outcome": outcome, "code": code, **found}

    def _become_child(self, request: dict[str, Any], stays: int | None, result: int, parent: int) -> NoReturn:
        # close only this package's descriptors: Lean's library keeps its own and expects them to be open after a fork
        os.setsid()
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            _leave(1)
        if stays is not None:
            os.dup2(stays, _CONTROL)
            os.close(stays)
        else:
            os.close(_CONTROL)
        _limit(resource.RLIMIT_AS, request["memory_bytes"])
        if stays is None:
            _limit(resource.RLIMIT_CPU, int(request["seconds"]) + 2)
            if self.confined:
                confinement.install_filter(confinement.filter_program(processes=False, pid=os.getpid(), within=True))
        self.frontend.wake()
        answer = self._answer(request)
        body = json.dumps(answer).encode()
        if stays is None:
            _write(result, body)
            _leave(0)
        self.frontend.rest()
        for reached in (self.state, *self.kept):
            self.frontend.freeze(reached)
        gc.freeze()
        _write(result, body)
        os.close(result)
        self.serve(socket.socket(fileno=os.dup(_CONTROL)))

    def _answer(self, request: dict[str, Any]) -> dict[str, Any]:
        """Elaborate the text of a request; a process that stays keeps what it reached, one that does not judges the candidate."""
        frontend = self.frontend
        if "statement" in request:
            return self._take_statement(request)
        if "positions" in request:
            return read_file(frontend, self.state, request["text"], request["positions"], request["holes"], request["tactics"])
        run = frontend.run(self.state, request["text"], request["line"], request.get("most"), goals=True)
        answer: dict[str, Any] = {"messages": run.messages, "stray": run.stray}
        judge = request.get("judge")
        if judge and run.stray is None and not run.failed and self.wanted is not None:
            name = self.wanted.name if self.named is None else self.named
            wanted = self.wanted if judge["compare"] else None
            judged = frontend.judge(run.state, wanted, name, tuple(judge["name"]), judge["heartbeats"])
            answer |= {"reason": judged.reason, "axioms": judged.axioms, "name": name}
        if not judge:
            self.state = run.state
        return answer

    def _take_statement(self, request: dict[str, Any]) -> dict[str, Any]:
        """Elaborate the statement as it is, and forget everything but its type, so that the candidate may declare it again.

        If the type mentions something that its own declaration made, the statement is elaborated under another name and stays.
        """
        frontend, before, names = self.frontend, self.state, request["statement"]
        run = frontend.run(before, request["text"], request["line"])
        answer: dict[str, Any] = {"messages": run.messages, "unclear": ""}
        if run.failed:
            return answer
        wanted = frontend.find(before, run.state, tuple(names["name"]))
        if wanted is None:
            return answer | {"unclear": "Lean did not declare the statement under its name"}
        self.named = wanted.name
        if frontend.is_plain(before, wanted):
            self.kept = wanted.levels, wanted.type
        else:
            beside = frontend.run(before, names["stub"], request["line"])
            found = None if beside.failed else frontend.find(before, beside.state, tuple(names["stub_name"]))
            if found is None:
                return answer | {"unclear": "Lean does not accept the statement under another name"}
            wanted, self.state = found, beside.state
        self.wanted = wanted
        return answer


def _write(pipe: int, body: bytes) -> None:
    view = memoryview(body)
    while view:
        view = view[os.write(pipe, view) :]


def _end(child: int, kill: bool) -> int:
    """Wait for a child, killing it first if `kill`, and return its exit code."""
    if kill:
        for how in (os.killpg, os.kill):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                how(child, signal.SIGKILL)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def _collect(control: socket.socket, pipe: int, child: int, request: dict[str, Any]) -> tuple[bytes, str]:
    """Read a child's answer until its end or a limit. If nobody waits for the answer any more, kill the child and exit."""
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    poll.register(control, select.POLLRDHUP)
    output = bytearray()
    deadline = time.monotonic() + request["seconds"]
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return b"", "timeout"
        for descriptor, _ in poll.poll(left * 1000):
            if descriptor != pipe:
                _end(child, True)
                _leave(0)
            piece = os.read(pipe, 1 << 16)
            if not piece:
                return bytes(output), "exit"
            output += piece
            if len(output) > request["output_bytes"]:
                return b"", "flood"


def main(library: str, settings: dict[str, Any]) -> None:
    """Load the library and serve as the root of the tree."""
    control = socket.socket(fileno=os.dup(_CONTROL))
    _, most = resource.getrlimit(resource.RLIMIT_STACK)
    stack = _STACK_BYTES if most == resource.RLIM_INFINITY else min(_STACK_BYTES, most)
    resource.setrlimit(resource.RLIMIT_STACK, (stack, most))  # Lean reads it during initialisation
    frontend = Frontend(library)
    try:
        state = frontend.start(settings["opening"], settings["options"])
    except LeanError as error:
        send(control, {"ready": False, "reason": str(error)})
        _leave(1)
    frontend.rest()
    frontend.freeze(state)
    if settings["huge_pages"]:
        use_huge_pages(library)
    gc.disable()
    gc.freeze()
    Tree(frontend, state, settings["confined"]).serve(control)


if __name__ == "__main__":
    main(sys.argv[1], json.loads(sys.argv[2]))
