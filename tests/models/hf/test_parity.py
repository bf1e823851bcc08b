"""Parity with `transformers`, as recorded by `transformers_reference.py make` (the live comparison is `make test-transformers`)."""

from pathlib import Path

import pytest
from parity import check_parity

from oprover_jax.models.hf.load import load_hf
from oprover_jax.sharding import MeshConfig, make_mesh

pytestmark = pytest.mark.slow

RECORDED = Path(__file__).with_name("recorded")


@pytest.mark.parametrize(("name", "mesh"), [("tied", MeshConfig()), ("untied", MeshConfig(fsdp=2, tensor=2))])
def test_logits_and_greedy_continuation_are_those_of_transformers(name, mesh) -> None:
    mesh = make_mesh(mesh)
    config, params = load_hf(RECORDED / name, mesh)
    assert config.tie_embeddings == (name == "tied")
    check_parity(config, params, mesh, RECORDED / name / "expected.npz")
