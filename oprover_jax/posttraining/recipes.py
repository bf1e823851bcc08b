"""Settings of the shipped runs that begin with Qwen3 weights; `configs/iterate_*.py` say on which chips.

Published (arXiv 2605.17283): CPT (`training.recipes.PUBLISHED_CPT`), temperature 1.0, 16 rounds and 64 rollouts per statement in
evaluation, the reward, and the sizes of rollout batches. Everything else is ours, as the publication leaves it open.
"""

from oprover_jax.agent.refine import RefineConfig
from oprover_jax.agent.template import Budget
from oprover_jax.posttraining.experiment import (
    EngineConfig,
    EvaluationConfig,
    Experiment,
    GSPOStage,
    PolicyConfig,
    RolloutConfig,
    TrainingConfig,
)
from oprover_jax.posttraining.theorems import TheoremsConfig
from oprover_jax.sharding import MeshConfig
from oprover_jax.training.optimizer import OptimizerConfig
from oprover_jax.training.recipes import computed, cpt

_PROMPT, _ATTEMPT = 8192, 24_576  # tokens; together the 32,768 of a row


def iterate(size: str, mesh: MeshConfig, topology: str, states: int, group_size: int, iterations: int) -> Experiment:
    """Return the whole recipe for Qwen3-`size`: CPT, SFT, and `iterations` of rollout, SFT and GSPO, which draws `states` groups a step."""
    shards = mesh.dcn * mesh.fsdp
    adamw = OptimizerConfig(peak_lr=5e-6, warmup_steps=50, weight_decay=0.1, spike_factor=10.0)
    rows = TrainingConfig(
        steps=1000, optimizer=adamw, batch_size=max(shards, 64), seq_len=_PROMPT + _ATTEMPT, grad_accum_steps=max(shards, 64) // shards
    )
    minibatch = states * group_size // 4
    pretraining = cpt(size, mesh)
    return Experiment(
        name=f"iterate-{size.lower()}",
        policy=PolicyConfig(computed(size), init_from=f"weights/Qwen3-{size}-Base"),
        theorems=TheoremsConfig(corpus="data/oproofs", benchmark=200),
        cpt=TrainingConfig(
            steps=pretraining.loop.steps,
            optimizer=pretraining.optimizer,
            batch_size=pretraining.batch_size,
            seq_len=pretraining.seq_len,
            grad_accum_steps=pretraining.grad_accum_steps,
            data="data/cpt",
        ),
        sft=rows,
        repair_sft=rows,
        gspo=GSPOStage(
            steps=100,
            optimizer=OptimizerConfig(peak_lr=1e-6, schedule="constant", warmup_steps=5, spike_factor=10.0),
            states=states,
            group_size=group_size,
            grad_accum_steps=minibatch // shards,
            seq_len=_PROMPT + _ATTEMPT,
        ),
        iterations=iterations,
        mesh=mesh,
        topology=topology,
        engine=EngineConfig(urls=("http://127.0.0.1:30000",), max_len=_PROMPT + _ATTEMPT),
        budget=Budget(prompt=_PROMPT, statement=1024, references=4096, attempt=2048, feedback=2048),
        refine=RefineConfig(rounds=16, retrieve=6, temperature=1.0, max_new_tokens=_ATTEMPT),
        rollout=RolloutConfig(statements=20_000, num_samples=group_size, temperature=1.0),
        evaluation=EvaluationConfig(num_samples=64),
    )
