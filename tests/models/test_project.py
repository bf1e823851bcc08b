"""The product with a kernel: values, gradients and layouts are those of a plain einsum, on one device and on a mesh."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from oprover_jax.models.project import project
from oprover_jax.sharding import MeshConfig, make_mesh


@pytest.mark.parametrize(("subscripts", "kernel"), [("bsD,Df->bsf", (16, 24)), ("bsD,Dhd->bshd", (16, 4, 6))])
@pytest.mark.parametrize("mesh", [MeshConfig(), MeshConfig(fsdp=4, tensor=2)])
def test_is_an_einsum(subscripts: str, kernel: tuple[int, ...], mesh: MeshConfig) -> None:
    rng = np.random.default_rng(0)
    devices = jax.devices()[: mesh.fsdp * mesh.tensor]
    with jax.set_mesh(make_mesh(mesh, devices)):
        x = jax.device_put(rng.normal(size=(8, 3, 16)).astype(np.float32), P("fsdp", None, None))
        w = jax.device_put(rng.normal(size=kernel).astype(np.float32), P(None, "tensor"))
        out, pull = jax.vjp(jax.jit(lambda x, w: project(subscripts, x, w)), x, w)
        wanted, pull_wanted = jax.vjp(jax.jit(lambda x, w: jnp.einsum(subscripts, x, w)), x, w)
        seed = jax.device_put(rng.normal(size=out.shape).astype(np.float32), out.sharding)
        np.testing.assert_allclose(out, wanted, rtol=1e-6)
        for ours, theirs in zip(pull(seed), pull_wanted(seed), strict=True):
            assert ours.sharding == theirs.sharding
            np.testing.assert_allclose(ours, theirs, rtol=2e-5, atol=2e-5)
