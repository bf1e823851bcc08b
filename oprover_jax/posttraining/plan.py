"""Ordered list of the stages of a run, derived from the experiment."""

from dataclasses import dataclass, replace
from typing import Literal

from oprover_jax.agent.refine import RefineConfig
from oprover_jax.posttraining.experiment import Experiment

Kind = Literal["corpus", "tokenizer", "warmup", "cpt", "sft", "rollout", "repair_sft", "gspo", "evaluate", "ablation", "external"]

TRAINING: frozenset[str] = frozenset({"cpt", "sft", "repair_sft", "gspo"})

VERSIONS_PER_STAGE = 1_000_000


@dataclass(frozen=True)
class Stage:
    """Stage of a run. `name` is its folder and its line in the report; `iteration` counts from 1 in the loop and is 0 before it.

    `refine` holds the agent settings of stages that prove.
    """

    name: str
    kind: Kind
    iteration: int = 0
    refine: RefineConfig | None = None


def plan(experiment: Experiment, external: bool) -> list[Stage]:
    """Return the stages: CPT, SFT, iterations of rollout, SFT and GSPO with evaluations, then ablations of the last policy."""
    refine = experiment.refine
    explore = replace(refine, temperature=experiment.rollout.temperature)
    stages = [Stage("corpus", "corpus"), Stage("warmup", "warmup"), Stage("tokenizer", "tokenizer")]
    if experiment.policy.init_from:
        stages.append(Stage("evaluate-init", "evaluate", refine=refine))
    if experiment.cpt is not None:
        stages += [Stage("cpt", "cpt"), Stage("evaluate-cpt", "evaluate", refine=refine)]
    if experiment.sft is not None:
        stages += [Stage("sft", "sft"), Stage("evaluate-sft", "evaluate", refine=refine)]
    for i in range(1, experiment.iterations + 1):
        stages += [
            Stage(f"rollout-{i}", "rollout", i, explore),
            Stage(f"sft-{i}", "repair_sft", i),
            Stage(f"gspo-{i}", "gspo", i, explore),
            Stage(f"evaluate-{i}", "evaluate", i, refine),
        ]
    stages += [Stage(f"without-{what}", "ablation", refine=changed) for what, changed in ablations(refine).items()]
    if external:
        stages.append(Stage("external", "external", refine=refine))
    return stages


def ablations(refine: RefineConfig) -> dict[str, RefineConfig]:
    """Return the agent settings without feedback, without retrieval and without both, at an equal number of rounds."""
    return {
        "feedback": replace(refine, feedback="none"),
        "retrieval": replace(refine, retrieve=0),
        "both": replace(refine, feedback="none", retrieve=0),
    }


def policy_version(experiment: Experiment, stage: str, step: int) -> int:
    """Return the version of the weights after `step` steps of a training stage; "init" with 0 steps is the policy that a run begins with.

    Versions grow, are the same in every process, and belong to one set of weights: what a stage starts from keeps the version under which
    the stage before it ended.
    """
    order = ["init", *(s.name for s in plan(experiment, external=False) if s.kind in TRAINING)]
    if step == 0 and stage != "init":
        raise ValueError(f"weights before the first step of {stage} have the version of the stage before it")
    return order.index(stage) * VERSIONS_PER_STAGE + step
