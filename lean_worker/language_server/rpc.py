"""JSON-RPC over the pipes of a process, framed by Content-Length as in the language server protocol."""

import json
from typing import Any

from lean_worker.lean_process import Child, LimitReached
from lean_worker.session import WorkerLost


class Connection:
    """JSON-RPC connection. Not thread-safe. `output_bytes` limits one message of the server."""

    def __init__(self, child: Child, output_bytes: int) -> None:
        self._child = child
        self._limit = output_bytes
        self._buffer = b""
        self._next_id = 0

    def notify(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def request(self, method: str, params: Any) -> int:
        """Send a request and return the id that the response will carry."""
        self._next_id += 1
        self._send({"id": self._next_id, "method": method, "params": params})
        return self._next_id

    def receive(self, deadline: float) -> dict[str, Any]:
        """Return the next message.

        Raises:
            WorkerLost: the server has ended or its output is malformed.
            LimitReached: as for `Child.read`, or the message is too long.
        """
        while True:
            head, separator, rest = self._buffer.partition(b"\r\n\r\n")
            if separator:
                length = _content_length(head)
                if length > self._limit:
                    raise LimitReached("flood")
                if len(rest) >= length:
                    self._buffer = rest[length:]
                    return json.loads(rest[:length])
            self._buffer += self._child.read(deadline)

    def _send(self, message: dict[str, Any]) -> None:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._child.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    raise WorkerLost(f"the Lean server sent a message without a length: {head[:80]!r}")
