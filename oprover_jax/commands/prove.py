"""`oprover prove FILE.lean`: fills the `sorry`s of a user's own file with proofs that the kernel accepted."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from lean_worker.source import Declaration, filled, open_declarations
from oprover_jax.agent.refine import OnRound, ended, prove
from oprover_jax.commands.proving_agent import ProvingAgent
from oprover_jax.errors import InputError
from oprover_jax.posttraining.run_folder import write_atomic
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import Round, Statement, Trajectory
from oprover_jax.statements.normalize import statement_id


def prove_file(path: Path, agent: ProvingAgent, samples: int, out: Path, seed: int, console: ProgressConsole) -> dict[str, str]:
    """Proves what it can of `path`, theorem by theorem; writes the filled file to `out` after each one; returns name -> proof.

    Raises:
      InputError: for a file that is not there, or a folder to write to.
      LeanWorkerError: for a file that does not parse or elaborate. Nothing is written in either case.
      EngineError: where the policy cannot be asked any more; what was proved so far is written.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a .lean file")
    if not out.parent.is_dir():
        raise InputError(f"{out.parent} is no folder, and {out.name} is to be written to it; make it first, or give another --out")
    text = path.read_text(encoding="utf-8")
    targets = open_declarations(text, agent.pool, path.name)
    if not targets:
        console.line(f"{path}: no theorem is left as `sorry`; nothing to do")
        return {}
    proofs: dict[int, str] = {}
    written = False
    try:
        for number, target in enumerate(targets, 1):
            trajectories = _prove_one(agent, target, samples, seed, console, f"[{number:>2}/{len(targets)}] {_where(target)}")
            best = _shortest(trajectories)
            if best is not None:
                proofs[target.start] = best
            write_atomic(out, filled(text, proofs).encode())
            written = True
            console.line(_outcome(target, best, trajectories))
    except KeyboardInterrupt:
        console.line(f"stopped; {_summary(targets, proofs, out)}" if written else "stopped in the first theorem; nothing is written")
        sys.exit(130)
    console.line(_summary(targets, proofs, out))
    return {target.name: proofs[target.start] for target in targets if target.start in proofs}


def _prove_one(agent: ProvingAgent, target: Declaration, samples: int, seed: int, console: ProgressConsole, label: str) -> list[Trajectory]:
    """Trajectories on one theorem, round by round on the screen; none where the statement is longer than the policy can read."""
    identity = statement_id(target.statement, target.header)
    statement = Statement(id=identity, name=target.name, formal=target.statement, header=target.header)
    if not agent.template.fits(statement):
        return []
    prover, retrieved = agent.prover(), agent.retrieve(statement)
    with console.bar(label) as progress:
        progress.total(samples * agent.refine.rounds)

        def show(attempts: int, detail: str, complete: bool) -> None:
            progress.update(attempts, detail)
            if complete and not console.rich.is_terminal:
                console.line(f"{label} {detail}")

        on_round = _by_round(samples, agent.refine.rounds, show)
        return asyncio.run(prove(prover, statement, retrieved, samples, agent.refine, "prove", seed, on_round))


def _by_round(samples: int, rounds: int, show: Callable[[int, str, bool], None]) -> OnRound:
    """What to tell `show`: attempts so far, those of one round in words, and whether all rollouts that come to that round have made it."""
    made, accepted, over = Counter[int](), Counter[int](), Counter[int]()
    complete = 0

    def coming(number: int) -> int:
        return samples - sum(over[earlier] for earlier in range(1, number))

    def words(number: int) -> str:
        return f"round {number} of {rounds}: {made[number]} of {coming(number)} attempts judged, {accepted[number]} accepted"

    def on_round(number: int, one: Round) -> None:
        nonlocal complete
        made[number] += 1
        accepted[number] += one.verdict is not None and one.verdict.accepted is True
        over[number] += ended(one)
        show(made.total(), words(number), False)
        while complete < rounds and 0 < coming(complete + 1) == made[complete + 1]:
            complete += 1
            show(made.total(), words(complete), True)

    return on_round


def _shortest(trajectories: list[Trajectory]) -> str | None:
    accepted = [r.proof for t in trajectories for r in t.rounds if r.proof is not None and r.verdict is not None and r.verdict.accepted]
    return min(accepted, key=lambda proof: (len(proof), proof), default=None)


def _where(target: Declaration) -> str:
    return f"{target.name} (line {target.line})"


def _outcome(target: Declaration, best: str | None, trajectories: list[Trajectory]) -> str:
    attempts = sum(len(t.rounds) for t in trajectories)
    if best is not None:
        accepted = [len(t.rounds) for t in trajectories if t.accepted]
        return f"{_where(target)}: proved, first in round {min(accepted)}, by {len(accepted)} of {len(trajectories)} rollouts"
    if not trajectories:
        return f"{_where(target)}: not tried, the statement is longer than the policy's prompt allows"
    answers = Counter(r.feedback.strip().split("\n")[-1] for t in trajectories for r in t.rounds)
    return f"{_where(target)}: not proved in {attempts} attempts; Lean's most frequent answer: {answers.most_common(1)[0][0]}"


def _summary(targets: list[Declaration], proofs: dict[int, str], out: Path) -> str:
    left = [_where(target) for target in targets if target.start not in proofs]
    remain = f"; `sorry` remains in {', '.join(left)}" if left else ""
    return f"{len(proofs)} of {len(targets)} proved; written to {out}{remain}"
