"""Profiles on demand: `touch RUN/profile` during a run traces its next steps into RUN/profiles/."""

from pathlib import Path
from types import TracebackType
from typing import Any

import jax

__all__ = ["STEPS", "ProfileOnDemand"]

STEPS = 3  # steps per trace


class ProfileOnDemand:
    """Profiler that checks for the file `profile` in the run folder before each step. If it exists, the next STEPS steps are traced with
    `jax.profiler` into `profiles/step-<first>` (for TensorBoard and Perfetto) and the file is removed. Every process traces its own
    devices.

    A context manager; exit ends a trace in progress.
    """

    def __init__(self, folder: Path) -> None:
        self._request, self._traces = folder / "profile", folder / "profiles"
        self._until: int | None = None

    def __enter__(self) -> "ProfileOnDemand":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._until is not None:
            self._end()

    def before(self, step: int) -> None:
        """Start a trace if one is requested."""
        if self._until is None and self._request.exists():
            jax.profiler.start_trace(str(self._traces / f"step-{step}"))
            self._until = step + STEPS

    def after(self, step: int, results: Any) -> None:
        """End the trace after its last step: the only place where the loop waits for the running step."""
        if self._until is not None and step >= self._until:
            jax.block_until_ready(results)
            self._end()

    def _end(self) -> None:
        self._until = None
        self._request.unlink(missing_ok=True)
        jax.profiler.stop_trace()
