"""Stored rollouts as rows for `oprover rl`: every attempt with its advantage and the sampler's log-probabilities, one to a row."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils

from oprover_jax.corpus import store
from oprover_jax.data.dataset import INDEX, write_rows
from oprover_jax.data.rows import Row
from oprover_jax.errors import InputError
from oprover_jax.losses.groups import group_advantages, trained_attempts
from oprover_jax.losses.gspo import GSPOConfig
from oprover_jax.posttraining.gspo import batch_rows, outcomes
from oprover_jax.records import Round, Trajectory
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.loop import fingerprint


@dataclass(frozen=True)
class RolloutReport:
    """What became of stored attempts: `stale` ones are refused, `groups` share a prompt, `attempts` are in them, `too_long` ones do not fit
    a row and `rows` are trained on."""

    groups: int
    attempts: int
    too_long: int
    rows: int
    stale: int = 0


def rollout_rows(trajectories: Iterable[Trajectory], config: GSPOConfig, length: int) -> tuple[list[Row], RolloutReport]:
    """Rows of `length` tokens with `advantages` and `sampler_logprob`, of all attempts that `config` trains on.

    A group is all attempts from one state, that is, from equal prompts; one attempt alone has nothing to be compared with. An attempt that
    does not fit a row has its part in the group's mean and is not trained on. Attempts of policies that are more than `config.staleness`
    versions older than the newest one are refused.
    """
    attempts = [attempt for trajectory in trajectories for attempt in trajectory.rounds]
    oldest = max((attempt.policy_version for attempt in attempts), default=0) - config.staleness
    groups: dict[tuple[int, ...], list[Round]] = defaultdict(list)
    for attempt in attempts:
        if attempt.policy_version >= oldest:
            groups[attempt.prompt_ids].append(attempt)
    stale = len(attempts) - sum(map(len, groups.values()))
    compared = [group for group in groups.values() if len(group) > 1]
    rows: list[Row] = []
    too_long = 0
    for group in compared:
        judged = outcomes([group])
        advantages = group_advantages(judged.rewards, judged.valid)[0].astype(np.float32)
        trained = trained_attempts(judged.rewards, judged.valid, judged.truncated, config)[0]
        for attempt, advantage, wanted in zip(group, advantages, trained, strict=True):
            fits = len(attempt.prompt_ids) + len(attempt.attempt_ids) - 1 <= length
            too_long += not fits
            if wanted and fits:
                rows.append(batch_rows([[attempt]], length)[0] | {"advantages": np.asarray(advantage)})
    return rows, RolloutReport(len(compared), sum(map(len, compared)), too_long, len(rows), stale)


def with_rows(job: TrainingJob, folder: Path) -> tuple[TrainingJob, RolloutReport | None]:
    """The job with its folder of rollouts replaced by a rows dataset in the run folder; made at the first start, by process 0.

    Raises InputError, in every process, for a folder without rollouts, or whose rollouts teach nothing.
    """
    assert isinstance(job.data, str)
    source = Path(job.data)
    if not source.is_dir() or (source / INDEX).exists():
        return job, None
    stored = source / "trajectories" if (source / "trajectories").is_dir() else source
    # other rollouts (a part has a name of its own) make another dataset, and with it another job
    made_of = fingerprint([part.name for part in store.parts(stored)], job.gspo, job.seq_len)
    target = folder / f"rollouts-{made_of}"
    report, refused = None, None
    if not target.exists() and jax.process_index() == 0:
        try:
            report = _write(target, stored, job)
        except InputError as error:
            refused = error
    if jax.process_count() > 1 and multihost_utils.broadcast_one_to_all(np.array(refused is not None)) and refused is None:
        raise InputError(f"process 0 could make no rows of {source}; it says why")
    if refused is not None:
        raise refused
    return replace(job, data=str(target)), report


def _write(target: Path, stored: Path, job: TrainingJob) -> RolloutReport:
    trajectories = store.read(stored, store.TRAJECTORIES)
    if not trajectories:
        raise InputError(f"{stored} holds no rollouts; name the folder of a stage that proves, such as RUN/stages/rollout-1")
    rows, report = rollout_rows(trajectories, job.gspo, job.seq_len)
    if not rows:
        raise InputError(f"no attempt in {stored} can be trained on: {report}; draw several from each state, or make rows longer")
    write_rows(target, rows)
    return report
