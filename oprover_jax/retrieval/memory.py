"""The retrieval memory: verified proofs, found by the likeness of their statements (OProver's memory), searched by ScaNN."""

from collections.abc import Collection, Iterable, Sequence
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

_FORMAT = "oprover-memory-1"


class UnverifiedProofError(ValueError):
    """A record was offered to the memory whose proof the kernel cannot have accepted."""


class MemoryFileError(InputError):
    """A memory file cannot be read, or belongs to another encoder."""


@dataclass(frozen=True)
class _Entry:
    record: ProofRecord
    vector: Float32[np.ndarray, "d"]


class Memory:
    """Accepted proofs by statement id, the shortest known proof of each. One thread writes or searches at a time.

    The searcher is updated in place and trained again by itself when it has outgrown its training; see `index.Index`.
    """

    def __init__(self, encoder: Encoder, index: IndexConfig | None = None) -> None:
        self._encoder = encoder
        self._entries: dict[str, _Entry] = {}
        self._index = Index(encoder.dims, index or IndexConfig())

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, statement_id: str) -> bool:
        return statement_id in self._entries

    @property
    def records(self) -> list[ProofRecord]:
        """The proofs kept, in the order in which their statements came."""
        return [entry.record for entry in self._entries.values()]

    def add(self, records: Iterable[ProofRecord]) -> int:
        """Upserts proofs; of several proofs of one statement the shortest stays. Returns how many records entered.

        Raises UnverifiedProofError, and changes nothing, when any record shows that no kernel accepted it.
        """
        better: dict[str, ProofRecord] = {}
        for record in records:
            _require_verified(record)
            statement_id = record.statement.id
            entry = self._entries.get(statement_id)
            known = better.get(statement_id) or (entry.record if entry else None)
            if known is None or len(record.proof) < len(known.proof):
                better[statement_id] = record
        self._put(better, self._encoder.encode([record.statement for record in better.values()]))
        return len(better)

    def remove(self, statement_ids: Iterable[str]) -> int:
        """Forgets the proofs of these statements; unknown ids are passed over. Returns how many were there."""
        present = [i for i in dict.fromkeys(statement_ids) if i in self._entries]
        self._index.delete(present)
        for statement_id in present:
            del self._entries[statement_id]
        return len(present)

    def search(self, statements: Sequence[Statement], k: int, exclude_ids: Collection[str] = ()) -> list[list[ProofRecord]]:
        """For each statement up to `k` proofs of the most similar other statements, best first.

        A statement's own proof (same id) is never among them, nor a proof of a statement in `exclude_ids`.
        """
        if k < 0:
            raise ValueError(f"k is {k}; ask for 0 proofs or more")
        excluded = frozenset(i for i in exclude_ids if i in self._entries)
        wanted = min(k + len(excluded) + 1, len(self))
        if not statements or k == 0 or wanted == 0:
            return [[] for _ in statements]
        found = self._index.search(self._encoder.encode(statements), wanted, self._vectors)
        return [
            [self._entries[i].record for i in ids if i != statement.id and i not in excluded][:k]
            for statement, ids in zip(statements, found)
        ]

    def save(self, path: Path) -> None:
        """Writes proofs, vectors and the encoder's name and hash to one Arrow file, whole or not at all."""
        entries = list(self._entries.values())
        flat = np.concatenate([entry.vector for entry in entries]) if entries else np.zeros(0, np.float32)
        table = pa.table(
            {
                "record": pa.array([msgspec.json.encode(entry.record) for entry in entries], pa.large_binary()),
                "vector": pa.FixedSizeListArray.from_arrays(pa.array(flat), self._encoder.dims),
            }
        ).replace_schema_metadata({"format": _FORMAT, "encoder": self._encoder.name, "encoder_hash": self._encoder.hash})
        with replacing(path) as temporary, pa.OSFile(str(temporary), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)

    @staticmethod
    def load(path: Path, encoder: Encoder, index: IndexConfig | None = None) -> "Memory":
        """Reads a saved memory. Raises MemoryFileError unless it was saved with the same encoder, down to its hash."""
        try:
            with pa.memory_map(str(path)) as source:
                table = pa.ipc.open_file(source).read_all()
        except (pa.ArrowInvalid, OSError) as error:
            raise MemoryFileError(f"{path} is not a retrieval memory ({error}); write it with Memory.save") from error
        stored = {key.decode(): value.decode() for key, value in (table.schema.metadata or {}).items()}
        if stored.get("format") != _FORMAT:
            raise MemoryFileError(f"{path} has format {stored.get('format')!r}, this reads {_FORMAT!r}; build the memory again")
        theirs, ours = f"{stored.get('encoder')} {stored.get('encoder_hash')}", f"{encoder.name} {encoder.hash}"
        if theirs != ours:
            raise MemoryFileError(f"{path} was built with encoder {theirs}, not {ours}; load that encoder or build the memory again")
        decode = msgspec.json.Decoder(ProofRecord).decode
        records = [decode(value.as_py()) for value in table["record"]]
        vectors = np.array(table["vector"].combine_chunks().flatten(), np.float32).reshape(-1, encoder.dims)
        memory = Memory(encoder, index)
        memory._put({record.statement.id: record for record in records}, vectors)
        return memory

    def _put(self, records: dict[str, ProofRecord], vectors: Float32[np.ndarray, "n d"]) -> None:
        self._index.upsert(list(records), vectors)
        self._entries.update((i, _Entry(record, vector)) for (i, record), vector in zip(records.items(), vectors))

    def _vectors(self) -> tuple[list[str], Float32[np.ndarray, "n d"]]:
        return list(self._entries), np.stack([entry.vector for entry in self._entries.values()])


def _require_verified(record: ProofRecord) -> None:
    name = record.statement.name or record.statement.id
    if not record.proof.strip():
        raise UnverifiedProofError(f"the record of {name} has an empty proof; only proofs that the kernel accepted enter the memory")
    if not record.lean:
        raise UnverifiedProofError(f"the record of {name} names no Lean version, so nobody checked it; verify it first")
    if foreign := sorted(set(record.axioms) - ALLOWED_AXIOMS):
        raise UnverifiedProofError(f"the proof of {name} uses the axioms {', '.join(foreign)}; it was never accepted, leave it out")
