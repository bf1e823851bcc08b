"""SGLang's native HTTP API: /generate, and the endpoints with which a trainer pauses the server, updates its weights and resumes."""

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
from oprover_jax.server.generation import Finish, Generation, GenerationRequest, Sample
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
class _AnswerOptions:
    """Options of the answers.

    `prompt_logprobs` holds those of each prompt from `logprob_start_len`, if requested; `places` the index of each prompt's first answer.
    """

    logprobs: bool
    text_in_logprobs: bool
    batched: bool
    prompt_logprobs: Sequence[list[list[Any]]]
    places: Sequence[int]


def add_native_routes(router: APIRouter, service: Service) -> None:
    """Add the endpoints of SGLang's native API to `router`."""
    settings = service.settings

    @router.post("/generate", summary="Generate completions for text or token ids (SGLang)")
    @router.put("/generate", include_in_schema=False)
    async def generate(request: Request) -> Response:
        with service.reserve_body(request.headers) as body, ExitStack() as held:
            asked = await read_json(request, GenerateRequest, settings)
            params, size = _counted(asked, service)
            held.enter_context(service.reserve(sum(prompt_params.n for prompt_params in params)))
            generations = await offload(size, _generations, asked, params, service)
            body.close()
            scored = await while_connected(request, _score_prompts(asked, generations, service))
            places = list(accumulate((len(generation.samples) for generation in generations), initial=0))
            options = _AnswerOptions(asked.return_logprob, asked.return_text_in_logprobs, _is_batch(asked), scored, places)
            if asked.stream:
                return EventStream(_events(service, service.stream(generations), generations, options), held.pop_all())
            return RawJson(await while_connected(request, _complete(service, generations, options)))

    @router.get("/health_generate", summary="Check the engine by generating one token")
    async def health_generate() -> Response:
        token = service.codec.end_ids[0]
        generation = Generation("health", GenerationRequest((token,), Sampling(1, temperature=0.0)), service.codec)
        try:
            await asyncio.wait_for(generation.run(service.engine), _HEALTH_SECONDS)
        except TimeoutError as error:
            raise EngineError(f"the engine did not respond within {_HEALTH_SECONDS} s") from error
        return Response()

    @router.get("/model_info", summary="Model and version of its weights")
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

    @router.get("/get_weight_version", summary="Version of the weights, for older clients of SGLang")
    @router.get("/weight_version", include_in_schema=False)
    async def weight_version() -> Response:
        return json_reply({"weight_version": str(service.engine.version)})

    @router.get("/get_server_info", summary="Limits and state of the engine")
    @router.get("/server_info", include_in_schema=False)
    async def server_info() -> Response:
        limits, state = msgspec.to_builtins(service.engine.limits), msgspec.to_builtins(service.engine.stats())
        return json_reply({"status": service.status, **limits, "internal_states": [state]})

    @router.post("/update_weights_from_disk", summary="Load new weights from a folder")
    async def update_weights(request: Request) -> Response:
        asked = await read_json(request, UpdateWeights, settings, SMALL_BODY)
        version = _version(asked.weight_version)
        if asked.load_format not in (None, "auto", "safetensors"):
            raise InputError(f"load_format is {asked.load_format!r}; only 'auto' and 'safetensors' are supported")
        try:
            await service.update_weights(Path(asked.model_path), version, asked.abort_all_requests)
        except InputError as error:
            return json_reply(UpdateAnswer(False, str(error)), 400)
        return json_reply(UpdateAnswer(True, "weights updated", 0, str(service.engine.version), service.checksum))

    @router.post("/flush_cache", summary="No effect: no cache is kept between requests")
    @router.get("/flush_cache", include_in_schema=False)
    async def flush_cache() -> Response:
        return json_reply(Done(message="no cache is kept between requests"))

    @router.post("/pause_generation", summary="Abort running requests; new requests wait")
    async def pause(request: Request) -> Response:
        asked = await read_json(request, Pause, settings, SMALL_BODY)
        if asked.mode != "abort":
            raise InputError(f"mode is {asked.mode!r}; only 'abort' is supported")
        service.pause()
        return json_reply(Done(message="paused"))

    @router.post("/continue_generation", summary="Resume serving after a pause")
    async def resume(request: Request) -> Response:
        service.resume()
        return json_reply(Done(message="resumed"))

    @router.post("/abort_request", summary="Abort one request or all; they return the tokens generated so far")
    async def abort(request: Request) -> Response:
        asked = await read_json(request, Abort, settings, SMALL_BODY)
        check_name(asked.rid, settings, "rid")
        if not asked.rid and not asked.abort_all:
            raise InputError("neither rid nor abort_all is given; give the rid of the request to abort, or abort_all")
        service.abort(None if asked.abort_all else asked.rid)
        return json_reply(Done())


def _is_batch(asked: GenerateRequest) -> bool:
    return isinstance(asked.text, list) or (asked.input_ids is not None and any(isinstance(ids, list) for ids in asked.input_ids))


