"""HTTP kit: limits, timeouts, browser checks, logging and shutdown shared by every HTTP service of this project.

A service builds a FastAPI application with `docs_url=None` and `redoc_url=None`, calls `add_docs` and `protect` on it and passes it to
`run`. This package is independent of Lean.
"""

from lean_worker.http.access import Access, protect
from lean_worker.http.address import ServeError, check_key, is_loopback, listen, read_key
from lean_worker.http.body import offload, read_bytes, read_json
from lean_worker.http.connection import ClientGone, hung_up, while_connected
from lean_worker.http.docs import add_docs
from lean_worker.http.limits import HttpLimits
from lean_worker.http.run import LogFormat, log_requests, make_server, run

__all__ = [
    "Access",
    "ClientGone",
    "HttpLimits",
    "LogFormat",
    "ServeError",
    "add_docs",
    "check_key",
    "hung_up",
    "is_loopback",
    "listen",
    "log_requests",
    "make_server",
    "offload",
    "protect",
    "read_bytes",
    "read_json",
    "read_key",
    "run",
    "while_connected",
]
