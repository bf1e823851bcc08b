"""Conversion of stored rollouts to rows for `oprover rl`: one attempt per row, with advantage and the sampler's log-probabilities."""

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
    """Counts of a conversion.

    Attributes:
      groups: Groups of at least two attempts from the same prompt.
      attempts: Attempts in these groups.
      too_long: Attempts that do not fit a row.
      rows: Attempts that are trained on.
      stale: Attempts skipped because their policy is too old.
    """

    groups: int
    attempts: int
    too_long: int
    rows: int
    stale: int = 0


def rollout_rows(trajectories: Iterable[Trajectory], config: GSPOConfig, length: int) -> tuple[list[Row], RolloutReport]:
    """Return rows with `advantages` and `sampler_logprob` for all attempts that `config` trains on.

    A group consists of all attempts from equal prompts; single attempts are skipped. An attempt that does not fit a row counts in the mean
    of its group but is not trained on. Attempts by policies more than `config.staleness` versions older than the newest are skipped.

    Args:
      trajectories: Stored rollouts.
      config: GSPO settings.
      length: Tokens per row.
    """
    attempts = [attempt for trajectory in trajectories for attempt in trajectory.rounds]
    oldest = max((attempt.policy_version for attempt in attempts), default=0) - config.staleness
    groups: dict[tuple[int, ...], list[Round]] = defaultdict(list)
    for attempt in attempts:
        if attempt.policy_version >= oldest:
            groups[attempt.prompt_ids].append(attempt)
    stale = len(attempts) - sum(map(len, groups.values()))
    comparable = [group for group in groups.values() if len(group) > 1]
    rows: list[Row] = []
    too_long = 0
    for group in comparable:
        result = outcomes([group])
        advantages = group_advantages(result.rewards, result.valid)[0].astype(np.float32)
        trained = trained_attempts(result.rewards, result.valid, result.truncated, config)[0]
        for attempt, advantage, is_trained in zip(group, advantages, trained, strict=True):
            fits = len(attempt.prompt_ids) + len(attempt.attempt_ids) - 1 <= length
            too_long += not fits
            if is_trained and fits:
                rows.append(batch_rows([[attempt]], length)[0] | {"advantages": np.asarray(advantage)})
    return rows, RolloutReport(len(comparable), sum(map(len, comparable)), too_long, len(rows), stale)


def with_rows(job: TrainingJob, folder: Path) -> tuple[TrainingJob, RolloutReport | None]:
    """Return the job with its rollout folder replaced by a rows dataset in the run folder, which process 0 writes at the first start.

    Raises:
      InputError: The folder has no rollouts, or none that can be trained on. Raised in every process.
    """
    assert isinstance(job.data, str)
    source = Path(job.data)
    if not source.is_dir() or (source / INDEX).exists():
        return job, None
    stored = source / "trajectories" if (source / "trajectories").is_dir() else source
    # different rollouts (part names are unique) give a different dataset and hence a different job
    content = fingerprint([part.name for part in store.parts(stored)], job.gspo, job.seq_len)
    target = folder / f"rollouts-{content}"
    report, failure = None, None
    if not target.exists() and jax.process_index() == 0:
        try:
            report = _write(target, stored, job)
        except InputError as error:
            failure = error
    if jax.process_count() > 1 and multihost_utils.broadcast_one_to_all(np.array(failure is not None)) and failure is None:
        raise InputError(f"data: process 0 could not convert {source} to rows; see its error message")
    if failure is not None:
        raise failure
    return replace(job, data=str(target)), report


def _write(target: Path, stored: Path, job: TrainingJob) -> RolloutReport:
    trajectories = store.read(stored, store.TRAJECTORIES)
    if not trajectories:
        raise InputError(f"data: {stored} has no rollouts; give the folder of a rollout stage, such as RUN/stages/rollout-1")
    rows, report = rollout_rows(trajectories, job.gspo, job.seq_len)
    if not rows:
        raise InputError(f"data: no attempt in {stored} can be trained on: {report}; sample several per prompt, or increase seq_len")
    write_rows(target, rows)
    return report
