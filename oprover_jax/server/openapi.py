"""OpenAPI schemas of the server's msgspec structs, which FastAPI does not parse itself."""

from typing import Any

import msgspec
from fastapi import FastAPI

from oprover_jax.server import native_wire, openai_wire

_REFERENCE = "#/components/schemas/{name}"

# path -> request body, response body
_BODIES: dict[str, tuple[type | None, type | None]] = {
    "/generate": (native_wire.GenerateRequest, native_wire.GenerateAnswer),
    "/update_weights_from_disk": (native_wire.UpdateWeights, native_wire.UpdateAnswer),
    "/pause_generation": (native_wire.Pause, native_wire.Done),
    "/abort_request": (native_wire.Abort, native_wire.Done),
    "/v1/completions": (openai_wire.CompletionRequest, openai_wire.Reply),
    "/v1/chat/completions": (openai_wire.ChatRequest, openai_wire.Reply),
}


def describe(app: FastAPI) -> None:
    """Add the request and response schemas of the routes to the OpenAPI document."""
    structs = {struct for pair in _BODIES.values() for struct in pair if struct is not None}
    _, schemas = msgspec.json.schema_components(sorted(structs, key=lambda struct: struct.__name__), ref_template=_REFERENCE)
    plain = app.openapi

    def openapi() -> dict[str, Any]:
        document = plain()
        document.setdefault("components", {}).setdefault("schemas", {}).update(schemas)
        for path, (request, response) in _BODIES.items():
            for operation in document["paths"][path].values():
                operation["requestBody"] = {"required": True, **_content(request)}
                operation["responses"]["200"] = {"description": "Successful response", **_content(response)}
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _content(struct: type | None) -> dict[str, Any]:
    return {} if struct is None else {"content": {"application/json": {"schema": {"$ref": _REFERENCE.format(name=struct.__name__)}}}}
