"""Selection of training data from rollouts: repairs for SFT, hard states for GSPO.

The publication trains SFT on round-level repair examples and RL on "unresolved hard" statements with some success, without giving
thresholds. The thresholds here are our own settings.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oprover_jax.data.rows import Example, prompted
from oprover_jax.data.trajectories import RoundExample, choose
from oprover_jax.records import Round, Statement, Trajectory
from oprover_jax.statements.declarations import bare_proof


@dataclass(frozen=True)
class SelectConfig:
    """Thresholds of the selection.

    Attributes:
      per_statement: Maximum number of accepted rounds per statement.
      per_proof: Maximum number of rounds with the same proof text over all statements, so that one tactic does not dominate.
      mastered: Success rate above which a statement contributes a single round.
      hard: Success rates of GSPO states, (low, high] with low exclusive.
      passes: Maximum number of SFT passes over the new rounds, against overfitting; the rest is filled with replayed
        public examples. 0 trains on public examples only (the control).
    """

    per_statement: int = 4
    per_proof: int = 8
    mastered: float = 0.8
    hard: tuple[float, float] = (0.0, 0.75)
    passes: float = 6.0

    def __post_init__(self) -> None:
        for name in ("per_statement", "per_proof"):
            if getattr(self, name) < 1:
                raise ValueError(f"select.{name} is {getattr(self, name)}; it must be at least 1")
        if self.passes < 0:
            raise ValueError(f"select.passes is {self.passes}; it must be at least 0")
        low, high = self.hard
        if not 0 <= low < high <= 1:
            raise ValueError(f"select.hard is {self.hard}; it must satisfy 0 <= low < high <= 1")


@dataclass(frozen=True)
class HardState:
    """Prompt from which the policy sometimes finds a proof; GSPO samples a group of attempts from it."""

    statement: Statement
    prompt_ids: tuple[int, ...]
    retrieved: tuple[str, ...]


def sft_examples(trajectories: Sequence[Trajectory], config: SelectConfig) -> list[Example]:
    """Return SFT examples of accepted, well-formed rounds chosen by `data.trajectories.choose`.

    The loss covers the new attempt only, as published. Token ids are the stored ones, never re-encoded.
    """
    solved: dict[str, list[bool]] = defaultdict(list)
    examples = []
    for index, trajectory in enumerate(trajectories):
        name = trajectory.statement.id
        solved[name].append(trajectory.accepted is True)
        for number, played in enumerate(trajectory.rounds):
            if _is_example(played):
                examples.append(
                    RoundExample(
                        name, trajectory.sample, number, len(played.attempt_ids), _key(trajectory.statement, played.proof), (index, number)
                    )
                )
    chosen = choose(examples, solved, config.per_statement, config.per_proof, config.mastered)
    rounds = [trajectories[example.where[0]].rounds[example.number] for example in chosen]
    return [prompted(played.prompt_ids, played.attempt_ids) for played in rounds]


def _key(statement: Statement, proof: str | None) -> str | None:
    """Return what two rounds with the same proof share: a restated theorem around the proof does not count."""
    return None if proof is None else bare_proof(statement.formal, proof)


def _is_example(played: Round) -> bool:
    return played.verdict is not None and played.verdict.accepted is True and played.well_formed


def hard_states(trajectories: Iterable[Trajectory], config: SelectConfig, seed: int) -> list[HardState]:
    """Return, shuffled, the first-round states with a success rate in the hard band, each with one second-round state of its statement."""
    by_statement: dict[str, list[Trajectory]] = defaultdict(list)
    for trajectory in trajectories:
        if trajectory.rounds:
            by_statement[trajectory.statement.id].append(trajectory)
    low, high = config.hard
    rng = random.Random(seed)
    chosen: list[HardState] = []
    for _, group in sorted(by_statement.items()):
        rate = sum(_is_example(t.rounds[0]) for t in group) / len(group)
        if low < rate <= high:
            repairs = [t.rounds[1] for t in group if len(t.rounds) > 1]
            states = [group[0].rounds[0], *([rng.choice(repairs)] if repairs else [])]
            chosen += [HardState(group[0].statement, r.prompt_ids, r.retrieved) for r in states]
    rng.shuffle(chosen)
    return chosen
