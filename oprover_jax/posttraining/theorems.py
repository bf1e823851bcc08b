"""Theorems of a run: generated ones, or those of a corpus, divided into what is public, what is tried, and what is held out.

A run keeps a copy of its theorems, so that a corpus may grow while runs use it.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import duckdb

from lean_worker.lean_pool import LeanPool
from lean_worker.session import provides
from oprover_jax.corpus.corpus import Corpus, open_corpus
from oprover_jax.corpus.tables import proof_of, statement_of
from oprover_jax.corpus.theorems import Theorems, load_theorems, write_theorems
from oprover_jax.errors import InputError
from oprover_jax.ingest.verify_proofs import lacking
from oprover_jax.records import ProofRecord, Statement
from oprover_jax.statements.decontaminate import decontaminate
from oprover_jax.synthetic.build import build
from oprover_jax.synthetic.config import SyntheticConfig

_PROVED = """
select facts.*, statement from (
  select distinct on (statement_id, proof) * from proofs where checked = 'accepted' order by statement_id, proof
) as facts join (select distinct on (id) * from statements) as statement on statement.id = facts.statement_id
qualify row_number() over (partition by facts.statement_id order by length(facts.proof), facts.proof) <= $proofs
order by facts.statement_id, length(facts.proof), facts.proof
"""
_STATEMENTS = "select distinct on (id) * from statements order by id"


@dataclass(frozen=True)
class TheoremsConfig:
    """Theorems of a run: those of `corpus`, or generated ones if it is empty.

    Attributes:
      synthetic: Sizes and shares of the generated theorems.
      corpus: Corpus folder or URL.
      sources: Sources of the corpus to use; empty for all.
      benchmark: Number of statements of the corpus that are held out, with all their near duplicates.
      proofs: Proofs per statement that count as public, shortest first.
      limit: Maximum number of statements of the corpus, 0 for all; which ones is a function of the seed.
      seed: Random seed of these choices.
    """

    synthetic: SyntheticConfig = field(default_factory=SyntheticConfig)
    corpus: str = ""
    sources: tuple[str, ...] = ()
    benchmark: int = 200
    proofs: int = 4
    limit: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (("benchmark", 1), ("proofs", 1), ("limit", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"theorems.{name} is {getattr(self, name)}; it must be at least {least}")


def open_theorems(config: TheoremsConfig, lean: Callable[[], LeanPool], folder: Path) -> Theorems:
    """Return the theorems of `config`, read from `folder` if they are there, else made and written to it.

    Args:
      config: Which theorems.
      lean: Opens the Lean that verifies generated theorems and says which modules a statement may import.
      folder: Folder of the stage.

    Raises:
      InputError: There is no such corpus, or it has too few theorems that this Lean can elaborate.
    """
    if not config.corpus:
        return build(config.synthetic, lambda checks: lean().check_many(checks), folder)
    target = folder / "theorems"
    if not target.is_dir():
        write_theorems(target, theorems_of_corpus(open_corpus(config.corpus), config, partial(provides, lean().describe())))
    return load_theorems(target)


def theorems_of_corpus(corpus: Corpus, config: TheoremsConfig, provided: Callable[[str], bool]) -> Theorems:
    """Divide the statements of a corpus that import only `provided` modules into held-out, public and tried ones.

    Held out are statements with a verified proof, so that the benchmark can be solved; what is equal or nearly equal to one of them is left
    out altogether. The others with verified proofs are public, and all others are tried, those with proofs too.

    Raises:
      InputError: too few statements.
    """
    commits = corpus.commits()
    near = corpus.near(commits)
    proofs: dict[str, list[ProofRecord]] = {}
    reasons = Counter[str]()
    with corpus.database(commits) as database:
        statements = [statement_of(row) for row in _rows(database.sql(_STATEMENTS))]
        for row in _rows(database.sql(_PROVED, params={"proofs": config.proofs})):
            proofs.setdefault(row["statement_id"], []).append(proof_of(row, statement_of(row["statement"])))
    kept = []
    for statement in statements:
        missing = lacking(statement.header, statement.lean, provided)
        if config.sources and statement.source not in config.sources:
            reasons["of another source"] += 1
        elif missing and statement.id not in proofs:
            reasons[f"needs {missing}"] += 1
        else:
            kept.append(statement)
    ordered = sorted(kept, key=lambda statement: _order(config.seed, near.get(statement.id, statement.id), statement.id))
    chosen = ordered[: config.limit or len(ordered)]
    benchmark = _one_of_each_group([s for s in chosen if s.id in proofs], near)[: config.benchmark]
    held_out = {near.get(statement.id, statement.id) for statement in benchmark}
    rest = [statement for statement in chosen if near.get(statement.id, statement.id) not in held_out]
    left, _ = decontaminate(rest, benchmark, lambda statement: statement)
    public = [proof for statement in left for proof in proofs.get(statement.id, ())]
    if len(benchmark) < config.benchmark or not public:
        raise InputError(
            f"theorems.benchmark is {config.benchmark}, but {corpus!r} has {len(benchmark)} different statements with verified proofs that "
            f"this Lean can elaborate, and {len(public)} proofs of others; lower it, or verify more proofs"
        )
    reasons["near a held-out statement"] = len(chosen) - len(benchmark) - len(left)
    report: dict[str, Any] = {
        "corpus": str(config.corpus),
        "commits": [commit.id for commit in commits],
        "public": len(public),
        "pool": len(left),
        "benchmark": len(benchmark),
        "left_out": dict(reasons),
    }
    return Theorems(public, left, benchmark, report, {statement.id: near[statement.id] for statement in chosen if statement.id in near})


def _rows(found: duckdb.DuckDBPyRelation) -> Iterator[dict[str, Any]]:
    for batch in found.to_arrow_reader(1024):
        yield from batch.to_pylist()


def _one_of_each_group(statements: Sequence[Statement], near: dict[str, str]) -> list[Statement]:
    groups: dict[str, Statement] = {}
    for statement in statements:
        groups.setdefault(near.get(statement.id, statement.id), statement)
    return list(groups.values())


def _order(seed: int, *names: str) -> tuple[bytes, ...]:
    return tuple(hashlib.blake2b(f"{seed}/{name}".encode(), digest_size=8).digest() for name in names)
