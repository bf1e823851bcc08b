"""Theorems of a run in three parts, written to and read from a folder as a whole."""

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from oprover_jax.corpus import store
from oprover_jax.errors import InputError
from oprover_jax.records import ProofRecord, Statement


@dataclass(frozen=True)
class Theorems:
    """Theorems of a run: `public` with verified proofs, the `pool` that rollouts try to prove, and the `benchmark` that is held out.

    `near` maps near duplicates to the first statement of their group, where that is known. `report` is plain JSON data.
    """

    public: list[ProofRecord]
    pool: list[Statement]
    benchmark: list[Statement]
    report: dict[str, Any]
    near: dict[str, str] | None = None


def write_theorems(target: Path, theorems: Theorems) -> None:
    """Write everything next to `target` and rename; another process that finished first has written the same."""
    target.parent.mkdir(parents=True, exist_ok=True)
    hidden = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        store.append(hidden / "public", store.PROOFS, theorems.public)
        store.append(hidden / "pool", store.STATEMENTS, theorems.pool)
        store.append(hidden / "benchmark", store.STATEMENTS, theorems.benchmark)
        if theorems.near is not None:
            (hidden / "near.json").write_bytes(msgspec.json.encode(theorems.near))
        (hidden / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(theorems.report), indent=2))
        try:
            os.rename(hidden, target)
        except OSError:
            if not (target / "report.json").is_file():
                raise
    finally:
        shutil.rmtree(hidden, ignore_errors=True)


def load_theorems(path: Path) -> Theorems:
    """Read what `write_theorems` wrote. Raises InputError if the folder has no report.json, and for files that cannot be read."""
    report, near = path / "report.json", path / "near.json"
    if not report.is_file():
        raise InputError(f"{path} has no report.json, so it does not contain the theorems of a run; remove it, and they are made again")
    return Theorems(
        store.read(path / "public", store.PROOFS),
        store.read(path / "pool", store.STATEMENTS),
        store.read(path / "benchmark", store.STATEMENTS),
        msgspec.json.decode(report.read_bytes()),
        msgspec.json.decode(near.read_bytes(), type=dict[str, str]) if near.is_file() else None,
    )
