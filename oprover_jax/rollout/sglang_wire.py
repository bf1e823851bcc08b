"""Request and response formats of /generate, limited to what SGLang, SGL-JAX and `oprover serve` have in common."""

from typing import Any

import msgspec

from oprover_jax.rollout.engine import Completion, Request


class FinishReason(msgspec.Struct, frozen=True):
    """Finish reason of a sample; `type` is "stop", "length" or "abort"."""

    type: str


class Meta(msgspec.Struct, frozen=True):
    """Metadata of a sample; `output_token_logprobs` holds [log-probability, token id, text or null] for each token."""

    finish_reason: FinishReason
    completion_tokens: int
    output_token_logprobs: list[tuple[float, int, str | None]]
    weight_version: str | None = None


class Generated(msgspec.Struct, frozen=True):
    """Generated sample."""

    meta_info: Meta


class ModelInfo(msgspec.Struct, frozen=True):
    """Model information. `oprover serve` also reports a checksum of its weights, and sets `seeded_draws`: it samples by (seed, sample,
    position) like the in-process engine."""

    model_path: str | None = None
    weight_version: str | None = None
    weights_checksum: str | None = None
    seeded_draws: bool = False


class Aborted(Exception):
    """Error for a sample that the server returned unfinished."""


class WrongAnswer(Exception):
    """Error for a response that contradicts itself or the request."""


def body(request: Request, samples: int, seed: int | None) -> dict[str, Any]:
    """Return the body of a /generate request.

    With `ignore_eos` SGLang also ignores stop ids, so it is set only without stop ids. Otherwise the end tokens of the server's model apply
    as well; include them in the stop ids, as the in-process engine requires.
    """
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


def completion(generated: Generated, request: Request, version: int, *, published: bool = False) -> Completion:
    """Convert a response to a completion.

    Args:
      generated: Response of the server.
      request: Request that it answers.
      version: Version of the policy, if the response has none.
      published: Whether weights were published, so that "default", SGLang's word for the weights of its start, is not their version.

    Raises:
      Aborted: The sample is not finished.
      WrongAnswer: The response contradicts itself or the request.
    """
    meta = generated.meta_info
    if meta.finish_reason.type == "abort":
        raise Aborted
    ids = tuple(entry[1] for entry in meta.output_token_logprobs)
    sampling = request.sampling
    # SGLang reports "length" if the last allowed token is a stop token; it counts as stopped here
    stopped = meta.finish_reason.type == "stop" or any(token in sampling.stop_ids for token in ids[-1:])
    if not len(ids) == meta.completion_tokens <= sampling.max_new_tokens or not ids:
        raise WrongAnswer(f"completion_tokens is {meta.completion_tokens} for {len(ids)} tokens of at most {sampling.max_new_tokens}")
    if stopped and not sampling.stop_ids:
        raise WrongAnswer(f"the completion stopped at token {ids[-1]}, but no stop ids were given")
    if not stopped and len(ids) < sampling.max_new_tokens:
        raise WrongAnswer(f"the completion has {len(ids)} of {sampling.max_new_tokens} tokens and did not stop")
    logprobs = tuple(float(entry[0]) for entry in meta.output_token_logprobs)
    named = meta.weight_version
    if published and named is not None and not named.isdecimal():
        raise WrongAnswer(f"its weights are of version {named!r}, which was never published")
    return Completion(ids, logprobs, "stop" if stopped else "length", int(named) if named and named.isdecimal() else version)
