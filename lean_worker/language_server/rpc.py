"""JSON-RPC over the pipes of a process, framed by Content-Length as the language server protocol has it."""

import json
import os
import select
import subprocess
import time
from typing import Any

from lean_worker.session import WorkerLost


class Connection:
    """Not thread-safe. `output_bytes` bounds one message of the server."""

    def __init__(self, process: "subprocess.Popen[bytes]", output_bytes: int) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._process = process
        self._in, self._out = process.stdin, process.stdout.fileno()
        self._limit = output_bytes
        self._buffer = b""
        self._next_id = 0
        self._poll = select.poll()
        self._poll.register(self._out, select.POLLIN)

    def notify(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def request(self, method: str, params: Any) -> int:
        """The id that the response will carry."""
        self._next_id += 1
        self._send({"id": self._next_id, "method": method, "params": params})
        return self._next_id

    def receive(self, deadline: float) -> dict[str, Any] | None:
        """The next message, or None at the deadline (time.monotonic). Raises WorkerLost where the server is gone or speaks in riddles,
        FloodError where a message is longer than is allowed."""
        while True:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if found:
                length = _content_length(head)
                if length > self._limit:
                    raise FloodError
                if len(rest) >= length:
                    self._buffer = rest[length:]
                    return json.loads(rest[:length])
            left = deadline - time.monotonic()
            if left <= 0 or not self._poll.poll(left * 1000):
                return None
            piece = os.read(self._out, 1 << 20)
            if not piece:
                raise WorkerLost(f"the Lean server {self._process.pid} ended (exit code {self._process.poll()})")
            self._buffer += piece

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        try:
            self._in.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
            self._in.flush()
        except OSError as error:
            raise WorkerLost(f"the Lean server {self._process.pid} takes no input ({error})") from error


class FloodError(Exception):
    """The server sent more than one document may print."""


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    raise WorkerLost(f"the Lean server sent a message without a length: {head[:80]!r}")
