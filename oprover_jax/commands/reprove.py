"""`oprover corpus reprove`: run the agent on statements of the corpus that have no verified proof (OProofs, branch 1)."""

import asyncio
import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import TypeVar

import pyarrow.compute as pc
from msgspec.structs import replace

from lean_worker.connect import require_tier
from lean_worker.lean_config import LeanConfig
from lean_worker.protocol import Tier
from oprover_jax.agent.collect import Collection, Tally, collect
from oprover_jax.agent.refine import Prover, RefineConfig, seed_of
from oprover_jax.agent.template import Template
from oprover_jax.commands.add_run import new_rows, run_id
from oprover_jax.corpus.corpus import Commit, Corpus, open_corpus
from oprover_jax.corpus.tables import statement_of
from oprover_jax.errors import InputError, LeanAway
from oprover_jax.posttraining.proving import accepted_proofs, rechecked
from oprover_jax.posttraining.run_folder import open_run
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import ProofRecord, Statement, Trajectory
from oprover_jax.retrieval.memory import Memory
from oprover_jax.rollout.engine import Engine
from oprover_jax.statements.decontaminate import fingerprints
from oprover_jax.verify.verifier import Verifier, Workers

Item = TypeVar("Item")

# unproved statements with fewer than `samples` rollouts of `run`; `own` counts the rollouts of this run, `tries` those of all runs
_UNPROVED = """
create table unproved as
with tried as (
        select statement_id, count(*) as tries, count(*) filter (run = $run and stage = $stage) as own
        from trajectories where accepted is not null group by all),
     proved as (select distinct statement_id from proofs where checked = 'accepted'),
     texts as (select distinct on (id) * from statements)
select coalesce(own, 0) as own, texts.*
from texts anti join proved on id = proved.statement_id left join tried on id = tried.statement_id
where coalesce(own, 0) < $samples
order by coalesce(own, 0), coalesce(tries, 0), md5(id || '/' || $seed)
"""
_STAGE = "reprove"
_NOT_HERE = ("statement", "unreadable")  # kinds of verdict on a statement that this Lean does not elaborate, whatever the proof


