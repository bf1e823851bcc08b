"""Retrieval memory: a ScaNN index over verified proofs, searched by similarity of their statements (OProver's memory)."""

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from lean_worker.protocol import ALLOWED_AXIOMS
from oprover_jax.errors import InputError
from oprover_jax.files import replacing
from oprover_jax.records import ProofRecord, Statement
from oprover_jax.retrieval.encoder import Encoder
from oprover_jax.retrieval.index import Index, IndexConfig
from oprover_jax.statements.declarations import stated_proof
from oprover_jax.statements.decontaminate import fingerprints
from oprover_jax.statements.normalize import statement_id

_FORMAT = "oprover-memory-1"
_ROWS = 1 << 13  # proofs per record batch


class UnverifiedProofError(ValueError):
    """Error for a record whose proof the kernel cannot have accepted."""


class MemoryFileError(InputError):
    """A memory file cannot be read, or belongs to another encoder."""


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
        firsts = {first for near in self.near if (first := near.get(statement.id))}
        return {statement.id, statement_id(statement.formal)} | firsts

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
        self._records: dict[str, ProofRecord] = {}
        self._members: dict[str, set[str]] = {}  # stored statement ids of each group
        self._index = Index(encoder.dims, index or IndexConfig())
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._records)

    def __contains__(self, identity: str) -> bool:
        return identity in self._records

    @property
    def records(self) -> list[ProofRecord]:
        """Stored proofs, in the order in which their statements were added."""
        with self._lock:
            return list(self._records.values())

    def add(self, records: Iterable[ProofRecord]) -> int:
        """Add proofs and keep the shortest one of each statement; benchmark statements are skipped.

        Returns:
          The number of records that were added.

        Raises:
          UnverifiedProofError: A record shows that no kernel accepted its proof; nothing is changed.
        """
        offered: dict[str, ProofRecord] = {}
        for record in records:
            _require_verified(record)
            _keep_shortest(offered, record)
        admitted = [record for record in offered.values() if self._is_better(record) and not self._filters.held_out(record.statement)]
        vectors = self._encoder.encode([record.statement for record in admitted])
        with self._lock:
            still = [number for number, record in enumerate(admitted) if self._is_better(record)]
            self._put([admitted[number] for number in still], vectors[still])
        return len(still)

    def remove(self, statement_ids: Iterable[str]) -> int:
        """Remove the proofs of these statements, ignoring unknown ids, and return the number of removed proofs."""
        with self._lock:
            present = [i for i in dict.fromkeys(statement_ids) if i in self._records]
            self._index.delete(present)
            for i in present:
                for group in self._filters.groups(self._records.pop(i).statement):
                    self._members[group].discard(i)
                    if not self._members[group]:
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
        vectors = self._encoder.encode(statements)
        groups, withheld = [self._filters.groups(statement) for statement in statements], 0
        while True:
            with self._lock:
                withheld = max(withheld, *(len(own) for own in self._withheld(groups, exclude_ids)))
                count = min(k + withheld, len(self))
            results = self._index.search(vectors, count) if count else [[] for _ in statements]
            with self._lock:  # other threads may have changed the memory since, so compute the exclusions again
                own = self._withheld(groups, exclude_ids)
                kept = [[i for i, _ in row if i not in without][:k] for row, without in zip(results, own, strict=True)]
                full = all(len(row) >= min(k, len(self) - len(without)) for row, without in zip(kept, own, strict=True))
                if full and all(i in self._records for row in kept for i in row):
                    return [[self._records[i] for i in row] for row in kept]

    def wait(self) -> None:
        """Wait until the index is not being rebuilt; later results do not depend on timing."""
        self._index.wait()

    def save(self, path: Path) -> None:
        """Write proofs, vectors and the encoder's name and hash atomically to one Arrow file, without blocking other threads."""
        schema = pa.schema([("record", pa.large_binary()), ("vector", pa.list_(pa.float32(), self._encoder.dims))])
        schema = schema.with_metadata({"format": _FORMAT, "encoder": self._encoder.name, "encoder_hash": self._encoder.hash})
        with self._lock:
            ids = list(self._records)
        with replacing(path) as temporary, pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, schema) as writer:
            for start in range(0, len(ids), _ROWS):
                with self._lock:
                    part = [i for i in ids[start : start + _ROWS] if i in self._records]
                    records, vectors = [self._records[i] for i in part], self._index.vectors(part)
                rows = pa.array([msgspec.json.encode(record) for record in records], pa.large_binary())
                writer.write_batch(
                    pa.record_batch([rows, pa.FixedSizeListArray.from_arrays(vectors.reshape(-1), self._encoder.dims)], schema)
                )

    @staticmethod
    def load(path: Path, encoder: Encoder, index: IndexConfig | None = None, filters: Filters | None = None) -> "Memory":
        """Load a saved memory.

        Args:
          path: File written by `save`.
          encoder: Encoder with the same name and hash as when the file was saved.
          index: Search settings.
          filters: Exclusions.

        Raises:
          MemoryFileError: The file is not a memory or was saved with another encoder.
        """
        memory = Memory(encoder, index, filters)
        decode = msgspec.json.Decoder(ProofRecord).decode
        try:
            with pa.memory_map(str(path)) as source:
                file = pa.ipc.open_file(source)
                _require_same_encoder(path, file.schema.metadata or {}, encoder)
                for number in range(file.num_record_batches):
                    rows = file.get_batch(number)
                    records = [decode(value.as_py()) for value in rows["record"]]
                    vectors = rows["vector"].flatten().to_numpy().reshape(-1, encoder.dims)
                    kept = [at for at, record in enumerate(records) if not memory._filters.held_out(record.statement)]
                    memory._put([records[at] for at in kept], vectors[kept])
        except (pa.ArrowInvalid, OSError, msgspec.DecodeError) as error:
            raise MemoryFileError(f"{path} is not a retrieval memory ({error}); write it with Memory.save") from error
        return memory

    def _withheld(self, groups: Sequence[set[str]], excluded: Collection[str]) -> list[set[str]]:
        """Return, for each statement with these groups, the stored ids that it may not retrieve."""
        excluded_here = {i for i in excluded if i in self._records}
        return [excluded_here.union(*(self._members.get(group, ()) for group in own)) for own in groups]

    def _is_better(self, record: ProofRecord) -> bool:
        known = self._records.get(record.statement.id)
        return known is None or _length(record) < _length(known)

    def _put(self, records: Sequence[ProofRecord], vectors: Float32[np.ndarray, "n d"]) -> None:
        self._index.upsert([record.statement.id for record in records], vectors)
        for record in records:
            self._records[record.statement.id] = record
            for group in self._filters.groups(record.statement):
                self._members.setdefault(group, set()).add(record.statement.id)


