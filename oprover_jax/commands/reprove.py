"""`oprover corpus reprove`: the agent on statements of the corpus that nobody has proved yet (OProofs, branch 1)."""

import asyncio
import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path
from typing import TypeVar

import pyarrow.compute as pc
from msgspec.structs import replace

from oprover_jax.agent.collect import Collection, Tally, collect
from oprover_jax.agent.refine import Prover, RefineConfig, seed_of
from oprover_jax.agent.template import Template
from oprover_jax.commands.add_run import new_rows, run_id
from oprover_jax.corpus.corpus import Commit, Corpus, open_corpus
from oprover_jax.corpus.tables import statement_of
from oprover_jax.errors import InputError
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.proving import accepted_proofs, judged_again
from oprover_jax.posttraining.run_folder import open_run
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import ProofRecord, Statement, Trajectory
from oprover_jax.retrieval.memory import Memory
from oprover_jax.rollout.engine import Engine
from oprover_jax.statements.decontaminate import fingerprints
from oprover_jax.verify.verifier import Verifier, Workers

Item = TypeVar("Item")

# statements without a proof on which `run` made less than `samples` rollouts; `own` counts those, `tries` the rollouts of all runs
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


@dataclass(frozen=True)
class ReproveConfig:
    """`limit` statements at most (None: all), until there are `samples` rollouts on each by this run, of up to `rounds` rounds; a commit
    every `batch` statements; `seed` sets the order of statements with as many tries, and the draws."""

    limit: int | None = None
    num_samples: int = 4
    rounds: int = 2
    batch: int = 64
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("limit", "samples", "rounds", "batch"):
            if (value := getattr(self, name)) is not None and value < 1:
                raise InputError(f"--{name} is {value}; give at least 1")


@dataclass(frozen=True)
class Agent:
    """Who proves: `run` is the name under which the corpus keeps its work; `memory` grows by what is found."""

    run: str
    engine: Engine
    workers: Workers
    template: Template
    memory: Memory
    refine: RefineConfig

    @property
    def origin(self) -> str:
        return f"{self.run}/{_STAGE}"


@dataclass
class Reproved:
    """What came of it, in statements; `proofs` are distinct and accepted by both tiers.

    Not tried were those of the run's benchmark (`held_out`), longer than the prompt allows (`too_long`), or not elaborating in the Lean
    that is here (`not_here`).
    """

    tried: int = 0
    proved: int = 0
    proofs: int = 0
    held_out: int = 0
    too_long: int = 0
    not_here: int = 0

    def text(self) -> str:
        skipped = ", ".join(f"{getattr(self, name)} {name.replace('_', ' ')}" for name in ("held_out", "too_long", "not_here"))
        return f"{self.tried} statements tried, {self.proved} proved, {self.proofs} proofs; not tried: {skipped}"


def reprove_with_run(where: str | Path, path: Path, config: ReproveConfig, console: ProgressConsole) -> Reproved:
    """Reproves with the last policy of the run at `path`, its memory, Lean workers and agent at the temperature of practice. No statement
    is shown a proof of its near duplicates, be they the corpus's or the run's.

    Raises:
      InputError: where there is no corpus, no run, or no trained policy in it.
    """
    corpus = open_corpus(where)
    folder, experiment = open_run(path, Experiment)
    refine = dataclasses.replace(experiment.refine, rounds=config.rounds, temperature=experiment.rollout.temperature)
    with Workbench(experiment, folder) as bench:
        bench.require_policy()
        filters = dataclasses.replace(bench.filters, near=[*bench.filters.near, corpus.near()])
        agent = Agent(run_id(folder), bench.prover().engine, bench.pool, bench.template, bench.memory_with(filters), refine)
        return reprove(corpus, agent, bench.corpus.benchmark, config, console)


