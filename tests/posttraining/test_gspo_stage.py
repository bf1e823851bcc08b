"""The GSPO stage between engine and objective: rows, outcomes, and what the settings make of them."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from msgspec.structs import replace
from tiny_policy import CONFIG

from oprover_jax.errors import TrainingFailed
from oprover_jax.losses.groups import group_advantages
from oprover_jax.losses.gspo import GSPOConfig
from oprover_jax.posttraining.gspo import fresh_outcomes, minibatches, outcomes
from oprover_jax.records import FinishReason, Round
from oprover_jax.sharding import make_mesh
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.loop import LoopConfig
from oprover_jax.training.optimizer import OptimizerConfig
from oprover_jax.training.rollout_rows import attempt_row
from oprover_jax.training.rollout_step import rollout_step
from oprover_jax.training.step import Batch, TrainState

LENGTH = 8


def attempt(reward: float | None, finish: FinishReason = "stop", ids: tuple[int, ...] = (7, 1)) -> Round:
    return Round((5, 6), ids, (-0.5,) * len(ids), 3, finish, (), "by rfl", True, None, "", reward)


# two groups that teach, one that does not; the second attempt of the first was cut off, the last of the second got no verdict
GROUPS = [
    [attempt(1.0), attempt(0.0, "length", (7, 8, 9)), attempt(0.0), attempt(0.0)],
    [attempt(1.0), attempt(0.8), attempt(0.0), attempt(None)],
    [attempt(0.0)] * 4,
]
ROWS = [attempt_row(one, LENGTH) for group in GROUPS for one in group]
FIRST = (np.array([1, 0, 0, 0]) - 0.25) / np.std([1, 0, 0, 0])
SECOND = np.append((np.array([1, 0.8, 0]) - 0.6) / np.std([1, 0.8, 0]), 0)


def test_rows_align_mask_and_sampler() -> None:
    rows = ROWS
    assert len(rows) == 12
    assert rows[0]["weights"].tolist() == [0, 1, 1, 0, 0, 0, 0, 0]
    assert rows[1]["targets"][:4].tolist() == [6, 7, 8, 9]
    assert all((row["sampler_logprob"] == -0.5 * row["weights"]).all() for row in rows)


def test_outcomes_count_lost_verdicts_truncation_and_groups_that_teach() -> None:
    judged = outcomes(GROUPS)
    assert judged.valid.sum() == 11 and not judged.valid[1, 3] and judged.rewards[1, 3] == 0
    assert np.argwhere(judged.truncated).tolist() == [[0, 1]]
    assert judged.summary() == {
        "reward": pytest.approx(2.8 / 11),
        "effective_groups": pytest.approx(2 / 3),
        "truncated": 1 / 12,
        "stale": 0,
    }
    nothing = outcomes([[attempt(None), attempt(None)]]).summary()
    assert nothing == {"reward": 0.0, "effective_groups": 0.0, "truncated": 0.0, "stale": 0.0}


def test_attempts_of_a_policy_that_is_too_old_are_refused_and_counted() -> None:
    def drawn(version: int, reward: float) -> Round:
        return replace(attempt(reward), policy_version=version)

    groups = [[drawn(7, 1.0), drawn(6, 0.0), drawn(5, 0.0)], [drawn(7, 0.0), drawn(7, 1.0), drawn(4, 1.0)]]
    for staleness, refused in ((0, [[1, 2], [2]]), (1, [[2], [2]]), (2, [[], [2]]), (3, [[], []])):
        judged = fresh_outcomes(groups, 7, staleness)
        assert [np.flatnonzero(row).tolist() for row in judged.stale] == refused and (judged.valid == ~judged.stale).all()
        assert judged.summary()["stale"] == pytest.approx(sum(map(len, refused)) / 6)
    on_policy = fresh_outcomes(groups, 7, 0)
    assert not on_policy.rewards[on_policy.stale].any() and on_policy.summary()["reward"] == pytest.approx(2 / 3)
    assert group_advantages(on_policy.rewards, on_policy.valid).tolist() == [[0, 0, 0], [-1, 1, 0]]
    with pytest.raises(TrainingFailed, match=r"version 7 of the policy.*version 9 trains with gspo\.loss\.staleness=1"):
        fresh_outcomes(groups, 9, 1)


def practise(loss: GSPOConfig) -> tuple[list[Batch], dict[str, float]]:
    """The mini-batches that reach the update in two steps, and the metrics of the second; the model is played by one number w: each token's
    log-probability is -0.5 + w * (its id), and an update adds 0.01 to w, which was 0 when the stage began."""
    optimizer = OptimizerConfig(peak_lr=0.01, schedule="constant", warmup_steps=1)
    job = TrainingJob("t", "rl", CONFIG, optimizer, LoopConfig(2), batch_size=3, seq_len=LENGTH, gspo=loss, minibatches=4)
    mesh = make_mesh(job.mesh)
    taken: list[Batch] = []

    def update(state: TrainState, batch: Batch, rate: float) -> tuple[TrainState, dict[str, Any]]:
        taken.append(jax.device_get(batch))
        metrics = dict.fromkeys(("ratio", "tokens", "skipped", "skipped_in_a_row"), jnp.ones(()))
        return dataclasses.replace(state, params={"w": state.params["w"] + 0.01}), metrics

    def logprobs(params: Any, batch: Batch) -> Any:
        return -0.5 + params["w"] * batch["targets"].astype(jnp.float32)

    start = {"w": jnp.zeros(())}
    state, step = TrainState(0, 0, start, None, 0, None), rollout_step(logprobs, update, mesh)
    for _ in range(2):
        drawn = minibatches(ROWS, outcomes(GROUPS), job, state.params, start, logprobs, mesh)
        state, metrics = step(state, drawn, 0.1)
    return taken, {name: float(value) for name, value in metrics.items()}


def undealt(batches: list[Batch], name: str) -> np.ndarray:
    """A field of the mini-batches in the order of the groups, [3, 4, ...]."""
    rows = np.empty((12, *batches[0][name].shape[1:]))
    for i, batch in enumerate(batches):
        rows[i::4] = batch[name]
    return rows.reshape(3, 4, *rows.shape[1:])


def test_the_published_settings_teach_every_verdict_and_ask_for_no_reference() -> None:
    taken, metrics = practise(GSPOConfig())
    assert len(taken) == 8
    np.testing.assert_allclose(undealt(taken[:4], "advantages"), [FIRST, SECOND, np.zeros(4)], rtol=1e-6)
    trained = undealt(taken[:4], "weights").any(-1)
    assert trained.tolist() == outcomes(GROUPS).valid.tolist()
    assert all("reference_logprob" not in batch for batch in taken)
    # all old log-probabilities of an update are taken before its first step: w is 0 in the first update and 0.04 in the second
    old = undealt(taken[4:], "old_logprob")
    np.testing.assert_allclose(old, -0.5 + 0.04 * undealt(taken[4:], "targets"), rtol=1e-5)
    ids = [one for group in GROUPS for attempt in group for one in attempt.attempt_ids]
    assert metrics["sampler_gap_max"] == pytest.approx(0.04 * max(ids), rel=1e-4)
    assert metrics["sampler_gap"] == pytest.approx(0.04 * np.mean(ids), rel=0.05)  # a mean of the means of mini-batches
    assert metrics["sampler_kl"] > 0


def test_truncated_attempts_and_groups_without_variance_are_left_out_when_asked() -> None:
    taken, _ = practise(GSPOConfig(mask_truncated=True, filter_groups=True))
    trained = undealt(taken[:4], "weights").any(-1)
    assert trained.tolist() == [[True, False, True, True], [True, True, True, False], [False] * 4]
    np.testing.assert_allclose(undealt(taken[:4], "advantages")[0], FIRST, rtol=1e-6)
    assert {batch["tokens"].shape for batch in taken} == {(3, LENGTH)}


def test_k1_is_taken_from_the_rewards_with_the_start_of_the_stage_as_reference() -> None:
    taken, _ = practise(GSPOConfig(kl="k1_reward", kl_weight=0.5, mask_truncated=True))
    np.testing.assert_allclose(undealt(taken[:4], "advantages")[0], FIRST, rtol=1e-6)  # the policy has not left its reference yet
    assert (undealt(taken[4:], "reference_logprob") == -0.5).all()
    for number, rewards in ((0, [1, 0, 0, 0]), (1, [1, 0.8, 0])):
        left = [r - 0.5 * 0.04 * sum(one.attempt_ids) for r, one in zip(rewards, GROUPS[number], strict=False)]
        found = undealt(taken[4:], "advantages")[number, : len(left)]
        np.testing.assert_allclose(found, (np.array(left) - np.mean(left)) / np.std(left), rtol=1e-5)
    assert not undealt(taken[4:], "advantages")[2].any()


@pytest.mark.parametrize("loss", [GSPOConfig(kl="k2_loss", kl_weight=0.1), GSPOConfig(sampler_cap=2.0)], ids=["k2", "capped"])
def test_the_objective_gets_the_fields_that_it_asks_for(loss: GSPOConfig) -> None:
    taken, _ = practise(loss)
    np.testing.assert_allclose(undealt(taken[:4], "advantages"), [FIRST, SECOND, np.zeros(4)], rtol=1e-6)
    assert (undealt(taken[:4], "sampler_logprob").sum(-1) == [[-1.0, -1.5, -1.0, -1.0], [-1.0] * 4, [-1.0] * 4]).all()
    assert ("reference_logprob" in taken[0]) == (loss.kl != "none")
