"""Reader and writer for the config.json of a published Qwen3; settings that this model does not support are refused."""

import json
from pathlib import Path
from typing import Any

import msgspec

from oprover_jax.errors import InputError
from oprover_jax.models.qwen3 import Qwen3Config

ARCHITECTURE = "Qwen3ForCausalLM"
MAX_POSITIONS = 40_960  # value of the published models; nothing is computed from it

# our size -> its name in config.json
_SIZES = {
    "vocab_size": "vocab_size",
    "num_layers": "num_hidden_layers",
    "hidden_size": "hidden_size",
    "num_heads": "num_attention_heads",
    "num_kv_heads": "num_key_value_heads",
    "head_dim": "head_dim",
    "intermediate_size": "intermediate_size",
    "norm_eps": "rms_norm_eps",
    "tie_embeddings": "tie_word_embeddings",
}


class _HFConfig(msgspec.Struct):
    """The fields that affect the computation. Those without a default are required; other fields are ignored."""

    architectures: list[str]
    vocab_size: int
    num_hidden_layers: int
    hidden_size: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    intermediate_size: int
    rms_norm_eps: float
    tie_word_embeddings: bool
    hidden_act: str
    attention_bias: bool = False
    use_sliding_window: bool = False
    layer_types: list[str] | None = None
    rope_theta: float | None = None  # up to transformers 4
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None  # since transformers 5
    quantization_config: dict[str, Any] | None = None


def read_config(folder: Path) -> Qwen3Config:
    """Return the sizes in `folder`/config.json; settings of the computation (dtype, remat, attention) keep their defaults.

    Raises:
      InputError: the file is missing or malformed, or describes another architecture, scaled rotary embedding, a sliding
          window, biases in attention, another activation, or quantized weights.
    """
    path = folder / "config.json"
    try:
        fields = msgspec.json.decode(path.read_bytes(), type=_HFConfig)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give the folder of a model as transformers writes it") from error
    except msgspec.DecodeError as error:
        raise InputError(f"{path}: {error}") from error
    rope: dict[str, Any] = fields.rope_parameters if fields.rope_parameters is not None else {"rope_theta": fields.rope_theta}
    plain_rope = rope.keys() <= {"rope_theta", "rope_type"} and rope.get("rope_type", "default") == "default"
    for fits, field, value, expected in (
        (fields.architectures == [ARCHITECTURE], "architectures", fields.architectures, json.dumps([ARCHITECTURE])),
        (fields.hidden_act == "silu", "hidden_act", fields.hidden_act, '"silu"'),
        (not fields.attention_bias, "attention_bias", fields.attention_bias, "false"),
        (not fields.use_sliding_window, "use_sliding_window", fields.use_sliding_window, "false"),
        (set(fields.layer_types or ()) <= {"full_attention"}, "layer_types", fields.layer_types, 'only "full_attention"'),
        (fields.rope_scaling is None, "rope_scaling", fields.rope_scaling, "null"),
        (plain_rope, "rope_parameters", rope, 'rope_type "default" and no scaling'),
        (isinstance(rope.get("rope_theta"), int | float), "rope_theta", rope.get("rope_theta"), "a number"),
        (fields.quantization_config is None, "quantization_config", fields.quantization_config, "none: give the weights unquantized"),
    ):
        if not fits:
            raise InputError(f"{path}: {field} is {json.dumps(value)}, expected {expected}")
    try:
        return Qwen3Config(**{ours: getattr(fields, theirs) for ours, theirs in _SIZES.items()}, rope_theta=float(rope["rope_theta"]))
    except ValueError as error:
        raise InputError(f"{path}: {error}") from error


def check_same_sizes(expected: Qwen3Config, folder: Path) -> None:
    """Raise InputError, naming the first field that differs, unless `folder` contains a model of the sizes of `expected`."""
    actual = read_config(folder)
    for ours, theirs in (*_SIZES.items(), ("rope_theta", "rope_theta")):
        if getattr(actual, ours) != getattr(expected, ours):
            raise InputError(f"{folder / 'config.json'}: {theirs} is {getattr(actual, ours)}, expected {getattr(expected, ours)} ({ours})")


def write_config(config: Qwen3Config, folder: Path, dtype: str, end_id: int | None = None) -> None:
    """Write config.json for weights of `dtype`, in the form of the published ones, which every transformers since 4.51 reads.

    `end_id` is the token that ends a text, for `generate`.
    """
    fields = {
        "architectures": [ARCHITECTURE],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": None,
        "eos_token_id": end_id,
        "hidden_act": "silu",
        "initializer_range": 0.02,
        "max_position_embeddings": MAX_POSITIONS,
        "max_window_layers": config.num_layers,
        "model_type": "qwen3",
        "rope_scaling": None,
        "rope_theta": config.rope_theta,
        "sliding_window": None,
        "torch_dtype": dtype,
        "use_cache": True,
        "use_sliding_window": False,
    } | {theirs: getattr(config, ours) for ours, theirs in _SIZES.items()}
    (folder / "config.json").write_text(json.dumps(fields, indent=2, sort_keys=True) + "\n")
