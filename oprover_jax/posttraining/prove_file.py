"""`oprover prove FILE.lean`: fills the `sorry`s of a user's own file with proofs that the kernel accepted."""

import asyncio
import dataclasses
from collections import Counter
from pathlib import Path

from lean_worker.source import Declaration, filled, open_declarations
from oprover_jax.agent.refine import RefineConfig, prove
from oprover_jax.corpus.normalize import statement_id
from oprover_jax.errors import InputError
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.run_folder import open_run, write_atomic
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.progress import Screen, StageProgress
from oprover_jax.records import Round, Statement, Trajectory


def prove_file(path: Path, run: Path, rounds: int, samples: int, out: Path, seed: int, screen: Screen) -> dict[str, str]:
    """Proves what it can of `path` with the last policy of `run`; writes the filled file to `out`; returns name -> proof.

    Raises:
      InputError: for a file that is not there, or a folder that holds no trained run.
      LeanWorkerError: for a file that does not parse or elaborate. Nothing is written in either case.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a .lean file")
    text = path.read_text(encoding="utf-8")
    folder, experiment = open_run(run, Experiment)
    config = dataclasses.replace(experiment.refine, rounds=rounds)
    with Workbench(experiment, folder) as bench:
        targets = open_declarations(text, bench.pool, path.name)
        if not targets:
            screen.line(f"{path}: no theorem is left as `sorry`; nothing to do")
            return {}
        bench.require_policy()
        proofs: dict[int, str] = {}
        for number, target in enumerate(targets, 1):
            with screen.stage(number, len(targets), target.name) as progress:
                trajectories = _prove_one(bench, target, config, samples, seed, progress)
            best = _shortest(trajectories)
            if best is not None:
                proofs[target.start] = best
            screen.line(_outcome(target, best, trajectories))
    write_atomic(out, filled(text, proofs).encode())
    screen.line(f"{len(proofs)} of {len(targets)} proved; written to {out}")
    return {target.name: proofs[target.start] for target in targets if target.start in proofs}


def _prove_one(
    bench: Workbench, target: Declaration, config: RefineConfig, samples: int, seed: int, progress: StageProgress
) -> list[Trajectory]:
    """Trajectories on one theorem, round by round on the screen; none where the statement is longer than the policy can read."""
    identity = statement_id(target.statement, target.header)
    statement = Statement(id=identity, name=target.name, formal=target.statement, header=target.header)
    if not bench.template.fits(statement):
        return []
    [retrieved] = bench.memory.search([statement], config.retrieve)
    counted: Counter[str] = Counter()

    def on_round(one: Round) -> None:
        counted["attempts"] += 1
        counted["accepted"] += one.verdict is not None and one.verdict.accepted is True
        progress.update(counted["attempts"], f"{counted['accepted']} accepted")

    progress.total(samples * config.rounds)
    return asyncio.run(prove(bench.prover(), statement, retrieved, samples, config, "prove", seed, on_round))


def _shortest(trajectories: list[Trajectory]) -> str | None:
    accepted = [r.proof for t in trajectories for r in t.rounds if r.proof is not None and r.verdict is not None and r.verdict.accepted]
    return min(accepted, key=lambda proof: (len(proof), proof), default=None)


def _outcome(target: Declaration, best: str | None, trajectories: list[Trajectory]) -> str:
    where = f"{target.name} (line {target.line})"
    attempts = sum(len(t.rounds) for t in trajectories)
    if best is not None:
        return f"{where}: proved in {attempts} attempts"
    if not trajectories:
        return f"{where}: not tried, the statement is longer than the policy's prompt allows"
    answers = Counter(r.feedback.strip().split("\n")[-1] for t in trajectories for r in t.rounds)
    return f"{where}: not proved in {attempts} attempts; Lean's most frequent answer: {answers.most_common(1)[0][0]}"
