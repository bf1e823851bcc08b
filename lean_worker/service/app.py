"""The HTTP service over a pool of Lean workers, as an ASGI application for uvicorn and Ray Serve alike."""

import asyncio
from collections.abc import Mapping
from functools import partial

import msgspec
from fastapi import APIRouter, FastAPI, HTTPException, Request
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from lean_worker.http import Access, ClientGone, add_docs, protect, read_json, while_connected
from lean_worker.http.access import plain_refusal
from lean_worker.jobs import QueueFull
from lean_worker.pool import Pool, PoolStatus
from lean_worker.service.asking import AnswerLines, Service, ask, client_name, submit
from lean_worker.service.kimina import add_kimina_routes
from lean_worker.service.metrics import Metrics
from lean_worker.service.openapi import describe, takes_and_gives
from lean_worker.service.settings import ServiceSettings
from lean_worker.service.wire import BatchRequest, VerifyAnswer, VerifyRequest, answer

_CLIENT_CLOSED_REQUEST = 499
_OPEN_PATHS = frozenset({"/", "/health", "/docs", "/openapi.json"})

_ABOUT = """Checks proofs in Lean 4 and says what the kernel said.

Every address but `/`, `/health`, `/docs` and `/openapi.json` wants `Authorization: Bearer KEY` where the service was started with a key,
`/metrics` among them: it tells who asks how much. Clients take turns: name yourself in `X-Client`, or your address names you.
Where the queue is full the answer is 429 with `Retry-After`. Hang up, and your waiting checks are withdrawn."""


def make_app(pool: Pool, settings: ServiceSettings | None = None) -> FastAPI:
    """The application. The pool stays the caller's, who closes it when the server has ended."""
    service = Service(pool, settings or ServiceSettings(), Metrics(pool))
    app = FastAPI(title="lean-worker", description=_ABOUT, version="1", redirect_slashes=False, docs_url=None, redoc_url=None)
    routes = APIRouter()
    _add_own_routes(routes, service)
    add_kimina_routes(routes, service)
    app.include_router(routes)

    @app.get("/", summary="Is the service up?")
    @app.get("/health", summary="Is the service up?")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    _add_error_answers(app, service.metrics)
    describe(app)
    add_docs(app)
    settings = service.settings
    protect(app, Access(settings.key, _OPEN_PATHS, settings.hosts, partial(_refuse, service.metrics)))
    return app


def _refuse(metrics: Metrics, status: int, sentence: str, headers: Mapping[str, str]) -> Response:
    metrics.refused(status)
    return plain_refusal(status, sentence, headers)


def _add_own_routes(router: APIRouter, service: Service) -> None:
    settings = service.settings

    @router.post("/v1/verify", summary="Check one proof", openapi_extra=takes_and_gives(VerifyRequest, VerifyAnswer))
    async def verify(request: Request) -> Response:
        asked = await read_json(request, VerifyRequest, settings.max_body_bytes, settings.http)
        verdict = await while_connected(request, ask(service, asked.check(), client_name(request)))
        return Response(msgspec.json.encode(answer(verdict)), media_type="application/json")

    @router.post(
        "/v1/verify/batch",
        summary="Check many proofs; JSON lines in order of completion",
        openapi_extra=takes_and_gives(BatchRequest, VerifyAnswer, "application/x-ndjson"),
    )
    async def verify_batch(request: Request) -> Response:
        checks = [one.check() for one in (await read_json(request, BatchRequest, settings.max_body_bytes, settings.http)).checks]
        if not 1 <= len(checks) <= settings.max_batch:
            raise HTTPException(422, f"a batch holds 1 to {settings.max_batch} checks, not {len(checks)}; split it")
        if len({check.id for check in checks}) < len(checks):
            raise HTTPException(422, "two checks of the batch have the same id; give each its own")
        return AnswerLines(await submit(service, checks, client_name(request)))

    @router.get("/v1/status", summary="What the pool does", openapi_extra=takes_and_gives(None, PoolStatus))
    async def status() -> Response:
        return Response(msgspec.json.encode(await asyncio.to_thread(service.pool.status)), media_type="application/json")

    @router.get("/metrics", summary="The same for Prometheus")
    async def metrics() -> Response:
        return Response(await asyncio.to_thread(service.metrics.text), media_type=CONTENT_TYPE_LATEST)


def _add_error_answers(app: FastAPI, metrics: Metrics) -> None:
    @app.exception_handler(StarletteHTTPException)
    async def refused(request: Request, error: StarletteHTTPException) -> Response:
        return _refuse(metrics, error.status_code, str(error.detail), error.headers or {})

    @app.exception_handler(QueueFull)
    async def full(request: Request, error: QueueFull) -> Response:
        return _refuse(metrics, 429, str(error), {"Retry-After": str(error.retry_after)})

    @app.exception_handler(ClientGone)
    @app.exception_handler(ClientDisconnect)
    async def gone(request: Request, error: Exception) -> Response:
        metrics.refused(_CLIENT_CLOSED_REQUEST)
        return Response(status_code=_CLIENT_CLOSED_REQUEST)
