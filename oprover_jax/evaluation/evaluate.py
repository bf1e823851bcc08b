"""Evaluation scores of trajectories: unbiased pass@k over statements, in total and by family."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import msgspec

from oprover_jax.evaluation.pass_at_k import bootstrap_interval, pass_at_k
from oprover_jax.records import Trajectory

KS = (1, 8)


class Score(msgspec.Struct, frozen=True):
    """One line of the report.

    Attributes:
      name: Stage or ablation.
      seconds: Duration of the evaluation.
      pass_at_1: Unbiased pass@1.
      pass_at_8: Unbiased pass@8.
      interval: 95% bootstrap interval of pass@8 over statements.
      n: Rollouts per statement.
      statements: Number of statements.
      unread: Statements too long for the prompt; they count as not proved.
      undecided: Rollouts without a verdict because infrastructure failed; they are excluded from n, never counted as failures.
      first_round: Share of rollouts whose first attempt was accepted.
      attempts: Number of attempts.
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
    """Pass@8 of one family of statements after one stage."""

    family: str
    stage: str
    pass_at_8: float
    statements: int


def outcomes(trajectories: Iterable[Trajectory]) -> dict[str, tuple[int, int]]:
    """Return statement id -> (rollouts with a verdict, accepted rollouts)."""
    counted: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for trajectory in trajectories:
        tally = counted[trajectory.statement.id]
        accepted = trajectory.accepted
        tally[0] += accepted is not None
        tally[1] += accepted is True
    return {key: (n, correct) for key, (n, correct) in counted.items()}


def score(name: str, trajectories: Sequence[Trajectory], statements: int, num_samples: int, seconds: float, seed: int) -> Score:
    """Return the scores of one evaluation; statements without rollouts were too long for the prompt and score 0.

    Args:
      name: Stage or ablation.
      trajectories: All rollouts.
      statements: Number of statements, including those without rollouts.
      num_samples: Rollouts per statement.
      seconds: Duration of the evaluation.
      seed: Random seed of the bootstrap.

    Raises:
      ValueError: A statement has fewer than 8 rollouts with a verdict, so that pass@8 is not defined.
    """
    tally = outcomes(trajectories)
    for key, (n, _) in tally.items():
        if n < max(KS):
            raise ValueError(f"{name}: statement {key} has {n} rollouts with a verdict but pass@{max(KS)} needs {max(KS)}; rerun the stage")
    unread = statements - len(tally)
    by_k = {k: [pass_at_k(n, correct, k) for n, correct in tally.values()] + [0.0] * unread for k in KS}
    first = [bool(t.rounds[0].verdict and t.rounds[0].verdict.accepted) for t in trajectories]
    return Score(
        name=name,
        seconds=seconds,
        pass_at_1=sum(by_k[1]) / statements,
        pass_at_8=sum(by_k[8]) / statements,
        interval=bootstrap_interval(by_k[8], seed),
        n=num_samples,
        statements=statements,
        unread=unread,
        undecided=sum(t.accepted is None for t in trajectories),
        first_round=sum(first) / max(len(first), 1),
        attempts=sum(len(t.rounds) for t in trajectories),
    )


def family_scores(stage: str, trajectories: Sequence[Trajectory]) -> list[FamilyScore]:
    """Return pass@8 by family, in alphabetical order."""
    families: dict[str, str] = {t.statement.id: t.statement.family for t in trajectories}
    values: dict[str, list[float]] = defaultdict(list)
    for key, (n, correct) in outcomes(trajectories).items():
        values[families[key]].append(pass_at_k(n, correct, max(KS)))
    return [FamilyScore(family, stage, sum(v) / len(v), len(v)) for family, v in sorted(values.items())]
