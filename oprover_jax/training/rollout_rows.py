"""Conversion of stored rollouts to rows for `oprover rl`: one attempt per row, with advantage and the sampler's log-probabilities."""

import random
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import jax
import msgspec
import numpy as np
from jax.experimental import multihost_utils
from jaxtyping import Bool, Float32

from oprover_jax.corpus import store
from oprover_jax.data.dataset import INDEX, read_index, write_rows
from oprover_jax.data.rows import Row, pad_row, prompted
from oprover_jax.errors import InputError
from oprover_jax.files import replacing
from oprover_jax.losses.groups import group_advantages, informative_groups, trained_attempts
from oprover_jax.losses.gspo import GSPOConfig
from oprover_jax.records import Round, Trajectory
from oprover_jax.training.distributed import alone_in
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.loop import fingerprint

_REPORT = "report.json"
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class RolloutReport:
    """Counts of a conversion.

    Attributes:
      groups: Groups of at least two attempts from the same state.
      informative: Groups whose rewards differ.
      repairs: Groups whose state holds a previous attempt, that is, of rounds after the first.
      attempts: Attempts in these groups.
      rows: Attempts that are trained on.
      too_long: Attempts that do not fit a row.
      cut: Attempts that ended at the length limit, if these are masked.
      unverified: Attempts without a verdict.
      stale: Attempts skipped because their policy is too old.
      versions: Policy versions of the rows, oldest first.
    """

    groups: int = 0
    informative: int = 0
    repairs: int = 0
    attempts: int = 0
    rows: int = 0
    too_long: int = 0
    cut: int = 0
    unverified: int = 0
    stale: int = 0
    versions: tuple[int, ...] = ()

    def text(self) -> str:
        """Return the report as one line of a log."""
        names = {"too_long": "too long", "cut": "cut at the length limit", "unverified": "without a verdict", "stale": "stale"}
        skipped = [f"{getattr(self, name):,} {words}" for name, words in names.items()]
        return (
            f"{self.rows:,} rows of {self.attempts:,} attempts in {self.groups:,} groups ({self.informative:,} informative, "
            f"{self.repairs:,} of repairs), drawn by version {', '.join(map(str, self.versions))}; skipped: {', '.join(skipped)}"
        )


def rollout_rows(
    trajectories: Iterable[Trajectory], config: GSPOConfig, length: int, learner: int | None = None, seed: int = 0
) -> tuple[Iterator[Row], RolloutReport]:
    """Return rows with `advantages` and `sampler_logprob` of all attempts that `config` trains on, oldest version first.

    A group consists of all attempts from the same state, that is, from equal prompts, in any round; single attempts are skipped. An
    attempt that does not fit a row counts in the mean of its group but is not trained on. Attempts by policies more than
    `config.staleness` versions older than the learner are skipped. Rows are made as they are read.

    Args:
      trajectories: Stored rollouts.
      config: GSPO settings.
      length: Tokens per row.
      learner: Version of the policy that learns; None for the newest in the rollouts.
      seed: Seed of the order of rows within a version.

    Raises:
      InputError: An attempt is newer than the learner.
    """
    rounds = [(number, attempt) for trajectory in trajectories for number, attempt in enumerate(trajectory.rounds)]
    newest = max((attempt.policy_version for _, attempt in rounds), default=0)
    learner = newest if learner is None else learner
    if newest > learner:
        raise InputError(
            f"policy_version is {learner}, but rollouts were drawn by version {newest}, which is newer; give the weights that drew them "
            "as init_from"
        )
    groups: dict[tuple[int, ...], list[Round]] = defaultdict(list)
    repairing = {attempt.prompt_ids for number, attempt in rounds if number > 0}
    fresh = [attempt for _, attempt in rounds if attempt.policy_version >= learner - config.staleness]
    for attempt in fresh:
        groups[attempt.prompt_ids].append(attempt)
    comparable = {prompt: group for prompt, group in groups.items() if len(group) > 1}
    chosen: dict[int, list[tuple[Round, np.float32]]] = defaultdict(list)
    counts = dict.fromkeys(("informative", "too_long", "cut", "unverified"), 0)
    for group in comparable.values():
        rewards, valid, truncated = _outcomes(group)
        counts["informative"] += int(informative_groups(rewards, valid)[0])
        counts["unverified"] += int((~valid).sum())
        advantages = group_advantages(rewards, valid)[0].astype(np.float32)
        trained = trained_attempts(rewards, valid, truncated, config)[0]
        for attempt, advantage, is_trained in zip(group, advantages, trained, strict=True):
            fits = len(attempt.prompt_ids) + len(attempt.attempt_ids) - 1 <= length
            counts["too_long"] += not fits
            counts["cut"] += config.mask_truncated and attempt.finish_reason == "length"
            if is_trained and fits:
                chosen[attempt.policy_version].append((attempt, advantage))
    versions = sorted(chosen)
    for version in versions:
        random.Random(f"{seed} {version}").shuffle(chosen[version])
    ordered = [pair for version in versions for pair in chosen[version]]
    report = RolloutReport(
        groups=len(comparable),
        repairs=len(repairing & comparable.keys()),
        attempts=sum(map(len, comparable.values())),
        rows=len(ordered),
        stale=len(rounds) - len(fresh),
        versions=tuple(versions),
        **counts,
    )
    return (attempt_row(attempt, length) | {"advantages": np.asarray(advantage)} for attempt, advantage in ordered), report


