"""Rounds of stored rollouts as training examples, with the token ids that were read and written, so that nothing is encoded again.

Rounds are first chosen by small columns (verdict, proof, length); their token ids are read only afterwards, so a corpus of
any number of rollouts can be packed.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
import pyarrow.compute as pc

from oprover_jax.corpus.corpus import open_corpus
from oprover_jax.data.packing import TooLong
from oprover_jax.data.rows import Example, document, prompted
from oprover_jax.data.sources import Piece, open_parquet
from oprover_jax.errors import InputError

__all__ = ["RoundExample", "Trajectories", "choose"]

_ROWS = 256  # rollouts read at a time


@dataclass(frozen=True)
class RoundExample:
    """A round that Lean accepted: its statement and sample, `number` in its rollout (0: first), ids of the attempt, the proof (or a
    hash of it), and where it is stored."""

    statement: str
    sample: int
    number: int
    length: int
    proof: str | int | None
    where: tuple[int, int]


def choose(
    examples: Iterable[RoundExample], solved: Mapping[str, Sequence[bool]], per_statement: int, per_proof: int, mastered: float
) -> list[RoundExample]:
    """Choose accepted rounds, distinct by proof.

    Of each statement it takes repairs first, then the shortest, at most `per_statement` (one if more than the fraction `mastered` of its
    rollouts were solved); of each proof those on the least often solved statements, at most `per_proof`. `solved` says for each statement
    which of its rollouts were solved."""
    by_statement: dict[str, list[RoundExample]] = defaultdict(list)
    for example in examples:
        by_statement[example.statement].append(example)
    rates = {name: sum(solved[name]) / len(solved[name]) for name in by_statement}
    uses: Counter[str | int | None] = Counter()
    chosen = []
    for name in sorted(by_statement, key=lambda name: (rates[name], name)):
        ranked = sorted(by_statement[name], key=lambda candidate: (candidate.number == 0, candidate.length, candidate.sample))
        distinct: dict[str | int | None, RoundExample] = {}
        for candidate in ranked:
            distinct.setdefault(candidate.proof, candidate)
        keep = 1 if rates[name] > mastered else per_statement
        taken = [candidate for candidate in distinct.values() if uses[candidate.proof] < per_proof][:keep]
        uses.update(candidate.proof for candidate in taken)
        chosen += taken
    return chosen


@dataclass(frozen=True)
class Trajectories:
    """Rounds of rollouts: `path` is a corpus, a run of `oprover iterate`, or a folder of stored rollouts.

    loss "attempt": accepted rounds with loss on the new attempt and its end token only, selected by `choose` (SFT); rounds that do not
    fit a row are dropped. loss "all": every accepted round with its whole context, each token a target (CPT on retrieval and feedback).
    """

    path: str
    weight: float = 1.0
    loss: Literal["attempt", "all"] = "attempt"
    per_statement: int = 4
    per_proof: int = 8
    mastered: float = 0.8

    @property
    def too_long(self) -> TooLong:
        return "drop" if self.loss == "attempt" else "continue"

    def plan(self, size: int) -> list[Piece]:
        files = _stored(self.path)
        examples: list[RoundExample] = []
        solved: dict[str, list[bool]] = defaultdict(list)
        for number, path in enumerate(files):
            for statement, accepted, accepted_rounds in _examples(path, number):
                solved[statement].append(accepted)
                examples += accepted_rounds
        if self.loss == "attempt":
            examples = choose(examples, solved, self.per_statement, self.per_proof, self.mastered)
        if not examples:
            raise InputError(f"{self.path} contains no accepted round; give a corpus or a run whose rollouts proved something")
        picked: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
        for example in examples:
            file, row = example.where
            picked[file].append((row, example.number, example.length))
        pieces = []
        for file, rounds in sorted(picked.items()):
            rounds.sort()
            for at in range(0, len(rounds), _ROWS):
                part = rounds[at : at + _ROWS]
                ids = sum(length for *_, length in part)
                pieces.append(Piece(files[file], part[0][0], part[-1][0] + 1, 4 * ids, tuple((row, number) for row, number, _ in part)))
        return pieces

    def read(self, piece: Piece) -> Iterator[Example]:
        picked: dict[int, list[int]] = defaultdict(list)
        for row, number in piece.picks:
            picked[row].append(number)
        at = 0
        for batch in open_parquet(piece.path).iter_batches(_ROWS, columns=["prompt_ids", "attempt_ids"]):
            for row in range(max(at, piece.start), min(at + len(batch), piece.stop)):
                for number in picked.get(row, ()):
                    prompt, attempt = (
                        batch.column(name)[row - at].values[number].values.to_numpy() for name in ("prompt_ids", "attempt_ids")
                    )
                    yield prompted(prompt, attempt) if self.loss == "attempt" else document(np.concatenate([prompt, attempt]))
            at += len(batch)
            if at >= piece.stop:
                break


class _Verdict(msgspec.Struct):
    accepted: bool | None = None


class _Round(msgspec.Struct):
    """The parts of a stored round that are needed to choose it."""

    proof: str | None
    well_formed: bool
    verdict: _Verdict | None


_decoder = msgspec.json.Decoder(_Round)


def _examples(path: str, file: int) -> Iterator[tuple[str, bool, list[RoundExample]]]:
    """Yield (statement, whether it was proved, its accepted rounds) of each rollout in a part."""
    parquet = open_parquet(path)
    names = parquet.schema_arrow.names
    columns = ["sample", "accepted", "rounds", "attempt_ids"]
    if missing := set(columns) - set(names):
        raise InputError(f"{path} contains no rollouts, because it has no column {min(missing)!r}; give the folder of trajectories")
    # the columns of a corpus, of a run, and of a run with version 1 of the records
    statement = next(name for name in ("statement_id", "statement", "id") if name in names)
    leaf = "statement.id" if statement == "statement" else statement
    at = 0
    for batch in parquet.iter_batches(1024, columns=[leaf, *columns]):
        column = batch.column(statement)
        ids = (pc.struct_field(column, "id") if statement == "statement" else column).to_pylist()
        lengths = [pc.list_value_length(attempts.values).to_pylist() for attempts in batch.column("attempt_ids")]
        rest = [batch.column(name).to_pylist() for name in columns[:3]]
        for row, (name, sample, accepted, rounds) in enumerate(zip(ids, *rest, strict=True)):
            found = []
            for number, text in enumerate(rounds):
                stored = _decoder.decode(text)
                if stored.well_formed and stored.verdict is not None and stored.verdict.accepted is True:
                    found.append(RoundExample(name, sample, number, lengths[row][number], _hash(stored.proof), (file, at + row)))
            yield name, accepted is True, found
        at += len(batch)


def _hash(proof: str | None) -> int | None:
    """Return a 64-bit hash that distinguishes the proofs of millions of rounds."""
    return None if proof is None else int.from_bytes(hashlib.blake2b(proof.encode(), digest_size=8).digest())


def _stored(path: str) -> list[str]:
    """Return the parts of trajectories in order of writing."""
    where = Path(path)
    if "://" in path or (where / "corpus.json").exists():
        return open_corpus(path).paths("trajectories")
    folders = [where, where / "trajectories", *sorted(where.glob("stages/rollout-*/trajectories"))]
    parts = [str(part) for folder in folders for part in sorted(folder.glob("part-*.parquet"))]
    if not parts:
        raise InputError(f"{path} contains no stored rollouts; give a corpus, a run, or the folder of a rollout stage")
    return parts
