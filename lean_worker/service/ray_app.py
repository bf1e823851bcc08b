"""The same service on a Ray cluster: each replica has a pool of its own, Ray spreads the requests and replaces replicas that die.

`serve run lean_worker.service.ray_app:build workers=16 replicas=4`, or `ray.serve.run(build(...))`. Clients ask again where a replica died
with their request (5xx or a lost connection), as `lean_worker.client.RemotePool` does.
"""

import os
from typing import Annotated

import msgspec
from fastapi import FastAPI
from ray import serve

from lean_worker.errors import LeanWorkerError
from lean_worker.pool import Pool
from lean_worker.service.app import make_app
from lean_worker.service.settings import ServiceSettings

_Positive = Annotated[int, msgspec.Meta(ge=1)]


class RayOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`workers` Lean processes, and as many CPUs of the cluster, in each of `replicas`; `timeout` in seconds for one check.

    `waiting` requests may be in progress in one replica; Ray keeps the rest. `hosts` are names, separated by commas, under which a service
    without a key may be addressed besides those of loopback.
    """

    replicas: _Positive = 1
    workers: _Positive = 2
    timeout: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 10.0
    waiting: _Positive = 256
    hosts: str = ""


def build(arguments: dict[str, str] | None = None) -> serve.Application:
    """The application for `serve run` and `ray.serve.run`. The bearer key is taken from LEAN_WORKER_KEY in the caller's environment.

    Raises LeanWorkerError for options that are not those of RayOptions.
    """
    try:
        options = msgspec.convert(arguments or {}, RayOptions, strict=False)
    except msgspec.ValidationError as error:
        raise LeanWorkerError(f"{error}; the options are {', '.join(RayOptions.__struct_fields__)}") from error
    hosts = tuple(host.strip() for host in options.hosts.split(",") if host.strip())
    settings = ServiceSettings(os.environ.get("LEAN_WORKER_KEY") or None, hosts=hosts)

    def replica() -> FastAPI:
        # the pool's Lean processes end with the replica: their input closes
        return make_app(Pool(options.workers, options.timeout), settings)

    deployed = serve.deployment(
        name="lean-worker",
        num_replicas=options.replicas,
        max_ongoing_requests=options.waiting,
        ray_actor_options={"num_cpus": options.workers},
    )
    return deployed(serve.ingress(replica)()).bind()
