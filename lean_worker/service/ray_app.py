"""Ray Serve deployment of the service: each replica has its own pool; Ray distributes requests and replaces replicas that fail.

`serve run lean_worker.service.ray_app:build workers=16 replicas=4`, or `ray.serve.run(build(...))`. Clients should retry requests whose
replica died (5xx or a lost connection), as `lean_worker.client.RemotePool` does.
"""

import asyncio
import os
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

import msgspec
from fastapi import FastAPI
from ray import serve
from ray.serve.handle import DeploymentHandle

from lean_worker.backends import open_pool
from lean_worker.errors import LeanWorkerError
from lean_worker.lean_config import LeanConfig
from lean_worker.service.app import make_app
from lean_worker.service.health import Health
from lean_worker.service.requests import Service
from lean_worker.service.settings import ServiceSettings
from lean_worker.service.totals import ReplicaState, Totals

_Count = Annotated[int, msgspec.Meta(ge=0)]
_Positive = Annotated[int, msgspec.Meta(ge=1)]

_REPORT_SECONDS = 5.0
_HEALTH_SECONDS = 30.0


class RayOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Options of a deployment, in addition to those of `LeanConfig`, which apply to each replica; it reserves `workers` CPUs.

    With `max_replicas` above `replicas`, Ray adds replicas while each has more than `target` requests (0: four per worker) and removes
    idle ones, never below `replicas`. Each replica accepts `waiting` requests; Ray queues the rest. `hosts` lists additional host names,
    separated by commas, that a service without a key accepts in addition to loopback names.
    """

    replicas: _Positive = 1
    max_replicas: _Count = 0
    target: _Count = 0
    waiting: _Positive = 256
    hosts: str = ""


def build(arguments: Mapping[str, str] | None = None) -> serve.Application:
    """Return the application for `serve run` and `ray.serve.run`. The bearer key is read from LEAN_WORKER_KEY in the caller's environment.

    Values of several parts, such as `imports`, are separated by commas. Raises LeanWorkerError for options that neither RayOptions nor
    LeanConfig defines, and for a Lean that runs elsewhere.
    """
    options, lean = read_options(arguments or {})
    hosts = tuple(host.strip() for host in options.hosts.split(",") if host.strip())
    settings = ServiceSettings(os.environ.get("LEAN_WORKER_KEY") or None, hosts=hosts)
    size: dict[str, Any] = {"num_replicas": options.replicas}
    if options.max_replicas > options.replicas:
        target = options.target or 4 * lean.workers
        bounds = {"min_replicas": options.replicas, "max_replicas": options.max_replicas}
        size = {"autoscaling_config": {**bounds, "target_ongoing_requests": target}}
    totals = serve.deployment(_TotalsDeployment, name="lean-worker-totals", num_replicas=1, ray_actor_options={"num_cpus": 0})
    deployed = serve.deployment(
        serve.ingress()(LeanReplica),
        name="lean-worker",
        max_ongoing_requests=options.waiting,
        health_check_period_s=_HEALTH_SECONDS,
        health_check_timeout_s=_HEALTH_SECONDS,
        ray_actor_options={"num_cpus": lean.workers},
        **size,
    )
    return deployed.bind(lean, settings, totals.bind())


def read_options(arguments: Mapping[str, str]) -> tuple[RayOptions, LeanConfig]:
    """Return the options of a deployment and its Lean. Raises LeanWorkerError for what they do not define."""
    lists = {one.name: isinstance(one.default, tuple) for one in fields(LeanConfig)}
    own = {name: value for name, value in arguments.items() if name not in lists}
    given: dict[str, Any] = {}
    for name, value in arguments.items():
        if name in lists:
            given[name] = [part.strip() for part in value.split(",") if part.strip()] if lists[name] else value
    try:
        lean = msgspec.convert(given, LeanConfig, strict=False, dec_hook=_decode_path)
        options = msgspec.convert(own, RayOptions, strict=False)
    except msgspec.ValidationError as error:
        known = (*RayOptions.__struct_fields__, *lists)
        raise LeanWorkerError(f"{error}; available options: {', '.join(known)}") from error
    if lean.backend == "remote" or lean.key_file is not None:
        raise LeanWorkerError("backend remote and key_file are not for replicas; choose a Lean of theirs and set LEAN_WORKER_KEY")
    return options, lean


def _decode_path(kind: type, value: Any) -> Any:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise NotImplementedError(f"cannot decode {kind.__name__}")


class LeanReplica:
    """One replica: a pool with its HTTP application. Its Lean processes end with it, because their input closes.

    It is healthy while it accepts a true theorem and rejects a false one. `/metrics` and `/v1/status` are sums over all replicas.
    """

    def __init__(self, lean: LeanConfig, settings: ServiceSettings, totals: DeploymentHandle) -> None:
        self._open = ExitStack()
        self._pool = self._open.enter_context(open_pool(lean))
        self._settings, self._totals = settings, totals
        self._name = serve.get_replica_context().replica_id.unique_id
        self._health: Health | None = None
        self._reporting: asyncio.Task[None] | None = None

    def __serve_build_asgi_app__(self) -> FastAPI:
        app = make_app(self._pool, self._settings, self._sum)
        self._service: Service = app.state.service
        return app

    async def check_health(self) -> None:
        """Raise RuntimeError if the pool misjudges a true or a false theorem, so that Ray replaces the replica."""
        if self._health is None or self._reporting is None:
            self._health, self._reporting = Health(self._pool), asyncio.ensure_future(self._report())
        trouble = await self._health.misjudgement()
        if trouble is not None:
            raise RuntimeError(f"this replica is not healthy: {trouble}")

    async def _sum(self, state: ReplicaState) -> ReplicaState:
        encoded = await self._totals.add.remote(self._name, msgspec.msgpack.encode(state))
        return msgspec.msgpack.decode(encoded, type=ReplicaState)

    async def _report(self) -> None:
        """Report this replica's state for as long as it lives, so that the sums of the others include it."""
        while True:
            with suppress(Exception):  # whatever keeps this report from the process of the sums, the next one may reach it
                await self._service.state()
            await asyncio.sleep(_REPORT_SECONDS)


class _TotalsDeployment:
    """The sums of all replicas, in a process of their own."""

    def __init__(self) -> None:
        self._totals = Totals()

    def add(self, replica: str, state: bytes) -> bytes:
        return msgspec.msgpack.encode(self._totals.add(replica, msgspec.msgpack.decode(state, type=ReplicaState), time.monotonic()))
