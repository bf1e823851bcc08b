"""Configuration of `oprover corpus build`: sources, verification, deduplication and benchmarks to exclude."""

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lean_worker.lean_config import LeanConfig
from oprover_jax.errors import InputError
from oprover_jax.ingest.deduplicate import DeduplicateConfig
from oprover_jax.ingest.sources.layouts import LAYOUTS, Columns, Layout
from oprover_jax.ingest.sources.rows import RowLimits
from oprover_jax.statements.benchmarks import REGISTRY, Benchmark

FIELDS = sorted({one.name for one in dataclasses.fields(Columns)} - {"proofs", "lacking"} | {"proof"})


@dataclass(frozen=True)
class Source:
    """One set of theorems: its `kind` selects a layout, `path` a file, a folder or a pattern, under the data folder unless absolute.

    Values given here override the layout: `columns` as pairs such as ("formal", "stmt"), for other column names.
    """

    name: str
    kind: str
    path: str
    licence: str = ""
    source: str = ""
    header: str = ""
    lean: str = ""
    upstream: str = ""
    columns: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        if not self.name or not self.name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise InputError(f"source name is {self.name!r}; use letters, digits, '-', '_' and '.'")
        if self.kind not in LAYOUTS:
            raise InputError(f"source {self.name}: kind is {self.kind!r}; choose from {', '.join(LAYOUTS)}")
        unknown = [field for field, _ in self.columns if field not in FIELDS]
        if unknown:
            raise InputError(f"source {self.name}: columns has the unknown field {unknown[0]!r}; choose from {', '.join(FIELDS)}")

    @property
    def layout(self) -> Layout:
        """The layout of its kind with this source's overrides."""
        layout = LAYOUTS[self.kind]
        given = {name: getattr(self, name) for name in ("header", "source", "licence", "lean", "upstream") if getattr(self, name)}
        columns: dict[str, Any] = {field: column for field, column in self.columns if field != "proof"}
        proofs = tuple(column for field, column in self.columns if field == "proof")
        columns |= {"proofs": proofs} if proofs else {}
        own = dataclasses.replace(layout.columns, **columns, lacking=layout.columns.lacking - {column for _, column in self.columns})
        return dataclasses.replace(layout, columns=own, **({"source": layout.source or self.name} | given))


@dataclass(frozen=True)
class VerifyConfig:
    """Verification of proofs. If `enabled` is off, every proof is kept unchecked."""

    enabled: bool = True
    lean: LeanConfig = field(default_factory=lambda: LeanConfig(timeout=20.0))
    """Lean that verifies; its `tier` is the one that a proof must pass to count as accepted."""
    retries: int = 2
    """Number of retries of a check without a verdict."""

    def __post_init__(self) -> None:
        if self.retries < 0:
            raise InputError(f"verify.retries is {self.retries}; it must be at least 0")
        if self.lean.cache is not None:
            raise InputError("verify.lean.cache: a build keeps its verdicts in its own folder; leave it out")


@dataclass(frozen=True)
class BuildConfig:
    """One build. Statements of `benchmarks`, read from benchmarks/ of the data folder, are excluded; if empty, nothing is."""

    sources: tuple[Source, ...]
    verify: VerifyConfig = field(default_factory=VerifyConfig)
    deduplicate: DeduplicateConfig = field(default_factory=DeduplicateConfig)
    limits: RowLimits = field(default_factory=RowLimits)
    benchmarks: tuple[Benchmark, ...] = REGISTRY
    readers: int = 1
    """Number of processes that read files, one file each; the result does not depend on it."""

    def __post_init__(self) -> None:
        names = [source.name for source in self.sources]
        twice = {name for name in names if names.count(name) > 1}
        if twice or not names:
            raise InputError(f"sources: names must be unique and at least one source given; got {', '.join(sorted(twice)) or 'none'}")
        if self.readers < 1:
            raise InputError(f"readers is {self.readers}; it must be at least 1")


def data_path(source: Source, data: Path | None) -> Path:
    """Return the path of the source. Raises InputError if it is relative and no data folder was given."""
    path = Path(source.path)
    if path.is_absolute():
        return path
    if data is None:
        raise InputError(f"source {source.name}: path {source.path} is relative; give its data folder as --data or in OPROVER_DATA")
    return data / path
