"""Ray Serve deployment of the service: each replica has its own pool; Ray distributes requests and replaces replicas that die.

`serve run lean_worker.service.ray_app:build workers=16 replicas=4`, or `ray.serve.run(build(...))`. Clients should retry requests whose
replica died (5xx or a lost connection), as `lean_worker.client.RemotePool` does.
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
    """Options of a deployment. Each of `replicas` has `workers` Lean processes and reserves as many CPUs; `timeout` in seconds per check.

    Each replica accepts `waiting` requests; Ray queues the rest. `hosts` lists additional host names, separated by commas, that a service
    without a key accepts in addition to loopback names.
    """

    replicas: _Positive = 1
    workers: _Positive = 2
    timeout: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 10.0
    waiting: _Positive = 256
    hosts: str = ""


def build(arguments: dict[str, str] | None = None) -> serve.Application:
    """Return the application for `serve run` and `ray.serve.run`. The bearer key is read from LEAN_WORKER_KEY in the caller's environment.

    Raises LeanWorkerError for options that RayOptions does not define.
    """
    try:
        options = msgspec.convert(arguments or {}, RayOptions, strict=False)
    except msgspec.ValidationError as error:
        raise LeanWorkerError(f"{error}; available options: {', '.join(RayOptions.__struct_fields__)}") from error
    hosts = tuple(host.strip() for host in options.hosts.split(",") if host.strip())
    settings = ServiceSettings(os.environ.get("LEAN_WORKER_KEY") or None, hosts=hosts)

    def replica() -> FastAPI:
        # the pool's Lean processes end with the replica because their input closes
        return make_app(Pool(options.workers, options.timeout), settings)

    deployed = serve.deployment(
        name="lean-worker",
        num_replicas=options.replicas,
        max_ongoing_requests=options.waiting,
        ray_actor_options={"num_cpus": options.workers},
    )
    return deployed(serve.ingress(replica)()).bind()
