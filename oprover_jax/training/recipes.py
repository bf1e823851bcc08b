"""Common settings of the shipped Qwen3 training jobs; `configs/{cpt,sft,rl}_*.py` add their own.

`PUBLISHED_CPT` is what OProver (arXiv 2605.17283) states of its continued pretraining. Everything else is ours: the publications leave it
open or give it for other data.
"""

import math
from dataclasses import dataclass, field, replace

from oprover_jax.losses.gspo import GSPOConfig
from oprover_jax.models.qwen3 import Qwen3Config
from oprover_jax.models.sizes import published
from oprover_jax.sharding import MeshConfig
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.loop import LoopConfig
from oprover_jax.training.optimizer import OptimizerConfig

__all__ = ["PUBLISHED_CPT", "computed", "cpt", "rl", "sft"]


@dataclass(frozen=True)
class PublishedCPT:
    """Published settings of continued pretraining: AdamW with a cosine schedule, and the shares of the mixture in tokens."""

    tokens: int = 65_000_000_000
    batch_size: int = 512
    seq_len: int = 8192
    peak_lr: float = 5e-5
    warmup_fraction: float = 0.03
    mixture: dict[str, float] = field(default_factory=lambda: {"lean": 0.3, "code": 0.2, "math": 0.4, "long_cot": 0.1})

    @property
    def steps(self) -> int:
        """Number of steps in which `tokens` have been seen."""
        return math.ceil(self.tokens / (self.batch_size * self.seq_len))

    @property
    def warmup_steps(self) -> int:
        return round(self.warmup_fraction * self.steps)


PUBLISHED_CPT = PublishedCPT()

_SAVING = LoopConfig(steps=1, save_every_seconds=900.0, keep=2)


def cpt(size: str, mesh: MeshConfig, topology: str = "", attention: str = "splash") -> TrainingJob:
    """Return continued pretraining of Qwen3-`size` as published (`PUBLISHED_CPT`), with one row in flight for each shard of the batch.

    Ours: the final learning rate, AdamW's betas, weight decay, clipping, skipping of spikes, and the z-loss.
    """
    return TrainingJob(
        name=f"cpt-{size.lower()}",
        objective="cpt",
        model=computed(size, attention),
        optimizer=OptimizerConfig(
            name="adamw",
            peak_lr=PUBLISHED_CPT.peak_lr,
            schedule="cosine",
            warmup_steps=PUBLISHED_CPT.warmup_steps,
            final_lr_ratio=0.1,
            weight_decay=0.1,
            spike_factor=10.0,
        ),
        loop=replace(_SAVING, steps=PUBLISHED_CPT.steps, keep_every=1000),
        batch_size=PUBLISHED_CPT.batch_size,
        seq_len=PUBLISHED_CPT.seq_len,
        mesh=mesh,
        grad_accum_steps=PUBLISHED_CPT.batch_size // (mesh.dcn * mesh.fsdp),
        z_loss=1e-5,
        data="data/cpt",
        init_from=f"weights/Qwen3-{size}",
        topology=topology,
    )


def sft(size: str, mesh: MeshConfig, topology: str = "", attention: str = "splash") -> TrainingJob:
    """Return supervised fine-tuning of Qwen3-`size` on packed rows of 16,384 tokens with loss on the attempts, one row in flight per shard.

    A step takes at least 64 rows. Pack the rows first, as in configs/pack_sft.py. All numbers are ours: the publication gives none for SFT.
    """
    shards = mesh.dcn * mesh.fsdp
    rows = max(shards, 64)
    return TrainingJob(
        name=f"sft-{size.lower()}",
        objective="sft",
        model=computed(size, attention),
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

    200 rollout batches of at least 256 attempts in four mini-batches (arXiv 2507.18071, section 5.1). The correction for attempts by an
    older policy is ours.
    """
    shards = mesh.dcn * mesh.fsdp
    rows = max(shards, 64)
    return TrainingJob(
        name=f"rl-{size.lower()}",
        objective="rl",
        model=computed(size, attention),
        optimizer=OptimizerConfig(peak_lr=1e-6, schedule="constant", warmup_steps=5, spike_factor=10.0),
        loop=replace(_SAVING, steps=200, keep_every=50),
        batch_size=rows,
        seq_len=32_768,
        mesh=mesh,
        grad_accum_steps=rows // shards,
        gspo=GSPOConfig(sampler_cap=1.5, sampler_mask=2.0),
        data="data/rollouts",
        init_from=f"weights/Qwen3-{size}",
        topology=topology,
    )


def computed(size: str, attention: str = "splash") -> Qwen3Config:
    """Return the published Qwen3-`size` with the settings of computation that all shipped jobs share."""
    return replace(published(size), dtype="bfloat16", remat="full", mlp_parts=4, attention=attention)