def attempt_row(attempt: Round, length: int) -> Row:
    """Return a row of `length` tokens: prompt and attempt, weight 1 on the attempt, and the sampler's log-probabilities."""
    sampled = np.zeros(length, np.float32)
    start = len(attempt.prompt_ids) - 1
    sampled[start : start + len(attempt.logprobs)] = attempt.logprobs
    return pad_row(prompted(attempt.prompt_ids, attempt.attempt_ids), length) | {"sampler_logprob": sampled}


def _outcomes(group: Sequence[Round]) -> tuple[Float32[np.ndarray, "1 N"], Bool[np.ndarray, "1 N"], Bool[np.ndarray, "1 N"]]:
    """Return rewards, which attempts have one, and which ended by length."""
    valid = np.array([[attempt.reward is not None for attempt in group]])
    rewards = np.array([[attempt.reward or 0.0 for attempt in group]], np.float32)
    return rewards, valid, np.array([[attempt.finish_reason == "length" for attempt in group]])


def with_rows(job: TrainingJob, folder: Path) -> tuple[TrainingJob, RolloutReport | None]:
    """Return the job with its rollout folder replaced by a rows dataset in the run folder, which process 0 writes at the first start.

    Stored rollouts are used once: the job makes at most one pass over the attempts of each policy version. From the second step on, the
    policy that learns is no longer the one that drew them, so that `gspo.sampler_cap` must be set to correct for it.

    Raises:
      InputError: The folder has no rollouts or too few, or the job would train off policy without a correction. Raised in every process.
    """
    assert isinstance(job.data, str)
    if job.gspo.sampler_cap is None and (job.loop.steps > 1 or job.gspo.staleness > 0):
        why = f"loop.steps is {job.loop.steps}" if job.loop.steps > 1 else f"gspo.staleness is {job.gspo.staleness}"
        raise InputError(
            f"gspo.sampler_cap is None but {why}, so that stored attempts are by an older policy than the one that learns; set "
            "gspo.sampler_cap=1.5 to correct for it, or train for one step"
        )
    source = Path(job.data)
    if (source / INDEX).exists():
        _check_one_pass(job, read_index(source).rows, source)
    if not source.is_dir() or (source / INDEX).exists():
        return job, None
    stored = source / "trajectories" if (source / "trajectories").is_dir() else source
    # different rollouts (part names are unique) give a different dataset and hence a different job
    content = fingerprint([part.name for part in store.parts(stored)], job.gspo, job.seq_len, job.policy_version, job.seed)
    target = folder / f"rollouts-{content}"
    failed = folder / f"rollouts-{content}.failed"
    with alone_in(folder):
        if jax.process_index() == 0:
            failed.unlink(missing_ok=True)
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices("rollout rows")
        if jax.process_index() == 0:
            _write_unless_there(target, failed, stored, job)
        _wait(target, failed)
    report = msgspec.json.decode((target / _REPORT).read_bytes(), type=RolloutReport)
    _check_one_pass(job, read_index(target).rows, source)
    return replace(job, data=str(target)), report


def _write_unless_there(target: Path, failed: Path, stored: Path, job: TrainingJob) -> None:
    if (target / _REPORT).exists():
        return
    try:
        trajectories = store.read(stored, store.TRAJECTORIES)
        if not trajectories:
            raise InputError(f"data: {stored} has no rollouts; give the folder of a rollout stage, such as RUN/stages/rollout-1")
        rows, report = rollout_rows(trajectories, job.gspo, job.seq_len, job.policy_version, job.seed)
        if not report.rows:
            raise InputError(
                f"data: no attempt in {stored} can be trained on: {report.text()}; sample several per prompt, or increase seq_len"
            )
        write_rows(target, rows)
        with replacing(target / _REPORT) as temporary:
            temporary.write_bytes(msgspec.json.encode(asdict(report)))
    except InputError as error:
        if jax.process_count() > 1:
            failed.write_text(str(error), encoding="utf-8")
        raise


def _wait(target: Path, failed: Path) -> None:
    """Wait for process 0, however long it takes: a collective operation would fail after half a minute.

    Raises:
      InputError: It could not make the rows.
    """
    while not (target / _REPORT).exists():
        if failed.exists() and (reason := failed.read_text(encoding="utf-8")):
            raise InputError(reason)
        time.sleep(_POLL_SECONDS)


def _check_one_pass(job: TrainingJob, rows: int, source: Path) -> None:
    per_step = job.minibatches * job.batch_size
    if job.loop.steps * per_step > rows:
        remedy = f"set loop.steps={rows // per_step}" if rows >= per_step else "give more rollouts, or lower batch_size or minibatches"
        raise InputError(
            f"loop.steps is {job.loop.steps}, which takes {job.loop.steps * per_step:,} attempts, but one pass over {source} has {rows:,}; "
            f"{remedy}"
        )
