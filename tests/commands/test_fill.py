"""Accepted proofs in a user's file: whatever their form, Lean accepts the file that is written."""

from collections.abc import Iterator

import pytest

from lean_worker.pool import Pool
from lean_worker.source import Declaration, declarations, open_declarations
from oprover_jax.commands.fill import Filling, filled, filling, fits

TEXT = """/-! A file. -/
namespace Own

/-- The first. -/
@[simp] theorem first (p q : Prop) (h : p ∧ q) :
    q ∧ p := by sorry

theorem second (n : Nat) : n + 0 = n := by
  sorry

theorem taken : True := trivial

end Own
"""
HELPER = "theorem helper (p q : Prop) (h : p ∧ q) : q := h.2"
RESTATED = "theorem first (p q : Prop) (h : p ∧ q) : q ∧ p := by\n  exact ⟨helper p q h, h.1⟩"


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with Pool(workers=1) as pool:
        yield pool


def open_ones() -> list[Declaration]:
    return [each for each in declarations(TEXT) if each.is_open]


@pytest.mark.lean
@pytest.mark.parametrize(
    "proof",
    [
        "by exact ⟨h.2, h.1⟩",
        ":= ⟨h.2, h.1⟩",
        f"{HELPER}\n\n{RESTATED}",
        f"import Init\nopen Nat\n\n{HELPER}\n\n/-- Mine. -/\n@[simp]\nprivate {RESTATED}",
        f"-- as follows\n{HELPER}\nset_option maxRecDepth 2000 in\n{RESTATED}",
        RESTATED.replace("helper p q h", "h.2"),
        RESTATED.replace("helper p q h", "h.2").replace("theorem first", "theorem Own.first"),
    ],
)
def test_every_form_of_proof_is_inserted(pool: Pool, proof: str) -> None:
    first, second = open_ones()
    made = filling(first.statement, proof)
    assert made is not None
    text = filled(TEXT, [first, second], {first.start: made, second.start: Filling("", "rfl")})
    assert open_declarations(text, pool) == [] and text.count("theorem first") == 1
    assert "/-- The first. -/\n@[simp] theorem first (p q : Prop) (h : p ∧ q) :\n    q ∧ p :" in text
    assert text.endswith("theorem taken : True := trivial\n\nend Own\n") and "theorem second (n : Nat) : n + 0 = n := rfl" in text


@pytest.mark.lean
def test_helpers_that_clash_with_later_names_do_not_fit(pool: Pool) -> None:
    targets = open_ones()
    proof = f"{HELPER}\n\n{RESTATED}".replace("helper", "taken")
    made = filling(targets[0].statement, proof)
    assert made is not None and not fits(filled(TEXT, targets, {targets[0].start: made}), pool, "it")


@pytest.mark.parametrize(
    "proof",
    [RESTATED.replace("q ∧ p", "And q p"), f"namespace A\n{RESTATED}\nend A", f"{RESTATED}\n\n#check first", "theorem x : True := trivial"],
)
def test_what_cannot_be_taken_apart_is_not_inserted(proof: str) -> None:
    assert filling(open_ones()[0].statement, proof) is None
