import dataclasses
import json
from pathlib import Path

import pytest

from oprover_jax.errors import InputError
from oprover_jax.models.hf.config import check_same_sizes, read_config, write_config
from oprover_jax.models.sizes import PUBLISHED, published

# Qwen3-8B's config.json, as published by its authors
QWEN3_8B = {
    "architectures": ["Qwen3ForCausalLM"],
    "attention_bias": False,
    "attention_dropout": 0.0,
    "bos_token_id": 151643,
    "eos_token_id": 151645,
    "head_dim": 128,
    "hidden_act": "silu",
    "hidden_size": 4096,
    "initializer_range": 0.02,
    "intermediate_size": 12288,
    "max_position_embeddings": 40960,
    "max_window_layers": 36,
    "model_type": "qwen3",
    "num_attention_heads": 32,
    "num_hidden_layers": 36,
    "num_key_value_heads": 8,
    "rms_norm_eps": 1e-06,
    "rope_scaling": None,
    "rope_theta": 1000000,
    "sliding_window": None,
    "tie_word_embeddings": False,
    "torch_dtype": "bfloat16",
    "transformers_version": "4.51.0",
    "use_cache": True,
    "use_sliding_window": False,
    "vocab_size": 151936,
}


def folder_with(tmp_path: Path, fields: object) -> Path:
    (tmp_path / "config.json").write_text(fields if isinstance(fields, str) else json.dumps(fields))
    return tmp_path


def test_the_published_file_gives_the_published_sizes(tmp_path: Path) -> None:
    assert read_config(folder_with(tmp_path, QWEN3_8B)) == published("8B")


def test_the_form_of_transformers_5_is_read(tmp_path: Path) -> None:
    newer = {key: value for key, value in QWEN3_8B.items() if not key.startswith("rope")}
    newer |= {"rope_parameters": {"rope_type": "default", "rope_theta": 5e5}, "layer_types": ["full_attention"] * 36}
    assert read_config(folder_with(tmp_path, newer)) == dataclasses.replace(published("8B"), rope_theta=5e5)


@pytest.mark.parametrize("name", PUBLISHED)
def test_what_is_written_is_read_again(name: str, tmp_path: Path) -> None:
    write_config(published(name), tmp_path, "bfloat16", end_id=7)
    assert read_config(tmp_path) == published(name)
    check_same_sizes(dataclasses.replace(published(name), remat="full", dtype="bfloat16"), tmp_path)


def test_what_we_write_of_8b_is_what_was_published(tmp_path: Path) -> None:
    write_config(published("8B"), tmp_path, "bfloat16", end_id=151645)
    written = json.loads((tmp_path / "config.json").read_text())
    differing = {key for key in written.keys() | QWEN3_8B.keys() if written.get(key) != QWEN3_8B.get(key)}
    assert differing == {"bos_token_id", "transformers_version"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"architectures": ["Qwen3MoeForCausalLM"]}, 'architectures is ["Qwen3MoeForCausalLM"], expected ["Qwen3ForCausalLM"]'),
        ({"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}, "rope_scaling is {"),
        ({"rope_parameters": {"rope_type": "yarn", "rope_theta": 1e6, "factor": 4.0}}, "rope_parameters is {"),
        ({"rope_theta": None}, "rope_theta is null, expected a number"),
        ({"use_sliding_window": True}, "use_sliding_window is true, expected false"),
        ({"layer_types": ["sliding_attention"] * 36}, "layer_types is ["),
        ({"attention_bias": True}, "attention_bias is true, expected false"),
        ({"hidden_act": "gelu"}, 'hidden_act is "gelu", expected "silu"'),
        ({"quantization_config": {"quant_method": "fp8"}}, "quantization_config is {"),
        ({"hidden_size": "4096"}, "Expected `int`, got `str` - at `$.hidden_size`"),
        ({"num_key_value_heads": 5}, "num_heads is 32, which is not a multiple of num_kv_heads 5"),
        ({"head_dim": None}, "$.head_dim"),
    ],
)
def test_another_model_is_refused_in_one_sentence(change: dict[str, object], said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_config(folder_with(tmp_path, QWEN3_8B | change))
    message = str(caught.value)
    assert said in message and str(tmp_path / "config.json") in message and "\n" not in message, message


@pytest.mark.parametrize("field", ["head_dim", "tie_word_embeddings", "vocab_size", "hidden_act"])
def test_a_size_that_is_not_said_is_not_guessed(field: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"missing required field `{field}`"):
        read_config(folder_with(tmp_path, {key: value for key, value in QWEN3_8B.items() if key != field}))


def test_no_file_and_no_json_are_input_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json cannot be read \(No such file"):
        read_config(tmp_path)
    with pytest.raises(InputError, match=r"config\.json: JSON is malformed"):
        read_config(folder_with(tmp_path, "{,"))


def test_sizes_other_than_expected_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"num_hidden_layers is 36, expected 35 \(num_layers\)"):
        check_same_sizes(dataclasses.replace(published("8B"), num_layers=35), folder_with(tmp_path, QWEN3_8B))
