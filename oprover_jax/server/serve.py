"""Runs the rollout server under uvicorn on one machine, until SIGINT or SIGTERM, or until its engine fails."""

import os
import signal
import socket
from concurrent.futures import Future

from lean_worker.http import run
from oprover_jax.rollout.engine import EngineError
from oprover_jax.server.app import make_app
from oprover_jax.server.service import Service


def serve(service: Service, bound: socket.socket) -> None:
    """Serve on `bound`; requests in progress then have some seconds to end. Close the engine. For the main thread.

    Raises:
      EngineError: where the engine has failed: nothing can be drawn any more, and only a new process helps.
    """
    engine = service.engine

    def stop(ended: Future[None]) -> None:
        if ended.exception() is not None:
            os.kill(os.getpid(), signal.SIGTERM)  # as any supervisor would

    engine.ended.add_done_callback(stop)
    try:
        run(make_app(service), bound, service.settings.http, engine.close)
    finally:
        if engine.failure is not None:
            raise EngineError(f"{engine.failure}; start the server again")
