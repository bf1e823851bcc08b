"""The part of SGLang's /generate that the client writes and reads: what SGLang, SGL-JAX and `oprover serve` have in common."""

from typing import Any

import msgspec

from oprover_jax.rollout.engine import Completion, Request


class FinishReason(msgspec.Struct, frozen=True):
    """`type` is "stop", "length" or "abort"."""

    type: str


class Meta(msgspec.Struct, frozen=True):
    """`output_token_logprobs` holds [log-probability, token id, text or null] for each token."""

    finish_reason: FinishReason
    completion_tokens: int
    output_token_logprobs: list[tuple[float, int, str | None]]
    weight_version: str | None = None


class Generated(msgspec.Struct, frozen=True):
    meta_info: Meta


class ModelInfo(msgspec.Struct, frozen=True):
    """`seeded_draws` is our own server's: it draws as the in-process engine does, from (seed, sample, position)."""

    weight_version: str | None = None
    seeded_draws: bool = False


class Aborted(Exception):
    """A sample came back unfinished."""


class WrongAnswer(Exception):
    """An answer that contradicts itself or the request."""


def body(request: Request, samples: int, seed: int | None) -> dict[str, Any]:
    """What to post to /generate. With `ignore_eos` SGLang ignores the stop ids too, so with stop ids the ends that the server knows from
    its model's folder count as well: name them among the stop ids, as the in-process engine needs it."""
    sampling = request.sampling
    params: dict[str, Any] = {
        "max_new_tokens": sampling.max_new_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        "top_k": sampling.top_k or -1,
        "min_p": sampling.min_p,
        "stop_token_ids": list(sampling.stop_ids),
        "ignore_eos": not sampling.stop_ids,
        "n": samples,
    }
    if seed is not None:
        params["sampling_seed"] = seed
    return {"input_ids": list(request.prompt_ids), "sampling_params": params, "return_logprob": True}


def completion(generated: Generated, request: Request, version: int) -> Completion:
    """The answer as the engine protocol has it; `version` is that of a server which does not say. Raises Aborted or WrongAnswer."""
    meta = generated.meta_info
    if meta.finish_reason.type == "abort":
        raise Aborted
    ids = tuple(entry[1] for entry in meta.output_token_logprobs)
    sampling = request.sampling
    # SGLang calls a completion whose last allowed token is a stop token one of full length; it has come to its end all the same
    stopped = meta.finish_reason.type == "stop" or any(token in sampling.stop_ids for token in ids[-1:])
    if not len(ids) == meta.completion_tokens <= sampling.max_new_tokens or not ids:
        raise WrongAnswer(f"{meta.completion_tokens} tokens are said and {len(ids)} are given, of at most {sampling.max_new_tokens}")
    if stopped and not sampling.stop_ids:
        raise WrongAnswer(f"it stopped at token {ids[-1]}, and no stop ids were given")
    if not stopped and len(ids) < sampling.max_new_tokens:
        raise WrongAnswer(f"{len(ids)} tokens are given, {sampling.max_new_tokens} were asked for, and it did not stop")
    logprobs = tuple(float(entry[0]) for entry in meta.output_token_logprobs)
    named = meta.weight_version or ""
    return Completion(ids, logprobs, "stop" if stopped else "length", int(named) if named.isdigit() else version)
