"""The JSON of SGLang's native API, as far as this server speaks it. A field that is not here is refused, not passed over."""

from typing import Any

import msgspec


class SamplingParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How to draw. `top_k` -1 or 0 is off. `ignore_eos` ignores `stop_token_ids` too, as SGLang does. `sampling_seed` makes the draws
    repeatable: they are a function of it, sample and position.

    The penalties and `min_new_tokens` may stand there with the values that switch them off, as some clients write them.
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
    """One prompt or a list of them, as `text` or `input_ids`. `logprob_start_len` below the prompt's length asks for the log-probabilities
    of the prompt's tokens from there on; -1 for none."""

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
    """A completion; `meta_info` as SGLang has it: finish_reason, token counts, weight_version and the log-probabilities."""

    text: str
    output_ids: list[int]
    meta_info: dict[str, Any]
    index: int | msgspec.UnsetType = msgspec.UNSET


class UpdateWeights(msgspec.Struct, frozen=True):
    """`weight_version` is a whole number; one more than before where it is missing."""

    model_path: str
    weight_version: str | int | None = None
    abort_all_requests: bool = False
    flush_cache: bool = True
    load_format: str | None = None


class UpdateAnswer(msgspec.Struct, frozen=True):
    success: bool
    message: str
    num_paused_requests: int = 0
    weight_version: str | None = None
    weights_checksum: str | None = None


class Pause(msgspec.Struct, frozen=True):
    """Only "abort" is offered: what is under way comes back with what it has, finish_reason abort."""

    mode: str = "abort"


class Abort(msgspec.Struct, frozen=True):
    rid: str = ""
    abort_all: bool = False


class Done(msgspec.Struct, frozen=True):
    success: bool = True
    message: str = ""
