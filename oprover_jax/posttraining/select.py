"""Which rounds of the rollouts are trained on: repairs for SFT, hard states for GSPO.

The publication says that SFT takes round-level repair examples and RL the "unresolved hard" statements with some success;
it gives no thresholds. Ours are settings, with the defaults below.
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from oprover_jax.data.rows import Example, prompted
from oprover_jax.data.trajectories import RoundExample, choose
from oprover_jax.records import Round, Statement, Trajectory


@dataclass(frozen=True)
class SelectConfig:
    """`per_statement` accepted rounds of a statement at most, and `per_proof` of one proof text over all statements, lest one
    tactic that closes many easy goals crowd out the rest; `mastered` is the success rate above which a statement has nothing
    new to teach and gives one round only; `hard` bounds the success rate of the states that GSPO practises on, (low, high],
    low exclusive. Few new rounds are not learned by heart: SFT goes over them `passes` times at most and fills up with the
    replayed public set."""

    per_statement: int = 4
    per_proof: int = 8
    mastered: float = 0.8
    hard: tuple[float, float] = (0.0, 0.75)
    passes: float = 6.0

    def __post_init__(self) -> None:
        for name in ("per_statement", "per_proof"):
            if getattr(self, name) < 1:
                raise ValueError(f"select.{name} is {getattr(self, name)}; at least 1 round must be kept")
        if self.passes <= 0:
            raise ValueError(f"select.passes is {self.passes}; give a positive number of passes over the new rounds")
        low, high = self.hard
        if not 0 <= low < high <= 1:
            raise ValueError(f"select.hard is {self.hard}; give 0 <= low < high <= 1")


@dataclass(frozen=True)
class HardState:
    """A prompt that the policy sometimes turns into a proof; GSPO draws a group of attempts from it."""

    statement: Statement
    prompt_ids: tuple[int, ...]
    retrieved: tuple[str, ...]


def sft_examples(trajectories: Sequence[Trajectory], config: SelectConfig) -> list[Example]:
    """Accepted, well-formed rounds, chosen as `data.trajectories.choose` says.

    Loss on the new attempt only, as published. Token ids are those that were read and written, never encoded again.
    """
    solved: dict[str, list[bool]] = defaultdict(list)
    examples = []
    for index, trajectory in enumerate(trajectories):
        name = trajectory.statement.id
        solved[name].append(trajectory.accepted is True)
        for number, one in enumerate(trajectory.rounds):
            if _is_example(one):
                examples.append(RoundExample(name, trajectory.sample, number, len(one.attempt_ids), one.proof, (index, number)))
    chosen = choose(examples, solved, config.per_statement, config.per_proof, config.mastered)
    rounds = [trajectories[one.where[0]].rounds[one.number] for one in chosen]
    return [prompted(one.prompt_ids, one.attempt_ids) for one in rounds]


def _is_example(one: Round) -> bool:
    return one.verdict is not None and one.verdict.accepted is True and one.well_formed


def hard_states(trajectories: Iterable[Trajectory], config: SelectConfig, seed: int) -> list[HardState]:
    """First-round states whose success rate lies in the hard band, and for each a second-round state of that statement; shuffled."""
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
