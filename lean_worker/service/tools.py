"""Routes of the toolbelt: goals, holes, lemmas, refutation and lint. A disconnecting client cancels what still waits."""

from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from lean_worker.http import offload, read_json, while_connected
from lean_worker.service.openapi import takes_and_gives
from lean_worker.service.requests import Service, client_name, require_short
from lean_worker.service.tool_wire import DisproveRequest, ExtractRequest, GoalsRequest, HolesRequest, LintRequest
from lean_worker.toolbelt.asking import PoolLean, ToolError
from lean_worker.toolbelt.disprove import Refutation, disprove
from lean_worker.toolbelt.goals import FilePosition, GoalsReport, HolesReport, goals, holes
from lean_worker.toolbelt.lemmas import LemmasReport, lemmas
from lean_worker.toolbelt.lint import LintReport, lint

T = TypeVar("T")

_GOALS = GoalsRequest("theorem t (p q : Prop) (h : p ∧ q) : q := by\n  cases h\n  assumption", [FilePosition(2, 2), FilePosition(3, 2)])
_HOLES = HolesRequest("theorem t (n : Nat) : 0 + n = n := by\n  induction n with\n  | zero => rfl\n  | succ n ih => sorry")
_EXTRACT = ExtractRequest("theorem t (n : Nat) : n + 0 = n := by\n  have h : 0 + n = n := sorry\n  simp")
_DISPROVE = DisproveRequest("theorem t (a b : Nat) (h : a < b) : a + 2 < b := by sorry")
_LINT = LintRequest("theorem t (a b : Nat) (h : a < b) : b - a = 5 / 2 := by sorry")


def add_tool_routes(router: APIRouter, service: Service) -> None:
    """Add `/v1/goals`, `/v1/holes`, `/v1/extract`, `/v1/disprove` and `/v1/lint` to `router`."""
    settings = service.settings

    async def body(request: Request, kind: type[T]) -> T:
        return await read_json(request, kind, settings.max_body_bytes, settings.http)

    def lean(request: Request) -> PoolLean:
        return PoolLean(service.pool, client_name(request, settings))

    @router.post(
        "/v1/goals",
        summary="Return the goals at positions of a file",
        openapi_extra=takes_and_gives(GoalsRequest, GoalsReport, example=_GOALS),
    )
    async def goals_route(request: Request) -> Response:
        asked = await body(request, GoalsRequest)
        require_short("text", asked.text, settings.max_snippet)
        if len(asked.positions) > settings.max_positions:
            raise HTTPException(422, f"positions: {len(asked.positions)} are more than {settings.max_positions}; split the request")
        return await _answered(request, goals(lean(request), asked.text, asked.positions))

    @router.post(
        "/v1/holes",
        summary="Return every `sorry` of a file with its goal",
        openapi_extra=takes_and_gives(HolesRequest, HolesReport, example=_HOLES),
    )
    async def holes_route(request: Request) -> Response:
        asked = await body(request, HolesRequest)
        require_short("text", asked.text, settings.max_snippet)
        return await _answered(request, holes(lean(request), asked.text))

    @router.post(
        "/v1/extract",
        summary="Return the holes or the `have`s of a file as lemmas",
        openapi_extra=takes_and_gives(ExtractRequest, LemmasReport, example=_EXTRACT),
    )
    async def extract_route(request: Request) -> Response:
        asked = await body(request, ExtractRequest)
        require_short("text", asked.text, settings.max_snippet)
        return await _answered(request, lemmas(lean(request), asked.text, asked.haves, settings.max_linted))

    @router.post(
        "/v1/disprove",
        summary="Try to prove the negation of a statement",
        openapi_extra=takes_and_gives(DisproveRequest, Refutation, example=_DISPROVE),
    )
    async def disprove_route(request: Request) -> Response:
        asked = await body(request, DisproveRequest)
        require_short("statement", asked.statement, settings.max_statement)
        require_short("header", asked.header, settings.max_header)
        require_short("proof", asked.proof, settings.max_proof)
        return await _answered(request, disprove(lean(request), asked.statement, asked.header, asked.proof))

    @router.post(
        "/v1/lint",
        summary="Return the smells of the statements of a file",
        openapi_extra=takes_and_gives(LintRequest, LintReport, example=_LINT),
    )
    async def lint_route(request: Request) -> Response:
        asked = await body(request, LintRequest)
        require_short("text", asked.text, settings.max_snippet)
        return await _answered(request, lint(lean(request), asked.text, settings.max_linted))


async def _answered(request: Request, work: Coroutine[Any, Any, msgspec.Struct]) -> Response:
    try:
        report = await while_connected(request, work)
    except ToolError as error:
        raise HTTPException(422, str(error)) from error
    except RuntimeError as error:
        raise HTTPException(503, f"{error}; use another service", {"Retry-After": "5"}) from error
    return Response(await offload(1 << 14, msgspec.json.encode, report), media_type="application/json")
