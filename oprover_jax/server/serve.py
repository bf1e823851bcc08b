"""Serving loop of the rollout server: uvicorn on one machine until SIGINT, SIGTERM or an engine failure."""

import os
import signal
import socket
from concurrent.futures import Future

from lean_worker.http import run
from oprover_jax.rollout.engine import EngineError
from oprover_jax.server.app import make_app
from oprover_jax.server.service import Service


def serve(service: Service, bound: socket.socket) -> None:
    """Serve on `bound`, let requests in progress finish for some seconds after a signal, and close the engine. Call it on the main thread.

    Raises:
      EngineError: The engine failed; the process must be restarted.
    """
    engine = service.engine

    def stop(ended: Future[None]) -> None:
        if ended.exception() is not None:
            os.kill(os.getpid(), signal.SIGTERM)  # shut down as if stopped by a supervisor

    engine.ended.add_done_callback(stop)
    try:
        run(make_app(service), bound, service.settings.http, engine.close)
    finally:
        if engine.failure is not None:
            raise EngineError(f"{engine.failure}; start the server again")
