"""`oprover prove FILE.lean`: replace the `sorry`s of a Lean file with proofs that the kernel accepted."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from lean_worker.extract import NotStated
from lean_worker.filling import OpenFile, fill, open_file
from oprover_jax.agent.refine import OnRound, ended, prove
from oprover_jax.commands.hole_task import HoleTask, candidates, insertions, task_of
from oprover_jax.commands.proving_agent import ProvingAgent
from oprover_jax.commands.source_file import read_source, write_source
from oprover_jax.errors import InputError
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import Round, Trajectory

_ERRORS_SHOWN = 5


@dataclass(frozen=True)
class Outcome:
    """What became of one hole: its place, its goal, the accepted proof if it was filled, and a sentence about it."""

    where: str
    goal: str
    proof: str | None
    text: str


def prove_file(path: Path, agent: ProvingAgent, num_samples: int, out: Path, seed: int, console: ProgressConsole) -> dict[str, str]:
    """Prove the holes of `path` one by one and write the filled file to `out` after each.

    Lean finds the holes, wherever they stand. One that is a whole proof is stated as its declaration, any other by its goal. A proof
    counts once Lean has read the file with the proof in its place: the hole is gone, and nothing else is worse.

    Args:
      path: Lean file.
      agent: Policy, Lean pool, prompt template and retrieval memory.
      num_samples: Rollouts per hole.
      out: Output file.
      seed: Random seed of sampling.
      console: Receives progress and results.

    Returns:
      The proofs by declaration, with line and column in the file as it was: `name (line:column)`.

    Raises:
      InputError: `path` or the parent directory of `out` does not exist, or `path` is not UTF-8. Nothing is written.
      LeanWorkerError: Lean gives no answer about the file. Nothing is written.
      EngineError: The policy became unavailable; proofs found so far are written.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a .lean file")
    if not out.parent.is_dir():
        raise InputError(f"--out: parent directory '{out.parent}' does not exist; create it first or give another --out")
    source = read_source(path)
    about = agent.pool.describe()
    console.line(f"proofs are checked by Lean {about.lean} ({about.backend})")
    file = open_file(agent.pool, source.text, path.name)
    _say_errors(file, path.name, console)
    total = len(file.report.holes)
    if not total:
        console.line(f"{path}: no `sorry` to prove")
        return {}
    open_ones = [Outcome(_where(task_of(file, index)), hole.goal, None, "not tried") for index, hole in enumerate(file.report.holes)]
    console.line(f"{path}: {total} {'hole' if total == 1 else 'holes'}")
    outcomes: list[Outcome] = []
    written = False
    try:
        for number, hole in enumerate(open_ones, 1):
            index = sum(outcome.proof is None for outcome in outcomes)
            file, outcome = _fill_one(agent, file, index, hole, num_samples, seed, console, f"[{number:>2}/{total}] {hole.where}")
            outcomes.append(outcome)
            write_source(out, source, file.text)
            written = True
            console.line(f"{outcome.where}: {outcome.text}")
    except KeyboardInterrupt:
        if written:
            console.line("interrupted")
            _say_summary([*outcomes, *open_ones[len(outcomes) :]], out, console)
        else:
            console.line("interrupted in the first hole; nothing was written")
        sys.exit(130)
    _say_summary(outcomes, out, console)
    return {outcome.where: outcome.proof for outcome in outcomes if outcome.proof is not None}


def _fill_one(
    agent: ProvingAgent, file: OpenFile, index: int, before: Outcome, num_samples: int, seed: int, console: ProgressConsole, label: str
) -> tuple[OpenFile, Outcome]:
    """Return the file after an attempt to fill one hole, and what became of the hole."""
    try:
        task = task_of(file, index).stated(agent.pool)
    except NotStated as error:
        return file, replace(before, text=f"found, but not tried: {error}")
    trajectories = _prove_one(agent, task, num_samples, seed, console, label)
    refused = ""
    for proof in candidates(trajectories):
        filled, reason = fill(agent.pool, file, task.hole, insertions(task, proof))
        if filled is not None:
            rest = "" if task.name not in _incomplete(filled) else "; its declaration is not complete yet"
            return filled, replace(before, proof=proof, text=f"{_success(trajectories)}{rest}")
        refused = refused or f"proved as a statement of its own, but not in its place: {reason}; the proof was:\n{_indented(proof)}"
    return file, replace(before, text=refused or _failure(trajectories))


def _prove_one(agent: ProvingAgent, task: HoleTask, num_samples: int, seed: int, console: ProgressConsole, label: str) -> list[Trajectory]:
    """Return the trajectories on one hole and show each round; an empty list if the statement exceeds the prompt budget."""
    statement = task.statement
    if not agent.template.fits(statement):
        return []
    prover, retrieved = agent.prover(), agent.retrieve(statement)
    with console.bar(label) as progress:
        progress.total(num_samples * agent.refine.rounds)

        def show(attempts: int, detail: str, complete: bool) -> None:
            progress.update(attempts, detail)
            if complete and not console.rich.is_terminal:
                console.line(f"{label} {detail}")

        on_round = _by_round(num_samples, agent.refine.rounds, show)
        return asyncio.run(prove(prover, statement, retrieved, num_samples, agent.refine, "prove", seed, on_round))


def _by_round(num_samples: int, rounds: int, show: Callable[[int, str, bool], None]) -> OnRound:
    """Return a callback that calls `show` with the attempts so far, a text on the current round, and True once that round is complete."""
    made, accepted, over = Counter[int](), Counter[int](), Counter[int]()
    complete = 0

    def expected(number: int) -> int:
        return num_samples - sum(over[earlier] for earlier in range(1, number))

    def text(number: int) -> str:
        return f"round {number} of {rounds}: {made[number]} of {expected(number)} attempts verified, {accepted[number]} accepted"

    def on_round(number: int, last: Round) -> None:
        nonlocal complete
        made[number] += 1
        accepted[number] += last.verdict is not None and last.verdict.accepted is True
        over[number] += ended(last)
        show(made.total(), text(number), False)
        while complete < rounds and 0 < expected(complete + 1) == made[complete + 1]:
            complete += 1
            show(made.total(), text(complete), True)

    return on_round


def _where(task: HoleTask) -> str:
    span = task.hole.span
    return f"{task.name} ({span.line}:{span.column})"


def _incomplete(file: OpenFile) -> set[str]:
    """Return the theorems that have holes or errors, or use what has."""
    return {theorem.name for theorem in file.report.theorems if not theorem.accepted}


def _success(trajectories: list[Trajectory]) -> str:
    accepted = [len(t.rounds) for t in trajectories if t.accepted]
    return f"proved by {len(accepted)} of {len(trajectories)} rollouts, first in round {min(accepted)}"


def _failure(trajectories: list[Trajectory]) -> str:
    if not trajectories:
        return "skipped, the statement exceeds the prompt budget of the policy"
    attempts = sum(len(t.rounds) for t in trajectories)
    messages = Counter(_message(r) for t in trajectories for r in t.rounds)
    return f"not proved in {attempts} attempts; most frequent message of Lean: {messages.most_common(1)[0][0]}"


def _message(last: Round) -> str:
    """Return the first line of Lean's first error, or of the feedback if Lean reported none."""
    errors = [message.text for message in (last.verdict.messages if last.verdict else ()) if message.severity == "error"]
    return (errors or [last.feedback or "none"])[0].strip().split("\n")[0]


def _say_errors(file: OpenFile, name: str, console: ProgressConsole) -> None:
    """Print the errors that the file had before anything was proved."""
    errors = [message for message in file.report.messages if message.severity == "error"]
    for message in errors[:_ERRORS_SHOWN]:
        console.line(f"{name}:{message.line}:{message.column}: error: {message.text.splitlines()[0]}")
    if errors:
        more = f" ({len(errors) - _ERRORS_SHOWN} more)" if len(errors) > _ERRORS_SHOWN else ""
        console.line(f"{name} has errors{more}; what has them stays as it is, holes elsewhere are proved")


def _say_summary(outcomes: list[Outcome], out: Path, console: ProgressConsole) -> None:
    """Print every hole with its outcome, and the goals of those that are open."""
    for outcome in outcomes:
        if outcome.proof is not None:
            console.line(f"proved  {outcome.where}")
        else:
            console.line(f"open    {outcome.where}: {outcome.text.split(chr(10))[0]}")
            console.line(_indented(outcome.goal or "(Lean shows no goal there)"))
    proved = [outcome for outcome in outcomes if outcome.proof is not None]
    remain = ", ".join(outcome.where for outcome in outcomes if outcome.proof is None)
    console.line(f"{len(proved)} of {len(outcomes)} proved; written to {out}{f'; `sorry` remains in {remain}' if remain else ''}")


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.split("\n"))
