"""What a run will take before it is begun: tokens, checks, device-hours, CPU-hours and storage of each stage, from rates that are stated.

Everything is an upper bound where the policy decides: every rollout is counted with all its rounds and every attempt with its full length.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

from oprover_jax.models.qwen3 import Qwen3Config
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.jobs import job_of
from oprover_jax.posttraining.plan import TRAINING, Stage, plan
from oprover_jax.posttraining.rates import Rates

BYTES_PER_WRITTEN_TOKEN = 12.0  # of a stored rollout in all: 11.8 per token of the attempts in the demo's first rollout stage
BYTES_PER_WEIGHT = 4 + 8 + 4 + 2  # checkpoint with AdamW's state, weights, export in bfloat16


@dataclass(frozen=True)
class Cost:
    """What one stage takes. `read` and `written` are tokens that the engine reads and writes, `trained` those that the trainer reads."""

    stage: str
    read: float = 0.0
    written: float = 0.0
    trained: float = 0.0
    checks: float = 0.0
    chip_hours: float = 0.0
    core_hours: float = 0.0
    hours: float = 0.0
    gib: float = 0.0


def costs(experiment: Experiment, model: Qwen3Config, rates: Rates) -> list[Cost]:
    """Return the cost of every stage of a run."""
    found = []
    for stage in plan(experiment, external=False):
        if stage.kind in TRAINING:
            found.append(_training(experiment, model, stage, rates))
        elif stage.refine is not None:
            found.append(_proving(stage.name, *_rollouts(experiment, stage), experiment, model, rates))
    return found


def _rollouts(experiment: Experiment, stage: Stage) -> tuple[int, int]:
    """Return the number of rollouts of a stage, and the rounds of each."""
    assert stage.refine is not None
    if stage.kind == "rollout":
        return experiment.rollout.statements * experiment.rollout.num_samples, stage.refine.rounds
    held_out = experiment.theorems.benchmark if experiment.theorems.corpus else experiment.theorems.synthetic.benchmark
    return (experiment.evaluation.statements or held_out) * experiment.evaluation.num_samples, stage.refine.rounds


def _proving(name: str, rollouts: int, rounds: int, experiment: Experiment, model: Qwen3Config, rates: Rates) -> Cost:
    attempts = float(rollouts * rounds)
    read = attempts * experiment.budget.prompt
    written = attempts * experiment.refine.max_new_tokens * rates.attempt
    forward = 2 * model.parameters / (rates.chip_tflops * 1e12 * 3600)  # chip-hours of a token at the peak
    chips = forward * (read / rates.training_mfu + written / rates.decoding_mfu)
    cores = attempts * rates.check_seconds / 3600
    hours = max(chips / rates.engine_chips, cores / rates.lean_cores)
    return Cost(name, read, written, 0.0, attempts, chips, cores, hours, written * BYTES_PER_WRITTEN_TOKEN / 2**30)


def _training(experiment: Experiment, model: Qwen3Config, stage: Stage, rates: Rates) -> Cost:
    job = job_of(experiment, model, stage)
    updates = job.loop.steps * job.updates_per_step
    scored = 4 / 3 if job.objective == "rl" else 1.0  # the old policy's pass is a third of an update
    chips = updates * job.flops_per_step * scored / (rates.chip_tflops * 1e12 * 3600 * rates.training_mfu)
    cost = Cost(stage.name, trained=float(updates * job.tokens_per_step), chip_hours=chips, hours=chips / rates.trainer_chips)
    if stage.kind == "gspo":
        drawn = _proving(stage.name, job.loop.steps * experiment.gspo.states * experiment.gspo.group_size, 1, experiment, model, rates)
        together = {name: getattr(cost, name) + getattr(drawn, name) for name in _SUMMED}
        cost = Cost(stage.name, **together)
    return replace(cost, gib=cost.gib + model.parameters * BYTES_PER_WEIGHT / 2**30)


_SUMMED = tuple(field.name for field in fields(Cost) if field.name != "stage")


def total(parts: Iterable[Cost]) -> Cost:
    """Return the sum of costs. Stages run one after another, so their hours add up."""
    parts = list(parts)
    return Cost("total", **{name: sum(getattr(part, name) for part in parts) for name in _SUMMED})