def _keep_shortest(held: dict[str, ProofRecord], record: ProofRecord) -> None:
    known = held.get(record.statement.id)
    if known is None or _length(record) < _length(known):
        held[record.statement.id] = record


def _length(record: ProofRecord) -> int:
    """Return the length of a proof with its theorem, since a proof may be bare or whole declarations."""
    return len(stated_proof(record.statement.formal, record.proof))


def _require_same_encoder(path: Path, metadata: Mapping[bytes, bytes], encoder: Encoder) -> None:
    stored = {key.decode(): value.decode() for key, value in metadata.items()}
    if stored.get("format") != _FORMAT:
        raise MemoryFileError(f"{path} has format {stored.get('format')!r}, expected {_FORMAT!r}; build the memory again")
    theirs, ours = f"{stored.get('encoder')} {stored.get('encoder_hash')}", f"{encoder.name} {encoder.hash}"
    if theirs != ours:
        raise MemoryFileError(f"{path} was built with encoder {theirs}, not {ours}; load that encoder or build the memory again")


def _require_verified(record: ProofRecord) -> None:
    name = record.statement.name or record.statement.id
    if not record.proof.strip():
        raise UnverifiedProofError(f"the record of {name} has an empty proof; add only proofs that the kernel accepted")
    if not record.lean:
        raise UnverifiedProofError(f"the record of {name} has no Lean version, so it was not verified; verify it first")
    if foreign := sorted(set(record.axioms) - ALLOWED_AXIOMS):
        raise UnverifiedProofError(f"the proof of {name} uses the disallowed axioms {', '.join(foreign)}; remove the record")
