"""The rollout server as an ASGI application: one engine behind SGLang's native API and OpenAI's."""

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

_ABOUT = """Samples from one policy: `/generate` and its neighbours are SGLang's native API, `/v1/...` OpenAI's.

Every address but `/health`, `/docs` and `/openapi.json` wants `Authorization: Bearer KEY` where the server was started with a key.
Log-probabilities are those of the distribution at the given temperature, over the whole vocabulary. With a seed the draws are a function
of (seed, sample, position). Hang up, and your request is withdrawn. Where there is no room the answer is 429 with `Retry-After`; where the
engine has failed it is 503, for `/health` too. A field that is not described here is refused."""


def make_app(service: Service) -> FastAPI:
    """The application. The engine stays the caller's, who closes it when the server has ended."""
    settings, metrics = service.settings, service.metrics
    app = FastAPI(title="oprover serve", description=_ABOUT, version="1", redirect_slashes=False, docs_url=None, redoc_url=None)
    router = APIRouter()
    add_native_routes(router, service)
    add_openai_routes(router, service)

    @router.get("/metrics", summary="What it does, for Prometheus")
    async def metrics_text() -> Response:
        return Response(await asyncio.to_thread(metrics.text), media_type=CONTENT_TYPE_LATEST)

    @router.get("/health", summary="Can the engine draw?")
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
