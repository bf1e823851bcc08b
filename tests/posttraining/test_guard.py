"""The guard lets a sound run pass and stops an unsound one with its evidence."""

import pytest

from oprover_jax.errors import TrainingFailed
from oprover_jax.posttraining.guard import GuardConfig, check_gap, check_proofs, check_reward
from oprover_jax.records import ProofRecord, Statement

LIMITS = GuardConfig()


def proof(number: int, text: str) -> ProofRecord:
    statement = Statement(f"s{number}", f"t{number}", f"theorem t{number} : {number} = {number} := by sorry")
    return ProofRecord(statement, text, "4", "core", (), 0.1, "rollout-1")


def test_tiers_that_disagree_stop_the_run() -> None:
    accepted = [proof(n, f"by exact rfl -- {n}") for n in range(40)]
    check_proofs(LIMITS, accepted, accepted)
    check_proofs(LIMITS, accepted, accepted[:36])
    with pytest.raises(TrainingFailed, match=r"5 of 40 proofs .* refused .*theorem t35 .*guard\.refused=0\.1"):
        check_proofs(LIMITS, accepted, accepted[:35])
    check_proofs(LIMITS, accepted[:19], [])


def test_one_proof_of_everything_stops_the_run() -> None:
    same = [proof(n, "by simp_all") for n in range(38)]
    others = [proof(n, f"by exact {n}") for n in range(38, 42)]
    check_proofs(LIMITS, [*same[:36], *others], [*same, *others])
    check_proofs(LIMITS, [proof(0, f"by exact rfl -- {n}") for n in range(40)], [proof(0, f"by exact rfl -- {n}") for n in range(40)])
    with pytest.raises(TrainingFailed, match=r"one proof solves 38 of 42 statements \(`by simp_all`\)"):
        check_proofs(LIMITS, [*same, *others], [*same, *others])


def test_rewards_that_jump_and_engines_that_differ_stop_the_run() -> None:
    check_reward(LIMITS, 0, None, 1.0)
    check_reward(LIMITS, 1, 0.9, 0.1)
    check_reward(LIMITS, 1, 0.2, 0.85)
    with pytest.raises(TrainingFailed, match=r"rose from 0\.10 to 0\.90 at step 3"):
        check_reward(LIMITS, 3, 0.1, 0.9)
    check_gap(LIMITS, {"sampler_gap": 1e-6})
    for gap in (0.7, float("nan")):
        with pytest.raises(TrainingFailed, match="nats per token"):
            check_gap(LIMITS, {"sampler_gap": gap})


def test_limits_are_positive() -> None:
    with pytest.raises(ValueError, match=r"guard\.refused is 0"):
        GuardConfig(refused=0.0)
