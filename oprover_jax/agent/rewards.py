"""The reward of one attempt (OProver: 0.8 if Lean accepts, 0.2 more if the form is right, else 0)."""

from dataclasses import dataclass

from oprover_jax.records import Verdict


@dataclass(frozen=True)
class RewardConfig:
    """`form` is paid only together with `accepted`: form alone earns nothing."""

    accepted: float = 0.8
    form: float = 0.2

    def __post_init__(self) -> None:
        if self.accepted <= 0 or self.form < 0:
            raise ValueError(f"rewards accepted={self.accepted}, form={self.form}: acceptance must pay more than 0 and form at least 0")


def reward(verdict: Verdict | None, well_formed: bool, config: RewardConfig) -> float | None:
    """None where infrastructure failed: such an attempt is neither praised nor blamed. No proof at all (`verdict` None) earns 0."""
    if verdict is None:
        return 0.0
    if verdict.accepted is None:
        return None
    return config.accepted + config.form * well_formed if verdict.accepted else 0.0
