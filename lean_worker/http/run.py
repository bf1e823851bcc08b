"""Entry point that runs an HTTP service under uvicorn until SIGTERM or SIGINT."""

import contextlib
import json
import logging
import resource
import signal
import socket
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Any, Literal

import uvicorn
from starlette.types import ASGIApp

from lean_worker.http.limits import HttpLimits
from lean_worker.http.protocol import LimitedProtocol

LogFormat = Literal["off", "text", "json"]

_SWITCH_SECONDS = 0.001
_SPARE_DESCRIPTORS = 256


class _JsonLines(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {"time": self.formatTime(record), "level": record.levelname.lower(), **getattr(record, "fields", {})}
        if not hasattr(record, "fields"):
            line["message"] = super().format(record)
        return json.dumps(line)


def log_requests(form: LogFormat) -> None:
    """Log one line per request to standard error: id, method, path, status and milliseconds, but neither body nor key."""
    if form == "off":
        return
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines() if form == "json" else logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("lean_worker.http")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False


def make_server(app: ASGIApp, limits: HttpLimits) -> uvicorn.Server:
    """Return a uvicorn server that enforces `limits`."""
    protocol: Any = partial(LimitedProtocol, limits)
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            log_level="error",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=limits.keep_alive_seconds,
            timeout_graceful_shutdown=limits.grace_seconds,
        )
    )


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def run(app: ASGIApp, bound: socket.socket, limits: HttpLimits, close: Callable[[], None]) -> None:
    """Serve `app` on `bound` until SIGINT or SIGTERM, then call `close`. Call it from the main thread of a dedicated process."""
    # uvicorn raises its signals again when it has ended; the default action would kill this process before `close`, and a process started
    # in the background of a shell ignores SIGINT
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.setswitchinterval(_SWITCH_SECONDS)  # threads that decode and check large requests must not block the event loop
    _allow_descriptors(2 * limits.max_connections + _SPARE_DESCRIPTORS)
    try:
        make_server(app, limits).run(sockets=[bound])
    finally:
        close()


def _allow_descriptors(count: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < count:
        with contextlib.suppress(ValueError, OSError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (count if hard == resource.RLIM_INFINITY else min(hard, count), hard))
