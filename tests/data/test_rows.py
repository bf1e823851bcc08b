import numpy as np
import pytest

from oprover_jax.data.rows import ROW_FIELDS, Example, document, pad_row, prompted, row_of, shift


def test_prompt_is_never_a_target_and_the_end_token_is() -> None:
    end = 9
    row = pad_row(prompted([1, 2, 3], [4, 5, end]), 8)
    trained = row["weights"] > 0
    assert row["targets"][trained].tolist() == [4, 5, end]
    assert row["tokens"][trained].tolist() == [3, 4, 5]  # what each of them is predicted from
    assert set(row["weights"].tolist()) == {0.0, 1.0}


def test_document_trains_all_ids_but_the_first() -> None:
    tokens, targets, weights = shift(document([7, 8, 9]))
    assert tokens.tolist() == [7, 8]
    assert targets.tolist() == [8, 9]
    assert weights.tolist() == [1, 1]


def test_segments_do_not_predict_each_other() -> None:
    row = row_of([document([1, 2, 3]), document([4, 5]), prompted([6], [7, 8])], 8)
    assert row["tokens"].tolist() == [1, 2, 4, 6, 7, 0, 0, 0]
    assert row["targets"].tolist() == [2, 3, 5, 7, 8, 0, 0, 0]
    assert row["segment_ids"].tolist() == [1, 1, 2, 3, 3, 0, 0, 0]
    assert row["positions"].tolist() == [0, 1, 0, 0, 1, 0, 0, 0]
    assert 4 not in row["targets"] and 6 not in row["targets"]
    assert {name: array.dtype for name, array in row.items()} == {name: np.dtype(kind) for name, kind in ROW_FIELDS.items()}


def test_impossible_examples_are_refused() -> None:
    with pytest.raises(ValueError, match="nothing to predict"):
        document([1])
    with pytest.raises(ValueError, match="at least one prompt id"):
        prompted([], [1, 2])
    with pytest.raises(ValueError, match="first id"):
        Example(np.array([1, 2], np.int32), np.array([1, 1], np.float32))
    with pytest.raises(ValueError, match="finite"):
        Example(np.array([1, 2], np.int32), np.array([0, np.nan], np.float32))
    with pytest.raises(ValueError, match="need 4 positions, but a row has 3"):
        row_of([document([1, 2, 3]), document([4, 5, 6])], 3)
