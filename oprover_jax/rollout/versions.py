"""Versions of weights in folders through which servers load them.

FOLDER/version-000007/       Hugging Face model folder, written atomically
FOLDER/version-000007/manifest.json    version, data type and checksum of the weights as stored
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jax
import msgspec

from oprover_jax.errors import InputError
from oprover_jax.models.hf.export import Dtype, export_hf
from oprover_jax.models.qwen3 import Params, Qwen3Config
from oprover_jax.rollout.checksum import checksum

MANIFEST = "manifest.json"

_KEPT = 2


class Manifest(msgspec.Struct, frozen=True):
    """Contents of manifest.json; `checksum` is `checksum.checksum` of the weights in the stored data type."""

    version: int
    checksum: str
    dtype: Dtype


@dataclass(frozen=True)
class PublishedWeights:
    """Published set of weights: a model folder with its version and checksum."""

    folder: Path
    version: int
    checksum: str


def write_version(
    folder: Path,
    config: Qwen3Config,
    params: Params,
    version: int,
    *,
    dtype: Dtype = "bfloat16",
    extra_files: Mapping[str, bytes] | None = None,
    end_id: int | None = None,
) -> PublishedWeights:
    """Write weights and manifest to `folder`/version-NUMBER and remove older versions, except the one before.

    Every process that holds a part of `params` must call this; the first one writes.

    Args:
      folder: Folder of the versions, which servers can read under the same path.
      config: Model configuration.
      params: Weights.
      version: Version number of the weights; different weights have different numbers.
      dtype: Data type of the stored weights.
      extra_files: Further files of the model folder, as for `export_hf`.
      end_id: End token, as for `export_hf`.
    """
    target = folder.resolve() / f"version-{version:06}"
    manifest = Manifest(version, checksum(params, dtype), dtype)
    files = {**(extra_files or {}), MANIFEST: msgspec.json.encode(manifest)}
    export_hf(config, params, target, dtype=dtype, overwrite=True, extra_files=files, end_id=end_id)
    if jax.process_index() == 0:
        for number, old in _versions(folder)[:-_KEPT]:
            if number < version:
                shutil.rmtree(old)
    return PublishedWeights(target, version, manifest.checksum)


def read_version(folder: Path) -> PublishedWeights:
    """Return what a folder of `write_version` holds, by its manifest.

    Raises:
      InputError: The folder has no manifest, or it cannot be read.
    """
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{folder} has no {MANIFEST}, so the version of its weights is unknown; give a published version") from error
    except msgspec.DecodeError as error:
        raise InputError(f"{folder / MANIFEST} cannot be read ({error}); publish this version again") from error
    return PublishedWeights(folder.resolve(), manifest.version, manifest.checksum)


def latest_version(folder: Path) -> PublishedWeights | None:
    """Return the newest version in a folder of versions, or None if there is none."""
    versions = _versions(folder)
    return read_version(versions[-1][1]) if versions else None


def _versions(folder: Path) -> list[tuple[int, Path]]:
    """Return the versions in a folder with their numbers, oldest first."""
    found = (path for path in folder.glob("version-*") if path.name.removeprefix("version-").isdecimal())
    return sorted((int(path.name.removeprefix("version-")), path) for path in found)
