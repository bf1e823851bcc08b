"""Opening of the Lean that a `LeanConfig` selects, here or remote."""

from collections.abc import Iterator
from contextlib import contextmanager

from lean_worker.backends import open_pool
from lean_worker.errors import LeanWorkerError
from lean_worker.lean_config import LeanConfig
from lean_worker.lean_pool import LeanPool


@contextmanager
def open_lean(config: LeanConfig, *, trusted_headers: bool = False, name: str = "") -> Iterator[LeanPool]:
    """Open the Lean that `config` selects; never fall back to another one.

    A remote pool is not contacted before its first use, so that services may start later.

    Args:
        config: which Lean, and the limits of a check.
        trusted_headers: whether all headers come from a local user, a benchmark or a corpus. A remote service decides this for itself.
        name: name of this client in the fair queue of remote services.

    Raises:
        LeanWorkerError: this Lean is unavailable.
    """
    if config.backend != "remote":
        with open_pool(config, trusted_headers=trusted_headers) as pool:
            yield pool
        return
    from lean_worker.client import RemotePool  # needs an optional dependency
    from lean_worker.http import read_key

    key = read_key(config.key_file, "LEAN_WORKER_KEY")
    with RemotePool(config.urls, key, connections=config.connections, patience=config.patience, name=name) as remote:
        yield remote


def require_tier(pool: LeanPool, config: LeanConfig) -> None:
    """Raise LeanWorkerError if no proof could be stored, because the Lean of `pool` lacks the tier that `config` requires for it."""
    about = pool.describe()
    if config.tier not in about.tiers:
        raise LeanWorkerError(
            f"tier: {about.backend} has no {config.tier} tier, so no proof could be stored; set tier to {about.tiers[-1]} to store proofs "
            "that this Lean checked once"
        )
