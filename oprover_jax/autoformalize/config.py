"""Every number and every prompt of the way from an informal text to a formal statement."""

from dataclasses import dataclass, field

from oprover_jax.posttraining.experiment import EngineConfig, LeanConfig
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
class Asking:
    """How a policy is asked: `prompt` with its places in braces, `samples` answers, each of at most `max_new_tokens` tokens."""

    prompt: str
    num_samples: int
    temperature: float = 0.7
    max_new_tokens: int = 2048

    def __post_init__(self) -> None:
        if self.num_samples < 1 or self.max_new_tokens < 1:
            raise ValueError(f"samples is {self.num_samples} and max_new_tokens {self.max_new_tokens}; both must be at least 1")
        if "{informal}" not in self.prompt:
            raise ValueError("a prompt has no place {informal} for the text; add it")


@dataclass(frozen=True)
class VacuityConfig:
    """Short tactics that Lean tries. One of `contradiction` that proves False from the hypotheses alone makes a statement vacuous; one of
    `trivial` that proves the statement alone makes it trivial. Tactics that the Lean at hand does not know are left out, and named."""

    contradiction: tuple[str, ...] = CONTRADICTION
    trivial: tuple[str, ...] = TRIVIAL
    keep_trivial: bool = False


@dataclass(frozen=True)
class FormalizeConfig:
    """`header` stands before every statement: imports and `open`s of the Lean that is asked, empty for core Lean. `faithful` is the least
    mean score of the critic, in [0, 1]; `per_text` the most statements kept of one text. `source` names the rows in the corpus.

    `part` candidates are one part of the work: what a kill may lose is the parts in work, `in_flight` of them."""

    formalizer: Asking = field(default_factory=lambda: Asking(FORMALIZE, num_samples=4))
    critic: Asking = field(default_factory=lambda: Asking(CRITIC, num_samples=2, temperature=0.3))
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
            raise ValueError("critic.prompt has no place {formal} for the translation; add it")
        if not 0 <= self.faithful <= 1:
            raise ValueError(f"faithful is {self.faithful}; it must be in [0, 1]")
        for name in ("per_text", "part", "in_flight"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must be at least 1")
        if not self.source:
            raise ValueError("source is empty; name the rows, such as web-2026")
