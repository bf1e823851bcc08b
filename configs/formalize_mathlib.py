"""Formalization into Mathlib with an 8B policy trained for it; needs a Lean service with Mathlib (--lean http://host:port).

The header is the common one of public provers; samples, temperatures and thresholds are our own choices.
"""

from oprover_jax.autoformalize.config import CRITIC, FORMALIZE, FormalizeConfig, PromptConfig
from oprover_jax.posttraining.experiment import EngineConfig


def experiment() -> FormalizeConfig:
    return FormalizeConfig(
        formalizer=PromptConfig(FORMALIZE, num_samples=8, temperature=0.9, max_new_tokens=12_288),
        critic=PromptConfig(CRITIC, num_samples=4, temperature=0.6, max_new_tokens=8_192),
        header="import Mathlib\nset_option maxHeartbeats 400000\nopen BigOperators Real Nat Topology Rat",
        engine=EngineConfig(slots=64, max_len=16_384),
    )
