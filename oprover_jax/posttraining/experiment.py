"""One experiment: every number of a run in frozen dataclasses, checked against each other when they are made."""

from dataclasses import dataclass, field

from oprover_jax.agent.refine import RefineConfig
from oprover_jax.agent.template import Budget
from oprover_jax.losses.gspo import GSPOConfig
from oprover_jax.models.qwen3 import Qwen3Config
from oprover_jax.posttraining.select import SelectConfig
from oprover_jax.sharding import MeshConfig
from oprover_jax.synthetic.build import CorpusConfig
from oprover_jax.training.optimizer import OptimizerConfig


@dataclass(frozen=True)
class LeanConfig:
    """The local worker pool."""

    workers: int = 2
    timeout: float = 10.0


@dataclass(frozen=True)
class EngineConfig:
    """The in-process engine: `slots` sequences decode at once, none longer than `max_len` tokens, prompt included."""

    slots: int = 128
    max_len: int = 320
    decode_chunk: int = 8
    prefill_batch: int = 8


@dataclass(frozen=True)
class TrainingConfig:
    """A stage of cross-entropy training: `steps` steps of `batch_size` packed sequences of `seq_len` tokens."""

    steps: int
    optimizer: OptimizerConfig
    batch_size: int = 8
    seq_len: int = 256
    grad_accum_steps: int = 1

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "seq_len", "grad_accum_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if self.batch_size % self.grad_accum_steps:
            raise ValueError(f"batch_size={self.batch_size} is not a multiple of grad_accum_steps={self.grad_accum_steps}")

    @property
    def tokens_per_step(self) -> int:
        return self.batch_size * self.seq_len


@dataclass(frozen=True)
class GSPOStage:
    """`steps` times: draw `group_size` attempts from each of `states` hard states, then `minibatches` updates on them (paper: four).

    `seq_len` is the length of one padded attempt with its prompt.
    """

    steps: int
    optimizer: OptimizerConfig
    states: int = 12
    group_size: int = 8
    minibatches: int = 4
    seq_len: int = 320
    loss: GSPOConfig = field(default_factory=GSPOConfig)

    def __post_init__(self) -> None:
        if self.group_size < 2:
            raise ValueError(f"gspo.group_size is {self.group_size}; an advantage needs at least 2 attempts from the same state")
        if self.states * self.group_size % self.minibatches:
            raise ValueError(
                f"gspo: {self.states} states x {self.group_size} attempts cannot be split into {self.minibatches} mini-batches"
            )

    @property
    def batch_size(self) -> int:
        """Attempts in one mini-batch."""
        return self.states * self.group_size // self.minibatches


@dataclass(frozen=True)
class RolloutConfig:
    """One iteration's practice: `statements` drawn from the pool, `samples` trajectories on each, and the temperature of
    practice (rollouts and GSPO), which may be above that of evaluation: what is never tried is never learned."""

    statements: int = 600
    num_samples: int = 8
    temperature: float = 1.0


@dataclass(frozen=True)
class EvaluationConfig:
    """`samples` rollouts on each of the first `statements` held-out statements (0: all of them)."""

    num_samples: int = 16
    statements: int = 0
    num_external_samples: int = 8


@dataclass(frozen=True)
class Experiment:
    """A whole run: corpus, tokenizer, CPT, SFT, `iterations` of {rollout, SFT, GSPO}, evaluation after each, ablations at the end.

    `encoder` says what the memory compares statements by: "minilm" (`retrieval.minilm`), "lexical" (`retrieval.encoder`), or a policy's
    folder, that of a run or a Hugging Face one (`retrieval.policy_encoder`).
    `cpt_mixture` weighs sources in tokens; on `first_repairs` public theorems a wrong proof is tried, so that the first SFT has
    repairs to learn from; `replay` is the least share of public examples in later SFT.
    """

    name: str
    model: Qwen3Config
    corpus: CorpusConfig
    cpt: TrainingConfig
    sft: TrainingConfig
    repair_sft: TrainingConfig
    gspo: GSPOStage
    iterations: int = 2
    seed: int = 0
    mesh: MeshConfig = field(default_factory=MeshConfig)
    lean: LeanConfig = field(default_factory=LeanConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    budget: Budget = field(default_factory=Budget)
    refine: RefineConfig = field(default_factory=RefineConfig)
    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    select: SelectConfig = field(default_factory=SelectConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    cpt_mixture: dict[str, float] = field(default_factory=lambda: {"proofs": 0.4, "library": 0.1, "rounds": 0.5})
    encoder: str = "minilm"
    first_repairs: int = 800
    replay: float = 0.3

    def __post_init__(self) -> None:
        shards = self.mesh.dcn * self.mesh.fsdp
        for name, rows in (
            ("cpt.batch_size / cpt.grad_accum_steps", self.cpt.batch_size // self.cpt.grad_accum_steps),
            ("sft.batch_size / sft.grad_accum_steps", self.sft.batch_size // self.sft.grad_accum_steps),
            ("repair_sft.batch_size / repair_sft.grad_accum_steps", self.repair_sft.batch_size // self.repair_sft.grad_accum_steps),
            ("gspo.states * gspo.group_size / gspo.minibatches", self.gspo.batch_size),
        ):
            if rows % shards:
                raise ValueError(f"{name} = {rows} does not divide over the mesh's dcn x fsdp = {shards}; make it a multiple of {shards}")
        longest = self.budget.prompt + self.refine.max_new_tokens
        for name, room in (("engine.max_len", self.engine.max_len), ("gspo.seq_len", self.gspo.seq_len)):
            if longest > room:
                raise ValueError(f"{name} is {room}, but a prompt and an answer may take {longest} tokens; raise it or lower the budget")
        if self.encoder not in ("minilm", "lexical") and "/" not in self.encoder:
            raise ValueError(f"encoder is {self.encoder!r}; give 'minilm', 'lexical', or a policy's folder as ./NAME")
        if self.first_repairs < 1:
            raise ValueError(f"first_repairs is {self.first_repairs}; at least 1 public theorem must be tried with a wrong proof")
        if not 0 <= self.replay < 1:
            raise ValueError(f"replay is {self.replay}; the share of the first SFT set in later ones must be in [0, 1)")
