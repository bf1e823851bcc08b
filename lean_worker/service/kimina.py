"""Protocol of the Kimina Lean Server, so that its clients and trainers work unchanged; `snippet` defines what a response means here.

Lean elaborates a snippet once. It is valid only if it contains a theorem, Lean reports no error, and each of its theorems depends only on
the three standard axioms. `sorry` yields the entry in `sorries` that clients look for, with its goal; a forbidden command, another axiom
and a snippet that proves nothing yield error messages. `error` in place of a response means that there is no verdict: a time limit ("timed
out" is in the text), a crash, or an import that is not available.
"""

from collections.abc import Sequence

import msgspec
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from lean_worker.files import count_theorems
from lean_worker.http import offload, read_json, while_connected
from lean_worker.service.kimina_wire import (
    CheckRequest,
    CheckResponse,
    CheckResult,
    Infotree,
    VerifyRequestBody,
    VerifyResponse,
    VerifyResult,
)
from lean_worker.service.openapi import takes_and_gives
from lean_worker.service.requests import Service, ask_file, client_name, require_count, require_short, together
from lean_worker.service.snippet import result


def add_kimina_routes(router: APIRouter, service: Service) -> None:
    """Add `/api/check` and the older `/verify` and `/one_pass_verify_batch` to `router`."""
    most = service.settings.max_body_bytes

    @router.post("/api/check", summary="Check whole files (Kimina)", openapi_extra=takes_and_gives(CheckRequest, CheckResponse))
    @router.post("/api/check/", include_in_schema=False)
    async def check(request: Request) -> Response:
        asked = await read_json(request, CheckRequest, most, service.settings.http)
        pairs = [(snippet.id, snippet.code) for snippet in asked.snippets]
        results = await _judge_all(service, request, pairs, asked.timeout, asked.infotree)
        return Response(await _encoded(CheckResponse(results), len(results)), media_type="application/json")

    older = takes_and_gives(VerifyRequestBody, VerifyResponse)

    @router.post("/verify", summary="Check whole files (older Kimina)", openapi_extra=older)
    @router.post("/one_pass_verify_batch", summary="Check whole files (older Kimina)", openapi_extra=older)
    async def verify(request: Request) -> Response:
        asked = await read_json(request, VerifyRequestBody, most, service.settings.http)
        pairs = [(str(code.custom_id), code.proof if code.proof is not None else code.code) for code in asked.codes]
        without = next((name for name, text in pairs if text is None), None)
        if without is not None:
            raise HTTPException(422, f"codes: {without!r} has neither `proof` nor `code`; give one")
        snippets = [(name, text or "") for name, text in pairs]
        results = await _judge_all(service, request, snippets, asked.timeout, asked.infotree_type)
        answer = VerifyResponse([_older(result) for result in results])
        return Response(await _encoded(answer, len(results)), media_type="application/json")


async def _encoded(answer: CheckResponse | VerifyResponse, results: int) -> bytes:
    return await offload(1000 * results, msgspec.json.encode, answer)


def _older(result: CheckResult) -> VerifyResult:
    response = None if result.response is None else msgspec.structs.replace(result.response, time=result.time)
    return VerifyResult(result.id, result.error, response)


async def _judge_all(
    service: Service, request: Request, snippets: Sequence[tuple[str, str]], timeout: float, infotree: Infotree | None
) -> list[CheckResult]:
    settings = service.settings
    require_count("snippets", [name for name, _ in snippets], settings.max_batch)
    for name, code in snippets:
        require_short("id", name, settings.max_id)
        require_short("a snippet", code, settings.max_snippet)
    client = client_name(request, settings)
    work = together([_judge(service, name, code, client, timeout, infotree) for name, code in snippets])
    return await while_connected(request, work)


async def _judge(service: Service, name: str, code: str, client: str, timeout: float, infotree: Infotree | None) -> CheckResult:
    if await offload(len(code), count_theorems, code) > service.settings.max_theorems:
        return CheckResult(name, 0.0, error=f"the snippet contains more than {service.settings.max_theorems} theorems; split it")
    report = await ask_file(service, code, client, timeout, tactics=infotree is not None)
    return await offload(len(code), result, name, code, report, infotree)
