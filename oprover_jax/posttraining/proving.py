"""Stages that prove statements: rollouts on the pool, evaluations, ablations and the external benchmark."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import partial
from typing import Any

import msgspec

from lean_worker.connect import require_tier
from lean_worker.protocol import Tier, Verdict
from oprover_jax.agent.collect import Collection, Tally, collect
from oprover_jax.agent.refine import RefineConfig
from oprover_jax.data.rollouts import Rollout, read, scan
from oprover_jax.evaluation.evaluate import family_scores, outcomes, score
from oprover_jax.evaluation.report import Growth
from oprover_jax.posttraining.guard import check_proofs
from oprover_jax.posttraining.plan import Stage
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.progress import StageProgress
from oprover_jax.records import ProofRecord, Statement, Trajectory, utc_now
from oprover_jax.statements.decontaminate import decontaminate
from oprover_jax.statements.external import external_benchmark
from oprover_jax.verify.verifier import Verifier


def rollout(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Run rollouts on the pool; proofs that also pass the tier for stored proofs are added to the corpus and the memory."""
    settings = bench.experiment.rollout
    require_tier(bench.pool, bench.lean)
    statements = rollout_statements(bench, stage.iteration, settings.statements)
    files = prove_all(bench, stage, statements, settings.num_samples, progress)
    accepted = found_proofs(files, statements, stage.name)
    verified = bench.proofs(stage.name) or rechecked(bench.verifier, accepted, bench.lean.tier)
    check_proofs(bench.experiment.guard, accepted, verified)
    bench.put_proofs(stage.name, verified)
    proofs = len(bench.theorems.public) + len(bench.found(stage.iteration + 1))
    return {
        "growth": msgspec.to_builtins(Growth(stage.name, proofs, len(bench.memory))),
        "verdicts": verdict_counts(scan(files)),
        "not_stored": len(accepted) - len(verified),
        "solved": len({record.statement.id for record in verified}),
        "statements": len(statements),
    }


def rechecked(verifier: Verifier, records: Sequence[ProofRecord], tier: Tier = "slow") -> list[ProofRecord]:
    """Return the records that `tier` accepts; the kernel of the slow tier takes nothing from the candidate except the proof.

    Raises:
      LeanAway: Lean gave no verdict for as long as patience lasts.
    """
    verdicts = asyncio.run(verifier.decide_many([(record.statement, record.proof) for record in records], tier))
    return [record for record, verdict in zip(records, verdicts, strict=True) if verdict.accepted]


def rollout_statements(bench: Workbench, iteration: int, count: int) -> list[Statement]:
    """Return up to `count` statements of the pool that fit the prompt, unproved ones first, in random order.

    The result is a function of the seed and the proofs of earlier iterations.
    """
    rng = random.Random(f"{bench.experiment.seed}/{iteration}")
    readable = [statement for statement in bench.theorems.pool if bench.template.fits(statement)]
    pool = rng.sample(readable, len(readable))
    earlier = {record.statement.id for record in bench.found(iteration)}
    return sorted(pool, key=lambda statement: statement.id in earlier)[:count]


