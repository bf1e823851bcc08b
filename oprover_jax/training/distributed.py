"""Multi-host initialisation of JAX from the launcher's environment; on one machine it does nothing.

The launcher may set the method in OPROVER_DISTRIBUTED (`tpu`, `slurm`, `explicit` or `none`). If unset, it is `explicit`
if OPROVER_COORDINATOR is set, `slurm` in a Slurm step of several tasks, `tpu` on a TPU worker that knows other workers or
has several slices, and `none` otherwise. `explicit` reads OPROVER_COORDINATOR (host:port of process 0), OPROVER_PROCESSES
and OPROVER_PROCESS.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast, get_args

import jax
import numpy as np
from jax.experimental import multihost_utils

from oprover_jax.errors import InputError
from oprover_jax.files import locked

Way = Literal["none", "explicit", "slurm", "tpu"]


@dataclass(frozen=True)
class Cluster:
    """Method by which this process joins the others. Address and numbers are set for `explicit` only; otherwise JAX finds them itself."""

    way: Way
    coordinator: str | None = None
    processes: int | None = None
    process: int | None = None


def cluster_of(environment: Mapping[str, str]) -> Cluster:
    """Read the environment without touching JAX or the network. Raises InputError if the variables contradict each other."""
    way = environment.get("OPROVER_DISTRIBUTED") or _inferred(environment)
    if way not in get_args(Way):
        raise InputError(f"OPROVER_DISTRIBUTED is {way!r}; set it to {', '.join(get_args(Way))}, or leave it unset")
    if way == "slurm" and not _in_slurm_step(environment):
        raise InputError(
            "OPROVER_DISTRIBUTED is 'slurm' but this process is not in a Slurm step; start it with srun, as launch/slurm.sh does"
        )
    if way != "explicit":
        return Cluster(cast(Way, way))
    address = environment.get("OPROVER_COORDINATOR", "")
    if not re.fullmatch(r".+:\d+", address):
        raise InputError(f"OPROVER_COORDINATOR is {address!r}; give the host and port of process 0, such as 10.0.0.1:8476")
    processes, process = (_number(environment, name) for name in ("OPROVER_PROCESSES", "OPROVER_PROCESS"))
    if not 0 <= process < processes:
        raise InputError(f"OPROVER_PROCESS is {process} of OPROVER_PROCESSES {processes}; processes count from 0 to {processes - 1}")
    return Cluster("explicit", address, processes, process)


def initialize(environment: Mapping[str, str] | None = None, timeout: int = 300) -> Cluster:
    """Join the other processes before JAX's first use and return how; a second call changes nothing.

    `timeout` is how many seconds to wait for the others.
    """
    cluster = cluster_of(os.environ if environment is None else environment)
    if cluster.way == "none" or jax.distributed.is_initialized():
        return cluster
    if cluster.way == "explicit":
        jax.distributed.initialize(cluster.coordinator, cluster.processes, cluster.process, initialization_timeout=timeout)
    else:
        # the workers of a TPU pod are found through its metadata server, those of Slurm by its variables alone
        method = "slurm" if cluster.way == "slurm" else None
        jax.distributed.initialize(cluster_detection_method=method, initialization_timeout=timeout)
    return cluster


def has_preemption_service() -> bool:
    """Return True if JAX listens for SIGTERM in every process, so that all of them learn of it and `preempted` answers.

    JAX then owns the handler of that signal.
    """
    return jax.distributed.is_initialized() and bool(jax.config.jax_enable_preemption_service)  # type: ignore[attr-defined]


def preempted(step: int) -> bool:
    """Return True in all processes after the same step if any of them has received SIGTERM; must be called after every step."""
    return has_preemption_service() and multihost_utils.reached_preemption_sync_point(step)


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Hold the lock of a run folder in the first process.

    Raises:
      InputError: Another run uses the folder. Raised in every process.
    """
    with ExitStack() as held:
        failure: InputError | None = None
        if jax.process_index() == 0:
            try:
                held.enter_context(locked(folder))
            except InputError as error:
                failure = error
        if jax.process_count() > 1 and multihost_utils.broadcast_one_to_all(np.array(failure is not None)) and failure is None:
            failure = InputError(f"--run: {folder} is in use by another run; see the error message of process 0")
        if failure is not None:
            raise failure
        yield


def _inferred(environment: Mapping[str, str]) -> str:
    if "OPROVER_COORDINATOR" in environment:
        return "explicit"
    if _in_slurm_step(environment) and environment["SLURM_NTASKS"] != "1":
        return "slurm"
    several_slices = environment.get("MEGASCALE_NUM_SLICES", "1") != "1"  # each of which may be a single host
    return "tpu" if several_slices or "," in environment.get("TPU_WORKER_HOSTNAMES", "") else "none"


def _in_slurm_step(environment: Mapping[str, str]) -> bool:
    return {"SLURM_JOB_ID", "SLURM_STEP_NODELIST", "SLURM_NTASKS", "SLURM_PROCID", "SLURM_LOCALID"} <= environment.keys()


def _number(environment: Mapping[str, str], name: str) -> int:
    value = environment.get(name, "")
    if not value.isdecimal():
        raise InputError(f"{name} is {value!r}; with OPROVER_COORDINATOR set it must be a number")
    return int(value)
