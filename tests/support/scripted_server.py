"""Plays the documented answers of other servers, and faults, over real HTTP; no model is behind it."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import msgspec

Script = Callable[[str, Any], tuple[int, object]]


class Scripted(ThreadingHTTPServer):
    """`script(path, body)` is the status and the answer; what was asked is kept. Use as a context manager."""

    def __init__(self, script: Script, port: int = 0) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.script = script
        self.paths: list[str] = []
        self.bodies: list[Any] = []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> "Scripted":
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(msgspec.json.decode(self.rfile.read(int(self.headers["content-length"]))))

    def _answer(self, body: Any) -> None:
        self.server.paths.append(self.path)
        self.server.bodies.append(body)
        status, answer = self.server.script(self.path, body)
        content = msgspec.json.encode(answer)
        self.send_response(status)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass
