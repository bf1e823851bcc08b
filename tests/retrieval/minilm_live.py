"""The real MiniLM beside what sentence-transformers made of the same texts. Run by `make test-minilm`, which brings its weights.

Not one of the tests that every run collects, because of the 90 MB. `minilm_expected.npz` holds texts (three statements spelled out, a
sentence, nothing, and one that is cut) and vectors by the original, which say in `made_by` what that was.
"""

from pathlib import Path

import numpy as np
import pytest

from oprover_jax.records import ProofRecord, Statement
from oprover_jax.retrieval.memory import Memory
from oprover_jax.retrieval.minilm import MiniLMEncoder

pytestmark = pytest.mark.live

EXPECTED = np.load(Path(__file__).parent / "minilm_expected.npz")
TEXTS = [str(text) for text in EXPECTED["texts"]]


@pytest.fixture(scope="module")
def encoder() -> MiniLMEncoder:
    return MiniLMEncoder()


def test_the_vectors_are_those_of_the_original(encoder: MiniLMEncoder) -> None:
    np.testing.assert_allclose(encoder.encode_texts(TEXTS), EXPECTED["vectors"], atol=2e-6)


def test_a_row_does_not_depend_on_its_batch(encoder: MiniLMEncoder) -> None:
    together = encoder.encode_texts([*TEXTS, *(f"{number} + n = m" for number in range(40))])
    np.testing.assert_allclose(together[: len(TEXTS)], np.concatenate([encoder.encode_texts([text]) for text in TEXTS]), atol=2e-6)


def test_what_the_tokenizer_would_lose_tells_statements_apart(encoder: MiniLMEncoder) -> None:
    pairs = [("∀ n, ∃ m, m > n", "∃ n, ∀ m, m > n"), ("x ≠ y", "x = y"), ("a ∣ b", "a ∤ b"), ("x ∈ s", "x ∉ s"), ("(x : ℕ)", "(x : ℂ)")]
    for one, other in pairs:
        raw = encoder.encode_texts([one, other])
        spelled = encoder.encode([Statement(goal, "t", f"theorem t : {goal} := by sorry") for goal in (one, other)])
        assert raw[0] @ raw[1] > 0.999999, "else it need not be spelled out"
        assert spelled[0] @ spelled[1] < 0.995


def test_a_memory_over_it_finds_what_is_alike(encoder: MiniLMEncoder, tmp_path: Path) -> None:
    formals = {
        "add": "theorem a (a b : Nat) : a + b = b + a := by sorry",
        "and": "theorem b (p q : Prop) (h : p ∧ q) : q ∧ p := by sorry",
        "append": "theorem c (xs ys : List Nat) : (xs ++ ys).length = xs.length + ys.length := by sorry",
    }
    memory = Memory(encoder)
    memory.add(ProofRecord(Statement(name, name, formal), "by simp", "4", "core", (), 0.1, "test") for name, formal in formals.items())
    memory.save(tmp_path / "memory")
    queries = {
        "add": "theorem x (m n : Nat) : m + n + 0 = n + m := by sorry",
        "and": "theorem y (r s : Prop) : r ∧ s → s ∧ r := by sorry",
        "append": "theorem z (l : List Nat) : (l ++ l).length = 2 * l.length := by sorry",
    }
    for one in (memory, Memory.load(tmp_path / "memory", MiniLMEncoder())):
        found = one.search([Statement(f"q-{name}", "q", formal) for name, formal in queries.items()], k=1)
        assert [row[0].statement.id for row in found] == list(queries)
