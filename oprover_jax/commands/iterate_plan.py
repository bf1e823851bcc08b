"""`oprover iterate --plan`: print what a run will take, with the assumptions behind each figure. Nothing is begun."""

from dataclasses import fields

from rich.table import Table

from oprover_jax.posttraining.costs import BYTES_PER_WEIGHT, BYTES_PER_WRITTEN_TOKEN, Cost, costs, total
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.policy import model_of
from oprover_jax.posttraining.rates import Rates
from oprover_jax.progress import ProgressConsole

_COLUMNS = ("stage", "read", "written", "trained", "checks", "chip h", "core h", "days", "TB")


def print_plan(experiment: Experiment, rates: Rates, console: ProgressConsole) -> None:
    """Print tokens, checks, device-hours, days and storage of each stage of a run.

    Raises:
      InputError: The sizes of the policy are those of a model folder that does not exist.
    """
    model = model_of(experiment.policy)
    parts = costs(experiment, model, rates)
    table = Table(box=None, pad_edge=False)
    table.add_column(_COLUMNS[0], no_wrap=True)
    for column in _COLUMNS[1:]:
        table.add_column(column, justify="right")
    for part in [*parts, total(parts)]:
        table.add_row(*_row(part), end_section=part is parts[-1])
    console.rich.print(table)
    console.line(f"{experiment.name}: {model.parameters:,} parameters; every rollout with all its rounds, so these are upper bounds")
    console.line(
        "assumed (--rates.NAME): " + ", ".join(f"{one.name.replace('_', '-')} {getattr(rates, one.name):g}" for one in fields(rates))
    )
    console.line(
        f"trainer of {rates.trainer_chips:g} chips, engine of {rates.engine_chips:g}, {rates.lean_cores:g} cores for Lean; stages run one "
        "after another, and in a stage that proves the slower of engine and Lean counts"
    )
    console.line(
        f"storage: {BYTES_PER_WRITTEN_TOKEN:g} bytes per token of an attempt, and {BYTES_PER_WEIGHT} per weight after each training stage "
        "(checkpoint with the optimizer's state, weights, export)"
    )


def _row(cost: Cost) -> tuple[str, ...]:
    counts = (cost.read, cost.written, cost.trained, cost.checks)
    return (
        cost.stage,
        *map(_short, counts),
        f"{cost.chip_hours:,.0f}",
        f"{cost.core_hours:,.0f}",
        f"{cost.hours / 24:,.2f}",
        f"{cost.gib * 2**30 / 1e12:,.3f}",
    )


def _short(number: float) -> str:
    for unit, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number:.3g}"