def _counted(asked: GenerateRequest, service: Service) -> tuple[list[SamplingParams], int]:
    """Return the sampling parameters of each prompt and the size of the input in characters or ids, without copying the input.

    Raises:
      InputError: The request is invalid, unsupported or too large.
    """
    if (asked.text is None) == (asked.input_ids is None):
        raise InputError("give exactly one of text and input_ids")
    if asked.top_logprobs_num:
        raise InputError(f"top_logprobs_num is {asked.top_logprobs_num}; only log-probabilities of sampled tokens are supported, give 0")
    if asked.text is not None:
        texts = asked.text if isinstance(asked.text, list) else [asked.text]
        count, size = len(texts), check_texts(texts, service.settings)
    else:
        assert asked.input_ids is not None
        count = count_prompts(asked.input_ids, service, "input_ids")
        size = service.settings.max_prompt_tokens if _is_batch(asked) else len(asked.input_ids)
    if not 1 <= count <= service.settings.max_samples:
        raise InputError(f"the batch has {count} prompts; give 1 to {service.settings.max_samples} per request")
    params = asked.sampling_params if isinstance(asked.sampling_params, list) else [asked.sampling_params] * count
    names = asked.rid if isinstance(asked.rid, list) else [asked.rid or ""] * count
    for name, given in (("sampling_params", params), ("rid", names)):
        if len(given) != count:
            raise InputError(f"{name} has {len(given)} entries for {count} prompts; give a single value or one entry per prompt")
    for rid in names:
        check_name(rid, service.settings, "rid")
    for prompt_params in params:
        if prompt_params.n < 1:
            raise InputError(f"n is {prompt_params.n}; it must be at least 1")
    return params, size


def _generations(asked: GenerateRequest, params: Sequence[SamplingParams], service: Service) -> list[Generation]:
    """Return one generation per prompt; raise InputError for requests that can never run."""
    if asked.text is not None:
        prompts = encoded(asked.text if isinstance(asked.text, list) else [asked.text], service)
    else:
        assert asked.input_ids is not None
        prompts = checked_ids(asked.input_ids, service.engine.config.vocab_size, "input_ids")
    names = asked.rid if isinstance(asked.rid, list) else [asked.rid or secrets.token_hex(16)] * len(prompts)
    requests = [_asked(prompt, prompt_params, service) for prompt, prompt_params in zip(prompts, params, strict=True)]
    return [Generation(name, request, service.codec) for name, request in zip(names, requests)]


def _asked(prompt: tuple[int, ...], params: SamplingParams, service: Service) -> GenerationRequest:
    for name, off in OFF.items():
        if getattr(params, name) != off:
            raise InputError(f"{name} is {getattr(params, name)}; this field is not supported, omit it")
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
        raise InputError(f"weight_version is {given[:100]!r}; it must be an integer") from error  # type: ignore[index]
    if not 0 <= version <= _LATEST_VERSION:
        raise InputError(f"weight_version is {version}; it must be between 0 and {_LATEST_VERSION}")
    return version


async def _score_prompts(asked: GenerateRequest, generations: Sequence[Generation], service: Service) -> list[list[list[Any]]]:
    """Return [log-probability, token, None] for the tokens of each prompt from `logprob_start_len`; the first token has None."""
    if not asked.return_logprob or asked.logprob_start_len < 0:
        return [[] for _ in generations]
    start, scored = asked.logprob_start_len, []
    for generation in generations:
        ids = generation.asked.prompt_ids
        logprobs = [None, *await service.engine.score(ids)]
        scored.append([[logprob, token, None] for logprob, token in zip(logprobs[start:], ids[start:])])
    return scored


async def _complete(service: Service, generations: Sequence[Generation], options: _AnswerOptions) -> bytes:
    """Generate all samples and return the answer as JSON."""
    await service.complete(generations)

    def write() -> bytes:
        answers = [
            _answer(service, number, sample, generations, options)
            for number, generation in enumerate(generations)
            for sample in range(len(generation.samples))
        ]
        return msgspec.json.encode(answers if options.batched or len(answers) > 1 else answers[0])

    return await offload(sum(len(sample.token_ids) for generation in generations for sample in generation.samples), write)


async def _events(
    service: Service, changes: AsyncIterator[tuple[int, int]], generations: Sequence[Generation], options: _AnswerOptions
) -> AsyncIterator[GenerateAnswer]:
    """Yield the whole answer so far after every change, as SGLang does."""
    try:
        async for number, sample in changes:
            yield _answer(service, number, sample, generations, options)
    finally:
        await changes.aclose()  # type: ignore[attr-defined]


def _answer(service: Service, number: int, index: int, generations: Sequence[Generation], options: _AnswerOptions) -> GenerateAnswer:
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
    if options.logprobs:
        text = service.codec.token_text if options.text_in_logprobs else (lambda _: None)
        meta["input_token_logprobs"] = options.prompt_logprobs[number]
        meta["output_token_logprobs"] = [[p, token, text(token)] for p, token in zip(sample.logprobs, sample.token_ids)]
        meta["output_token_logprobs_length"] = len(sample.token_ids)
    indexed = options.batched or len(generations) > 1 or len(generation.samples) > 1
    return GenerateAnswer(sample.text, list(sample.token_ids), meta, options.places[number] + index if indexed else msgspec.UNSET)


def _finish_reason(sample: Sample) -> dict[str, Any] | None:
    finish: Finish | None = sample.finish
    if finish is None:
        return None
    if finish.kind == "length":
        return {"type": "length", "length": len(sample.token_ids)}
    if finish.kind == "stop":
        return {"type": "stop", "matched": finish.matched}
    return {"type": "abort", "message": "Aborted", "status_code": None, "err_type": None}
