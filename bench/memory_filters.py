"""What the memory's near-duplicate filter costs: batches in which one statement belongs to a large group, against batches without it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tyro
from common import race, report

from oprover_jax.records import ProofRecord, Statement
from oprover_jax.retrieval.encoder import LexicalEncoder
from oprover_jax.retrieval.index import IndexConfig
from oprover_jax.retrieval.memory import Filters, Memory
from oprover_jax.statements.normalize import statement_id


@dataclass
class Remembering:
    """Encoder that encodes each statement once, so that searches alone are measured."""

    inner: LexicalEncoder
    name: str = "lexical"
    known: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def hash(self) -> str:
        return self.inner.hash

    @property
    def dims(self) -> int:
        return self.inner.dims

    def encode(self, statements: Sequence[Statement]) -> np.ndarray:
        new = [statement for statement in statements if statement.id not in self.known]
        if new:
            self.known |= dict(zip((statement.id for statement in new), self.inner.encode(new), strict=True))
        return np.array([self.known[statement.id] for statement in statements], np.float32).reshape(-1, self.dims)


def proofs(folder: Path) -> list[ProofRecord]:
    """Return the pairs of all .jsonl files in `folder`, one for each statement; they count as verified here."""
    found = {}
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            statement = Statement(statement_id(row["formal_statement"], row["header"]), row["name"], row["formal_statement"], row["header"])
            found[statement.id] = ProofRecord(statement, row["proof"], "any", "any", (), 0.0, path.stem)
    return list(found.values())


def main(folder: tyro.conf.Positional[Path], batch: int = 64, k: int = 8, group: int = 1000, repeats: int = 5, tree: bool = False) -> None:
    """Measure searches with and without one member of a large group in each batch.

    Args:
      folder: Folder with pairs of statements and proofs, .jsonl files with formal_statement, header, name and proof.
      batch: Statements per search.
      k: Number of proofs for each statement.
      group: Members of the group of near duplicates: the nearest neighbours of one statement.
      repeats: Number of passes over all statements; the fastest counts.
      tree: Search by tree and codes rather than exactly.
    """
    records = proofs(folder)
    encoder = Remembering(LexicalEncoder.fit(record.statement for record in records))
    vectors = encoder.encode([record.statement for record in records])
    nearest = np.argsort(-(vectors @ vectors[0]), kind="stable")[:group]
    near = {records[at].statement.id: records[0].statement.id for at in nearest if at}
    config = IndexConfig(exact_up_to=100) if tree else IndexConfig()
    memory = Memory(encoder, config, Filters([near]))
    memory.add(records)
    alone = [record.statement for record in records if record.statement.id not in near][1:]
    member = records[int(nearest[1])].statement

    def search(first: Sequence[Statement]) -> None:
        for start in range(0, len(alone) - batch, batch):
            memory.search([*first, *alone[start : start + batch - len(first)]], k)

    search([member])
    memory.wait()
    with_member, without = race(lambda: search([member]), lambda: search([]), repeats)
    searched = (len(alone) - 1) // batch * batch
    report(
        "memory_filters",
        proofs=len(records),
        group=group,
        batch=batch,
        k=k,
        scorer="tree and asymmetric hashing" if tree else "exact",
        queries_per_second=searched / with_member,
        queries_per_second_without_member=searched / without,
        ratio_with_vs_without=with_member / without,
    )


if __name__ == "__main__":
    tyro.cli(main)
