"""SGLang's native HTTP API: /generate, and what a trainer needs to stop the server, change its weights and go on."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from lean_worker.http import offload, while_connected
from oprover_jax.data.chat import PLAIN_RULE
from oprover_jax.errors import InputError
from oprover_jax.rollout.engine import EngineError, Sampling
from oprover_jax.server.generation import Asked, Finish, Generation, Sample
from oprover_jax.server.native_wire import (
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
from oprover_jax.server.replies import EventStream, RawJson, json_reply, read_json
from oprover_jax.server.requests import asked_for, check_name, check_texts, checked_ids, count_prompts, encoded
from oprover_jax.server.service import SMALL_BODY, Service

_DEFAULT_NEW_TOKENS = 128  # SGLang's
_HEALTH_SECONDS = 20
_LATEST_VERSION = 2**63 - 1


@dataclass(frozen=True)
class _Wanted:
    """What the answers are to hold. `prompt_logprobs` are those of each prompt from `logprob_start_len` on, where asked for. `places` are
    the numbers of each prompt's first answer."""

    logprobs: bool
    text_in_logprobs: bool
    batched: bool
    prompt_logprobs: Sequence[list[list[Any]]]
    places: Sequence[int]


def add_native_routes(router: APIRouter, service: Service) -> None:
    settings = service.settings

    @router.post("/generate", summary="Complete token ids or text (SGLang)")
    @router.put("/generate", include_in_schema=False)
    async def generate(request: Request) -> Response:
        with service.reserve_body(request.headers) as body, ExitStack() as held:
            asked = await read_json(request, GenerateRequest, settings)
            params, size = _counted(asked, service)
            held.enter_context(service.reserve(sum(one.n for one in params)))
            generations = await offload(size, _generations, asked, params, service)
            body.close()
            scored = await while_connected(request, _score_prompts(asked, generations, service))
            places = list(accumulate((len(generation.samples) for generation in generations), initial=0))
            wanted = _Wanted(asked.return_logprob, asked.return_text_in_logprobs, _is_batch(asked), scored, places)
            if asked.stream:
                return EventStream(_events(service, service.stream(generations), generations, wanted), held.pop_all())
            return RawJson(await while_connected(request, _complete(service, generations, wanted)))

    @router.get("/health_generate", summary="Does the engine answer?")
    async def health_generate() -> Response:
        token = service.codec.end_ids[0]
        generation = Generation("health", Asked((token,), Sampling(1, temperature=0.0)), service.codec)
        try:
            await asyncio.wait_for(generation.run(service.engine), _HEALTH_SECONDS)
        except TimeoutError as error:
            raise EngineError(f"the engine has not answered within {_HEALTH_SECONDS} s") from error
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
        return json_reply({"status": service.status, **limits, "internal_states": [state]})

    @router.post("/update_weights_from_disk", summary="Serve the weights of another folder")
    async def update_weights(request: Request) -> Response:
        asked = await read_json(request, UpdateWeights, settings, SMALL_BODY)
        version = _version(asked.weight_version)
        if asked.load_format not in (None, "auto", "safetensors"):
            raise InputError(f"load_format is {asked.load_format!r}; this server reads safetensors")
        try:
            await service.update_weights(Path(asked.model_path), version, asked.abort_all_requests)
        except InputError as error:
            return json_reply(UpdateAnswer(False, str(error)), 400)
        return json_reply(UpdateAnswer(True, "the new weights are served", 0, str(service.engine.version), service.checksum))

    @router.post("/flush_cache", summary="Nothing is kept between requests: always done")
    @router.get("/flush_cache", include_in_schema=False)
    async def flush_cache() -> Response:
        return json_reply(Done(message="no keys and values are kept from one request to the next"))

    @router.post("/pause_generation", summary="Abort what is under way, let newcomers wait")
    async def pause(request: Request) -> Response:
        asked = await read_json(request, Pause, settings, SMALL_BODY)
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
        asked = await read_json(request, Abort, settings, SMALL_BODY)
        check_name(asked.rid, settings, "rid")
        if not asked.rid and not asked.abort_all:
            raise InputError("neither rid nor abort_all is given; name the request to end")
        service.abort(None if asked.abort_all else asked.rid)
        return json_reply(Done())


def _is_batch(asked: GenerateRequest) -> bool:
    return isinstance(asked.text, list) or (asked.input_ids is not None and any(isinstance(ids, list) for ids in asked.input_ids))


