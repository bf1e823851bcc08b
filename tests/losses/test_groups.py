import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oprover_jax.losses.groups import group_advantages, informative_groups, k1, trained_attempts
from oprover_jax.losses.gspo import GSPOConfig

REWARDS = np.array([[1.0, 0.0, 0.8], [0.8, 0.8, 0.8], [0.0, 1.0, 1.0], [0.0, 0.0, 0.0]])
VALID = np.array([[True, True, True], [True, True, True], [False, True, True], [False, False, False]])
TRUNCATED = np.array([[False, True, False], [True, False, False], [True, False, True], [False, False, False]])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(st.sampled_from([0.0, 0.8, 1.0]), min_size=4, max_size=4), min_size=1, max_size=4), st.randoms())
def test_advantages_are_standard_scores_within_the_group(rewards, random) -> None:
    rewards = np.array(rewards)
    valid = np.array([[random.random() < 0.8 for _ in row] for row in rewards])
    penalty = 0.01 * np.array([[random.random() for _ in row] for row in rewards])
    for taken, found in ((0.0 * penalty, group_advantages(rewards, valid)), (penalty, group_advantages(rewards, valid, penalty))):
        assert found.shape == rewards.shape
        for row, group in enumerate(rewards):
            kept = (group - taken[row])[valid[row]]
            assert (found[row][~valid[row]] == 0).all()
            if len(set(group[valid[row]])) < 2:
                assert (found[row] == 0).all()  # with a penalty too: its noise alone teaches nothing
            else:
                np.testing.assert_allclose(found[row][valid[row]], (kept - kept.mean()) / kept.std(), rtol=1e-9)


def test_an_invalid_reward_may_be_nan() -> None:
    found = group_advantages(np.array([[1.0, np.nan, 0.0]]), np.array([[True, False, True]]))
    np.testing.assert_array_equal(found, [[1.0, 0.0, -1.0]])


def test_a_penalty_that_cancels_the_rewards_gives_no_advantage() -> None:
    assert (group_advantages(np.array([[1.0, 0.0]]), penalty=np.array([[1.0, 0.0]])) == 0).all()


def test_informative_groups_have_two_different_verdicts() -> None:
    assert informative_groups(REWARDS, VALID).tolist() == [True, False, False, False]
    assert informative_groups(REWARDS, np.ones_like(VALID)).tolist() == [True, False, True, False]


@pytest.mark.parametrize("mask_truncated", [False, True])
@pytest.mark.parametrize("filter_groups", [False, True])
def test_what_is_left_out_follows_the_settings_and_keeps_its_place(mask_truncated: bool, filter_groups: bool) -> None:
    config = GSPOConfig(mask_truncated=mask_truncated, filter_groups=filter_groups)
    found = trained_attempts(REWARDS, VALID, TRUNCATED, config)
    taught = [0] if filter_groups else [0, 1, 2]
    wanted = [[g in taught and VALID[g, n] and not (mask_truncated and TRUNCATED[g, n]) for n in range(3)] for g in range(4)]
    assert found.tolist() == wanted
    assert VALID[0].all(), "the settings change nothing in place"


def test_a_truncated_attempt_stays_in_the_mean_of_its_group() -> None:
    """DAPO masks the loss alone: the others' advantages are those of the whole group."""
    config = GSPOConfig(mask_truncated=True)
    assert trained_attempts(REWARDS, VALID, TRUNCATED, config)[0].tolist() == [True, False, True]
    np.testing.assert_allclose(group_advantages(REWARDS, VALID)[0], (REWARDS[0] - 0.6) / REWARDS[0].std())


def test_k1_is_the_log_ratio_of_whole_attempts() -> None:
    policy, reference = np.log(np.array([[0.5, 0.25, 0.9]] * 2)), np.log(np.array([[0.25, 0.5, 0.1]] * 2))
    found = k1(policy, reference, np.array([[1.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    np.testing.assert_allclose(found, [np.log(2.0 * 9.0), 0.0])
    assert not k1(policy, np.full_like(reference, -np.inf), np.zeros((2, 3))).any()
