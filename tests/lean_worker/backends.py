"""Every backend that can be run here, over the embedded Lean."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

from lean_worker.embedded.backend import ForkBackend
from lean_worker.embedded.build import IMPORTS, PRELUDE, ensure_core
from lean_worker.language_server.backend import embedded_server
from lean_worker.repl.backend import ReplBackend
from lean_worker.session import Backend


def repl_over_embedded() -> ReplBackend:
    """The real client of the REPL protocol; the REPL itself is imitated over the real kernel."""
    core = ensure_core()
    return ReplBackend(
        command=(sys.executable, str(Path(__file__).with_name("repl_over_embedded.py"))),
        environment=dict(os.environ),
        folder=Path("/"),
        lean=core.lean_version,
        library=core.hash,
        imports=IMPORTS,
        prelude=PRELUDE,
    )


BACKENDS: dict[str, Callable[[], Backend]] = {
    "embedded-fork": ForkBackend,
    "embedded-server": lambda: embedded_server(ensure_core()),
    "repl-over-embedded": repl_over_embedded,
}
