"""Configuration of an experiment as frozen dataclasses that are validated on construction."""

from dataclasses import dataclass, field
from pathlib import Path

from lean_worker.lean_config import LeanConfig
from oprover_jax.agent.refine import RefineConfig
from oprover_jax.agent.template import Budget
from oprover_jax.losses.gspo import GSPOConfig
from oprover_jax.models.qwen3 import Qwen3Config
from oprover_jax.posttraining.guard import GuardConfig
from oprover_jax.posttraining.select import SelectConfig
from oprover_jax.posttraining.theorems import TheoremsConfig
from oprover_jax.sharding import MeshConfig
from oprover_jax.training.optimizer import OptimizerConfig


@dataclass(frozen=True)
class PolicyConfig:
    """Policy that a run begins with.

    Attributes:
      init_from: Qwen3 model folder in Hugging Face format: its weights, tokenizer and chat template. Empty: fresh weights of `model` with a
        tokenizer that is trained on the theorems.
      model: Sizes and computation of the policy. None: those of `init_from`, computed in `dtype`.
      dtype: Data type of the computation if `model` is None.
    """

    model: Qwen3Config | None = None
    init_from: str = ""
    dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.model is None and not self.init_from:
            raise ValueError("policy has neither model nor init_from; give the sizes of a fresh policy or the folder of a model")


@dataclass(frozen=True)
class EngineConfig:
    """Engine that samples from the policy, with at most `max_len` tokens per sequence, including the prompt.

    Attributes:
      urls: Addresses of SGLang, SGL-JAX or `oprover serve` servers; empty: an engine in this process. Each new policy is published to them,
        from a folder of the run that they must see under the same path.
      key_file: File whose first line is the bearer key of the servers; without it, the variable OPROVER_API_KEY.
      max_len: Maximum length of prompt and completion together, in tokens.
      slots: In this process: sequences that are decoded concurrently.
      decode_chunk: In this process: tokens that are decoded between two looks at the queue.
      prefill_batch: In this process: prompts that are read together.
    """

    urls: tuple[str, ...] = ()
    key_file: Path | None = None
    max_len: int = 320
    slots: int = 128
    decode_chunk: int = 8
    prefill_batch: int = 8


@dataclass(frozen=True)
class MemoryConfig:
    """Retrieval memory of the public theorems and of what the run proves.

    Attributes:
      encoder: "minilm" (`retrieval.minilm`), "lexical" (`retrieval.encoder`), or the folder of a policy, a run or a model in Hugging Face
        format (`retrieval.policy_encoder`).
      index: Folder of the index of the run's corpus (`oprover corpus index`), so that nothing is encoded again. Empty: encode the public
        theorems at each start.
    """

    encoder: str = "minilm"
    index: str = ""

    def __post_init__(self) -> None:
        if self.encoder not in ("minilm", "lexical") and "/" not in self.encoder:
            raise ValueError(f"memory.encoder is {self.encoder!r}; give 'minilm', 'lexical', or the folder of a policy as ./NAME")


@dataclass(frozen=True)
class TrainingConfig:
    """Stage of cross-entropy training: `steps` steps on `batch_size` packed sequences of `seq_len` tokens.

    `data` is a folder of rows that `oprover pack` wrote, to train on instead of what the run packs from its own theorems and rollouts.
    """

    steps: int
    optimizer: OptimizerConfig
    batch_size: int = 8
    seq_len: int = 256
    grad_accum_steps: int = 1
    data: str = ""

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
    """GSPO stage: each of `steps` steps samples `group_size` attempts from `states` hard states and makes `minibatches` updates (paper: 4).

    `seq_len` is the padded length of an attempt with its prompt, in tokens.
    """

    steps: int
    optimizer: OptimizerConfig
    states: int = 12
    group_size: int = 8
    minibatches: int = 4
    grad_accum_steps: int = 1
    seq_len: int = 320
    loss: GSPOConfig = field(default_factory=GSPOConfig)

    def __post_init__(self) -> None:
        if self.steps < 0:
            raise ValueError(f"gspo.steps is {self.steps}; it must be at least 0")
        if self.group_size < 2:
            raise ValueError(f"gspo.group_size is {self.group_size}; it must be at least 2 attempts from each state")
        if self.states * self.group_size % self.minibatches:
            raise ValueError(
                f"gspo.states * gspo.group_size is {self.states} x {self.group_size}; it must be a multiple of gspo.minibatches = "
                f"{self.minibatches}"
            )
        if self.grad_accum_steps < 1 or self.batch_size % self.grad_accum_steps:
            raise ValueError(
                f"gspo.grad_accum_steps is {self.grad_accum_steps}, which does not divide a mini-batch of {self.batch_size} attempts"
            )

    @property
    def batch_size(self) -> int:
        """Number of attempts in a mini-batch."""
        return self.states * self.group_size // self.minibatches


