"""The classifier of mathematical statements: its features, its training, its file."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import softmax

from oprover_jax.autoformalize.mining.classifier import Classifier, load_classifier
from oprover_jax.autoformalize.mining.features import features
from oprover_jax.autoformalize.mining.fit import area_under_curve, choose_threshold, fit, read_labelled
from oprover_jax.errors import InputError
from tests.autoformalize.mining.conftest import CONFIG, labelled, prose, statements


def words_of(text: str) -> list[str]:
    """The words of a text by a regular expression: ASCII only, where no rule about bytes is in question."""
    lowered = re.sub(r"[0-9]", "0", text.lower())
    return re.findall(r"\\[a-z]*|[a-z]+|[0-9]+|[^\sa-z0-9]", lowered)


def test_features_are_words_and_their_pairs() -> None:
    found = features(["Let x be even.", "", "x", "let X be even ."], 1 << 20)
    assert [list(found.rows).count(row) for row in range(4)] == [9, 0, 1, 9]
    assert list(found.ids[found.rows == 0]) == list(found.ids[found.rows == 3])  # case and spaces do not matter
    assert found.ids[found.rows == 2][0] in found.ids[found.rows == 0]


ascii_texts = st.lists(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=40), max_size=6)


@settings(max_examples=60, deadline=None)
@given(ascii_texts)
def test_features_agree_with_a_regular_expression(texts: list[str]) -> None:
    """Equal words get equal features, other words others, in the order of the text: against words found one by one in Python."""
    found = features(texts, 1 << 30)
    known: dict[tuple[str, ...], int] = {}
    for row, text in enumerate(texts):
        words = words_of(text)
        expected = [item for i, word in enumerate(words) for item in ([(word,)] + ([(word, words[i + 1])] if i + 1 < len(words) else []))]
        ids = [int(i) for i in found.ids[found.rows == row]]
        assert len(ids) == len(expected)
        for item, identity in zip(expected, ids, strict=True):
            assert known.setdefault(item, identity) == identity
    assert len(set(known.values())) == len(known)  # no collision among 2^30


def test_symbols_beyond_ascii_are_words_of_their_own() -> None:
    glued, apart = features(["∀x∈ℕ, é≤ñ", "∀ x ∈ ℕ , é ≤ ñ"], 1 << 20).ids.reshape(2, -1)
    assert list(glued) == list(apart)


def test_scores_are_those_of_the_model_written_out(classifier: Classifier) -> None:
    """One gather in place of embeddings, mean, matrix product and softmax; batches of any composition."""
    texts = [*statements(5, seed=1), *prose(5, seed=1), "unseen words only qwrtz"]
    expected = []
    for text in texts:
        ids = features([text], classifier.config.buckets).ids
        mean = classifier.embedding[ids].astype(np.float64).mean(axis=0)
        expected.append(softmax(mean @ classifier.head.astype(np.float64) + classifier.bias)[1])
    np.testing.assert_allclose(classifier.scores(texts), expected, rtol=1e-5)
    np.testing.assert_allclose(classifier.scores(texts * 3000)[-len(texts) :], expected, rtol=1e-5)
    assert classifier.scores([]).shape == (0,)


def test_it_learns_and_says_how_well(classifier: Classifier) -> None:
    held_out = classifier.held_out
    assert held_out.auc > 0.99 and held_out.precision >= 0.9 and held_out.recall > 0.9 and held_out.reached
    fresh = classifier.scores(statements(50, seed=7)), classifier.scores(prose(50, seed=7))
    assert (fresh[0] >= classifier.threshold).mean() > 0.9 and (fresh[1] >= classifier.threshold).mean() < 0.1


def test_labels_without_meaning_are_not_learned() -> None:
    """The held-out figures are held out: labels drawn at random give an AUC about a half, however well they are remembered."""
    draw = np.random.default_rng(0)
    rows = [type(row)(row.text, "statement" if draw.random() < 0.5 else "other") for row in labelled(1200)]
    assert 0.35 < fit(rows, CONFIG).held_out.auc < 0.65


def test_seed_decides(classifier: Classifier) -> None:
    assert fit(labelled(), CONFIG).sha256 == classifier.sha256


def test_a_training_that_goes_astray_is_told() -> None:
    with pytest.raises(InputError, match="lower it"):
        fit(labelled(), dataclasses.replace(CONFIG, peak_lr=1e30))


def test_the_file_comes_back_and_tells_damage(classifier: Classifier, classifier_file: Path, tmp_path: Path) -> None:
    back = load_classifier(classifier_file)
    texts = statements(20, seed=3)
    assert np.array_equal(back.scores(texts), classifier.scores(texts)) and back.held_out == classifier.held_out
    with np.load(classifier_file) as stored:
        changed = {**stored, "head": stored["head"] + 1}
    with (tmp_path / "changed.npz").open("wb") as file:
        np.savez_compressed(file, **changed)
    (tmp_path / "cut.npz").write_bytes(classifier_file.read_bytes()[:-100])
    for name in ("changed.npz", "cut.npz", "none.npz"):
        with pytest.raises(InputError, match=name):
            load_classifier(tmp_path / name)


def test_area_under_curve_and_threshold_by_hand() -> None:
    scores, truth = np.array([0.9, 0.8, 0.8, 0.3, 0.1]), np.array([True, True, False, True, False])
    pairs = [(p, n) for p in scores[truth] for n in scores[~truth]]
    assert area_under_curve(scores, truth) == pytest.approx(np.mean([(p > n) + (p == n) / 2 for p, n in pairs]))
    assert choose_threshold(scores, truth, 1.0, 0.6) == (pytest.approx(0.85), True)
    assert choose_threshold(scores, truth, 0.74, 0.6) == (pytest.approx(0.2), True)  # 0.6 / (0.6 + 0.4 x 1/2)
    assert choose_threshold(scores, truth, 0.74, 0.2) == (pytest.approx(0.85), True)  # 0.2 / (0.2 + 0.8 x 1/2) is less
    assert choose_threshold(scores, ~truth, 0.9, 0.4) == (pytest.approx(0.05), False)  # 2 of 5 at best


def test_bad_rows_are_named(tmp_path: Path) -> None:
    path = tmp_path / "labelled.jsonl"
    path.write_text('{"text": "a b", "label": "statement"}\n{"text": "c", "label": "maybe"}\n')
    with pytest.raises(InputError, match="line 2"):
        read_labelled(path)
    path.write_text('{"text": "A b", "label": "statement"}\n{"text": "a  b.", "label": "other"}\n')
    with pytest.raises(InputError, match="other label"):
        read_labelled(path)
    with pytest.raises(InputError, match="label more texts"):
        fit(labelled(60), CONFIG)
