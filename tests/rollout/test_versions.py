"""A folder of weights says which version it holds."""

from pathlib import Path

import jax
import pytest
from tiny_model import CONFIG, tiny_params

from oprover_jax.errors import InputError
from oprover_jax.models.hf.load import load_hf
from oprover_jax.rollout.checksum import checksum
from oprover_jax.rollout.versions import MANIFEST, latest_version, read_version, write_version


@pytest.mark.slow
def test_a_folder_says_what_it_holds_and_the_last_two_stay(mesh: jax.sharding.Mesh, tmp_path: Path) -> None:
    assert latest_version(tmp_path) is None
    for version in (999_999, 1_000_000, 10_000_001):  # not in the order of their text
        params = tiny_params(CONFIG, mesh, seed=version)
        written = write_version(tmp_path, CONFIG, params, version, dtype="float32")
        assert written == read_version(written.folder) == latest_version(tmp_path)
        assert (written.version, written.checksum) == (version, checksum(params))
        assert checksum(load_hf(written.folder, mesh)[1]) == written.checksum
    assert {path.name for path in tmp_path.iterdir()} == {"version-10000001", "version-1000000"}
    (written.folder / MANIFEST).write_text("{")
    with pytest.raises(InputError, match="publish this version again"):
        latest_version(tmp_path)
    (written.folder / MANIFEST).unlink()
    with pytest.raises(InputError, match="version of its weights is unknown"):
        read_version(written.folder)
