"""Each set of weights has one version, in numbers and in folders."""

import itertools
from pathlib import Path

import jax
import pytest
from tiny_model import CONFIG, tiny_params

from oprover_jax.errors import InputError
from oprover_jax.models.hf.load import load_hf
from oprover_jax.rollout.checksum import checksum
from oprover_jax.rollout.versions import MANIFEST, VERSIONS_PER_STAGE, latest_version, read_version, version_of, write_version


def test_weights_that_differ_have_versions_that_differ_and_grow() -> None:
    """The weights after the last update of a stage are those before the first update of the next."""
    stages = [3, 1, 4, 4]
    history = [(stage, step, steps) for stage, steps in enumerate(stages) for step in range(1, steps + 1)]
    versions = [version_of(0, 0, 3), *itertools.starmap(version_of, history)]
    assert versions == sorted(set(versions)) and len(versions) == 1 + sum(stages)
    for stage in range(len(stages) - 1):
        assert version_of(stage, stages[stage], stages[stage]) == version_of(stage + 1, 0, stages[stage + 1])


@pytest.mark.parametrize("numbers", [(-1, 0, 1), (0, 2, 1), (0, -1, 1), (0, 0, 0), (0, 0, VERSIONS_PER_STAGE)])
def test_numbers_that_would_collide_are_refused(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="step"):
        version_of(*numbers)


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
