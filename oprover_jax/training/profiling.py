"""Profiles on demand: `touch RUN/profile` while a run goes on, and its next steps are traced into RUN/profiles/."""

from pathlib import Path
from types import TracebackType
from typing import Any

import jax

__all__ = ["STEPS", "ProfileOnDemand"]

STEPS = 3  # steps in one trace


class ProfileOnDemand:
    """Looks for the file `profile` in the run folder before each step. When it is there, the next STEPS steps are traced with
    `jax.profiler` into `profiles/step-<first>` (TensorBoard and Perfetto read it) and the file is removed. Every process traces its own
    devices.

    A context manager; leaving it ends a trace that is under way.
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
        """Starts a trace if one is asked for."""
        if self._until is None and self._request.exists():
            jax.profiler.start_trace(str(self._traces / f"step-{step}"))
            self._until = step + STEPS

    def after(self, step: int, results: Any) -> None:
        """Ends the trace after its last step: the only place where the loop waits for the step that is running."""
        if self._until is not None and step >= self._until:
            jax.block_until_ready(results)
            self._end()

    def _end(self) -> None:
        self._until = None
        self._request.unlink(missing_ok=True)
        jax.profiler.stop_trace()
