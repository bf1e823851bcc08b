"""Retrieval memory: a ScaNN index over verified proofs, searched by similarity of their statements (OProver's memory)."""

import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from lean_worker.protocol import ALLOWED_AXIOMS
from oprover_jax.records import ProofRecord, Statement
from oprover_jax.retrieval import proofs
from oprover_jax.retrieval.encoder import Encoder
from oprover_jax.retrieval.index import Index, IndexConfig, Tree
from oprover_jax.retrieval.memory_file import (
    PROOFS,
    TREE,
    VECTORS,
    Batch,
    MemoryFileError,
    Saved,
    read_saved,
    require_encoder,
    write_memory,
)
from oprover_jax.retrieval.proofs import Proofs, shortest
from oprover_jax.retrieval.vectors import Vectors, map_rows
from oprover_jax.statements.decontaminate import fingerprints
from oprover_jax.statements.normalize import statement_id

__all__ = ["Filters", "Memory", "MemoryFileError", "UnverifiedProofError", "verified"]

_ROWS = 1 << 13  # proofs written at a time
_FIRST = 16  # entries beyond k that a search takes first; only statements with more of their own groups among them search again


class UnverifiedProofError(ValueError):
    """Error for a record whose proof the kernel cannot have accepted."""


@dataclass(frozen=True)
class Filters:
    """Exclusions of a search, in addition to proofs of the statement itself or of the same normal form under another header.

    Each mapping of `near` gives the id of the first statement of a group of near duplicates (such as the corpus column of that name);
    proofs from a statement's own groups are never returned. Statements with a fingerprint (`statements.decontaminate`) in `benchmark`
    never enter the memory.
    """

    near: Sequence[Mapping[str, str]] = ()
    benchmark: frozenset[str] = frozenset()

    def groups(self, statement: Statement) -> set[str]:
        """Return the groups of a statement; statements that share one never receive each other's proofs."""
        return self.groups_of(statement.id, statement_id(statement.formal))

    def groups_of(self, identity: str, plain: str) -> set[str]:
        """Return the groups of a statement with these ids, the second one without its header."""
        return {identity, plain} | {first for near in self.near if (first := near.get(identity))}

    def held_out(self, statement: Statement) -> bool:
        """Return True if the statement belongs to a benchmark."""
        return bool(self.benchmark) and not self.benchmark.isdisjoint(fingerprints([statement]))


