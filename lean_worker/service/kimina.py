"""Protocol of the Kimina Lean Server, so that its clients and trainers work unchanged; `snippet` defines what a response means here.

A snippet is valid only if it contains a theorem, Lean reports no error, and each of its theorems depends only on the three standard axioms.
`sorry` yields the entry in `sorries` that clients look for; a forbidden command, another axiom and a snippet that proves nothing yield
error messages. `error` in place of a response means that there is no verdict: a time limit ("timed out" is in the text), a crash, or a
text that cannot be split into theorems.
"""

from collections.abc import Sequence
from functools import partial

import msgspec
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from lean_worker.http import offload, read_json, while_connected
from lean_worker.protocol import Verdict
from lean_worker.service.kimina_wire import (
    CheckRequest,
    CheckResponse,
    CheckResult,
    CommandResponse,
    ReplMessage,
    VerifyRequestBody,
    VerifyResponse,
    VerifyResult,
)
from lean_worker.service.openapi import takes_and_gives
from lean_worker.service.requests import Service, ask, client_name, require_count, require_short, together
from lean_worker.service.snippet import Snippet, Unreadable, error_at, lean_errors, take_apart, theorem_messages
from lean_worker.session import provides

# the text that clients look for, with the quotes of the Lean version they were written for
_SORRY = "declaration uses 'sorry'"


def add_kimina_routes(router: APIRouter, service: Service) -> None:
    """Add `/api/check` and the older `/verify` and `/one_pass_verify_batch` to `router`."""
    most = service.settings.max_body_bytes

    @router.post("/api/check", summary="Check whole files (Kimina)", openapi_extra=takes_and_gives(CheckRequest, CheckResponse))
    @router.post("/api/check/", include_in_schema=False)
    async def check(request: Request) -> Response:
        asked = await read_json(request, CheckRequest, most, service.settings.http)
        results = await _judge_all(service, request, [(snippet.id, snippet.code) for snippet in asked.snippets])
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
        results = await _judge_all(service, request, [(name, text or "") for name, text in pairs])
        answer = VerifyResponse([_older(result) for result in results])
        return Response(await _encoded(answer, len(results)), media_type="application/json")


async def _encoded(answer: CheckResponse | VerifyResponse, results: int) -> bytes:
    return await offload(1000 * results, msgspec.json.encode, answer)


def _older(result: CheckResult) -> VerifyResult:
    response = None if result.response is None else msgspec.structs.replace(result.response, time=result.time)
    return VerifyResult(result.id, result.error, response)


async def _judge_all(service: Service, request: Request, snippets: Sequence[tuple[str, str]]) -> list[CheckResult]:
    settings = service.settings
    require_count("snippets", [name for name, _ in snippets], settings.max_batch)
    for name, code in snippets:
        require_short("id", name, settings.max_id)
        require_short("a snippet", code, settings.max_snippet)
    client = client_name(request, settings)
    work = together([_judge(service, name, code, client) for name, code in snippets])
    return await while_connected(request, work)


async def _judge(service: Service, name: str, code: str, client: str) -> CheckResult:
    provided = partial(provides, service.pool.backend)
    try:
        snippet = await offload(len(code), take_apart, code, provided, service.settings.max_theorems, service.settings.max_contexts)
    except Unreadable as error:
        return CheckResult(name, 0.0, error=str(error))
    if snippet.refused:
        return _response(name, snippet, snippet.refused, 0.0)
    if snippet.complete and not snippet.theorems:
        nothing = error_at(snippet, None, "the snippet proves nothing: it contains no theorem, lemma or example")
        return _response(name, snippet, [nothing], 0.0)
    # a text with holes is never valid, so its proofs need no audit
    audits = [] if snippet.sorries or not snippet.complete else snippet.audits()
    wholes = [snippet.whole()] if snippet.trailing or not audits else []
    verdicts = await together([ask(service, check, client) for check in (*audits, *wholes)])
    audited, whole = verdicts[: len(audits)], verdicts[len(audits) :]
    if not whole and any(verdict.accepted is False for verdict in audited):
        whole = [await ask(service, snippet.whole(), client)]
    return _result(name, snippet, audited, whole[0] if whole else None)


def _result(name: str, snippet: Snippet, audited: Sequence[Verdict], whole: Verdict | None) -> CheckResult:
    """Report errors first, since they hold whatever else failed; then missing verdicts; a clean response only if there is neither."""
    verdicts = [*audited, *([whole] if whole else [])]
    seconds = sum(verdict.seconds for verdict in verdicts)
    explained = lean_errors(snippet, whole) if whole else []
    theorem_errors: list[ReplMessage] = []
    unclear = "" if snippet.complete else "a theorem of the snippet does not begin at the start of a line or has no `:=`"
    for theorem, verdict in zip(snippet.theorems, audited):
        contradicted = whole is not None and whole.accepted is True
        failed_in_lean = verdict.kind in ("error", "heartbeats")
        if not explained and (verdict.kind == "statement" or (failed_in_lean and contradicted)):
            unclear = unclear or f"`{theorem.name}` in line {theorem.line}: {verdict.messages[0].text}"
        elif verdict.kind in ("accepted", "axiom", "hole", "forbidden") or (failed_in_lean and not explained):
            theorem_errors += theorem_messages(snippet, theorem, verdict)
    messages = [*explained, *theorem_errors]
    if any(message.severity == "error" for message in messages):
        return _response(name, snippet, messages, seconds)
    failed = next((verdict for verdict in verdicts if verdict.accepted is None), None)
    if failed is not None:
        how = "the check timed out" if failed.kind == "timeout" else "no verdict"
        return CheckResult(name, seconds, error=f"{how}: {failed.messages[0].text}" if failed.messages else how)
    if unclear or not all(verdict.accepted for verdict in verdicts):
        return CheckResult(name, seconds, error=f"cannot split the snippet into theorems: {unclear or 'its checks contradict each other'}")
    return _response(name, snippet, messages, seconds)


def _response(name: str, snippet: Snippet, messages: Sequence[ReplMessage], seconds: float) -> CheckResult:
    holes = [ReplMessage("warning", hole.pos, hole.end_pos, _SORRY) for hole in snippet.sorries]
    return CheckResult(name, seconds, response=CommandResponse(0, (*messages, *holes), snippet.sorries))
