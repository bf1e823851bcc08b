"""The BERT under MiniLM against a float64 oracle, at a tiny size; what it is told of Lean's symbols; what is said where it is missing."""

import math
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from oprover_jax.errors import InputError
from oprover_jax.retrieval.minilm import MiniLMEncoder, sentence_vectors
from oprover_jax.retrieval.spelling import SPELLING, bare, spelled_out

DIMS, HEADS, LAYERS, VOCAB = 8, 2, 2, 20


def tiny_weights() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)

    def draw(*shape: int) -> np.ndarray:
        return rng.normal(0, 0.5, shape).astype(np.float32)

    weights = {
        f"embeddings.{name}_embeddings.weight": draw(size, DIMS) for name, size in (("word", VOCAB), ("position", 12), ("token_type", 2))
    }
    linear = {f"attention.self.{name}": (DIMS, DIMS) for name in ("query", "key", "value")}
    linear |= {"attention.output.dense": (DIMS, DIMS), "intermediate.dense": (4 * DIMS, DIMS), "output.dense": (DIMS, 4 * DIMS)}
    norms = ["embeddings.LayerNorm"]
    for number in range(LAYERS):
        at = f"encoder.layer.{number}."
        norms += [f"{at}attention.output.LayerNorm", f"{at}output.LayerNorm"]
        for name, (out, into) in linear.items():
            weights |= {f"{at}{name}.weight": draw(out, into), f"{at}{name}.bias": draw(out)}
    for name in norms:
        weights |= {f"{name}.weight": 1 + draw(DIMS), f"{name}.bias": draw(DIMS)}
    return weights


def oracle(weights: dict[str, np.ndarray], tokens: list[int]) -> np.ndarray:
    """BERT from its paper, one token and one head at a time, without padding."""
    w = {name: weight.astype(np.float64) for name, weight in weights.items()}

    def norm(name: str, x: np.ndarray) -> np.ndarray:
        return (x - x.mean()) / math.sqrt(x.var() + 1e-12) * w[f"{name}.weight"] + w[f"{name}.bias"]

    def dense(name: str, x: np.ndarray) -> np.ndarray:
        return w[f"{name}.weight"] @ x + w[f"{name}.bias"]

    word, position, kind = (w[f"embeddings.{name}_embeddings.weight"] for name in ("word", "position", "token_type"))
    stream = [norm("embeddings.LayerNorm", word[token] + position[at] + kind[0]) for at, token in enumerate(tokens)]
    for number in range(LAYERS):
        at = f"encoder.layer.{number}."
        query, key, value = ([dense(f"{at}attention.self.{name}", x) for x in stream] for name in ("query", "key", "value"))
        after = []
        for s, x in enumerate(stream):
            heads = []
            for h in np.split(np.arange(DIMS), HEADS):
                scores = np.array([query[s][h] @ key[t][h] for t in range(len(stream))]) / math.sqrt(DIMS // HEADS)
                shares = np.exp(scores - scores.max()) / np.exp(scores - scores.max()).sum()
                heads.append(sum(share * value[t][h] for t, share in enumerate(shares)))
            x = norm(f"{at}attention.output.LayerNorm", x + dense(f"{at}attention.output.dense", np.concatenate(heads)))
            hidden = np.array([v * 0.5 * (1 + math.erf(v / math.sqrt(2))) for v in dense(f"{at}intermediate.dense", x)])
            after.append(norm(f"{at}output.LayerNorm", x + dense(f"{at}output.dense", hidden)))
        stream = after
    mean = np.mean(stream, axis=0)
    return mean / np.linalg.norm(mean)


def test_vectors_are_those_of_the_oracle_whatever_the_padding() -> None:
    weights, rng = tiny_weights(), np.random.default_rng(1)
    tokens, there = np.zeros((4, 10), np.int32), np.zeros((4, 10), bool)
    for row, length in enumerate((1, 4, 7, 10)):
        tokens[row], there[row, :length] = rng.integers(0, VOCAB, 10), True
    found = sentence_vectors(jax.tree.map(jnp.asarray, weights), tokens, there, layers=LAYERS, heads=HEADS)
    expected = [oracle(weights, [int(t) for t, here in zip(*pair, strict=True) if here]) for pair in zip(tokens, there, strict=True)]
    np.testing.assert_allclose(found, expected, atol=2e-6)


def test_statements_are_spelled_out_without_their_names() -> None:
    formal = "theorem foo.bar (x : ℕ) -- a number\n    (h : ∃ y, ¬ y ∣ x) : x ≠ 0 := by sorry"
    assert spelled_out(formal) == "(x : natural number ) (h : exists y, not y divides x) : x not equal 0"
    assert bare("lemma t: 1 = 1 := sorry") == ": 1 = 1" and bare("example : a ↔ b := by\n  sorry") == ": a ↔ b"
    assert bare("@[simp] lemma t(x : Nat) : x = x := by") == "(x : Nat) : x = x" and bare("def a := 1\ntheorem t : a = 1 :=").startswith(
        "def"
    )


@given(st.text(st.sampled_from([*SPELLING, "x", " ", "(", "\n"])))
def test_no_symbol_is_left_and_none_becomes_its_opposite(text: str) -> None:
    assert not SPELLING.keys() & set(spelled_out(text))
    assert len(set(SPELLING.values())) == len(SPELLING)


def test_what_is_missing_or_broken_is_said_with_the_remedy(tmp_path: Path, monkeypatch) -> None:
    with monkeypatch.context() as patch, pytest.raises(InputError, match=r"requirements/minilm\.txt"):
        patch.setattr("oprover_jax.retrieval.minilm.PACKAGE", "no_such_package")
        MiniLMEncoder()
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(InputError, match=r"tokenizer\.json"):
        MiniLMEncoder(tmp_path)
