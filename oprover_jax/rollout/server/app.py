"""The rollout server as an ASGI application: one engine behind SGLang's native API and OpenAI's."""

import asyncio

from fastapi import APIRouter, Depends, FastAPI
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.responses import Response

from lean_worker.service.http import guard
from oprover_jax.rollout.server.native import add_native_routes
from oprover_jax.rollout.server.openai import add_openai_routes
from oprover_jax.rollout.server.openapi import describe
from oprover_jax.rollout.server.replies import add_refusals
from oprover_jax.rollout.server.service import Service

_ABOUT = """Samples from one policy: `/generate` and its neighbours are SGLang's native API, `/v1/...` OpenAI's.

Every address but `/health`, `/docs` and `/openapi.json` wants `Authorization: Bearer KEY` where the server was started with a key.
Log-probabilities are those of the distribution at the given temperature, over the whole vocabulary. With a seed the draws are a function
of (seed, sample, position). Hang up, and your request is withdrawn. Where there is no room the answer is 429 with `Retry-After`.
A field that is not described here is refused."""


def make_app(service: Service) -> FastAPI:
    """The application. The engine stays the caller's, who closes it when the server has ended."""
    app = FastAPI(title="oprover serve", description=_ABOUT, version="1", redirect_slashes=False)
    guarded = APIRouter(dependencies=[Depends(guard(service.settings.key))])
    add_native_routes(guarded, service)
    add_openai_routes(guarded, service)

    @guarded.get("/metrics", summary="What it does, for Prometheus")
    async def metrics() -> Response:
        return Response(await asyncio.to_thread(service.metrics.text), media_type=CONTENT_TYPE_LATEST)

    app.include_router(guarded)

    @app.get("/health", summary="Is the server up?")
    async def health() -> dict[str, str]:
        return {"status": "ok"}

    add_refusals(app, service.metrics)
    describe(app)
    return app
