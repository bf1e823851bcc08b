"""Training job: CPT, SFT or RL of one model on one mesh, with every number in a frozen dataclass.

`configs/*.py` each return one, `oprover cpt|sft|rl` runs it, and `oprover compile` reports its cost on the chips it is meant for.
"""

from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from oprover_jax.losses.gspo import GSPOConfig
from oprover_jax.losses.vocab_head import CHUNK
from oprover_jax.models.qwen3 import Qwen3Config
from oprover_jax.sharding import MeshConfig
from oprover_jax.training import objectives
from oprover_jax.training.loop import LoopConfig, fingerprint
from oprover_jax.training.optimizer import OptimizerConfig
from oprover_jax.training.step import LossFunction

Objective = Literal["cpt", "sft", "rl"]


@dataclass(frozen=True)
class TrainingJob:
    """Training of `loop.steps` steps with `batch_size` packed sequences of `seq_len` tokens, over all devices of `mesh`, in
    `grad_accum_steps` micro-batches.

    `data` is a rows dataset, a folder of several with their mixture (both made by `oprover pack`), or a mapping {rows dataset: weight in
    tokens}. `held_out` is a rows dataset that is scored every `loop.evaluate_every` steps and at the end (CPT, SFT).
    `init_from` is a folder of Hugging Face weights (empty: fresh weights). `topology` names the chips that the job is meant for, such
    as "v5p:4x4x4", for `oprover compile`. `head_chunk` rows of the vocabulary pass through the head at a time. `z_loss` weighs the
    square of the log-normaliser (CPT and SFT).

    RL: a step is one rollout batch of `minibatches` times `batch_size` attempts, one per row: the old policy's log-probabilities of all of
    them, then an update on each mini-batch. `data` is a folder of rollouts (a stage of a run) or a rows dataset made from one. `gspo` is
    the loss, `temperature` the sampler's. `policy_version` is the version of `init_from`, in the numbers of the rollouts (None: that of
    its manifest, or the newest in the rollouts).
    """

    name: str
    objective: Objective
    model: Qwen3Config
    optimizer: OptimizerConfig
    loop: LoopConfig
    batch_size: int
    seq_len: int
    mesh: MeshConfig = field(default_factory=MeshConfig)
    grad_accum_steps: int = 1
    head_chunk: int = CHUNK
    z_loss: float = 0.0
    gspo: GSPOConfig = field(default_factory=GSPOConfig)
    temperature: float = 1.0
    minibatches: int = 4
    policy_version: int | None = None
    data: str | dict[str, float] = ""
    held_out: str = ""
    init_from: str = ""
    topology: str = ""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.objective not in get_args(Objective):
            raise ValueError(f"objective is {self.objective!r}; choose one of {', '.join(get_args(Objective))}")
        for name in ("batch_size", "seq_len", "grad_accum_steps", "head_chunk", "minibatches"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.objective == "rl" and not isinstance(self.data, str):
            raise ValueError("data: rl takes one folder of rollouts, not a mixture; give one folder")
        if self.objective == "rl" and not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature}; rl learns from sampled attempts, so give the positive one of the sampler")
        if self.held_out and self.objective == "rl":
            raise ValueError(f"held_out is {self.held_out!r}; rl does not support held-out rows, so leave it empty")
        shards = self.mesh.dcn * self.mesh.fsdp * self.grad_accum_steps
        if self.batch_size % shards:
            parts = f"grad_accum_steps {self.grad_accum_steps} x dcn {self.mesh.dcn} x fsdp {self.mesh.fsdp}"
            raise ValueError(f"batch_size is {self.batch_size}, which does not divide over {parts}; make it a multiple of {shards}")
        if self.model.intermediate_size % (self.model.mlp_parts * self.mesh.tensor):
            parts = f"mlp_parts {self.model.mlp_parts} x tensor {self.mesh.tensor}"
            raise ValueError(
                f"model.intermediate_size is {self.model.intermediate_size}, which does not divide over {parts}; lower one of them"
            )
        if self.seq_len % self.mesh.context:
            raise ValueError(f"seq_len is {self.seq_len}, which does not divide over context {self.mesh.context}; make it a multiple")

    @property
    def updates_per_step(self) -> int:
        """Number of weight updates per step of the loop."""
        return self.minibatches if self.objective == "rl" else 1

    @property
    def tokens_per_step(self) -> int:
        """Tokens of one update."""
        return self.batch_size * self.seq_len

    @property
    def flops_per_step(self) -> float:
        """FLOPs of one update on all devices, without recomputation by remat."""
        return self.tokens_per_step * self.model.flops_per_token(self.seq_len)

    @property
    def program(self) -> tuple[object, ...]:
        """What the compiled update depends on besides the mesh."""
        rl = self.objective == "rl"
        loss = (self.gspo, self.temperature) if rl else (self.z_loss,)
        return (rl, self.model, self.optimizer.program, self.batch_size, self.seq_len, self.grad_accum_steps, self.head_chunk, *loss)

    def identity(self, data: int, weights: str) -> str:
        """Return a hash of everything that determines the run's curve, with `data` the checksum of its rows and `weights` what identifies
        those it starts from. A checkpoint is resumed only under the same hash. The layout and computation of the work (mesh,
        grad_accum_steps, chunks of head and MLP, remat, attention), monitoring and saving, and the paths of files may change between
        starts."""
        model = replace(self.model, mlp_parts=1, remat="none", attention="reference")
        decides = (self.objective, self.optimizer, self.loop.steps, self.batch_size, self.seq_len, self.z_loss)
        rl = (self.gspo, self.temperature, self.minibatches) if self.objective == "rl" else ()
        return fingerprint(model, *decides, data, weights, self.seed, *rl)


def loss_function(job: TrainingJob) -> LossFunction:
    """Return the loss that the job minimises."""
    if job.objective == "rl":
        return objectives.gspo(job.model, job.gspo, job.head_chunk, job.temperature)
    return objectives.cross_entropy(job.model, job.head_chunk, job.z_loss)
