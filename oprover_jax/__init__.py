"""Train and run an agentic Lean 4 theorem prover in JAX."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from oprover_jax.agent.refine import Prover, RefineConfig, prove
    from oprover_jax.agent.template import Template
    from oprover_jax.records import ProofRecord, Statement, Trajectory
    from oprover_jax.retrieval.memory import Memory
    from oprover_jax.rollout.engine import Completion, Engine, Request, Sampling
    from oprover_jax.rollout.jax_engine import JaxEngine
    from oprover_jax.verify.verifier import Verifier

__all__ = [
    "Completion",
    "Engine",
    "JaxEngine",
    "Memory",
    "ProofRecord",
    "Prover",
    "RefineConfig",
    "Request",
    "Sampling",
    "Statement",
    "Template",
    "Trajectory",
    "Verifier",
    "__version__",
    "prove",
]

__version__ = "0.1.0"

# imported on first use: a command that needs no JAX starts without it
_HOME = {
    "Completion": "rollout.engine",
    "Engine": "rollout.engine",
    "JaxEngine": "rollout.jax_engine",
    "Memory": "retrieval.memory",
    "ProofRecord": "records",
    "Prover": "agent.refine",
    "RefineConfig": "agent.refine",
    "Request": "rollout.engine",
    "Sampling": "rollout.engine",
    "Statement": "records",
    "Template": "agent.template",
    "Trajectory": "records",
    "Verifier": "verify.verifier",
    "prove": "agent.refine",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
