"""Runs the service under uvicorn on one machine. Whatever ends it, no Lean process stays behind."""

import socket

from lean_worker.http import run
from lean_worker.pool import Pool
from lean_worker.service.app import make_app
from lean_worker.service.settings import ServiceSettings


def serve(pool: Pool, settings: ServiceSettings, bound: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM; requests in progress then have some seconds to end. Close the pool. For the main thread."""
    run(make_app(pool, settings), bound, settings.http, pool.close)
