"""Listening sockets and the bearer key of a service."""

import contextlib
import ipaddress
import os
import socket
from pathlib import Path

from lean_worker.errors import LeanWorkerError


class ServeError(LeanWorkerError):
    """A service cannot be started; the message says what to change."""


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach `host`."""
    if host == "localhost":
        return True
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False


def listen(host: str, port: int) -> socket.socket:
    """Return a socket bound to `host`; port 0 selects a free port. Raise ServeError on failure."""
    if not 0 <= port <= 65_535:
        raise ServeError(f"--port is {port}; give a number from 0 to 65535")
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
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise ServeError(f"cannot listen on {host}:{port} ({reason}); give another --port or --host") from error
    bound.set_inheritable(False)
    return bound


def read_key(file: Path | None, variable: str) -> str | None:
    """Return the first line of `file`, else the environment's `variable`, else None. Raise ServeError for a file without a key."""
    if file is None:
        return os.environ.get(variable) or None
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ServeError(f"--key-file: {file} cannot be read ({error}); give a readable file whose first line is the key") from error
    if not lines or not lines[0].strip():
        raise ServeError(f"--key-file: the first line of {file} is empty; write the key there")
    return lines[0].strip()


def check_key(key: str | None) -> None:
    """Raise ValueError for a key that a client could not send."""
    if key is not None and not (key.isascii() and key.isprintable() and key.strip() == key != ""):
        raise ValueError("key: must be printable ASCII without surrounding spaces; choose another one")