def evaluate(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Evaluate the current policy on the held-out benchmark."""
    label = stage.name.removeprefix("evaluate-")
    label = f"iteration-{label}" if stage.iteration else label
    return _scored(bench, stage, progress, held_out(bench), bench.experiment.evaluation.num_samples, "score", label)


def ablation(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Evaluate the same policy on the held-out benchmark with a part of the loop disabled."""
    return _scored(bench, stage, progress, held_out(bench), bench.experiment.evaluation.num_samples, "ablation", stage.name)


def external(bench: Workbench, stage: Stage, progress: StageProgress) -> dict[str, Any]:
    """Evaluate on human-written theorems from the data folder, which are never trained on or stored in the memory.

    Statements that also occur in the public part or the pool, in any form, are excluded and counted.
    """
    assert bench.data is not None  # the plan contains this stage only if a folder was given
    training = [*(record.statement for record in bench.theorems.public), *bench.theorems.pool]
    fresh, known = decontaminate(external_benchmark(bench.data), training, lambda statement: statement)
    num_samples = bench.experiment.evaluation.num_external_samples
    return _scored(bench, stage, progress, fresh, num_samples, "external", "textbook-by-people") | {"left_out": len(known)}


def held_out(bench: Workbench) -> list[Statement]:
    """Return the benchmark statements used in evaluations."""
    count = bench.experiment.evaluation.statements
    return bench.theorems.benchmark[:count] if count else bench.theorems.benchmark


def _scored(
    bench: Workbench, stage: Stage, progress: StageProgress, statements: Sequence[Statement], num_samples: int, key: str, label: str
) -> dict[str, Any]:
    started = time.monotonic()
    fits = [s for s in statements if bench.template.fits(s)]
    files = prove_all(bench, stage, fits, num_samples, progress)
    found = outcomes(scan(files))
    result = score(label, found, len(statements), num_samples, time.monotonic() - started, bench.experiment.seed)
    summary: dict[str, Any] = {key: msgspec.to_builtins(result), "verdicts": verdict_counts(scan(files))}
    if key == "score":
        summary["families"] = msgspec.to_builtins(family_scores(label, found))
    return summary


def prove_all(
    bench: Workbench,
    stage: Stage,
    statements: Sequence[Statement],
    num_samples: int,
    progress: StageProgress,
    flush_seconds: float = Collection.flush_seconds,
) -> list[str]:
    """Make the trajectories on all statements that no earlier start of the stage has made, and return the files in which all are stored.

    Args:
      bench: Shared resources of the run.
      stage: Stage whose trajectories are stored.
      statements: Statements to prove.
      num_samples: Trajectories per statement.
      progress: Receives progress.
      flush_seconds: Interval at which trajectories are stored.

    Raises:
      LeanAway: Lean gave no verdict for as long as patience lasts; what was finished is stored.
    """
    assert isinstance(stage.refine, RefineConfig)
    kept = Counter(rollout.statement for rollout in scan(bench.rollouts(stage.name)))
    left = [statement for statement in statements if kept[statement.id] < num_samples]
    progress.total(len(left) * num_samples)

    def show(tally: Tally) -> None:
        progress.update(tally.trajectories, tally.text())

    job = Collection(left, num_samples, stage.refine, stage.name, bench.experiment.seed, flush_seconds=flush_seconds)
    if left:
        asyncio.run(collect(bench.prover(), bench.memory, job, partial(bench.put_trajectories, stage.name), show))
    return bench.rollouts(stage.name)


def found_proofs(files: Sequence[str], statements: Sequence[Statement], origin: str) -> list[ProofRecord]:
    """Return the distinct accepted proofs in `files`, in the order of `statements`; only the rollouts that have one are read."""
    order = {statement.id: place for place, statement in enumerate(statements)}
    proofs = accepted_proofs(read(files, [rollout.where for rollout in scan(files) if rollout.accepted]), origin)
    return sorted(proofs, key=lambda record: order[record.statement.id])


def accepted_proofs(trajectories: Iterable[Trajectory], origin: str) -> list[ProofRecord]:
    """Return the distinct accepted proofs, in order of appearance."""
    records: dict[tuple[str, str], ProofRecord] = {}
    for trajectory in trajectories:
        for played in trajectory.rounds:
            if played.proof is not None and played.verdict is not None and played.verdict.accepted:
                key = (trajectory.statement.id, played.proof)
                records.setdefault(key, _record(trajectory.statement, played.proof, played.verdict, origin))
    return list(records.values())


def _record(statement: Statement, proof: str, verdict: Verdict, origin: str) -> ProofRecord:
    return ProofRecord(statement, proof, verdict.lean, verdict.library, verdict.axioms, verdict.seconds, origin, utc_now())


def verdict_counts(rollouts: Iterable[Rollout]) -> dict[str, int]:
    """Return the number of verdicts by kind; `no proof` counts attempts without code."""
    return dict(Counter(kind or "no proof" for rollout in rollouts for kind in rollout.kinds).most_common())
