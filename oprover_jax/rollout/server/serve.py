"""Runs the rollout server under uvicorn on one machine, until SIGINT or SIGTERM."""

import signal
import socket
import sys
from types import FrameType

import uvicorn

from oprover_jax.rollout.server.app import make_app
from oprover_jax.rollout.server.service import Service

_GRACE_SECONDS = 5


def _stop(number: int, frame: FrameType | None) -> None:
    sys.exit(0)


def serve(service: Service, bound: socket.socket) -> None:
    """Serves on `bound`; requests in flight then have some seconds to end. Closes the engine. For the main thread."""
    # uvicorn raises its signals again when it has ended; the default would kill us before the engine is closed, and a shell that
    # starts us in the background has SIGINT ignored
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config = uvicorn.Config(
        make_app(service), log_level="warning", access_log=False, timeout_graceful_shutdown=_GRACE_SECONDS, server_header=False
    )
    try:
        uvicorn.Server(config).run(sockets=[bound])
    finally:
        service.engine.close()
