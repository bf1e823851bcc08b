"""HTTP service over a pool of Lean workers, as an ASGI application for uvicorn and Ray Serve."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any

import msgspec
from fastapi import APIRouter, FastAPI, HTTPException, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response

from lean_worker.files import FileReport, count_theorems
from lean_worker.http import Access, add_docs, offload, protect, read_json, while_connected
from lean_worker.http.access import plain_refusal
from lean_worker.jobs import QueueFull
from lean_worker.pool import Pool, PoolStatus
from lean_worker.protocol import LeanDescription
from lean_worker.service.health import Health
from lean_worker.service.kimina import add_kimina_routes
from lean_worker.service.metrics import Metrics
from lean_worker.service.openapi import describe, takes_and_gives
from lean_worker.service.requests import (
    AnswerLines,
    Service,
    ask,
    ask_file,
    client_name,
    require_count,
    require_short,
    submit,
    within_limits,
)
from lean_worker.service.settings import ServiceSettings
from lean_worker.service.tools import add_tool_routes
from lean_worker.service.totals import ReplicaState
from lean_worker.service.wire import BatchRequest, FileRequest, VerifyAnswer, VerifyRequest, answer

_UNAVAILABLE: dict[int | str, dict[str, Any]] = {503: {"description": "The service cannot check proofs; `detail` gives the reason"}}
_OPEN_PATHS = frozenset({"/", "/health", "/docs", "/openapi.json"})

_ABOUT = """Check proofs in Lean 4 and return the kernel's verdicts.

If the service was started with a key, every path except `/`, `/health`, `/docs` and `/openapi.json` requires `Authorization: Bearer KEY`.
The queue is fair: clients take turns. A client is identified by the header `X-Client`, otherwise by its network address.
If the queue is full, the response is 429 with `Retry-After`. If a client disconnects, its queued checks are cancelled.

Limits: {statement:,} characters for a statement, {header:,} for a header, {proof:,} for a proof, {snippet:,} for a snippet or file,
{id:,} for an id, {client:,} for `X-Client`; {batch:,} checks or snippets, {positions:,} positions for goals, {linted:,} theorems for
lint or lemmas, and {body_bytes:,} bytes per request. A request that exceeds a limit is refused with one sentence.

A request body is JSON with `Content-Type: application/json`, uncompressed. curl's `-d` alone declares a form, so use `--json`:

```
curl localhost:8000/v1/verify --json '{{"statement": "theorem t : 1 + 1 = 2 := by sorry", "proof": "rfl"}}'
```"""


def make_app(
    pool: Pool,
    settings: ServiceSettings | None = None,
    summed: Callable[[ReplicaState], Awaitable[ReplicaState]] | None = None,
) -> FastAPI:
    """Return the application; its `state.service` is the `Service`. The caller owns the pool and closes it after the server has ended.

    `summed`, if given, adds the states of the other replicas to one of this service.
    """
    service = Service(pool, settings or ServiceSettings(), Metrics(pool), summed)
    about = _about(service.settings)
    app = FastAPI(title="lean-worker", description=about, version="1", redirect_slashes=False, docs_url=None, redoc_url=None)
    app.state.service = service
    routes = APIRouter()
    _add_own_routes(routes, service)
    add_tool_routes(routes, service)
    add_kimina_routes(routes, service)
    app.include_router(routes)

    state = Health(pool)

    @app.get("/", summary="Report whether the service can check proofs", responses=_UNAVAILABLE)
    @app.get("/health", summary="Report whether the service can check proofs", responses=_UNAVAILABLE)
    async def health() -> Response:
        trouble = await state.trouble()
        if trouble is None:
            return JSONResponse({"status": "ok"})
        return JSONResponse({"status": "unavailable", "detail": trouble}, 503, {"Retry-After": "5"})

    @app.exception_handler(QueueFull)
    async def full(request: Request, error: QueueFull) -> Response:
        return refuse(429, str(error), {"Retry-After": str(error.retry_after)})

    refuse = partial(_refuse, service.metrics)
    describe(app)
    add_docs(app)
    protect(app, Access(service.settings.key, _OPEN_PATHS, service.settings.hosts, refuse))
    return app


def _about(settings: ServiceSettings) -> str:
    most = {name.removeprefix("max_"): value for name, value in vars(settings).items() if name.startswith("max_")}
    return _ABOUT.format(**most)


def _refuse(metrics: Metrics, status: int, sentence: str, headers: Mapping[str, str]) -> Response:
    metrics.refused(status)
    return plain_refusal(status, sentence, headers)


def _add_own_routes(router: APIRouter, service: Service) -> None:
    settings = service.settings

    @router.post("/v1/verify", summary="Check one proof", openapi_extra=takes_and_gives(VerifyRequest, VerifyAnswer))
    async def verify(request: Request) -> Response:
        asked = await read_json(request, VerifyRequest, settings.max_body_bytes, settings.http)
        (check,) = within_limits(settings, [asked])
        verdict = await while_connected(request, ask(service, check, client_name(request, settings)))
        return Response(msgspec.json.encode(answer(verdict)), media_type="application/json")

    @router.post(
        "/v1/verify/batch",
        summary="Check many proofs; returns JSON lines in order of completion",
        openapi_extra=takes_and_gives(BatchRequest, VerifyAnswer, "application/x-ndjson"),
    )
    async def verify_batch(request: Request) -> Response:
        asked = await read_json(request, BatchRequest, settings.max_body_bytes, settings.http)
        require_count("checks", [check.id for check in asked.checks], settings.max_batch)
        checks = await offload(1000 * len(asked.checks), within_limits, settings, asked.checks)
        return AnswerLines(await while_connected(request, submit(service, checks, client_name(request, settings))))

    @router.post(
        "/v1/verify/file",
        summary="Check every theorem of a file, which Lean reads once",
        openapi_extra=takes_and_gives(FileRequest, FileReport),
    )
    async def verify_file(request: Request) -> Response:
        asked = await read_json(request, FileRequest, settings.max_body_bytes, settings.http)
        require_short("text", asked.text, settings.max_snippet)
        if (theorems := await offload(len(asked.text), count_theorems, asked.text)) > settings.max_theorems:
            raise HTTPException(422, f"text: {theorems} theorems, more than {settings.max_theorems}; split it")
        work = ask_file(service, asked.text, client_name(request, settings), asked.timeout, asked.tactics)
        report = await while_connected(request, work)
        return Response(await offload(len(asked.text), msgspec.json.encode, report), media_type="application/json")

    @router.get("/v1/status", summary="Return the state of the pool", openapi_extra=takes_and_gives(None, PoolStatus))
    async def status() -> Response:
        return Response(msgspec.json.encode((await service.state()).status), media_type="application/json")

    @router.get("/v1/lean", summary="Return which Lean answers, and its limits", openapi_extra=takes_and_gives(None, LeanDescription))
    async def lean() -> Response:
        return Response(msgspec.json.encode(await asyncio.to_thread(service.pool.describe)), media_type="application/json")

    @router.get("/metrics", summary="Return Prometheus metrics")
    async def metrics() -> Response:
        return Response((await service.state()).metrics, media_type=CONTENT_TYPE_LATEST)
