"""Initialises Lean once, then runs each document in a forked child: a script of its own, standard library only.

`python fork_server.py LIBRARY [confined]`, LEAN_PATH set; `confined` keeps each child from starting or signalling other processes.
Standard input carries requests, standard output answers, each a JSON object behind its length (4 bytes, big endian). A request: `text`
(the document), `arguments` of `lean`, `seconds` without progress before the child is killed, `marker` (a line of output holding it is
progress), `cpu_seconds`, `memory_bytes`, `output_bytes`. An answer: `output`, `outcome` ("exit", "timeout", "flood" or "signal") and
`code`. End of input ends the server and its child.
"""

import contextlib
import ctypes
import json
import os
import resource
import select
import signal
import struct
import sys
import time
from typing import Any

sys.path.append(os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "sandbox"))

import confinement

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


def _read_exactly(count: int) -> bytes | None:
    data = b""
    while len(data) < count:
        piece = os.read(0, count - len(data))
        if not piece:
            return None
        data += piece
    return data


def _receive() -> dict[str, Any] | None:
    size = _read_exactly(4)
    body = None if size is None else _read_exactly(struct.unpack(">I", size)[0])
    return None if body is None else json.loads(body)


def _send(answer: dict[str, Any]) -> None:
    body = json.dumps(answer).encode()
    view = memoryview(struct.pack(">I", len(body)) + body)
    while view:
        view = view[os.write(1, view) :]


def _limit(name: int, value: int) -> None:
    resource.setrlimit(name, (value, value))


def _become_lean(lean: ctypes.CDLL, request: dict[str, Any], confined: bool, source: int, sink: int, parent: int) -> None:
    """In the child: own process group, limits, no open file but source and sink; does not return."""
    libc = ctypes.CDLL(None)
    os.setsid()
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CPU, request["cpu_seconds"])
    _limit(resource.RLIMIT_AS, request["memory_bytes"])
    os.dup2(source, 0)
    os.dup2(sink, 1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.closerange(3, 256)
    stdout = ctypes.c_void_p.in_dll(libc, "stdout")
    line_buffered = 1
    libc.setvbuf(stdout, None, line_buffered, 1 << 16)
    if confined:
        confinement.install_filter(confinement.filter_program(processes=False, pid=os.getpid()))
    words = [b"lean", *map(os.fsencode, request["arguments"])]
    argv = (ctypes.c_char_p * (len(words) + 1))(*words, None)
    os._exit(lean.lean_main(len(words), argv) & 0xFF)


def _kill(child: int) -> None:
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            kill(child, signal.SIGKILL)


def _collect(pipe: int, child: int, request: dict[str, Any]) -> tuple[bytes, str]:
    """Read the child's output until it ends or must be ended; leaves the server at end of input."""
    marker = request["marker"].encode()
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    poll.register(0, 0)
    output, line_start = bytearray(), 0
    deadline = time.monotonic() + request["seconds"]
    while True:
        left = deadline - time.monotonic()
        if left <= 0:
            return bytes(output), "timeout"
        for descriptor, _ in poll.poll(left * 1000):
            if descriptor == 0:
                _kill(child)
                sys.exit(0)
            piece = os.read(pipe, 1 << 16)
            if not piece:
                return bytes(output), "exit"
            output += piece
            if len(output) > request["output_bytes"]:
                return bytes(output), "flood"
            if marker in output[line_start:]:
                deadline = time.monotonic() + request["seconds"]
            line_start = output.rfind(b"\n") + 1


def _run(lean: ctypes.CDLL, request: dict[str, Any], confined: bool) -> dict[str, Any]:
    source = os.memfd_create("document")
    os.write(source, request["text"].encode())
    os.lseek(source, 0, os.SEEK_SET)
    reader, writer = os.pipe()
    parent = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            _become_lean(lean, request, confined, source, writer, parent)
        finally:
            os._exit(1)
    os.close(source)
    os.close(writer)
    try:
        output, outcome = _collect(reader, child, request)
    finally:
        os.close(reader)
    if outcome != "exit":
        _kill(child)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    if outcome == "exit" and code < 0:
        outcome = "signal"
    return {"output": output.decode("utf-8", "replace"), "outcome": outcome, "code": code}


def main(library: str, confined: bool) -> None:
    """Serve until the end of input."""
    lean = ctypes.CDLL(library, mode=ctypes.RTLD_GLOBAL)
    lean.lean_main.argtypes = [ctypes.c_int, ctypes.c_void_p]
    lean.lean_initialize()
    while (request := _receive()) is not None:
        _send(_run(lean, request, confined))


if __name__ == "__main__":
    main(sys.argv[1], "confined" in sys.argv[2:])
