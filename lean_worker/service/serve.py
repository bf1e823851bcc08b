"""Runs the service under uvicorn on one machine. Whatever ends it, no Lean process stays behind."""

import contextlib
import ipaddress
import signal
import socket
import sys
from types import FrameType

import uvicorn

from lean_worker.errors import LeanWorkerError
from lean_worker.pool import Pool
from lean_worker.service.app import make_app
from lean_worker.service.settings import ServiceSettings

_GRACE_SECONDS = 5


class ServeError(LeanWorkerError):
    """The service cannot be started; the message says what to change."""


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to `host`, 0 for any free port. Raises ServeError where that cannot be."""
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        bound = socket.socket(family, socket.SOCK_STREAM)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.bind(address)
            bound.listen(2048)
        except BaseException:
            bound.close()
            raise
    except OSError as error:
        raise ServeError(f"cannot listen on {host}:{port} ({error.strerror}); give another --port or --host") from error
    bound.set_inheritable(False)
    return bound


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
