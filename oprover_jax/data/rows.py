"""Training rows: from token ids with loss weights to fixed-length rows of shifted, packed segments.

An `Example` is one document or one prompt with its attempt. `shift` is the only place where inputs and targets diverge, so
tokens and loss weights can never drift by one. Every example is shifted separately and only then placed into a row: the
last position of a segment predicts that segment's last id, and nothing predicts the first id of the next segment.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int32

__all__ = ["ROW_FIELDS", "Example", "Row", "document", "pad_row", "parts", "prompted", "row_of", "shift"]

Row = dict[str, np.ndarray]
Ids = Sequence[int] | np.ndarray

# The arrays of a row, each of shape [S], in the order in which a stored record holds them.
ROW_FIELDS: dict[str, type[np.generic]] = {
    "tokens": np.int32,
    "targets": np.int32,
    "positions": np.int32,
    "segment_ids": np.int32,
    "weights": np.float32,
}


@dataclass(frozen=True)
class Example:
    """Token ids and, for each, the loss weight of predicting it: `weights[i]` is the weight of `ids[i]` as a target.

    `weights[0]` must be 0, as nothing precedes the first id. Raises ValueError for fewer than two ids (there is
    nothing to predict), for lengths that differ, and for weights that are negative or not finite.
    """

    ids: Int32[np.ndarray, "L"]
    weights: Float32[np.ndarray, "L"]

    def __post_init__(self) -> None:
        if self.ids.ndim != 1 or self.ids.shape != self.weights.shape:
            shapes = f"{self.weights.shape} for {self.ids.shape}"
            raise ValueError(f"an example needs one weight for each id, not {shapes}; create it with document or prompted")
        if len(self.ids) < 2:
            raise ValueError(f"an example of {len(self.ids)} id(s) has nothing to predict; skip it")
        if self.weights[0] != 0:
            raise ValueError("the first id of an example cannot be predicted; set its weight to 0")
        if not np.isfinite(self.weights).all() or (self.weights < 0).any():
            raise ValueError("loss weights must be finite and not negative; check their computation")

    @property
    def positions(self) -> int:
        """Number of positions that the example takes in a row: one less than its ids."""
        return len(self.ids) - 1


def document(ids: Ids) -> Example:
    """Return an example for continued pretraining: every id but the first is a target of weight 1. Errors: see `Example`."""
    weights = np.ones(len(ids), np.float32)
    weights[:1] = 0
    return Example(np.asarray(ids, np.int32), weights)


def prompted(prompt_ids: Ids, attempt_ids: Ids) -> Example:
    """Return an example for SFT and RL: weight 0 on the prompt, 1 on every id of the attempt, including its end token.

    Raises ValueError for an empty prompt, since the first id of the attempt could then not be predicted.
    """
    if len(prompt_ids) == 0:
        raise ValueError("a prompted example needs at least one prompt id; begin prompts with a start token")
    ids = np.concatenate([np.asarray(prompt_ids, np.int32), np.asarray(attempt_ids, np.int32)])
    weights = np.zeros(len(ids), np.float32)
    weights[len(prompt_ids) :] = 1
    return Example(ids, weights)


def parts(example: Example, length: int) -> list[Example]:
    """Split an example into parts of at most `length` positions. A part's last id is the next one's first, so every target stays one."""
    if example.positions <= length:
        return [example]
    cut = []
    for start in range(0, example.positions, length):
        weights = example.weights[start : start + length + 1].copy()
        weights[0] = 0
        cut.append(Example(example.ids[start : start + length + 1], weights))
    return cut


def shift(example: Example) -> tuple[Int32[np.ndarray, "N"], Int32[np.ndarray, "N"], Float32[np.ndarray, "N"]]:
    """Return (tokens, targets, weights) of an example with N+1 ids: position i reads ids[i] and predicts ids[i+1]."""
    return example.ids[:-1], example.ids[1:], example.weights[1:]


def row_of(examples: Sequence[Example], length: int) -> Row:
    """Concatenate examples into a row of `length` positions; the rest is padding (segment 0, weight 0).

    Segments are numbered from 1 and their positions start at 0. Raises ValueError if the examples do not fit.
    """
    needed = sum(example.positions for example in examples)
    if needed > length:
        raise ValueError(f"the examples need {needed} positions, but a row has {length}; split them or pack fewer")
    row = {name: np.zeros(length, dtype) for name, dtype in ROW_FIELDS.items()}
    start = 0
    for segment, example in enumerate(examples, start=1):
        here = slice(start, start + example.positions)
        row["tokens"][here], row["targets"][here], row["weights"][here] = shift(example)
        row["positions"][here] = np.arange(example.positions)
        row["segment_ids"][here] = segment
        start = here.stop
    return row


def pad_row(example: Example, length: int) -> Row:
    """Return a row with a single example, as GSPO needs it. Errors: see `row_of`."""
    return row_of([example], length)
