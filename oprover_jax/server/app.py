"""ASGI application of the rollout server: one engine behind SGLang's native API and the OpenAI API."""

import asyncio
from functools import partial

from fastapi import APIRouter, FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from lean_worker.http import Access, add_docs, protect
from oprover_jax.server.native import add_native_routes
from oprover_jax.server.openai import add_openai_routes
from oprover_jax.server.openapi import describe
from oprover_jax.server.replies import add_refusals, counted_refusal, json_reply
from oprover_jax.server.service import Service

_ABOUT = """Inference server for one policy. `/v1/...` is compatible with the OpenAI API, all other endpoints with SGLang's native API.

If the server was started with a key, every endpoint except `/health`, `/docs` and `/openapi.json` requires `Authorization: Bearer KEY`.
Log-probabilities refer to the distribution at the given temperature, over the whole vocabulary. With a seed, sampling is a function of
(seed, sample, position). A request is cancelled when its client disconnects. Requests beyond the limits receive 429 with `Retry-After`.
If the engine has failed, generation endpoints and `/health` return 503. Requests with unknown fields are rejected."""


def make_app(service: Service) -> FastAPI:
    """Return the application. The caller owns the engine and closes it after the server has stopped."""
    settings, metrics = service.settings, service.metrics
    app = FastAPI(title="oprover serve", description=_ABOUT, version="1", redirect_slashes=False, docs_url=None, redoc_url=None)
    router = APIRouter()
    add_native_routes(router, service)
    add_openai_routes(router, service)

    @router.get("/metrics", summary="Metrics in Prometheus format")
    async def metrics_text() -> Response:
        return Response(await asyncio.to_thread(metrics.text), media_type=CONTENT_TYPE_LATEST)

    @router.get("/health", summary="Check whether the engine is running")
    async def health() -> Response:
        if service.failure is not None:
            return counted_refusal(metrics, 503, service.failure)
        return json_reply({"status": "ok"})

    app.include_router(router)
    add_refusals(app, metrics)
    describe(app)
    add_docs(app)
    protect(app, Access(settings.key, hosts=settings.hosts, refuse=partial(counted_refusal, metrics)))
    return app