def _counted(asked: GenerateRequest, service: Service) -> tuple[list[SamplingParams], int]:
    """The parameters of each prompt, and how much text or how many ids there are. Nothing is made that takes more than the request did.
    InputError for what cannot be understood, is not offered, or is too much."""
    if (asked.text is None) == (asked.input_ids is None):
        raise InputError("give either text or input_ids")
    if asked.top_logprobs_num:
        raise InputError(f"top_logprobs_num is {asked.top_logprobs_num}; only the log-probability of the drawn token is offered, give 0")
    if asked.text is not None:
        texts = asked.text if isinstance(asked.text, list) else [asked.text]
        count, size = len(texts), check_texts(texts, service.settings)
    else:
        assert asked.input_ids is not None
        count = count_prompts(asked.input_ids, service, "input_ids")
        size = service.settings.max_prompt_tokens if _is_batch(asked) else len(asked.input_ids)
    if not 1 <= count <= service.settings.max_samples:
        raise InputError(f"the batch holds {count} prompts and may hold 1 to {service.settings.max_samples}; split it")
    params = asked.sampling_params if isinstance(asked.sampling_params, list) else [asked.sampling_params] * count
    names = asked.rid if isinstance(asked.rid, list) else [asked.rid or ""] * count
    for name, found in (("sampling_params", params), ("rid", names)):
        if len(found) != count:
            raise InputError(f"{len(found)} {name} are given for {count} prompts; give one for all or one each")
    for rid in names:
        check_name(rid, service.settings, "rid")
    for one in params:
        if one.n < 1:
            raise InputError(f"n is {one.n}; the number of samples must be at least 1")
    return params, size


def _generations(asked: GenerateRequest, params: Sequence[SamplingParams], service: Service) -> list[Generation]:
    """One for each prompt. InputError for what can never run."""
    if asked.text is not None:
        prompts = encoded(asked.text if isinstance(asked.text, list) else [asked.text], service)
    else:
        assert asked.input_ids is not None
        prompts = checked_ids(asked.input_ids, service.engine.config.vocab_size, "input_ids")
    names = asked.rid if isinstance(asked.rid, list) else [asked.rid or secrets.token_hex(16)] * len(prompts)
    wanted = [_asked(prompt, one, service) for prompt, one in zip(prompts, params, strict=True)]
    return [Generation(name, one, service.codec) for name, one in zip(names, wanted)]


def _asked(prompt: tuple[int, ...], params: SamplingParams, service: Service) -> Asked:
    for name, off in OFF.items():
        if getattr(params, name) != off:
            raise InputError(f"{name} is {getattr(params, name)}; this server does not offer it, leave it out")
    return asked_for(
        service,
        prompt,
        params.n,
        params.max_new_tokens,
        _DEFAULT_NEW_TOKENS,
        stop=params.stop,
        stop_token_ids=params.stop_token_ids,
        ignore_eos=params.ignore_eos,
        seed=params.sampling_seed,
        temperature=params.temperature,
        top_p=params.top_p,
        top_k=max(params.top_k, 0),
        min_p=params.min_p,
    )


def _version(given: str | int | None) -> int | None:
    if given is None:
        return None
    try:
        version = int(given)
    except ValueError as error:
        raise InputError(f"weight_version is {given[:100]!r}; give a whole number, the policy's version") from error  # type: ignore[index]
    if not 0 <= version <= _LATEST_VERSION:
        raise InputError(f"weight_version is {version}; give a number from 0 to {_LATEST_VERSION}")
    return version


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


async def _complete(service: Service, generations: Sequence[Generation], wanted: _Wanted) -> bytes:
    """Draw all samples and return the answer as JSON."""
    await service.complete(generations)

    def write() -> bytes:
        answers = [
            _answer(service, number, sample, generations, wanted)
            for number, generation in enumerate(generations)
            for sample in range(len(generation.samples))
        ]
        return msgspec.json.encode(answers if wanted.batched or len(answers) > 1 else answers[0])

    return await offload(sum(len(sample.token_ids) for generation in generations for sample in generation.samples), write)


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
    several = wanted.batched or len(generations) > 1 or len(generation.samples) > 1
    return GenerateAnswer(sample.text, list(sample.token_ids), meta, wanted.places[number] + index if several else msgspec.UNSET)


def _finish_reason(sample: Sample) -> dict[str, Any] | None:
    finish: Finish | None = sample.finish
    if finish is None:
        return None
    if finish.kind == "length":
        return {"type": "length", "length": len(sample.token_ids)}
    if finish.kind == "stop":
        return {"type": "stop", "matched": finish.matched}
    return {"type": "abort", "message": "Aborted", "status_code": None, "err_type": None}
