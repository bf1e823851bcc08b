"""SGLang's native HTTP API: /generate, and what a trainer needs to stop the server, change its weights and go on."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from lean_worker.service.http import while_connected
from oprover_jax.data.chat import PLAIN_RULE
from oprover_jax.errors import InputError
from oprover_jax.rollout.engine import Sampling
from oprover_jax.rollout.server.asking import checked_ids, checked_stops, sampling_of
from oprover_jax.rollout.server.generation import Asked, Finish, Generation, Sample
from oprover_jax.rollout.server.native_wire import (
    OFF,
    Abort,
    Done,
    GenerateAnswer,
    GenerateRequest,
    Pause,
    SamplingParams,
    UpdateAnswer,
    UpdateWeights,
)
from oprover_jax.rollout.server.replies import EventStream, json_reply, read_json
from oprover_jax.rollout.server.service import Service

_DEFAULT_NEW_TOKENS = 128  # SGLang's
_HEALTH_SECONDS = 20


@dataclass(frozen=True)
class _Wanted:
    """What the answers are to hold. `prompt_logprobs` are those of each prompt from `logprob_start_len` on, where asked for."""

    logprobs: bool
    text_in_logprobs: bool
    batched: bool
    prompt_logprobs: Sequence[list[list[Any]]]


def add_native_routes(router: APIRouter, service: Service) -> None:
    most = service.settings.max_body_bytes

    @router.post("/generate", summary="Complete token ids or text (SGLang)")
    @router.put("/generate", include_in_schema=False)
    async def generate(request: Request) -> Response:
        asked = await read_json(request, GenerateRequest, most)
        generations = _generations(asked, service)
        scored = await _score_prompts(asked, generations, service)
        wanted = _Wanted(asked.return_logprob, asked.return_text_in_logprobs, _is_batch(asked), scored)
        if asked.stream:
            return EventStream(_events(service, service.stream(generations), generations, wanted))
        await while_connected(request, service.complete(generations))
        answers = [
            _answer(service, number, sample, generations, wanted)
            for number, generation in enumerate(generations)
            for sample in range(len(generation.samples))
        ]
        return json_reply(answers if wanted.batched or len(answers) > 1 else answers[0])

    @router.get("/health_generate", summary="Does the engine answer?")
    async def health_generate() -> Response:
        token = service.codec.end_ids[0]
        generation = Generation("health", Asked((token,), Sampling(1, temperature=0.0)), service.codec)
        try:
            await asyncio.wait_for(generation.run(service.engine), _HEALTH_SECONDS)
        except TimeoutError:
            return Response(status_code=503)
        return Response()

    @router.get("/model_info", summary="The model and the version of its weights")
    @router.get("/get_model_info", include_in_schema=False)
    async def model_info() -> Response:
        where = str(service.folder) if service.folder else service.settings.model
        return json_reply(
            {
                "model_path": where,
                "tokenizer_path": where,
                "is_generation": True,
                "preferred_sampling_params": None,
                "weight_version": str(service.engine.version),
                "weights_checksum": service.checksum,
                "seeded_draws": True,
                "chat": "template" if service.codec.template else PLAIN_RULE,
            }
        )

    @router.get("/get_server_info", summary="Limits and state of the engine")
    @router.get("/server_info", include_in_schema=False)
    async def server_info() -> Response:
        limits, state = msgspec.to_builtins(service.engine.limits), msgspec.to_builtins(service.engine.stats())
        return json_reply({"status": "paused" if service.paused else "ready", **limits, "internal_states": [state]})

    @router.post("/update_weights_from_disk", summary="Serve the weights of another folder")
    async def update_weights(request: Request) -> Response:
        asked = await read_json(request, UpdateWeights, most)
        version = _version(asked.weight_version)
        if asked.load_format not in (None, "auto", "safetensors"):
            raise InputError(f"load_format is {asked.load_format!r}; this server reads safetensors")
        if asked.abort_all_requests:
            service.abort(None)
        try:
            await service.update_weights(Path(asked.model_path), version)
        except InputError as error:
            return json_reply(UpdateAnswer(False, str(error)), 400)
        return json_reply(UpdateAnswer(True, "the new weights are served", 0, str(service.engine.version), service.checksum))

    @router.post("/flush_cache", summary="Nothing is kept between requests: always done")
    @router.get("/flush_cache", include_in_schema=False)
    async def flush_cache() -> Response:
        return json_reply(Done(message="no keys and values are kept from one request to the next"))

    @router.post("/pause_generation", summary="Abort what is under way, let newcomers wait")
    async def pause(request: Request) -> Response:
        asked = await read_json(request, Pause, most)
        if asked.mode != "abort":
            raise InputError(f"mode is {asked.mode!r}; this server offers 'abort'")
        service.pause()
        return json_reply(Done(message="paused"))

    @router.post("/continue_generation", summary="Serve those who wait")
    async def go_on(request: Request) -> Response:
        service.go_on()
        return json_reply(Done(message="going on"))

    @router.post("/abort_request", summary="End a request, or all of them, with what they have")
    async def abort(request: Request) -> Response:
        asked = await read_json(request, Abort, most)
        if not asked.rid and not asked.abort_all:
            raise InputError("neither rid nor abort_all is given; name the request to end")
        service.abort(None if asked.abort_all else asked.rid)
        return json_reply(Done())


def _is_batch(asked: GenerateRequest) -> bool:
    return isinstance(asked.text, list) or (asked.input_ids is not None and any(isinstance(ids, list) for ids in asked.input_ids))


def _generations(asked: GenerateRequest, service: Service) -> list[Generation]:
    """One for each prompt. InputError for whatever cannot be understood or is not offered."""
    if (asked.text is None) == (asked.input_ids is None):
        raise InputError("give either text or input_ids")
    if asked.top_logprobs_num:
        raise InputError(f"top_logprobs_num is {asked.top_logprobs_num}; only the log-probability of the drawn token is offered, give 0")
    prompts: list[tuple[int, ...]]
    if asked.text is not None:
        texts = asked.text if isinstance(asked.text, list) else [asked.text]
        prompts = [tuple(service.codec.encode(text)) for text in texts]
    else:
        assert asked.input_ids is not None
        prompts = checked_ids(asked.input_ids, service.engine.config.vocab_size, "input_ids")
    if not prompts:
        raise InputError("the batch holds no prompt; give at least one")
    params = asked.sampling_params if isinstance(asked.sampling_params, list) else [asked.sampling_params] * len(prompts)
    names = asked.rid if isinstance(asked.rid, list) else [asked.rid or secrets.token_hex(16)] * len(prompts)
    for name, found in (("sampling_params", params), ("rid", names)):
        if len(found) != len(prompts):
            raise InputError(f"{len(found)} {name} are given for {len(prompts)} prompts; give one for all or one each")
    return [Generation(name, _asked(prompt, one, service), service.codec) for name, prompt, one in zip(names, prompts, params)]


def _asked(prompt: tuple[int, ...], params: SamplingParams, service: Service) -> Asked:
    for name, off in OFF.items():
        if getattr(params, name) != off:
            raise InputError(f"{name} is {getattr(params, name)}; this server does not offer it, leave it out")
    stop_ids = () if params.ignore_eos else (*service.codec.end_ids, *(params.stop_token_ids or ()))
    sampling = sampling_of(
        service,
        prompt,
        params.max_new_tokens,
        _DEFAULT_NEW_TOKENS,
        temperature=params.temperature,
        stop_ids=stop_ids,
        top_p=params.top_p,
        top_k=max(params.top_k, 0),
        min_p=params.min_p,
    )
    seed = {} if params.sampling_seed is None else {"seed": params.sampling_seed}
    return Asked(prompt, sampling, params.n, checked_stops(params.stop), **seed)


def _version(given: str | int | None) -> int | None:
    if given is None:
        return None
    try:
        return int(given)
    except ValueError as error:
        raise InputError(f"weight_version is {given!r}; give a whole number, the policy's version") from error


async def _score_prompts(asked: GenerateRequest, generations: Sequence[Generation], service: Service) -> list[list[list[Any]]]:
    """[log-probability, token, None] of each prompt's tokens from `logprob_start_len` on; the very first token has none."""
    if not asked.return_logprob or asked.logprob_start_len < 0:
        return [[] for _ in generations]
    start, found = asked.logprob_start_len, []
    for generation in generations:
        ids = generation.asked.prompt_ids
        logprobs = [None, *await service.engine.score(ids)]
        found.append([[logprob, token, None] for logprob, token in zip(logprobs[start:], ids[start:])])
    return found


