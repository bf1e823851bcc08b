"""Every test runs on 8 simulated CPU devices; set before JAX starts its backend."""

import jax
import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # how long an example takes says something about the machine only
settings.load_profile("untimed")
jax.config.update("jax_platforms", "cpu")
jax.config.update("jax_num_cpu_devices", 8)
jax.config.update("jax_numpy_rank_promotion", "raise")


@pytest.fixture(scope="session")
def devices() -> list[jax.Device]:
    found = jax.devices()
    assert len(found) == 8
    return found
