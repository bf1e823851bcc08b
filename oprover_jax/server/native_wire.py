"""JSON schemas of the supported part of SGLang's native API. Unknown fields are rejected, not ignored."""

from typing import Any

import msgspec


class SamplingParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Sampling parameters. `top_k` -1 or 0 disables it. `ignore_eos` also ignores `stop_token_ids`, as in SGLang.

    `sampling_seed` makes sampling repeatable, as a function of (seed, sample, position). The penalties and `min_new_tokens` are accepted
    only with their neutral values, which some clients always send.
    """

    max_new_tokens: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = -1
    min_p: float = 0.0
    n: int = 1
    stop: str | list[str] | None = None
    stop_token_ids: list[int] | None = None
    ignore_eos: bool = False
    sampling_seed: int | None = None
    skip_special_tokens: bool = True
    spaces_between_special_tokens: bool = True
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    repetition_penalty: float = 1.0
    min_new_tokens: int = 0


OFF = {"frequency_penalty": 0.0, "presence_penalty": 0.0, "repetition_penalty": 1.0, "min_new_tokens": 0, "skip_special_tokens": True}


class GenerateRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One prompt or a list of prompts, as `text` or `input_ids`. With `return_logprob`, `logprob_start_len` requests the log-probabilities
    of the prompt's tokens from that position; -1 for none."""

    text: str | list[str] | None = None
    input_ids: list[int | list[int]] | None = None
    sampling_params: SamplingParams | list[SamplingParams] = SamplingParams()
    rid: str | list[str] | None = None
    return_logprob: bool = False
    logprob_start_len: int = -1
    top_logprobs_num: int = 0
    return_text_in_logprobs: bool = False
    stream: bool = False


class GenerateAnswer(msgspec.Struct, frozen=True):
    """Completion; `meta_info` holds finish_reason, token counts, weight_version and log-probabilities, as in SGLang."""

    text: str
    output_ids: list[int]
    meta_info: dict[str, Any]
    index: int | msgspec.UnsetType = msgspec.UNSET


class UpdateWeights(msgspec.Struct, frozen=True):
    """Request to load new weights. `weight_version` is an integer; by default the previous version plus one."""

    model_path: str
    weight_version: str | int | None = None
    abort_all_requests: bool = False
    flush_cache: bool = True
    load_format: str | None = None


class UpdateAnswer(msgspec.Struct, frozen=True):
    """Result of a weight update."""

    success: bool
    message: str
    num_paused_requests: int = 0
    weight_version: str | None = None
    weights_checksum: str | None = None


class Pause(msgspec.Struct, frozen=True):
    """Request to pause. Only the mode "abort" is supported: running requests return their tokens so far with finish_reason abort."""

    mode: str = "abort"


class Abort(msgspec.Struct, frozen=True):
    """Request to abort the request `rid`, or all requests."""

    rid: str = ""
    abort_all: bool = False


class Done(msgspec.Struct, frozen=True):
    """Result of a control request."""

    success: bool = True
    message: str = ""
