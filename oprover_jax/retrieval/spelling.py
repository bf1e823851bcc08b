"""Spelling of Lean symbols as English words, for tokenizers of English text.

The tokenizer of MiniLM is uncased, drops accents and lacks tokens for much of Lean's notation: ∀ ∃ ℕ ∑ ∣ ⊢ all become [UNK], and ≠ ∉ ∤,
read as accented letters, become their opposites = ∈ ∣.
"""

import re

from lean_worker.statement import StatementError, split_statement
from oprover_jax.statements.normalize import strip_comments

_WORDS = """
∀ forall · ∃ exists · ∄ not exists · ∑ sum · ∏ product · ∫ integral · ∮ contour integral · ∂ partial · √ square root · ∛ cube root
ℕ natural number · ℤ integer · ℚ rational number · ℝ real number · ℂ complex number · 𝔽 finite field · ℍ upper half plane · 𝕜 field
≠ not equal · ≤ less or equal · ≥ greater or equal · ∈ in · ∉ not in · ∋ contains · ∣ divides · ∤ does not divide · ≡ congruent
⊆ subset · ⊂ strict subset · ⊇ superset · ⊄ not a strict subset · ⊈ not within · ∪ union · ∩ intersection · ⋃ big union · ⋂ big intersection
∅ empty set · ᶜ complement · × times · ∘ composed with · • scalar times · ⁻ inverse · ∞ infinity · ∥ parallel · ⟂ perpendicular
∧ and · ∨ or · ¬ not · → implies · ↔ if and only if · ↦ maps to · λ fun · ⊢ proves · ▸ rewrites · ≃ equivalent · ≅ isomorphic
⊤ top · ⊥ bottom · ⊓ meet · ⊔ join · ⨅ infimum · ⨆ supremum · ⌊ floor · ⌋ end floor · ⌈ ceiling · ⌉ end ceiling · ‖ norm
∠ angle · ° degree · ⊕ direct sum · ⊗ tensor · ⟶ arrow · ⟪ inner · ⟫ end inner · ↑ coerced · ⇑ function · 𝓝 neighbourhoods · ◁ normal
"""
SPELLING = {symbol: f" {words} " for symbol, words in (entry.split(maxsplit=1) for entry in re.split(r"\s·\s|\n", _WORDS.strip()))}

_SYMBOL = re.compile("|".join(map(re.escape, SPELLING)))
_ENDING = re.compile(r":=\s*(?:by\s+)?sorry\s*$")


def bare(formal: str) -> str:
    """Return a statement without comments, keyword, name and `:= by sorry`; definitions before it stay."""
    try:
        statement = split_statement(formal)
    except StatementError:
        return _ENDING.sub("", strip_comments(formal)).strip()
    return strip_comments(f"{statement.context}\n{statement.after}").strip()


def spelled_out(formal: str) -> str:
    """Return a bare declaration with its symbols spelled out as words."""
    return " ".join(_SYMBOL.sub(lambda match: SPELLING[match[0]], bare(formal)).split())
