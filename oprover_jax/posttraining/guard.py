"""Guard of a run: stops it, with the evidence, when what it learns from looks wrong.

A verifier that accepts too much, an engine that samples from other weights, and one trick that proves everything all look like success.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

from oprover_jax.errors import TrainingFailed
from oprover_jax.records import ProofRecord
from oprover_jax.statements.declarations import bare_proof

_FEWEST = 20  # proofs from which on their shares mean something
_SHOWN = 200  # characters of a proof in the evidence


@dataclass(frozen=True)
class GuardConfig:
    """Limits at which a run stops; all are ours. They are not part of a run's identity, so they can be raised to resume it.

    Attributes:
      sampler_gap: Mean difference of the log-probability of a token between engine and trainer, in nats.
      reward_jump: Rise of the mean reward from one step of GSPO to the next.
      refused: Share of the proofs accepted by the fast tier that the tier for stored proofs refuses.
      one_proof: Share of the solved statements that one and the same proof solves.
    """

    sampler_gap: float = 0.5
    reward_jump: float = 0.7
    refused: float = 0.1
    one_proof: float = 0.9

    def __post_init__(self) -> None:
        for name in (field.name for field in fields(self)):
            if not getattr(self, name) > 0:
                raise ValueError(f"guard.{name} is {getattr(self, name)}; give a positive number, such as 1e9 for no limit")


def check_proofs(config: GuardConfig, accepted: Sequence[ProofRecord], verified: Sequence[ProofRecord]) -> None:
    """Check the proofs of a rollout stage.

    Args:
      config: Limits.
      accepted: Distinct proofs that the fast tier accepted.
      verified: Those that the tier for stored proofs accepted too.

    Raises:
      TrainingFailed: The tiers disagree too often, or one proof solves nearly everything; the message shows an example.
    """
    if len(accepted) < _FEWEST:
        return
    known = {(record.statement.id, record.proof) for record in verified}
    refused = [record for record in accepted if (record.statement.id, record.proof) not in known]
    if len(refused) > config.refused * len(accepted):
        raise TrainingFailed(
            f"{len(refused)} of {len(accepted)} proofs that the fast tier accepted were refused by the tier for stored proofs "
            f"({_example(refused[0])}); look at them before you raise guard.refused={config.refused:g}"
        )
    solved = {record.statement.id for record in accepted}
    texts = {(bare_proof(record.statement.formal, record.proof), record.statement.id) for record in accepted}
    text, count = Counter(text for text, _ in texts).most_common(1)[0]
    if len(solved) >= _FEWEST and count > config.one_proof * len(solved):
        raise TrainingFailed(
            f"one proof solves {count} of {len(solved)} statements (`{text[:_SHOWN]}`); check that their statements mean what they should, "
            f"or raise guard.one_proof={config.one_proof:g}"
        )


def check_reward(config: GuardConfig, step: int, before: float | None, now: float) -> None:
    """Check the mean reward of a step of GSPO against the one of the step before. Raises TrainingFailed."""
    if before is not None and now - before > config.reward_jump:
        raise TrainingFailed(
            f"the mean reward rose from {before:.2f} to {now:.2f} at step {step} of GSPO; look at its attempts, which are stored, before "
            f"you raise guard.reward_jump={config.reward_jump:g}"
        )


def check_gap(config: GuardConfig, metrics: Mapping[str, float]) -> None:
    """Check that the engine samples from the policy that is trained. Raises TrainingFailed."""
    gap = metrics["sampler_gap"]
    if not gap <= config.sampler_gap:
        raise TrainingFailed(
            f"the engine's log-probabilities differ from the trainer's by {gap:.3g} nats per token on average; compare their weights, "
            f"precision and temperature, or raise guard.sampler_gap={config.sampler_gap:g}"
        )


def _example(record: ProofRecord) -> str:
    return f"`{record.statement.formal[:_SHOWN]}` by `{record.proof[:_SHOWN]}`"
