"""The policy's mean hidden state: the same on any mesh, in any batch, and tied to its weights."""

import jax
import numpy as np
import pytest

from oprover_jax.data.codec import codec_of
from oprover_jax.data.tokenizer import train_tokenizer
from oprover_jax.models.qwen3 import Params, Qwen3Config, init_params
from oprover_jax.records import ProofRecord, Statement
from oprover_jax.retrieval.memory import Memory, MemoryFileError
from oprover_jax.retrieval.policy_encoder import PolicyEncoder
from oprover_jax.retrieval.spelling import bare
from oprover_jax.sharding import MeshConfig, make_mesh
from tests.models.qwen3_oracle import forward

FORMALS = [f"theorem t{i} (n : Nat) : n + {'0 + ' * (i % 4)}0 = n := by sorry" for i in range(11)]
STATEMENTS = [Statement(f"s{i}", f"t{i}", formal) for i, formal in enumerate([*FORMALS, ""])]
TOKENIZER = train_tokenizer(FORMALS, 300, [])
CODEC = codec_of(TOKENIZER)
CONFIG = Qwen3Config(
    vocab_size=300, num_layers=2, hidden_size=16, num_heads=4, num_kv_heads=2, head_dim=8, intermediate_size=24, rope_theta=1e4
)
ONE, MANY = make_mesh(MeshConfig()), make_mesh(MeshConfig(fsdp=2, tensor=2))


@pytest.fixture(scope="module")
def params() -> Params:
    return init_params(CONFIG, 0, ONE)


def test_vectors_are_the_mean_of_each_row_alone(params: Params) -> None:
    encoder = PolicyEncoder(CONFIG, init_params(CONFIG, 0, MANY), MANY, CODEC, max_tokens=32)
    found = encoder.encode(STATEMENTS)
    assert found.shape == (len(STATEMENTS), 16)
    for row in (0, 10, 11):
        ids = TOKENIZER.encode(bare(STATEMENTS[row].formal))[:32] or [TOKENIZER.end_id]
        mean = forward(CONFIG, jax.device_get(params), ids, range(len(ids)), [1] * len(ids)).mean(axis=0)
        np.testing.assert_allclose(found[row], mean / np.linalg.norm(mean), atol=2e-6)


def test_another_policy_is_another_encoder(params: Params, tmp_path) -> None:
    encoder = PolicyEncoder(CONFIG, params, ONE, CODEC)
    changed = params | {"embedding": params["embedding"] * 1.001}
    other = PolicyEncoder(CONFIG, changed, ONE, CODEC)
    assert encoder.hash == PolicyEncoder(CONFIG, params, ONE, CODEC).hash != other.hash
    memory = Memory(encoder)
    memory.add([ProofRecord(STATEMENTS[0], "by simp", "4", "core", (), 0.1, "test")])
    memory.save(tmp_path / "memory")
    assert len(Memory.load(tmp_path / "memory", encoder)) == 1
    with pytest.raises(MemoryFileError, match=f"policy {encoder.hash}, not policy {other.hash}"):
        Memory.load(tmp_path / "memory", other)


def test_odd_lengths_are_refused(params: Params) -> None:
    with pytest.raises(ValueError, match="max_tokens is 100"):
        PolicyEncoder(CONFIG, params, ONE, CODEC, max_tokens=100)
