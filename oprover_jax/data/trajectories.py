"""Rounds of stored rollouts as training examples, with the token ids that were read and written, so that nothing is encoded again.

Rounds are first chosen by small columns (verdict, proof, length); their token ids are read only afterwards, so a corpus or an iteration of
any number of rollouts can be trained on.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from oprover_jax.corpus.corpus import open_corpus
from oprover_jax.data.packing import TooLong
from oprover_jax.data.rollouts import Where, read_ids, scan
from oprover_jax.data.rows import Example, document, prompted
from oprover_jax.data.sources import Piece
from oprover_jax.errors import InputError

__all__ = ["RoundExample", "Trajectories", "accepted_rounds", "choose", "chosen_rounds", "read_examples", "stored"]

_ROWS = 256  # rollouts of a piece


@dataclass(frozen=True)
class RoundExample:
    """A round that Lean accepted: statement, stage and sample of its rollout, its `number` there (0: first), tokens of the prompt and of
    the attempt (`length`), a hash of the proof, and where it is stored."""

    statement: str
    stage: str
    sample: int
    number: int
    prompt: int
    length: int
    proof: int | None
    where: Where


def accepted_rounds(files: Sequence[str]) -> tuple[list[RoundExample], dict[str, tuple[int, int]]]:
    """Return the accepted, well-formed rounds in `files`, and for each statement how many of its rollouts proved it, and of how many."""
    examples: list[RoundExample] = []
    solved: dict[str, tuple[int, int]] = {}
    for rollout in scan(files):
        proved, tried = solved.get(rollout.statement, (0, 0))
        solved[rollout.statement] = proved + rollout.accepted, tried + 1
        for number, (prompt, length) in enumerate(rollout.lengths):
            if rollout.teaches(number):
                about = (rollout.statement, rollout.stage, rollout.sample, number, prompt, length, rollout.proofs[number], rollout.where)
                examples.append(RoundExample(*about))
    return examples, solved


def choose(
    examples: Iterable[RoundExample], solved: Mapping[str, tuple[int, int]], per_statement: int, per_proof: int, mastered: float
) -> list[RoundExample]:
    """Choose accepted rounds, distinct by proof; the same ones in the same order, however the rollouts are distributed over files.

    Of each statement it takes repairs first, then the shortest, at most `per_statement` (one if more than the fraction `mastered` of its
    rollouts were solved); of each proof those on the least often solved statements, at most `per_proof`. `solved` says for each statement
    how many of its rollouts were solved and how many there are."""
    by_statement: dict[str, list[RoundExample]] = defaultdict(list)
    for example in examples:
        by_statement[example.statement].append(example)
    rates = {name: solved[name][0] / solved[name][1] for name in by_statement}
    uses: Counter[int | None] = Counter()
    chosen = []
    for name in sorted(by_statement, key=lambda name: (rates[name], name)):
        ranked = sorted(by_statement[name], key=lambda each: (each.number == 0, each.length, each.sample, each.stage))
        distinct: dict[int | None, RoundExample] = {}
        for candidate in ranked:
            distinct.setdefault(candidate.proof, candidate)
        keep = 1 if rates[name] > mastered else per_statement
        taken = [candidate for candidate in distinct.values() if uses[candidate.proof] < per_proof][:keep]
        uses.update(candidate.proof for candidate in taken)
        chosen += taken
    return chosen


def chosen_rounds(files: Sequence[str], per_statement: int, per_proof: int, mastered: float) -> list[RoundExample]:
    """Return the rounds in `files` that SFT trains on, by `choose`."""
    examples, solved = accepted_rounds(files)
    return choose(examples, solved, per_statement, per_proof, mastered)


def read_examples(files: Sequence[str], chosen: Sequence[RoundExample]) -> Iterator[Example]:
    """Yield SFT examples of `chosen` rounds, in their order, with loss on the attempt; only their token ids are read and held."""
    by_file: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for example in chosen:
        number, row = example.where
        by_file[number].append((row, example.number))
    ids = {
        (number, row, played): (prompt.copy(), attempt.copy())
        for number, rounds in by_file.items()
        for row, played, prompt, attempt in read_ids(files[number], rounds)
    }
    for example in chosen:
        yield prompted(*ids.pop((*example.where, example.number)))


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
        files = stored(self.path)
        if self.loss == "attempt":
            examples = chosen_rounds(files, self.per_statement, self.per_proof, self.mastered)
        else:
            examples, _ = accepted_rounds(files)
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
        for _, _, prompt, attempt in read_ids(piece.path, piece.picks):
            yield prompted(prompt, attempt) if self.loss == "attempt" else document(np.concatenate([prompt, attempt]))


def stored(path: str) -> list[str]:
    """Return the parts of trajectories in order of writing."""
    where = Path(path)
    if "://" in path or (where / "corpus.json").exists():
        return open_corpus(path).paths("trajectories")
    folders = [where, where / "trajectories", *sorted(where.glob("stages/rollout-*/trajectories"))]
    parts = [str(part) for folder in folders for part in sorted(folder.glob("part-*.parquet"))]
    if not parts:
        raise InputError(f"{path} contains no stored rollouts; give a corpus, a run, or the folder of a rollout stage")
    return parts
