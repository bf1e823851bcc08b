"""The lexical encoder: what it must not see (names), what it must see (symbols), and that it is the same after a round trip."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oprover_jax.records import Statement
from oprover_jax.retrieval.encoder import EncoderFileError, LexicalEncoder


def statement(formal: str, name: str = "t") -> Statement:
    return Statement(id=name, name=name, formal=formal)


def similarity(encoder: LexicalEncoder, a: str, b: str) -> float:
    x, y = encoder.encode([statement(a), statement(b)])
    return float(x @ y)


CORPUS = [
    statement(f)
    for f in (
        "theorem add_comm (a b : Nat) : a + b = b + a := by sorry",
        "theorem and_swap (p q : Prop) (h : p ∧ q) : q ∧ p := by sorry",
        "theorem len_append (xs ys : List α) : (xs ++ ys).length = xs.length + ys.length := by sorry",
        "theorem or_swap (p q : Prop) (h : p ∨ q) : q ∨ p := by sorry",
        "theorem le_trans' (a b c : Nat) (h₁ : a ≤ b) (h₂ : b ≤ c) : a ≤ c := by sorry",
        "theorem ex_imp (p q : Nat → Prop) (h : ∀ x, p x → q x) (e : ∃ x, p x) : ∃ x, q x := by sorry",
    )
]
ENCODER = LexicalEncoder.fit(CORPUS, dims=256)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (
            "theorem a (x y : Nat) : x + y = y + x := by sorry",
            "theorem Foo.b (first second : Nat) : first + second = second + first := by sorry",
        ),
        ("theorem a : ∀ n : Nat, n = n := by sorry", "lemma a : ∀ /- the -/ k -- number\n: Nat, k = k := sorry"),
        ("theorem a (p q : Prop) (h : p /\\ q) : q -> p := by sorry", "theorem a (A B : Prop) (hAB : A ∧ B) : B → A := by sorry"),
        ("theorem a (zs : List Nat) (n : Nat) : zs.length <= n := by sorry", "theorem a (l : List Nat) (m : Nat) : l.length ≤ m := sorry"),
    ],
)
def test_names_spelling_and_comments_do_not_matter(one: str, other: str) -> None:
    assert similarity(ENCODER, one, other) == pytest.approx(1.0, abs=1e-5)


def test_which_variable_stands_where_matters() -> None:
    assert similarity(ENCODER, "theorem t (a b : Nat) : a < b := by sorry", "theorem t (a b : Nat) : b < a := by sorry") < 0.99


def test_alike_in_shape_is_nearer_than_alien() -> None:
    target = "theorem t (x y z : Prop) (k : x ∧ y ∧ z) : z ∧ x := by sorry"
    vectors = ENCODER.encode([statement(target), *CORPUS])
    nearest = CORPUS[int(np.argmax(vectors[1:] @ vectors[0]))]
    assert nearest.name == "t" and "and_swap" in nearest.formal


def test_vectors_have_unit_length_even_without_tokens() -> None:
    vectors = ENCODER.encode([*CORPUS, statement(""), statement("-- nothing")])
    assert vectors.shape == (len(CORPUS) + 2, 256)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, rtol=1e-5)
    assert ENCODER.encode([]).shape == (0, 256)


def test_a_row_does_not_depend_on_its_batch() -> None:
    np.testing.assert_array_equal(ENCODER.encode(CORPUS)[3], ENCODER.encode(CORPUS[3:4])[0])


@settings(max_examples=200, deadline=None)
@given(st.text())
def test_any_text_is_encoded(text: str) -> None:
    assert np.isfinite(ENCODER.encode([statement(text)])).all()


def test_save_load_round_trip(tmp_path) -> None:
    ENCODER.save(tmp_path / "encoder.npz")
    loaded = LexicalEncoder.load(tmp_path / "encoder.npz")
    assert (loaded.name, loaded.hash, loaded.dims) == (ENCODER.name, ENCODER.hash, ENCODER.dims)
    np.testing.assert_array_equal(loaded.encode(CORPUS), ENCODER.encode(CORPUS))
    assert [p.name for p in tmp_path.iterdir()] == ["encoder.npz"]


def test_hash_tells_corpora_and_sizes_apart() -> None:
    hashes = {ENCODER.hash, LexicalEncoder.fit(CORPUS, dims=384).hash, LexicalEncoder.fit(CORPUS[:3], dims=256).hash}
    assert len(hashes) == 3
    assert LexicalEncoder.fit(CORPUS, dims=256).hash == ENCODER.hash


@pytest.mark.parametrize("content", [b"", b"not an archive"])
def test_a_broken_file_is_refused_by_name(tmp_path, content: bytes) -> None:
    (tmp_path / "encoder.npz").write_bytes(content)
    with pytest.raises(EncoderFileError, match=r"encoder\.npz"):
        LexicalEncoder.load(tmp_path / "encoder.npz")


def test_impossible_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="dims is 3"):
        LexicalEncoder.fit([], dims=3)