async def _events(
    service: Service, changes: AsyncIterator[tuple[int, int]], generations: Sequence[Generation], wanted: _Wanted
) -> AsyncIterator[GenerateAnswer]:
    """The whole answer so far whenever something was added, as SGLang streams."""
    try:
        async for number, sample in changes:
            yield _answer(service, number, sample, generations, wanted)
    finally:
        await changes.aclose()  # type: ignore[attr-defined]


def _answer(service: Service, number: int, index: int, generations: Sequence[Generation], wanted: _Wanted) -> GenerateAnswer:
    generation = generations[number]
    sample = generation.samples[index]
    meta: dict[str, Any] = {
        "id": generation.identity,
        "finish_reason": _finish_reason(sample),
        "prompt_tokens": len(generation.asked.prompt_ids),
        "completion_tokens": len(sample.token_ids),
        "cached_tokens": 0,
        "weight_version": str(generation.policy_version),
    }
    if wanted.logprobs:
        text = service.codec.token_text if wanted.text_in_logprobs else (lambda _: None)
        meta["input_token_logprobs"] = wanted.prompt_logprobs[number]
        meta["output_token_logprobs"] = [[p, token, text(token)] for p, token in zip(sample.logprobs, sample.token_ids)]
        meta["output_token_logprobs_length"] = len(sample.token_ids)
    place = sum(len(before.samples) for before in generations[:number]) + index
    several = wanted.batched or len(generations) > 1 or len(generation.samples) > 1
    return GenerateAnswer(sample.text, list(sample.token_ids), meta, place if several else msgspec.UNSET)


def _finish_reason(sample: Sample) -> dict[str, Any] | None:
    finish: Finish | None = sample.finish
    if finish is None:
        return None
    if finish.kind == "length":
        return {"type": "length", "length": len(sample.token_ids)}
    if finish.kind == "stop":
        return {"type": "stop", "matched": finish.matched}
    return {"type": "abort", "message": "Aborted", "status_code": None, "err_type": None}
