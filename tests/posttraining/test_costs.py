"""The plan of a run: figures that can be worked out by hand."""

from pathlib import Path

import pytest

from oprover_jax.configuration import load
from oprover_jax.posttraining.costs import costs, total
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.policy import model_of
from oprover_jax.posttraining.rates import Rates

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize(("name", "iterations"), [("iterate_8b_v5p", 3), ("iterate_32b_v5p", 2)])
def test_the_published_recipe_is_counted(name: str, iterations: int) -> None:
    experiment = load(CONFIGS / f"{name}.py", Experiment)
    model, rates = model_of(experiment.policy), Rates()
    found = {cost.stage: cost for cost in costs(experiment, model, rates)}
    assert experiment.iterations == iterations and f"gspo-{iterations}" in found
    cpt = found["cpt"]
    assert cpt.trained == pytest.approx(65e9, rel=1e-4) and cpt.hours == pytest.approx(cpt.chip_hours / rates.trainer_chips)
    assert cpt.chip_hours > 6 * model.parameters * cpt.trained / (459e12 * 3600 * 0.4), "attention comes on top of six FLOPs per weight"
    rollout, rounds = found["rollout-1"], experiment.refine.rounds
    attempts = experiment.rollout.statements * experiment.rollout.num_samples * rounds
    assert (rollout.checks, rollout.read) == (attempts, attempts * 8192)
    assert rollout.core_hours == pytest.approx(attempts * 10 / 3600)
    gspo = found["gspo-1"]
    assert gspo.checks == experiment.gspo.steps * experiment.gspo.states * experiment.gspo.group_size
    assert total(found.values()).checks == sum(cost.checks for cost in found.values())


def test_rates_are_positive() -> None:
    with pytest.raises(ValueError, match=r"--rates\.lean-cores is 0"):
        Rates(lean_cores=0)
