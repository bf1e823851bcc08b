"""Scores of a set of trajectories: unbiased pass@k over statements, in all and by family."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from oprover_jax.evaluation.pass_at_k import bootstrap_interval, pass_at_k
from oprover_jax.records import Trajectory

KS = (1, 8)


class Score(msgspec.Struct, frozen=True):
    """One line of the report. `interval` is the 95% bootstrap interval of pass@8 over statements.

    `n` is the number of rollouts per statement and `undecided` how many of all rollouts had no verdict (infrastructure):
    those are left out of their statement's n, never counted as failures. `unread` statements were too long for the prompt
    and count as not proved. `first_round` is the share of rollouts accepted at once, `attempts` the number of proofs written.
    """

    name: str
    seconds: float
    pass_at_1: float
    pass_at_8: float
    interval: tuple[float, float]
    n: int
    statements: int
    unread: int
    undecided: int
    first_round: float
    attempts: int


class FamilyScore(msgspec.Struct, frozen=True):
    """pass@8 of one family of statements after one stage."""

    family: str
    stage: str
    pass_at_8: float
    statements: int


def outcomes(trajectories: Iterable[Trajectory]) -> dict[str, tuple[int, int]]:
    """Statement id -> (rollouts with a verdict, accepted ones)."""
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for trajectory in trajectories:
        tally = counted[trajectory.statement.id]
        accepted = trajectory.accepted
        tally[0] += accepted is not None
        tally[1] += accepted is True
    return {key: (n, correct) for key, (n, correct) in counted.items()}


def score(name: str, trajectories: Sequence[Trajectory], statements: int, samples: int, seconds: float, seed: int) -> Score:
    """The scores of one evaluation with `samples` rollouts per statement; statements without any rollout were not read and score 0.

    Raises:
      ValueError: if infrastructure left a statement fewer than 8 rollouts with a verdict, so that pass@8 is not defined.
    """
    tally = outcomes(trajectories)
    for key, (n, _) in tally.items():
        if n < max(KS):
            raise ValueError(f"{name}: statement {key} has {n} rollouts with a verdict, pass@{max(KS)} needs {max(KS)}; rerun the stage")
    unread = statements - len(tally)
    by_k = {k: [pass_at_k(n, correct, k) for n, correct in tally.values()] + [0.0] * unread for k in KS}
    first = [bool(t.rounds[0].verdict and t.rounds[0].verdict.accepted) for t in trajectories]
    return Score(
        name=name,
        seconds=seconds,
        pass_at_1=sum(by_k[1]) / statements,
        pass_at_8=sum(by_k[8]) / statements,
        interval=bootstrap_interval(by_k[8], seed),
        n=samples,
        statements=statements,
        unread=unread,
        undecided=sum(t.accepted is None for t in trajectories),
        first_round=sum(first) / max(len(first), 1),
        attempts=sum(len(t.rounds) for t in trajectories),
    )


def family_scores(stage: str, trajectories: Sequence[Trajectory]) -> list[FamilyScore]:
    """pass@8 by family, in alphabetical order."""
    families: dict[str, str] = {t.statement.id: t.statement.family for t in trajectories}
    values: dict[str, list[float]] = defaultdict(list)
    for key, (n, correct) in outcomes(trajectories).items():
        values[families[key]].append(pass_at_k(n, correct, max(KS)))
    return [FamilyScore(family, stage, sum(v) / len(v), len(v)) for family, v in sorted(values.items())]
