"""Demo experiment: a policy of 1.3 million parameters learns core Lean on two CPU cores in under 20 minutes.

All values are our own, chosen for that budget; the publication's settings are for 8B and 32B policies. Retrieval is lexical: it needs no
90 MB of encoder weights and almost no time, and in a corpus of 32 families shared symbols indicate similar statements.
"""

from dataclasses import replace

from oprover_jax.agent.refine import RefineConfig
from oprover_jax.agent.template import Budget
from oprover_jax.models.qwen3 import Qwen3Config
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
from oprover_jax.posttraining.select import SelectConfig
from oprover_jax.posttraining.theorems import TheoremsConfig
from oprover_jax.synthetic.config import SyntheticConfig
from oprover_jax.training.optimizer import OptimizerConfig


def experiment() -> Experiment:
    muon = OptimizerConfig(name="muon", peak_lr=5e-3, schedule="wsd", warmup_steps=10, decay_fraction=0.4)
    gentle = replace(muon, peak_lr=2e-3)  # at the full rate, the second SFT first forgets what the first one learned
    return Experiment(
        name="demo",
        policy=PolicyConfig(
            Qwen3Config(
                vocab_size=1024,
                num_layers=4,
                hidden_size=160,
                num_heads=4,
                num_kv_heads=2,
                head_dim=40,
                intermediate_size=448,
                rope_theta=1e4,
            )
        ),
        theorems=TheoremsConfig(
            SyntheticConfig(
                public=2000,
                benchmark=200,
                public_weights=(4.0, 3.0, 2.0),
                pool_weights=(5.0, 5.0, 3.0, 1.0, 1.0),
                benchmark_weights=(2.0, 2.0, 2.0, 1.0, 1.0),
            )
        ),
        memory=MemoryConfig(encoder="lexical"),
        cpt=TrainingConfig(steps=130, optimizer=muon, batch_size=8, seq_len=256),
        sft=TrainingConfig(steps=360, optimizer=muon, batch_size=6, seq_len=320),
        repair_sft=TrainingConfig(steps=280, optimizer=gentle, batch_size=6, seq_len=320),
        gspo=GSPOStage(
            steps=4,
            optimizer=OptimizerConfig(name="adamw", peak_lr=1e-4, schedule="constant", warmup_steps=1),
            states=8,
            group_size=8,
            seq_len=300,
        ),
        budget=Budget(prompt=248, statement=136, references=72, attempt=40, feedback=56),
        refine=RefineConfig(rounds=2, retrieve=2, temperature=0.7, max_new_tokens=52),
        engine=EngineConfig(slots=128, max_len=300),
        rollout=RolloutConfig(statements=320, num_samples=8, temperature=1.0),
        select=SelectConfig(per_proof=3),  # `by simp_all` proves many statements; three examples of it are enough
        evaluation=EvaluationConfig(num_samples=16),
    )