@dataclass(frozen=True)
class ReproveConfig:
    """Settings of a reproving pass.

    Attributes:
      limit: Maximum number of statements; None for all.
      num_samples: Rollouts per statement by this run, earlier passes included.
      rounds: Maximum number of attempts per rollout.
      batch: Statements per commit.
      seed: Random seed of sampling and of the order among equally often tried statements.
    """

    limit: int | None = None
    num_samples: int = 4
    rounds: int = 2
    batch: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("limit", "num_samples", "rounds", "batch"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise InputError(f"--{name.replace('_', '-')} is {value}; it must be at least 1")


@dataclass(frozen=True)
class Agent:
    """Components of a reproving pass: `run` is the name recorded in the corpus; proofs that pass `tier` are added to `memory`.

    A check waits for Lean for `patience` seconds at most.
    """

    run: str
    engine: Engine
    workers: Workers
    template: Template
    memory: Memory
    refine: RefineConfig
    tier: Tier = "slow"
    patience: float = LeanConfig.patience

    @property
    def origin(self) -> str:
        return f"{self.run}/{_STAGE}"


@dataclass
class Reproved:
    """Result counts of a reproving pass, in statements; `proofs` counts distinct proofs accepted by both tiers.

    Skipped statements: in the run's benchmark (`held_out`), longer than the prompt budget (`too_long`), or not elaborating in the
    available Lean (`not_here`).
    """

    tried: int = 0
    proved: int = 0
    proofs: int = 0
    held_out: int = 0
    too_long: int = 0
    not_here: int = 0

    def text(self) -> str:
        skipped = f"{self.held_out} held out, {self.too_long} too long, {self.not_here} not elaborating"
        return f"{self.tried} statements tried, {self.proved} proved, {self.proofs} proofs; skipped: {skipped}"


def reprove_with_run(
    where: str | Path,
    path: Path,
    config: ReproveConfig,
    console: ProgressConsole,
    lean: LeanConfig | None = None,
    servers: Engine | None = None,
) -> Reproved:
    """Reprove with the latest policy, memory and agent settings of a run, at its rollout temperature.

    Proofs of near duplicates of a statement, in the corpus or in the run, are never retrieved for it.

    Args:
      where: Corpus folder or URL.
      path: Run folder.
      config: Settings of the pass.
      console: Receives progress and results.
      lean: Changes to the Lean of the run, which checks the proofs (`LeanConfig.over`).
      servers: Engine with the policy, or None to load that of the run.

    Raises:
      InputError: The corpus or the run does not exist, or the run has no trained policy.
      LeanWorkerError: This Lean is unavailable, or lacks the tier for stored proofs.
    """
    corpus = open_corpus(where)
    folder, experiment = open_run(path)
    refine = dataclasses.replace(experiment.refine, rounds=config.rounds, temperature=experiment.rollout.temperature)
    with Workbench(experiment, folder, lean=lean) as bench:
        if servers is None:
            bench.require_policy()
        require_tier(bench.pool, bench.lean)
        filters = dataclasses.replace(bench.filters, near=[*bench.filters.near, corpus.near()])
        agent = Agent(
            run_id(folder),
            servers or bench.prover().engine,
            bench.pool,
            bench.template,
            bench.memory_with(filters),
            refine,
            bench.lean.tier,
            bench.lean.patience,
        )
        return reprove(corpus, agent, bench.theorems.benchmark, config, console)


def reprove(corpus: Corpus, agent: Agent, held_out: Sequence[Statement], config: ReproveConfig, console: ProgressConsole) -> Reproved:
    """Try the statements of `corpus` that have no verified proof, least-tried first; each batch is one commit.

    A commit holds the proofs that both tiers of Lean accepted and all trajectories, failed attempts and repairs included. An interrupted
    pass loses only the batch in progress; the next call resumes with the remaining statements. When none remain, nothing changes until
    `num_samples` is raised. Sampling on a statement is a function of the seed and the number of its rollouts so far.

    Raises:
      InputError: The temperature is 0, so that all samples would be equal.
      LeanAway: Lean gave no verdict for as long as patience lasts; the batch in progress is not committed.
    """
    if agent.refine.temperature == 0 and config.num_samples > 1:
        raise InputError(f"--num-samples is {config.num_samples}, but at temperature 0 all would be equal; give 1 or a run that samples")
    result, snapshot = Reproved(), corpus.commits()
    agent.memory.add(corpus.proofs(snapshot, agent.origin))
    seen, proved = {commit.id for commit in snapshot}, set[str]()
    with _unproved(corpus, snapshot, agent.run, config) as (count, queue), console.bar("reprove") as progress:
        total = min(count, config.limit or count)
        progress.total(total)
        triable = islice(_triable(queue, agent, fingerprints(held_out), config.batch, result), config.limit)
        for own, batch in _batches(triable, config.batch):
            proved |= _proved_in(corpus, commits := _since(corpus, seen))
            seen |= {commit.id for commit in commits}
            left = [statement for statement in batch if statement.id not in proved]  # another process may have proved some
            before = result.tried

            def show(tally: Tally, before: int = before) -> None:
                progress.update(before + tally.statements, f"{tally.text()}; {result.proved} statements proved")

            try:
                trajectories, proofs = _try(agent, left, own, config, show)
            except LeanAway as error:
                raise LeanAway(error.reason, f"{total - result.tried} of {total} statements are") from error
            result.tried += len(left)
            result.proved += len({proof.statement.id for proof in proofs})
            result.proofs += len(proofs)
            note = {"command": "reprove", "run": agent.run, "tried": len(left), "proofs": len(proofs), "seed": config.seed}
            corpus.commit(new_rows(corpus, agent.run, (), proofs, trajectories), note)
            agent.memory.add(proofs)
    console.line(result.text())
    return result


def _since(corpus: Corpus, seen: set[str]) -> list[Commit]:
    return [commit for commit in corpus.commits() if commit.id not in seen]


def _proved_in(corpus: Corpus, commits: Sequence[Commit]) -> set[str]:
    """Return the ids of the statements for which `commits` contain an accepted proof."""
    rows = corpus.dataset("proofs", commits).scanner(columns=["statement_id"], filter=pc.field("checked") == "accepted")
    return set(rows.to_table()["statement_id"].to_pylist())


def _try(
    agent: Agent, statements: Sequence[Statement], own: int, config: ReproveConfig, show: Callable[[Tally], None]
) -> tuple[list[Trajectory], list[ProofRecord]]:
    """Return the trajectories on `statements`, which have `own` rollouts each already, and the proofs that both tiers accepted."""
    verifier = Verifier(agent.workers, agent.patience)  # new for each batch, because it caches every verdict
    job = Collection(statements, config.num_samples - own, agent.refine, _STAGE, seed_of(config.seed, own))
    trajectories: list[Trajectory] = []
    asyncio.run(collect(Prover(agent.engine, verifier, agent.template), agent.memory, job, trajectories.extend, show))
    numbered = [replace(trajectory, sample=own + trajectory.sample) for trajectory in trajectories]
    return numbered, rechecked(verifier, accepted_proofs(numbered, agent.origin), agent.tier)


@contextmanager
def _unproved(
    corpus: Corpus, snapshot: Sequence[Commit], run: str, config: ReproveConfig
) -> Iterator[tuple[int, Iterator[tuple[int, Statement]]]]:
    """Yield the number of statements to try, and these with the run's rollouts on each so far; sorted out of core."""
    with corpus.database(snapshot) as database:
        database.execute(_UNPROVED, {"run": run, "stage": _STAGE, "samples": config.num_samples, "seed": str(config.seed)})
        [[count]] = database.sql("select count(*) from unproved").fetchall()
        reader = database.sql("from unproved").to_arrow_reader(1024)
        yield count, ((row["own"], statement_of(row)) for batch in reader for row in batch.to_pylist())


def _triable(
    queue: Iterable[tuple[int, Statement]], agent: Agent, barred: set[str], chunk: int, result: Reproved
) -> Iterator[tuple[int, Statement]]:
    """Yield the entries of `queue` that the agent can try and count the others. Elaboration is checked one chunk at a time."""
    for entries in _chunks(queue, chunk):
        allowed = [pair for pair in entries if not fingerprints([pair[1]]) & barred]
        readable = [pair for pair in allowed if agent.template.fits(pair[1])]
        verifier = Verifier(agent.workers, agent.patience)
        verdicts = asyncio.run(verifier.decide_many([(statement, "by trivial") for _, statement in readable]))
        elaborated = [pair for pair, verdict in zip(readable, verdicts, strict=True) if verdict.kind not in _NOT_HERE]
        result.held_out += len(entries) - len(allowed)
        result.too_long += len(allowed) - len(readable)
        result.not_here += len(readable) - len(elaborated)
        yield from elaborated


def _batches(queue: Iterable[tuple[int, Statement]], size: int) -> Iterator[tuple[int, list[Statement]]]:
    """Yield batches of statements that have the same number of rollouts, with that number."""
    for own, entries in groupby(queue, lambda pair: pair[0]):
        for batch in _chunks(entries, size):
            yield own, [statement for _, statement in batch]


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk
