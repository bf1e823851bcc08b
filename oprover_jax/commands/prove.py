"""`oprover prove FILE.lean`: replace the `sorry`s of a Lean file with proofs that the kernel accepted."""

import asyncio
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from lean_worker.lean_pool import LeanPool
from lean_worker.source import Declaration, open_declarations
from oprover_jax.agent.refine import OnRound, ended, prove
from oprover_jax.commands.fill import Filling, filled, filling, fits
from oprover_jax.commands.proving_agent import ProvingAgent
from oprover_jax.errors import InputError
from oprover_jax.posttraining.run_folder import write_atomic
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import Round, Statement, Trajectory
from oprover_jax.statements.declarations import is_declaration
from oprover_jax.statements.normalize import statement_id


def prove_file(path: Path, agent: ProvingAgent, num_samples: int, out: Path, seed: int, console: ProgressConsole) -> dict[str, str]:
    """Prove the open theorems of `path` one by one and write the filled file to `out` after each.

    Args:
      path: Lean file.
      agent: Policy, Lean pool, prompt template and retrieval memory.
      num_samples: Rollouts per theorem.
      out: Output file.
      seed: Random seed of sampling.
      console: Receives progress and results.

    Returns:
      The proofs by theorem name.

    Raises:
      InputError: `path` or the parent directory of `out` does not exist. Nothing is written.
      LeanWorkerError: The file does not parse or elaborate. Nothing is written.
      EngineError: The policy became unavailable; proofs found so far are written.
    """
    if not path.is_file():
        raise InputError(f"{path} does not exist; give a .lean file")
    if not out.parent.is_dir():
        raise InputError(f"--out: parent directory '{out.parent}' does not exist; create it first or give another --out")
    text = path.read_text(encoding="utf-8")
    about = agent.pool.describe()
    console.line(f"proofs are checked by Lean {about.lean} ({about.backend})")
    targets = open_declarations(text, agent.pool, path.name)
    if not targets:
        console.line(f"{path}: no `sorry` to prove")
        return {}
    proofs: dict[int, str] = {}
    fillings: dict[int, Filling] = {}
    written = False
    try:
        for number, target in enumerate(targets, 1):
            trajectories = _prove_one(agent, target, num_samples, seed, console, f"[{number:>2}/{len(targets)}] {_where(target)}")
            accepted = _accepted(trajectories)
            best = _first_that_fits(accepted, target, text, targets, fillings, agent.pool)
            if best is not None:
                proofs[target.start], fillings[target.start] = best
            write_atomic(out, filled(text, targets, fillings).encode())
            written = True
            console.line(_outcome(target, trajectories))
            if accepted and best is None:
                console.line(f"{_where(target)}: its proof does not fit into the file, so `sorry` remains there; insert it by hand:")
                console.line(accepted[0])
    except KeyboardInterrupt:
        console.line(
            f"interrupted; {_summary(targets, proofs, out)}" if written else "interrupted in the first theorem; nothing was written"
        )
        sys.exit(130)
    console.line(_summary(targets, proofs, out))
    return {target.name: proofs[target.start] for target in targets if target.start in proofs}


def _prove_one(
    agent: ProvingAgent, target: Declaration, num_samples: int, seed: int, console: ProgressConsole, label: str
) -> list[Trajectory]:
    """Return the trajectories on one theorem and show each round; an empty list if the statement exceeds the prompt budget."""
    identity = statement_id(target.statement, target.header)
    statement = Statement(id=identity, name=target.name, formal=target.statement, header=target.header)
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


def _accepted(trajectories: list[Trajectory]) -> list[str]:
    """Return the accepted proofs, bare ones first, the shortest first."""
    rounds = [r for t in trajectories for r in t.rounds if r.verdict is not None and r.verdict.accepted]
    return sorted({r.proof for r in rounds if r.proof is not None}, key=lambda proof: (is_declaration(proof), len(proof), proof))


def _first_that_fits(
    proofs: list[str], target: Declaration, text: str, targets: list[Declaration], fillings: dict[int, Filling], pool: LeanPool
) -> tuple[str, Filling] | None:
    """Return the first proof that can be inserted; Lean reads the file again if the proof brings helpers."""
    for proof in proofs:
        made = filling(target.statement, proof)
        if made is None:
            continue
        whole = filled(text, targets, {**fillings, target.start: made})
        if not is_declaration(proof) or fits(whole, pool, target.name):
            return proof, made
    return None


def _where(target: Declaration) -> str:
    return f"{target.name} (line {target.line})"


def _outcome(target: Declaration, trajectories: list[Trajectory]) -> str:
    attempts = sum(len(t.rounds) for t in trajectories)
    if accepted := [len(t.rounds) for t in trajectories if t.accepted]:
        return f"{_where(target)}: proved by {len(accepted)} of {len(trajectories)} rollouts, first in round {min(accepted)}"
    if not trajectories:
        return f"{_where(target)}: skipped, the statement exceeds the prompt budget of the policy"
    messages = Counter(_message(r) for t in trajectories for r in t.rounds)
    return f"{_where(target)}: not proved in {attempts} attempts; most frequent message of Lean: {messages.most_common(1)[0][0]}"


def _message(played: Round) -> str:
    """Return the first line of Lean's first error, or of the feedback if Lean reported none."""
    errors = [message.text for message in (played.verdict.messages if played.verdict else ()) if message.severity == "error"]
    return (errors or [played.feedback or "none"])[0].strip().split("\n")[0]


def _summary(targets: list[Declaration], proofs: dict[int, str], out: Path) -> str:
    left = [_where(target) for target in targets if target.start not in proofs]
    remain = f"; `sorry` remains in {', '.join(left)}" if left else ""
    return f"{len(proofs)} of {len(targets)} proved; written to {out}{remain}"
