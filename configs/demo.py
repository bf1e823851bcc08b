"""The demo: a policy of about two million parameters learns core Lean on two CPU cores in under 20 minutes.

Everything here is a choice of ours, made for that budget; the publication's own settings are those of 8B and 32B policies.
"""

from oprover_jax.agent.refine import RefineConfig
from oprover_jax.agent.template import Budget
from oprover_jax.corpus.build import CorpusConfig
from oprover_jax.models.qwen3 import Qwen3Config
from oprover_jax.posttraining.experiment import EngineConfig, EvaluationConfig, Experiment, GSPOStage, RolloutConfig, TrainingConfig
from oprover_jax.training.optimizer import OptimizerConfig


def experiment() -> Experiment:
    model = Qwen3Config(vocab_size=1024, layers=5, embed=192, q_heads=6, kv_heads=2, head_dim=32, mlp=512)
    return Experiment(
        name="demo",
        model=model,
        corpus=CorpusConfig(),
        cpt=TrainingConfig(steps=250, optimizer=OptimizerConfig(name="muon", peak_lr=3e-3, warmup_steps=20)),
        sft=TrainingConfig(steps=250, optimizer=OptimizerConfig(name="muon", peak_lr=3e-3, warmup_steps=20)),
        repair_sft=TrainingConfig(steps=150, optimizer=OptimizerConfig(name="muon", peak_lr=2e-3, warmup_steps=10)),
        gspo=GSPOStage(steps=8, optimizer=OptimizerConfig(name="adamw", peak_lr=1e-4, schedule="constant", warmup_steps=1), row_tokens=400),
        budget=Budget(statement=128, references=96, attempt=48, feedback=48),
        refine=RefineConfig(rounds=2, retrieve=2, max_new_tokens=64),
        engine=EngineConfig(slots=128, max_len=400),
        rollout=RolloutConfig(statements=500, samples=8),
        evaluation=EvaluationConfig(samples=16),
    )
