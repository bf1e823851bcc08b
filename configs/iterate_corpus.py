"""The loop over a corpus, with the weights and the tokenizer of a small model in Hugging Face format, on one machine.

Give the two folders: `--set policy.init_from=MODEL --set theorems.corpus=CORPUS`. The values are those of the demo with longer prompts, for
theorems that people wrote; they suit the model that `oprover export` makes of the demo.
"""

from dataclasses import replace

from oprover_jax.agent.refine import RefineConfig
from oprover_jax.agent.template import Budget
from oprover_jax.posttraining.experiment import (
    EngineConfig,
    EvaluationConfig,
    Experiment,
    GSPOStage,
    MemoryConfig,
    PolicyConfig,
    RolloutConfig,
    TrainingConfig,
)
from oprover_jax.posttraining.theorems import TheoremsConfig
from oprover_jax.training.optimizer import OptimizerConfig


def experiment() -> Experiment:
    muon = OptimizerConfig(name="muon", peak_lr=2e-3, schedule="wsd", warmup_steps=10, decay_fraction=0.4)
    return Experiment(
        name="corpus",
        policy=PolicyConfig(init_from="MODEL"),
        theorems=TheoremsConfig(corpus="CORPUS", benchmark=100),
        memory=MemoryConfig(encoder="lexical"),
        sft=TrainingConfig(steps=120, optimizer=muon, batch_size=6, seq_len=512),
        repair_sft=TrainingConfig(steps=120, optimizer=replace(muon, peak_lr=1e-3), batch_size=6, seq_len=512),
        gspo=GSPOStage(
            steps=4,
            optimizer=OptimizerConfig(name="adamw", peak_lr=1e-4, schedule="constant", warmup_steps=1),
            states=8,
            group_size=8,
            seq_len=512,
        ),
        iterations=1,
        budget=Budget(prompt=416, statement=224, references=128, attempt=64, feedback=72),
        refine=RefineConfig(rounds=2, retrieve=2, temperature=0.7, max_new_tokens=80),
        engine=EngineConfig(slots=64, max_len=512),
        rollout=RolloutConfig(statements=300, num_samples=8, temperature=1.0),
        evaluation=EvaluationConfig(num_samples=8),
    )
