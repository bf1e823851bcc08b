"""Runs the service under uvicorn on one machine. Whatever ends it, no Lean process stays behind."""

import signal
import socket
import sys
from types import FrameType

import uvicorn

from lean_worker.pool import Pool
from lean_worker.service.app import make_app
from lean_worker.service.settings import ServiceSettings

_GRACE_SECONDS = 5


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def serve(pool: Pool, settings: ServiceSettings, bound: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; requests in flight then have some seconds to end. Closes the pool. For the main thread."""
    # uvicorn raises its signals again when it has ended; the default would kill us before the pool is closed, and a shell that
    # starts us in the background has SIGINT ignored
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config = uvicorn.Config(
        make_app(pool, settings), log_level="warning", access_log=False, timeout_graceful_shutdown=_GRACE_SECONDS, server_header=False
    )
    try:
        uvicorn.Server(config).run(sockets=[bound])
    finally:
        pool.close()
