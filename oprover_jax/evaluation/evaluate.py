"""Evaluation scores of stored rollouts: unbiased pass@k over statements, in total and by family."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import msgspec

from oprover_jax.data.rollouts import Rollout
from oprover_jax.evaluation.pass_at_k import bootstrap_interval, pass_at_k

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
    first_round: float
    attempts: int


class FamilyScore(msgspec.Struct, frozen=True):
    """Pass@8 of one family of statements after one stage."""

    family: str
    stage: str
    pass_at_8: float
    statements: int


@dataclass
class Outcome:
    """Rollouts on one statement: their number, those accepted, those accepted in the first round, and attempts of all of them."""

    family: str
    rollouts: int = 0
    accepted: int = 0
    first_round: int = 0
    attempts: int = 0


def outcomes(rollouts: Iterable[Rollout]) -> dict[str, Outcome]:
    """Return statement id -> outcome; every stored rollout counts, as none is stored without a verdict."""
    found: dict[str, Outcome] = {}
    for rollout in rollouts:
        outcome = found.setdefault(rollout.statement, Outcome(rollout.family))
        outcome.rollouts += 1
        outcome.accepted += rollout.accepted
        outcome.first_round += rollout.kinds[0] == "accepted"
        outcome.attempts += len(rollout.kinds)
    return found


def score(name: str, found: Mapping[str, Outcome], statements: int, num_samples: int, seconds: float, seed: int) -> Score:
    """Return the scores of one evaluation; statements without rollouts were too long for the prompt and score 0.

    Args:
      name: Stage or ablation.
      found: Outcomes by statement.
      statements: Number of statements, including those without rollouts.
      num_samples: Rollouts per statement.
      seconds: Duration of the evaluation.
      seed: Random seed of the bootstrap.

    Raises:
      ValueError: A statement has fewer than 8 rollouts, so that pass@8 is not defined.
    """
    unread = statements - len(found)
    by_k = {k: [pass_at_k(each.rollouts, each.accepted, k) for _, each in sorted(found.items())] + [0.0] * unread for k in KS}
    return Score(
        name=name,
        seconds=seconds,
        pass_at_1=sum(by_k[1]) / statements,
        pass_at_8=sum(by_k[8]) / statements,
        interval=bootstrap_interval(by_k[8], seed),
        n=num_samples,
        statements=statements,
        unread=unread,
        first_round=sum(each.first_round for each in found.values()) / max(sum(each.rollouts for each in found.values()), 1),
        attempts=sum(each.attempts for each in found.values()),
    )


def family_scores(stage: str, found: Mapping[str, Outcome]) -> list[FamilyScore]:
    """Return pass@8 by family, in alphabetical order."""
    values: dict[str, list[float]] = defaultdict(list)
    for each in found.values():
        values[each.family].append(pass_at_k(each.rollouts, each.accepted, max(KS)))
    return [FamilyScore(family, stage, sum(v) / len(v), len(v)) for family, v in sorted(values.items())]