def reprove(corpus: Corpus, agent: Agent, held_out: Sequence[Statement], config: ReproveConfig, console: ProgressConsole) -> Reproved:
    """Tries the statements of `corpus` without a verified proof, those with the fewest tries first; every batch is one commit.

    Kept are the proofs that Lean accepted and accepted again on the slow tier, and all trajectories, failed attempts and repairs with
    them. Killed, it loses the batch at work; called again it goes on with what is left, and when nothing is left it changes nothing until
    `samples` is raised. The draws on a statement are a function of the seed and of the number of its rollouts so far.
    """
    found, started, snapshot = Reproved(), time.monotonic(), corpus.commits()
    agent.memory.add(corpus.proofs(snapshot, agent.origin))
    seen, proved = {commit.id for commit in snapshot}, set[str]()
    with _unproved(corpus, snapshot, agent.run, config) as (count, queue), console.bar("reprove") as progress:
        total = min(count, config.limit or count)
        progress.total(total)
        triable = islice(_triable(queue, agent, fingerprints(held_out), config.batch, found), config.limit)
        for own, batch in _batches(triable, config.batch):
            proved |= _proved_in(corpus, commits := _since(corpus, seen))
            seen |= {commit.id for commit in commits}
            left = [statement for statement in batch if statement.id not in proved]  # another process may have been here
            before = found.tried

            def show(tally: Tally, before: int = before) -> None:
                progress.update(before + tally.statements, f"{tally.text()}; {found.proved} statements proved")

            trajectories, proofs = _try(agent, left, own, config, show)
            found.tried += len(left)
            found.proved += len({proof.statement.id for proof in proofs})
            found.proofs += len(proofs)
            note = {"command": "reprove", "run": agent.run, "tried": len(left), "proofs": len(proofs), "seed": config.seed}
            corpus.commit(new_rows(corpus, agent.run, (), proofs, trajectories), note)
            agent.memory.add(proofs)
            if not console.rich.is_terminal:
                minutes = (time.monotonic() - started) / max(found.tried, 1) * (total - found.tried) / 60
                console.line(f"{found.text()}; at most {minutes:.0f} min left of {total} statements")
    console.line(found.text())
    return found


def _since(corpus: Corpus, seen: set[str]) -> list[Commit]:
    return [commit for commit in corpus.commits() if commit.id not in seen]


def _proved_in(corpus: Corpus, commits: Sequence[Commit]) -> set[str]:
    """Ids of the statements of which `commits` bring an accepted proof."""
    rows = corpus.dataset("proofs", commits).scanner(columns=["statement_id"], filter=pc.field("checked") == "accepted")
    return set(rows.to_table()["statement_id"].to_pylist())


def _try(
    agent: Agent, statements: Sequence[Statement], own: int, config: ReproveConfig, show: Callable[[Tally], None]
) -> tuple[list[Trajectory], list[ProofRecord]]:
    """Trajectories on `statements`, on each of which there are `own` rollouts already, and the proofs that stood both tiers."""
    verifier = Verifier(agent.workers)  # a new one each time: it remembers every verdict
    wanted = Collection(statements, config.num_samples - own, agent.refine, _STAGE, seed_of(config.seed, own))
    trajectories: list[Trajectory] = []
    asyncio.run(collect(Prover(agent.engine, verifier, agent.template), agent.memory, wanted, trajectories.extend, show))
    numbered = [replace(trajectory, sample=own + trajectory.sample) for trajectory in trajectories]
    return numbered, judged_again(verifier, accepted_proofs(numbered, agent.origin))


@contextmanager
def _unproved(
    corpus: Corpus, snapshot: Sequence[Commit], run: str, config: ReproveConfig
) -> Iterator[tuple[int, Iterator[tuple[int, Statement]]]]:
    """How many statements are to be tried, and these with the number of the run's rollouts on them so far; sorted out of core."""
    with corpus.database(snapshot) as database:
        database.execute(_UNPROVED, {"run": run, "stage": _STAGE, "samples": config.num_samples, "seed": str(config.seed)})
        [[count]] = database.sql("select count(*) from unproved").fetchall()
        reader = database.sql("from unproved").to_arrow_reader(1024)
        yield count, ((row["own"], statement_of(row)) for batch in reader for row in batch.to_pylist())


def _triable(
    queue: Iterable[tuple[int, Statement]], agent: Agent, barred: set[str], chunk: int, found: Reproved
) -> Iterator[tuple[int, Statement]]:
    """Those of `queue` that the agent can try; the others are counted. Lean is asked a chunk at a time whether statements elaborate."""
    for several in _chunks(queue, chunk):
        allowed = [pair for pair in several if not fingerprints([pair[1]]) & barred]
        readable = [pair for pair in allowed if agent.template.fits(pair[1])]
        verdicts = asyncio.run(Verifier(agent.workers).verify_many([(statement, "by trivial") for _, statement in readable]))
        here = [pair for pair, verdict in zip(readable, verdicts, strict=True) if verdict.kind != "statement"]
        found.held_out += len(several) - len(allowed)
        found.too_long += len(allowed) - len(readable)
        found.not_here += len(readable) - len(here)
        yield from here


def _batches(queue: Iterable[tuple[int, Statement]], size: int) -> Iterator[tuple[int, list[Statement]]]:
    """`queue` in batches of statements with as many rollouts of the run."""
    for own, several in groupby(queue, lambda pair: pair[0]):
        for batch in _chunks(several, size):
            yield own, [statement for _, statement in batch]


def _chunks(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    there = iter(items)
    while chunk := list(islice(there, size)):
        yield chunk
