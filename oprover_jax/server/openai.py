"""OpenAI-compatible HTTP API: /v1/models, /v1/completions and /v1/chat/completions, with and without streaming.

Log-probabilities refer to the distribution at the sampling temperature, as everywhere in this project.
"""

import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

import msgspec
from fastapi import APIRouter, HTTPException, Request
from starlette.responses import Response

from lean_worker.http import offload, while_connected
from oprover_jax.errors import InputError
from oprover_jax.server.generation import Generation, GenerationRequest
from oprover_jax.server.openai_wire import ChatRequest, CompletionRequest, Reply, Usage
from oprover_jax.server.replies import EventStream, RawJson, json_reply, read_json
from oprover_jax.server.requests import asked_for, check_template_variables, check_texts, checked_ids, count_prompts, encoded
from oprover_jax.server.service import Service

_DEFAULT_NEW_TOKENS = 16  # OpenAI's default for completions; a chat may use all remaining tokens


@dataclass(frozen=True)
class _Form:
    """JSON form of completions or chat completions.

    `part(text, logprobs)` builds a whole choice and `delta` a streamed addition, both without index and finish_reason. `opening` is the
    first delta of each choice in a stream.
    """

    object: str
    chunk: str
    part: Callable[[str, Any], dict[str, Any]]
    delta: Callable[[str, Any], dict[str, Any]]
    logprobs: Callable[[Service, Sequence[int], Sequence[float], int], Any]
    opening: dict[str, Any] | None = None


def add_openai_routes(router: APIRouter, service: Service) -> None:
    """Add the endpoints of the OpenAI API to `router`."""
    settings = service.settings
    about = {"id": service.settings.model, "object": "model", "created": int(time.time()), "owned_by": "oprover_jax"}
    about["max_model_len"] = service.engine.limits.max_len

    @router.get("/v1/models", summary="List the served model")
    async def models() -> Response:
        return json_reply({"object": "list", "data": [about]})

    @router.get("/v1/models/{name:path}", summary="Retrieve a model by name")
    async def model(name: str) -> Response:
        _check_model(name, service)
        return json_reply(about)

    @router.post("/v1/completions", summary="Create completions for text or token ids (OpenAI)")
    async def completions(request: Request) -> Response:
        with service.reserve_body(request.headers) as body, ExitStack() as held:
            asked = await read_json(request, CompletionRequest, settings)
            if asked.echo or asked.best_of not in (None, 1, asked.n) or (asked.logprobs or 0) > 1:
                raise InputError("echo, best_of and logprobs above 1 are not supported; omit them")
            count, size = _counted(asked.prompt, service)
            held.enter_context(service.reserve(_samples(asked, count)))
            prompts = await offload(size, _prompts, asked.prompt, service)
            body.close()
            return await _reply(request, held, asked, prompts, asked.max_tokens, _DEFAULT_NEW_TOKENS, asked.logprobs is not None, _TEXT)

    @router.post("/v1/chat/completions", summary="Create chat completions (OpenAI)")
    async def chat(request: Request) -> Response:
        with service.reserve_body(request.headers) as body, ExitStack() as held:
            asked = await read_json(request, ChatRequest, settings)
            if asked.top_logprobs:
                raise InputError(f"top_logprobs is {asked.top_logprobs}; only log-probabilities of sampled tokens are supported, give 0")
            if not asked.messages:
                raise InputError("messages is empty; give at least one")
            if len(asked.messages) > settings.max_messages:
                raise InputError(f"messages has {len(asked.messages)} entries; the limit is {settings.max_messages}")
            size = check_texts([text for message in asked.messages for text in message.texts()], settings)
            check_template_variables(asked.chat_template_kwargs, settings)
            most_tokens = asked.max_tokens if asked.max_completion_tokens is None else asked.max_completion_tokens
            held.enter_context(service.reserve(_samples(asked, 1)))
            prompts = await offload(size, _chat_prompts, asked, service)
            body.close()
            return await _reply(request, held, asked, prompts, most_tokens, None, asked.logprobs, _CHAT)

    async def _reply(
        request: Request,
        held: ExitStack,
        asked: CompletionRequest | ChatRequest,
        prompts: Sequence[tuple[int, ...]],
        max_tokens: int | None,
        default: int | None,
        logprobs: bool,
        form: _Form,
    ) -> Response:
        identity = f"{'chatcmpl' if form is _CHAT else 'cmpl'}-{secrets.token_hex(12)}"
        generations = [Generation(identity, _asked(asked, prompt, max_tokens, default, service), service.codec) for prompt in prompts]
        answer = _Answer(service, form, generations, logprobs, identity)
        if asked.stream:
            return EventStream(answer.events(asked.stream_options is not None and asked.stream_options.include_usage), held.pop_all())
        return RawJson(await while_connected(request, answer.complete()))


class _Answer:
    """Reply assembled from its generations."""

    def __init__(self, service: Service, form: _Form, generations: Sequence[Generation], logprobs: bool, identity: str) -> None:
        self._service, self._form, self._generations, self._logprobs = service, form, generations, logprobs
        self._head: dict[str, Any] = {"id": identity, "created": int(time.time()), "model": service.settings.model}
        self._samples = [sample for generation in generations for sample in generation.samples]

    async def complete(self) -> bytes:
        """Generate all samples and return the answer as JSON."""
        await self._service.complete(self._generations)
        return await offload(sum(len(sample.token_ids) for sample in self._samples), self._whole)

    def _whole(self) -> bytes:
        choices = []
        for index, sample in enumerate(self._samples):
            part = self._form.part(sample.text, self._logprobs_of(sample.token_ids, sample.logprobs, 0))
            choices.append({"index": index, **part, "finish_reason": sample.finish.kind if sample.finish else None})
        return msgspec.json.encode(Reply(object=self._form.object, choices=choices, usage=self._usage(), **self._head))

    async def events(self, with_usage: bool) -> AsyncIterator[Reply]:
        """Generate all samples and yield each addition."""
        changes = self._service.stream(self._generations)
        usage = None if with_usage else msgspec.UNSET
        texts, tokens = [0] * len(self._samples), [0] * len(self._samples)
        before = list(accumulate((len(generation.samples) for generation in self._generations), initial=0))

        def chunk(index: int, delta: dict[str, Any], finish: str | None) -> Reply:
            choice = {"index": index, **delta, "finish_reason": finish}
            return Reply(object=self._form.chunk, choices=[choice], usage=usage, **self._head)

        try:
            if self._form.opening is not None:
                for index in range(len(self._samples)):
                    yield chunk(index, self._form.opening, None)
            async for number, place in changes:
                index = before[number] + place
                sample = self._samples[index]
                fresh = sample.text[texts[index] :]
                if not fresh and sample.finish is None and not self._logprobs:
                    continue
                logprobs = self._logprobs_of(sample.token_ids[tokens[index] :], sample.logprobs[tokens[index] :], texts[index])
                texts[index], tokens[index] = len(sample.text), len(sample.token_ids)
                yield chunk(index, self._form.delta(fresh, logprobs), sample.finish.kind if sample.finish else None)
            if usage is None:
                yield Reply(object=self._form.chunk, choices=[], usage=self._usage(), **self._head)
        finally:
            await changes.aclose()  # type: ignore[attr-defined]

    def _logprobs_of(self, token_ids: Sequence[int], logprobs: Sequence[float], offset: int) -> Any:
        return self._form.logprobs(self._service, token_ids, logprobs, offset) if self._logprobs else None

    def _usage(self) -> Usage:
        prompt = sum(len(generation.asked.prompt_ids) for generation in self._generations)
        completion = sum(len(sample.token_ids) for sample in self._samples)
        return Usage(prompt, completion, prompt + completion)


def _check_model(name: str, service: Service) -> None:
    if name not in ("", service.settings.model):
        raise HTTPException(404, f"model {name[:100]!r} does not exist; this server provides {service.settings.model!r}")


