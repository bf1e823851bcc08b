"""One training job: CPT, SFT or RL of one model on one mesh, every number in a frozen dataclass.

`configs/*.py` each return one, `oprover cpt|sft|rl` runs it, and `oprover compile` shows what it takes on the chips it is meant for.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

from oprover_jax.losses.gspo import GSPOConfig
from oprover_jax.losses.vocab_head import CHUNK
from oprover_jax.models.qwen3 import Qwen3Config
from oprover_jax.sharding import MeshConfig
from oprover_jax.training import objectives
from oprover_jax.training.loop import LoopConfig
from oprover_jax.training.optimizer import OptimizerConfig
from oprover_jax.training.step import LossFunction

Objective = Literal["cpt", "sft", "rl"]


@dataclass(frozen=True)
class TrainingJob:
    """`loop.steps` steps of `rows` packed rows of `row_tokens` tokens, over all devices of `mesh`, in `accumulation` micro-batches.

    `data` is a file of packed rows, `start` a folder of Hugging Face weights (fresh weights where empty). `topology` names the chips
    that the job is meant for, such as "v5p:4x4x4", for `oprover compile`. `head_chunk` rows of the vocabulary are scored at a
    time. `z_loss` weighs the square of the log-normaliser (CPT and SFT); `gspo` and `temperature` are for RL.
    """

    name: str
    objective: Objective
    model: Qwen3Config
    optimizer: OptimizerConfig
    loop: LoopConfig
    rows: int
    row_tokens: int
    mesh: MeshConfig = field(default_factory=MeshConfig)
    accumulation: int = 1
    head_chunk: int = CHUNK
    z_loss: float = 0.0
    gspo: GSPOConfig = field(default_factory=GSPOConfig)
    temperature: float = 1.0
    data: str = ""
    start: str = ""
    topology: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.objective not in get_args(Objective):
            raise ValueError(f"objective is {self.objective!r}; choose one of {', '.join(get_args(Objective))}")
        for name in ("rows", "row_tokens", "accumulation", "head_chunk"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        shards = self.mesh.dcn * self.mesh.fsdp * self.accumulation
        if self.rows % shards:
            parts = f"accumulation {self.accumulation} x dcn {self.mesh.dcn} x fsdp {self.mesh.fsdp}"
            raise ValueError(f"rows is {self.rows}, which does not divide over {parts}; make it a multiple of {shards}")
        if self.row_tokens % self.mesh.context:
            raise ValueError(f"row_tokens is {self.row_tokens}, which does not divide over context {self.mesh.context}; make it a multiple")

    @property
    def tokens_per_step(self) -> int:
        return self.rows * self.row_tokens

    @property
    def flops_per_step(self) -> float:
        """Of the whole step on all devices, without what remat computes again."""
        return self.tokens_per_step * self.model.flops_per_token(self.row_tokens)


def loss_function(job: TrainingJob) -> LossFunction:
    """What the job minimises."""
    if job.objective == "rl":
        return objectives.gspo(job.model, job.gspo, job.head_chunk, job.temperature)
    return objectives.cross_entropy(job.model, job.head_chunk, job.z_loss)
