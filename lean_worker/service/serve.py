"""Entry point that serves a pool under uvicorn on one machine. However it ends, no Lean process remains."""

import socket

from lean_worker.http import run
from lean_worker.pool import Pool
from lean_worker.service.app import make_app
from lean_worker.service.settings import ServiceSettings


def serve(pool: Pool, settings: ServiceSettings, bound: socket.socket) -> None:
    """Serve until SIGINT or SIGTERM, let requests in progress finish within a grace period, and close the pool. Main thread only."""
    run(make_app(pool, settings), bound, settings.http, pool.close)
