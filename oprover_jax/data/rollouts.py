"""Reading of stored rollouts in two passes: small columns of all of them first, then whole rows of those that were chosen.

The files are parts of the `trajectories` table of a corpus or a run (`corpus.store`). No pass holds more than a few rows, so any number of
rollouts can be selected from and scored. A rollout that was stored twice counts once, and one that has no verdict, as version 2 stored
them when Lean was away, does not count.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from jaxtyping import Int32

from oprover_jax.corpus import store
from oprover_jax.corpus.tables import round_fields
from oprover_jax.data.sources import open_parquet
from oprover_jax.errors import InputError
from oprover_jax.records import Trajectory

__all__ = ["Rollout", "Where", "read", "read_ids", "rows_of", "scan"]

Where = tuple[int, int]
"""Place of a rollout: number of its file, and row in that file."""

_SCANNED_ROWS, _READ_ROWS = 1024, 64
_SMALL = ("sample", "stage", "accepted")
_LARGE = ("prompt_ids", "attempt_ids")


@dataclass(frozen=True)
class Rollout:
    """What decides about a stored rollout. `kinds` to `lengths` have one entry per round.

    Attributes:
      statement: Id of the statement.
      family: Family of the statement; "" in a corpus.
      stage: Stage that made it.
      sample: Number among the rollouts of the statement in that stage.
      accepted: Whether a round was accepted.
      kinds: Kind of Lean's verdict, "" if the attempt had no proof.
      well_formed: Whether the attempt had the required form.
      proofs: Of accepted rounds, a hash that equal proofs share, else None.
      lengths: Tokens of prompt and attempt.
      where: Place of the rollout.
    """

    statement: str
    family: str
    stage: str
    sample: int
    accepted: bool
    kinds: tuple[str, ...]
    well_formed: tuple[bool, ...]
    proofs: tuple[int | None, ...]
    lengths: tuple[tuple[int, int], ...]
    where: Where

    def teaches(self, number: int) -> bool:
        """Return whether round `number` (from 0) was accepted and is well-formed."""
        return self.kinds[number] == "accepted" and self.well_formed[number]


def scan(files: Sequence[str]) -> Iterator[Rollout]:
    """Yield the rollouts in `files`, in order, from small columns only.

    Raises:
      InputError: A file cannot be read or contains no rollouts.
    """
    seen: set[tuple[str, str, str, int]] = set()
    for number, path in enumerate(files):
        at = 0
        parquet = open_parquet(path)
        names = parquet.schema_arrow.names
        if missing := {*_SMALL, *_LARGE, "rounds"} - set(names):
            raise InputError(f"{path} contains no rollouts, because it has no column {min(missing)!r}; give the folder of trajectories")
        for batch in parquet.iter_batches(_SCANNED_ROWS, columns=_columns(names)):
            for run, rollout in _rollouts(batch, number, at):
                if (key := (run, rollout.stage, rollout.statement, rollout.sample)) not in seen:
                    seen.add(key)
                    yield rollout
            at += len(batch)


def _columns(names: Collection[str]) -> list[str]:
    """Return the small columns of a part: of a corpus, of a run, or of a run with version 1 of the records."""
    outside = [name for name in ("statement_id", "id", "family", "run") if name in names]
    about = ["statement.id", "statement.family"] if "statement" in names else outside
    rounds = ["kinds", "well_formed", "proof_keys"] if "kinds" in names else ["rounds"]
    return [*about, *_SMALL, *rounds, *_LARGE]


def _rollouts(batch: pa.RecordBatch, number: int, start: int) -> Iterator[tuple[str, Rollout]]:
    """Yield the run, "" outside a corpus, and the rollout of each row that has a verdict; the batch begins at row `start` of a file."""
    names, blank = batch.schema.names, [""] * len(batch)
    if "statement" in names:
        statements, families = (pc.struct_field(batch["statement"], name).to_pylist() for name in ("id", "family"))
    else:
        statements = batch["statement_id" if "statement_id" in names else "id"].to_pylist()
        families = batch["family"].to_pylist() if "family" in names else blank
    runs = batch["run"].to_pylist() if "run" in names else blank
    samples, stages, accepted = (batch[name].to_pylist() for name in _SMALL)
    if "kinds" in names:
        rounds = list(zip(*(batch[name].to_pylist() for name in ("kinds", "well_formed", "proof_keys")), strict=True))
    else:
        rounds = [round_fields(texts) for texts in batch["rounds"].to_pylist()]
    prompts, attempts = (_lengths(batch[name]) for name in _LARGE)
    for row in range(len(batch)):
        if accepted[row] is not None:
            kinds, well_formed, proofs = map(tuple, rounds[row])
            about = (statements[row], families[row], stages[row], samples[row], accepted[row], kinds, well_formed, proofs)
            yield runs[row], Rollout(*about, tuple(zip(prompts[row], attempts[row], strict=True)), (number, start + row))


def _lengths(column: pa.ListArray) -> list[list[int]]:
    """Return the lengths of the inner lists of a column of lists of lists."""
    return pa.ListArray.from_arrays(column.offsets, pc.list_value_length(column.values)).to_pylist()


def read(files: Sequence[str], wanted: Iterable[Where]) -> Iterator[Trajectory]:
    """Yield the trajectories at `wanted` in order of the files of a run, a few at a time in memory. Raises InputError like `scan`."""
    by_file: dict[int, set[int]] = defaultdict(set)
    for number, row in wanted:
        by_file[number].add(row)
    for number, rows in sorted(by_file.items()):
        for _, batch, at in rows_of(files[number], rows):
            [row] = batch.slice(at, 1).to_pylist()
            yield store.TRAJECTORIES.decode(row)


def read_ids(path: str, rounds: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int, Int32[np.ndarray, "P"], Int32[np.ndarray, "A"]]]:
    """Yield (row, round, prompt ids, attempt ids) of the given (row, round) pairs of a file, in order."""
    picked: dict[int, list[int]] = defaultdict(list)
    for row, number in rounds:
        picked[row].append(number)
    for row, batch, at in rows_of(path, picked.keys(), _LARGE):
        for number in picked[row]:
            prompt, attempt = (batch[name][at].values[number].values.to_numpy() for name in _LARGE)
            yield row, number, prompt, attempt


def rows_of(path: str, rows: Collection[int], columns: Sequence[str] | None = None) -> Iterator[tuple[int, pa.RecordBatch, int]]:
    """Yield (row, batch that contains it, position in the batch) of `rows`, in order, from those row groups that contain any."""
    parquet = open_parquet(path)
    edges = [0]
    for number in range(parquet.metadata.num_row_groups):
        edges.append(edges[-1] + parquet.metadata.row_group(number).num_rows)
    left = sorted(rows, reverse=True)
    for number, (start, stop) in enumerate(pairwise(edges)):
        at = start
        if not left or left[-1] >= stop:
            continue
        for batch in parquet.iter_batches(_READ_ROWS, row_groups=[number], columns=list(columns) if columns else None):
            while left and left[-1] < at + len(batch):
                row = left.pop()
                yield row, batch, row - at
            at += len(batch)
