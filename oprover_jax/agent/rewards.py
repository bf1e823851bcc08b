"""Reward of one attempt (OProver: 0.8 if Lean accepts it, plus 0.2 if it is well-formed, else 0)."""

from dataclasses import dataclass

from oprover_jax.records import Verdict


@dataclass(frozen=True)
class RewardConfig:
    """Reward values; `form` is added only to `accepted`, a well-formed answer alone gets 0."""

    accepted: float = 0.8
    form: float = 0.2

    def __post_init__(self) -> None:
        if self.accepted <= 0 or self.form < 0:
            raise ValueError(
                f"reward: accepted is {self.accepted} and form is {self.form}; accepted must be more than 0 and form at least 0"
            )


def reward(verdict: Verdict | None, well_formed: bool, config: RewardConfig) -> float | None:
    """Return the reward, or None if Lean was away.

    A failed attempt gets 0: without a proof (`verdict` None), rejected, or with a proof that Lean cannot finish or read.
    """
    if verdict is not None and verdict.kind == "unavailable":
        return None
    return config.accepted + config.form * well_formed if verdict is not None and verdict.accepted else 0.0
