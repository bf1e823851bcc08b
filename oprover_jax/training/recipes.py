"""Common settings of the shipped Qwen3 training jobs; `configs/{cpt,sft,rl}_*.py` add their own.

Optimizer settings, lengths and batch sizes are ours: the publications leave them open or give them for other data.
"""

from dataclasses import replace

from oprover_jax.models.qwen3 import Qwen3Config
from oprover_jax.models.sizes import published
from oprover_jax.sharding import MeshConfig
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.loop import LoopConfig
from oprover_jax.training.optimizer import OptimizerConfig

__all__ = ["cpt", "rl", "sft"]

_SAVING = LoopConfig(steps=1, save_every_seconds=900.0, keep=2)


def cpt(size: str, mesh: MeshConfig, topology: str = "", attention: str = "splash") -> TrainingJob:
    """Return continued pretraining of Qwen3-`size` on rows of 8,192 tokens, one for each shard of the batch; use larger batches with
    `--set batch_size=... --set grad_accum_steps=...`."""
    return TrainingJob(
        name=f"cpt-{size.lower()}",
        objective="cpt",
        model=_computed(size, attention),
        optimizer=OptimizerConfig(
            peak_lr=2e-5, schedule="wsd", warmup_steps=100, final_lr_ratio=0.1, decay_fraction=0.2, weight_decay=0.1, spike_factor=10.0
        ),
        loop=replace(_SAVING, steps=2000, keep_every=500),
        batch_size=mesh.dcn * mesh.fsdp,
        seq_len=8192,
        mesh=mesh,
        z_loss=1e-5,
        data="data/cpt",
        init_from=f"weights/Qwen3-{size}",
        topology=topology,
    )


def sft(size: str, mesh: MeshConfig, topology: str = "", attention: str = "splash") -> TrainingJob:
    """Return supervised fine-tuning of Qwen3-`size` on packed rows of 16,384 tokens with loss on the attempts, one row in flight per shard.

    A step takes at least 64 rows. Pack rounds of rollouts or prompted proofs with `oprover pack` first.
    """
    shards = mesh.dcn * mesh.fsdp
    rows = max(shards, 64)
    return TrainingJob(
        name=f"sft-{size.lower()}",
        objective="sft",
        model=_computed(size, attention),
        optimizer=OptimizerConfig(
            peak_lr=5e-6, schedule="cosine", warmup_steps=50, final_lr_ratio=0.1, weight_decay=0.1, spike_factor=10.0
        ),
        loop=replace(_SAVING, steps=1000, keep_every=250),
        batch_size=rows,
        seq_len=16_384,
        mesh=mesh,
        grad_accum_steps=rows // shards,
        data="data/sft",
        init_from=f"weights/Qwen3-{size}",
        topology=topology,
    )


def rl(size: str, mesh: MeshConfig, topology: str = "", attention: str = "splash") -> TrainingJob:
    """Return GSPO on stored rollouts of Qwen3-`size`, rows of 32,768 tokens with one attempt each, one in flight per shard of the batch.

    200 rollout batches of at least 256 attempts in four mini-batches (arXiv 2507.18071, section 5.1).
    """
    shards = mesh.dcn * mesh.fsdp
    rows = max(shards, 64)
    return TrainingJob(
        name=f"rl-{size.lower()}",
        objective="rl",
        model=_computed(size, attention),
        optimizer=OptimizerConfig(peak_lr=1e-6, schedule="constant", warmup_steps=5, spike_factor=10.0),
        loop=replace(_SAVING, steps=200, keep_every=50),
        batch_size=rows,
        seq_len=32_768,
        mesh=mesh,
        grad_accum_steps=rows // shards,
        data="data/rollouts",
        init_from=f"weights/Qwen3-{size}",
        topology=topology,
    )


def _computed(size: str, attention: str) -> Qwen3Config:
    return replace(published(size), dtype="bfloat16", remat="full", mlp_parts=4, attention=attention)
