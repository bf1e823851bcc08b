"""The whole loop in miniature: the demo's configuration with everything small. A policy this size proves next to nothing."""

import dataclasses
from pathlib import Path

from oprover_jax.configuration import load
from oprover_jax.posttraining.experiment import EvaluationConfig, Experiment, PolicyConfig, RolloutConfig
from oprover_jax.posttraining.theorems import TheoremsConfig
from oprover_jax.synthetic.config import SyntheticConfig

DEMO = Path(__file__).parents[2] / "configs" / "demo.py"


def experiment() -> Experiment:
    demo = load(DEMO, Experiment)
    assert demo.policy.model is not None and demo.cpt is not None and demo.sft is not None
    return dataclasses.replace(
        demo,
        name="tiny",
        policy=PolicyConfig(
            dataclasses.replace(demo.policy.model, num_layers=2, hidden_size=64, num_heads=2, num_kv_heads=2, intermediate_size=128)
        ),
        theorems=TheoremsConfig(SyntheticConfig(public=60, pool=40, benchmark=8, textbook=False)),
        cpt=dataclasses.replace(demo.cpt, steps=4),
        sft=dataclasses.replace(demo.sft, steps=12),
        repair_sft=dataclasses.replace(demo.repair_sft, steps=4),
        gspo=dataclasses.replace(demo.gspo, steps=2, states=4, group_size=4),
        iterations=1,
        refine=dataclasses.replace(demo.refine, max_new_tokens=24),
        engine=dataclasses.replace(demo.engine, slots=32),
        rollout=RolloutConfig(statements=8, num_samples=4),
        evaluation=EvaluationConfig(num_samples=8),
    )