@dataclass(frozen=True)
class RolloutConfig:
    """Rollouts of one iteration: `statements` from the pool with `num_samples` trajectories each.

    `temperature` applies to rollouts and GSPO; it may be higher than in evaluation, for exploration.
    """

    statements: int = 600
    num_samples: int = 8
    temperature: float = 1.0


@dataclass(frozen=True)
class EvaluationConfig:
    """Evaluation: `num_samples` rollouts on each of the first `statements` held-out statements (0: all)."""

    num_samples: int = 16
    statements: int = 0
    num_external_samples: int = 8


@dataclass(frozen=True)
class Experiment:
    """Complete run: theorems, CPT, SFT, `iterations` of {rollout, SFT, GSPO} with evaluations, and ablations at the end.

    `policy`, `theorems`, `memory` and the settings of the stages say what is learned. `lean` and `engine` say who checks and who samples;
    they may change between starts as long as verdicts and lengths stay the same. A stage that is None is left out. `cpt_mixture` gives the
    weight of each source in tokens. A wrong proof is tried on `first_repairs` public theorems, so that the first SFT contains repairs.
    `replay` is the minimum share of public examples in later SFT stages. `topology` names the chips that the run is meant for, such as
    "v5p:2x2x1", for `oprover compile` and `--plan`. `loggers` are those of all training stages besides metrics.jsonl: "tensorboard",
    "wandb".
    """

    name: str
    policy: PolicyConfig
    repair_sft: TrainingConfig
    gspo: GSPOStage
    theorems: TheoremsConfig = field(default_factory=TheoremsConfig)
    cpt: TrainingConfig | None = None
    sft: TrainingConfig | None = None
    iterations: int = 2
    seed: int = 0
    mesh: MeshConfig = field(default_factory=MeshConfig)
    topology: str = ""
    lean: LeanConfig = field(default_factory=LeanConfig)
    engine: EngineConfig = field(default_factory=EngineConfig)
    memory: MemoryConfig = field(default_factory=MemoryConfig)
    budget: Budget = field(default_factory=Budget)
    refine: RefineConfig = field(default_factory=RefineConfig)
    rollout: RolloutConfig = field(default_factory=RolloutConfig)
    select: SelectConfig = field(default_factory=SelectConfig)
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    guard: GuardConfig = field(default_factory=GuardConfig)
    loggers: tuple[str, ...] = ()
    cpt_mixture: dict[str, float] = field(default_factory=lambda: {"proofs": 0.4, "library": 0.1, "rounds": 0.5})
    first_repairs: int = 800
    replay: float = 0.3

    def __post_init__(self) -> None:
        shards = self.mesh.dcn * self.mesh.fsdp
        batches = [
            ("gspo.states * gspo.group_size / gspo.minibatches / gspo.grad_accum_steps", self.gspo.batch_size // self.gspo.grad_accum_steps)
        ]
        for name in ("cpt", "sft", "repair_sft"):
            if (stage := getattr(self, name)) is not None:
                batches.append((f"{name}.batch_size / {name}.grad_accum_steps", stage.batch_size // stage.grad_accum_steps))
        for name, rows in batches:
            if rows % shards:
                raise ValueError(f"{name} is {rows}, which does not divide over the mesh (dcn x fsdp); make it a multiple of {shards}")
        longest = self.budget.prompt + self.refine.max_new_tokens
        for name, room in (("engine.max_len", self.engine.max_len), ("gspo.seq_len", self.gspo.seq_len)):
            if longest > room:
                raise ValueError(f"{name} is {room}, but prompt and completion may take {longest} tokens; raise it or lower the budget")
        if self.memory.index and not self.theorems.corpus:
            raise ValueError(f"memory.index is {self.memory.index!r}, but the theorems are not those of a corpus; give theorems.corpus too")
        if self.first_repairs < 1:
            raise ValueError(f"first_repairs is {self.first_repairs}; it must be at least 1")
        if self.rollout.temperature == 0 and (self.rollout.num_samples > 1 or self.gspo.steps):
            raise ValueError(
                f"rollout.temperature is 0, so the {self.rollout.num_samples} rollouts on a statement, and the attempts of a GSPO "
                "group, would be equal; give a temperature above 0"
            )
        if not 0 <= self.replay < 1:
            raise ValueError(f"replay is {self.replay}; it must be in [0, 1)")
        if self.cpt is None and self.sft is None and not self.policy.init_from:
            raise ValueError("a fresh policy without cpt and sft proves nothing; give one of the two, or policy.init_from")