class Memory:
    """Thread-safe memory of accepted proofs, with the shortest known proof of each statement.

    The index is updated in place and retrained automatically as it grows; see `index.Index`.
    """

    def __init__(self, encoder: Encoder, index: IndexConfig | None = None, filters: Filters | None = None) -> None:
        self._encoder = encoder
        self._filters = filters or Filters()
        self._proofs = Proofs()
        self._members: dict[str, tuple[str, ...]] = {}  # stored ids of each group, without a statement of that id itself
        self._config = index or IndexConfig()
        self._index = Index(encoder.dims, self._config)
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._proofs)

    def __contains__(self, identity: str) -> bool:
        return identity in self._proofs

    @property
    def records(self) -> list[ProofRecord]:
        """Stored proofs, in the order in which their statements were added."""
        with self._lock:
            return [self._proofs[i] for i in self._proofs]

    @property
    def ids(self) -> list[str]:
        """Ids of the statements that have a proof, in the order in which they were added."""
        with self._lock:
            return list(self._proofs)

    def proof_of(self, identity: str) -> ProofRecord | None:
        """Return the stored proof of the statement with this id, or None if there is none."""
        with self._lock:
            return self._proofs.get(identity)

    def add(self, records: Iterable[ProofRecord]) -> int:
        """Add proofs and keep the shortest one of each statement; benchmark statements are skipped.

        Returns:
          The number of records that were added.

        Raises:
          UnverifiedProofError: A record shows that no kernel accepted its proof; nothing is changed.
        """
        offered = list(shortest(map(verified, records)).values())
        admitted = [record for record in offered if self._is_better(record) and not self._filters.held_out(record.statement)]
        vectors = self._encoder.encode([record.statement for record in admitted])
        with self._lock:
            still = [number for number, record in enumerate(admitted) if self._is_better(record)]
            self._put([admitted[number] for number in still], vectors[still])
        return len(still)

    def remove(self, statement_ids: Iterable[str]) -> int:
        """Remove the proofs of these statements, ignoring unknown ids, and return the number of removed proofs."""
        with self._lock:
            present = [i for i in dict.fromkeys(statement_ids) if i in self._proofs]
            self._index.delete(present)
            for i in present:
                for group in self._filters.groups(self._proofs.pop(i).statement) - {i}:
                    rest = tuple(member for member in self._members[group] if member != i)
                    if rest:
                        self._members[group] = rest
                    else:
                        del self._members[group]
            return len(present)

    def search(self, statements: Sequence[Statement], k: int, exclude_ids: Collection[str] = ()) -> list[list[ProofRecord]]:
        """Return for each statement up to `k` proofs of the most similar other statements, best first.

        Args:
          statements: Statements to search for.
          k: Maximum number of proofs per statement.
          exclude_ids: Further statements whose proofs are excluded, in addition to the statement's own groups (see `Filters`).
        """
        if k < 0:
            raise ValueError(f"k is {k}; it must be at least 0")
        if not statements or k == 0:
            return [[] for _ in statements]
        vectors = self._vectors(statements)
        groups = [self._filters.groups(statement) for statement in statements]
        results: list[list[ProofRecord]] = [[] for _ in statements]
        pending, more = list(range(len(statements))), _FIRST
        while pending:
            with self._lock:
                count = min(k + more, len(self))
            found = self._index.search(vectors[pending], count) if count else [[] for _ in pending]
            with self._lock:  # exclusions after the search, because other threads may have changed the memory meanwhile
                own = self._withheld([groups[at] for at in pending], exclude_ids)
                short = []
                for at, row, without in zip(pending, found, own, strict=True):
                    kept = [i for i, _ in row if i not in without][:k]
                    if len(kept) >= min(k, len(self) - len(without)) and all(i in self._proofs for i in kept):
                        results[at] = [self._proofs[i] for i in kept]
                    else:
                        short.append(at)
            pending, more = short, 4 * more
        return results

    def wait(self) -> None:
        """Wait until the index is not being rebuilt; later results do not depend on timing."""
        self._index.wait()

    def save(self, folder: Path, covers: Iterable[str] = (), benchmarks: str = "") -> Saved:
        """Write the memory to a folder (`memory_file`), with its search tree, without blocking other threads for long.

        Args:
          folder: The folder; a memory that is there is replaced atomically.
          covers: Commits of a corpus whose proofs these are.
          benchmarks: Identifies the benchmarks that were kept out.
        """
        return write_memory(folder, self._batches(), self._encoder, self._config.stored, self._save_tree, covers, benchmarks)

    @staticmethod
    def load(folder: Path, encoder: Encoder, index: IndexConfig | None = None, filters: Filters | None = None) -> "Memory":
        """Load a saved memory. Its files are mapped, so that processes of a host share them; the search tree is not trained again.

        Args:
          folder: Folder written by `save`.
          encoder: Encoder with the same name and hash as when the memory was saved.
          index: Search settings; the data type of stored vectors is that of the file.
          filters: Exclusions.

        Raises:
          MemoryFileError: The folder is not a whole memory, or was saved with another encoder.
        """
        saved = read_saved(folder)
        require_encoder(folder, saved, encoder)
        memory = Memory(encoder, replace(index or IndexConfig(), stored=saved.stored), filters)
        try:
            stored = proofs.map_proofs(folder / PROOFS)
            memory._proofs = Proofs(stored)
            ids = list(memory._proofs)
            vectors = Vectors(encoder.dims, saved.stored, ids, map_rows(folder / VECTORS, saved.proofs, encoder.dims, saved.stored))
            memory._index = Index(encoder.dims, memory._config, vectors)
            if saved.tree is not None:
                memory._index.load_tree(folder / TREE, saved.tree)
        except (pa.ArrowInvalid, OSError, ValueError) as error:
            raise MemoryFileError(f"{folder} cannot be read ({error}); build it again") from error
        for i, plain in zip(ids, stored["plain"].to_pylist(), strict=True):
            memory._join(i, memory._filters.groups_of(i, plain))
        if memory._filters.benchmark:
            memory.remove(ids[row] for row in np.flatnonzero(proofs.held_out(stored, memory._filters.benchmark)))
        return memory

    def _batches(self) -> Iterator[Batch]:
        with self._lock:
            ids = list(self._proofs)
        for start in range(0, len(ids), _ROWS):
            with self._lock:
                part = [i for i in ids[start : start + _ROWS] if i in self._proofs]
                yield [self._proofs[i] for i in part], self._index.vectors(part)

    def _save_tree(self, folder: Path) -> Tree | None:
        return self._index.save_tree(folder / TREE)

    def _vectors(self, statements: Sequence[Statement]) -> Float32[np.ndarray, "n d"]:
        """Return the vectors of statements; those of stored ones are not computed again."""
        with self._lock:
            stored = {at for at, s in enumerate(statements) if s.id in self._proofs and proofs.reads_alike(s, self._proofs[s.id].statement)}
            vectors = np.empty((len(statements), self._encoder.dims), np.float32)
            vectors[sorted(stored)] = self._index.vectors([statements[at].id for at in sorted(stored)])
        new = [at for at in range(len(statements)) if at not in stored]
        if new:
            vectors[new] = self._encoder.encode([statements[at] for at in new])
        return vectors

    def _withheld(self, groups: Sequence[set[str]], excluded: Collection[str]) -> list[set[str]]:
        """Return, for each statement with these groups, the stored ids that it may not retrieve."""
        always = {i for i in excluded if i in self._proofs}
        return [always.union((i for i in own if i in self._proofs), *(self._members.get(group, ()) for group in own)) for own in groups]

    def _is_better(self, record: ProofRecord) -> bool:
        return self._proofs.improved_by(record)

    def _put(self, records: Sequence[ProofRecord], vectors: Float32[np.ndarray, "n d"]) -> None:
        self._index.upsert([record.statement.id for record in records], vectors)
        for record in records:
            new = record.statement.id not in self._proofs
            self._proofs.put(record)
            if new:
                self._join(record.statement.id, self._filters.groups(record.statement))

    def _join(self, identity: str, groups: Iterable[str]) -> None:
        for group in groups:
            if group != identity:
                self._members[group] = (*self._members.get(group, ()), identity)


def verified(record: ProofRecord) -> ProofRecord:
    """Return a record whose proof may have been accepted. Raises UnverifiedProofError."""
    name = record.statement.name or record.statement.id
    if not record.proof.strip():
        raise UnverifiedProofError(f"the record of {name} has an empty proof; add only proofs that the kernel accepted")
    if not record.lean:
        raise UnverifiedProofError(f"the record of {name} has no Lean version, so it was not verified; verify it first")
    if foreign := sorted(set(record.axioms) - ALLOWED_AXIOMS):
        raise UnverifiedProofError(f"the proof of {name} uses the disallowed axioms {', '.join(foreign)}; remove the record")
    return record
