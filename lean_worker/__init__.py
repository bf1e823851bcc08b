"""Check Lean 4 proofs: many per second, each in isolation, embedded or over HTTP. Needs neither JAX nor oprover_jax."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lean_worker.client import RemotePool
    from lean_worker.connect import open_lean
    from lean_worker.errors import LeanWorkerError
    from lean_worker.lean_config import LeanConfig
    from lean_worker.pool import Pool
    from lean_worker.protocol import Check, Message, Verdict
    from lean_worker.session import Limits

__all__ = ["Check", "LeanConfig", "LeanWorkerError", "Limits", "Message", "Pool", "RemotePool", "Verdict", "__version__", "open_lean"]

__version__ = "0.1.0"

# imported on first use, so that a command starts fast and an extra is needed only by those who use it
_HOME = {
    "Check": "protocol",
    "LeanConfig": "lean_config",
    "LeanWorkerError": "errors",
    "Limits": "session",
    "Message": "protocol",
    "Pool": "pool",
    "RemotePool": "client",
    "Verdict": "protocol",
    "open_lean": "connect",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
