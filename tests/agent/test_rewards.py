"""What an attempt is paid: acceptance first, form only on top of it, and nothing at all where nobody could judge."""

import pytest

from lean_worker.protocol import Verdict
from oprover_jax.agent.rewards import RewardConfig, reward

ACCEPTED, REJECTED, LOST = Verdict("a", True, "accepted"), Verdict("a", False, "error"), Verdict("a", None, "unavailable")
ENDLESS, UNREADABLE = Verdict("a", None, "timeout"), Verdict("a", None, "unreadable")


@pytest.mark.parametrize(
    ("verdict", "well_formed", "paid"),
    [
        *[(ACCEPTED, True, 1.0), (ACCEPTED, False, 0.8), (REJECTED, True, 0.0), (None, True, 0.0)],
        *[(LOST, True, None), (LOST, False, None), (ENDLESS, True, 0.0), (UNREADABLE, True, 0.0)],
    ],
)
def test_rewards_as_published_and_none_while_lean_is_away(verdict: Verdict | None, well_formed: bool, paid: float | None) -> None:
    assert reward(verdict, well_formed, RewardConfig()) == paid


def test_form_alone_cannot_be_made_to_pay() -> None:
    with pytest.raises(ValueError, match="more than 0"):
        RewardConfig(accepted=0.0, form=0.2)
