"""Configuration and prompts of the autoformalization pipeline."""

from dataclasses import dataclass, field

from lean_worker.lean_config import LeanConfig
from oprover_jax.posttraining.experiment import EngineConfig
from oprover_jax.sharding import MeshConfig

FORMALIZE = """Translate this mathematical text into one theorem of Lean 4. State all of it and nothing more: every hypothesis, every type,
the conclusion as it stands; where it asks for a value, state that the value is the answer. Do not prove it: end with `:= by sorry`.
Give the theorem, without further declarations, in one code block that begins with ```lean4.
The file begins with:
{header}

Text:
{informal}

Answer:
"""

CRITIC = """Compare a mathematical text with its translation into a theorem of Lean 4. A faithful translation has the same objects and
types, the same hypotheses, none missing and none added, the same quantifiers and the same conclusion.
Say what differs, if anything does, and end with a line `Score: N`, where N is from 0 (another statement) to 10 (the same statement).

Text:
{informal}

Translation:
{header}
{formal}

Answer:
"""

CONTRADICTION = ("contradiction", "omega", "simp_all", "simp at *", "norm_num at *", "linarith", "nlinarith", "aesop", "grind")
TRIVIAL = ("trivial", "rfl", "decide", "simp", "norm_num")


@dataclass(frozen=True)
class PromptConfig:
    """Prompt and sampling of a policy: `prompt` with placeholders in braces, and `num_samples` answers of up to `max_new_tokens` tokens."""

    prompt: str
    num_samples: int
    temperature: float = 0.7
    max_new_tokens: int = 2048

    def __post_init__(self) -> None:
        if self.num_samples < 1 or self.max_new_tokens < 1:
            raise ValueError(f"num_samples is {self.num_samples} and max_new_tokens is {self.max_new_tokens}; both must be at least 1")
        if "{informal}" not in self.prompt:
            raise ValueError("prompt has no placeholder {informal} for the text; add it")


@dataclass(frozen=True)
class VacuityConfig:
    """Tactics of the vacuity checks; tactics unknown to the available Lean are skipped and reported.

    Attributes:
      contradiction: A statement is vacuous if one of these proves False from its hypotheses.
      trivial: A statement is trivial if one of these proves it.
      keep_trivial: Keep trivial statements.
    """

    contradiction: tuple[str, ...] = CONTRADICTION
    trivial: tuple[str, ...] = TRIVIAL
    keep_trivial: bool = False


@dataclass(frozen=True)
class FormalizeConfig:
    """Settings of the pipeline.

    Attributes:
      formalizer: Prompt and sampling of the formalizer.
      critic: Prompt and sampling of the critic.
      header: Imports and `open`s before every statement; empty for core Lean.
      faithful: Minimum mean score of the critic, in [0, 1].
      vacuity: Tactics of the vacuity checks.
      per_text: Maximum number of statements kept per text.
      source: Source name of the rows in the corpus.
      part: Candidates per part; an interruption loses at most the parts in progress.
      in_flight: Parts processed concurrently.
      seed: Random seed of sampling.
      lean: Lean that elaborates the statements.
      engine: In-process engine.
      mesh: Device mesh.
    """

    formalizer: PromptConfig = field(default_factory=lambda: PromptConfig(FORMALIZE, num_samples=4))
    critic: PromptConfig = field(default_factory=lambda: PromptConfig(CRITIC, num_samples=2, temperature=0.3))
    header: str = ""
    faithful: float = 0.7
    vacuity: VacuityConfig = field(default_factory=VacuityConfig)
    per_text: int = 1
    source: str = "informal"
    part: int = 64
    in_flight: int = 4
    seed: int = 0
    lean: LeanConfig = field(default_factory=LeanConfig)
    engine: EngineConfig = field(default_factory=lambda: EngineConfig(slots=64, max_len=4096))
    mesh: MeshConfig = field(default_factory=MeshConfig)

    def __post_init__(self) -> None:
        if "{formal}" not in self.critic.prompt:
            raise ValueError("critic.prompt has no placeholder {formal} for the translation; add it")
        if not 0 <= self.faithful <= 1:
            raise ValueError(f"faithful is {self.faithful}; it must be in [0, 1]")
        for name in ("per_text", "part", "in_flight"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not self.source:
            raise ValueError("source is empty; give a name for the rows, such as web-2026")