def _samples(asked: CompletionRequest | ChatRequest, prompts: int) -> int:
    if asked.n < 1:
        raise InputError(f"n is {asked.n}; it must be at least 1")
    return prompts * asked.n


def _counted(given: str | list[str | int | list[int]], service: Service) -> tuple[int, int]:
    """Return the number of prompts and an upper bound of their characters or ids; raise InputError if there are too many."""
    parts = [given] if isinstance(given, str) else given
    texts = [part for part in parts if isinstance(part, str)]
    if not parts or 0 < len(texts) < len(parts):
        raise InputError("prompt is empty or mixes texts and ids; give a text, a list of texts, a list of ids or a list of lists of ids")
    if texts:
        return len(texts), check_texts(texts, service.settings)
    count = count_prompts(parts, service, "prompt")
    return count, len(parts) if count == 1 else service.settings.max_prompt_tokens


def _prompts(given: str | list[str | int | list[int]], service: Service) -> list[tuple[int, ...]]:
    texts = [given] if isinstance(given, str) else [part for part in given if isinstance(part, str)]
    if texts:
        return encoded(texts, service)
    return checked_ids([part for part in given if not isinstance(part, str)], service.engine.config.vocab_size, "prompt")


def _chat_prompts(asked: ChatRequest, service: Service) -> list[tuple[int, ...]]:
    prompt = service.codec.chat_prompt([message.plain() for message in asked.messages], asked.chat_template_kwargs)
    check_texts([prompt], service.settings)
    return encoded([prompt], service)


def _asked(
    asked: CompletionRequest | ChatRequest, prompt: tuple[int, ...], max_tokens: int | None, default: int | None, service: Service
) -> GenerationRequest:
    _check_model(asked.model, service)
    if asked.frequency_penalty or asked.presence_penalty:
        raise InputError("frequency_penalty and presence_penalty are not supported; omit them")
    return asked_for(
        service,
        prompt,
        asked.n,
        max_tokens,
        default,
        stop=asked.stop,
        stop_token_ids=asked.stop_token_ids,
        ignore_eos=asked.ignore_eos,
        seed=asked.seed,
        temperature=asked.temperature,
        top_p=asked.top_p,
        top_k=max(asked.top_k, 0),
        min_p=asked.min_p,
    )


def _text_logprobs(service: Service, token_ids: Sequence[int], logprobs: Sequence[float], offset: int) -> dict[str, Any]:
    tokens = [service.codec.token_text(token) for token in token_ids]
    offsets = list(accumulate((len(token) for token in tokens), initial=offset))[:-1]
    return {"tokens": tokens, "token_logprobs": list(logprobs), "text_offset": offsets, "top_logprobs": None}


def _chat_logprobs(service: Service, token_ids: Sequence[int], logprobs: Sequence[float], offset: int) -> dict[str, Any]:
    tokens = [service.codec.token_text(token) for token in token_ids]
    content = [
        {"token": token, "logprob": logprob, "bytes": list(token.encode()), "top_logprobs": []} for token, logprob in zip(tokens, logprobs)
    ]
    return {"content": content, "refusal": None}


def _text_choice(text: str, logprobs: Any) -> dict[str, Any]:
    return {"text": text, "logprobs": logprobs}


def _chat_choice(text: str, logprobs: Any) -> dict[str, Any]:
    return {"message": {"role": "assistant", "content": text, "refusal": None}, "logprobs": logprobs}


def _chat_delta(text: str, logprobs: Any) -> dict[str, Any]:
    return {"delta": {"content": text}, "logprobs": logprobs}


_TEXT = _Form("text_completion", "text_completion", _text_choice, _text_choice, _text_logprobs)
_CHAT = _Form(
    "chat.completion",
    "chat.completion.chunk",
    _chat_choice,
    _chat_delta,
    _chat_logprobs,
    opening={"delta": {"role": "assistant", "content": ""}, "logprobs": None},
)
