import pytest

from oprover_jax.errors import InputError
from oprover_jax.models.qwen3 import abstract_params
from oprover_jax.models.sizes import PUBLISHED, published
from oprover_jax.sharding import MeshConfig, bytes_per_device, planned_mesh

# weights as in the published safetensors (a tied matrix once), and without embeddings in billions as on the model cards
COUNTS = {
    "0.6B": (596_049_920, 0.44),
    "1.7B": (1_720_574_976, 1.4),
    "4B": (4_022_468_096, 3.6),
    "8B": (8_190_735_360, 6.95),
    "14B": (14_768_307_200, 13.2),
    "32B": (32_762_123_264, 31.2),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_sizes_count_as_published(name) -> None:
    config = published(name)
    weights, without_embeddings = COUNTS[name]
    assert config.parameters == weights
    rest = weights - config.vocab_size * config.hidden_size * (1 if config.tie_embeddings else 2)
    assert rest / 1e9 == pytest.approx(without_embeddings, abs=0.05)


def test_an_unknown_size_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InputError, match=r"Qwen3 size '30B'; choose one of 0\.6B, .*32B"):
        published("30B")


def test_bytes_per_device_are_planned_without_devices() -> None:
    """Everything is split over all 64 devices but the norms, which each of them holds whole."""
    config = published("32B")
    norms = config.hidden_size + config.num_layers * (2 * config.hidden_size + 2 * config.head_dim)
    planned = bytes_per_device(abstract_params(config, planned_mesh(MeshConfig(fsdp=8, tensor=8))))
    assert planned == 4 * ((config.parameters - norms) // 64 + norms)
