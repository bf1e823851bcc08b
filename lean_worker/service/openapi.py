"""OpenAPI descriptions of the service's msgspec structs, which FastAPI does not see itself."""

from typing import Any

import msgspec
from fastapi import FastAPI

from lean_worker.files import FileReport
from lean_worker.pool import PoolStatus
from lean_worker.protocol import LeanDescription
from lean_worker.service import kimina_wire
from lean_worker.service.tool_wire import DisproveRequest, ExtractRequest, GoalsRequest, HolesRequest, LintRequest
from lean_worker.service.wire import BatchRequest, FileRequest, Refusal, VerifyAnswer, VerifyRequest
from lean_worker.toolbelt.disprove import Refutation
from lean_worker.toolbelt.goals import GoalsReport, HolesReport
from lean_worker.toolbelt.lemmas import LemmasReport
from lean_worker.toolbelt.lint import LintReport

_REFERENCE = "#/components/schemas/{name}"
_STRUCTS = (
    *(VerifyRequest, BatchRequest, VerifyAnswer, FileRequest, FileReport, Refusal, PoolStatus, LeanDescription),
    *(
        ExtractRequest,
        LemmasReport,
        GoalsRequest,
        GoalsReport,
        HolesRequest,
        HolesReport,
        DisproveRequest,
        Refutation,
        LintRequest,
        LintReport,
    ),
    *(kimina_wire.CheckRequest, kimina_wire.CheckResponse, kimina_wire.VerifyRequestBody, kimina_wire.VerifyResponse),
)
_REFUSALS = {
    401: "The key is missing or wrong",
    403: "The Host or Origin is not allowed (only without a key)",
    408: "The request arrived too slowly",
    413: "The body is too large",
    415: "The body is not declared as JSON",
    422: "A field is missing, invalid or too long",
    429: "The queue is full; see Retry-After",
    431: "The headers are too large",
    503: "The service is shutting down or has too many connections; see Retry-After",
}


def _content(struct: type, media: str = "application/json", example: msgspec.Struct | None = None) -> dict[str, Any]:
    shown = {} if example is None else {"example": msgspec.to_builtins(example)}
    return {"content": {media: {"schema": {"$ref": _REFERENCE.format(name=struct.__name__)}, **shown}}}


def takes_and_gives(
    body: type | None, result: type, media: str = "application/json", example: msgspec.Struct | None = None
) -> dict[str, Any]:
    """Return the OpenAPI description of a route's request body, with an example of it, and responses."""
    refusals = {str(code): {"description": text, **_content(Refusal)} for code, text in _REFUSALS.items()}
    given = {"responses": {"200": {"description": "Success", **_content(result, media)}, **(refusals if body else {})}}
    return given if body is None else {"requestBody": {"required": True, **_content(body, example=example)}, **given}


def describe(app: FastAPI) -> None:
    """Add the structs to the application's OpenAPI document."""
    _, schemas = msgspec.json.schema_components(_STRUCTS, ref_template=_REFERENCE)
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        document.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
