"""Selection of training data from rollouts: repairs for SFT, hard states for GSPO.

The publication trains SFT on round-level repair examples and RL on "unresolved hard" statements with some success, without giving
thresholds. The thresholds here are our own settings.
"""

import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from oprover_jax.data.rollouts import Where, read, scan
from oprover_jax.data.trajectories import RoundExample, chosen_rounds
from oprover_jax.records import Statement


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


def sft_rounds(files: Sequence[str], config: SelectConfig) -> list[RoundExample]:
    """Return the accepted, well-formed rounds in `files` that SFT trains on; `data.trajectories.read_examples` reads their token ids.

    Args:
      files: Parts of stored rollouts.
      config: Thresholds.
    """
    return chosen_rounds(files, config.per_statement, config.per_proof, config.mastered)


def hard_states(files: Sequence[str], config: SelectConfig, seed: int, limit: int | None = None) -> list[HardState]:
    """Return, shuffled, the first-round states with a success rate in the hard band, each with one later state of its statement.

    Args:
      files: Parts of stored rollouts.
      config: Thresholds.
      seed: Random seed of the choice and the order, which do not depend on how the rollouts are distributed over files.
      limit: Maximum number of states; only their prompts are read.
    """
    groups: dict[str, list[tuple[str, int, bool, int, Where]]] = defaultdict(list)
    for rollout in scan(files):
        groups[rollout.statement].append((rollout.stage, rollout.sample, rollout.teaches(0), len(rollout.kinds), rollout.where))
    low, high = config.hard
    rng = random.Random(seed)
    chosen: list[tuple[Where, int]] = []
    for _, group in sorted(groups.items()):
        group.sort()
        rate = sum(is_solved for _, _, is_solved, _, _ in group) / len(group)
        if low < rate <= high:
            later = [(where, number) for *_, rounds, where in group for number in range(1, rounds)]
            chosen += [(group[0][-1], 0), *([rng.choice(later)] if later else [])]
    rng.shuffle(chosen)
    return _states(files, chosen[:limit])


def _states(files: Sequence[str], chosen: Sequence[tuple[Where, int]]) -> list[HardState]:
    """Return the states before the given rounds, in order."""
    numbers: dict[Where, set[int]] = defaultdict(set)
    for where, number in chosen:
        numbers[where].add(number)
    same: dict[int, int] = {}  # equal ids share one object, which would take most of a prompt's memory
    found: dict[tuple[Where, int], HardState] = {}
    for where, trajectory in zip(sorted(numbers), read(files, numbers), strict=True):
        for number in numbers[where]:
            played = trajectory.rounds[number]
            prompt = tuple(same.setdefault(token, token) for token in played.prompt_ids)
            found[where, number] = HardState(trajectory.statement, prompt, played.retrieved)
    return [found[each] for each in chosen]
