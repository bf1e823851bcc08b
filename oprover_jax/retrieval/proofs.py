"""Verified proofs by statement: records in an Arrow file that is mapped into memory and decoded on demand, and those added since."""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
from jaxtyping import Bool

from oprover_jax.records import ProofRecord, Statement
from oprover_jax.statements.declarations import stated_proof
from oprover_jax.statements.decontaminate import fingerprints
from oprover_jax.statements.normalize import statement_id

_PRINTS = 3  # fingerprints of a statement at most

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("plain", pa.string()),
        ("size", pa.int32()),
        ("prints", pa.list_(pa.uint64(), _PRINTS)),
        ("record", pa.large_binary()),
    ]
)
"""`plain` is the id of the statement without its header, `size` the length of theorem and proof in characters, and `prints` are hashes of
the fingerprints by which benchmark statements are recognised."""

_decode = msgspec.json.Decoder(ProofRecord).decode


class Proofs:
    """One proof for each statement, in the order in which the statements were added. Not thread-safe."""

    def __init__(self, stored: pa.Table | None = None) -> None:
        self._stored = SCHEMA.empty_table() if stored is None else stored
        self._records = self._stored["record"]
        self._sizes = self._stored["size"].to_numpy()
        # each is the number of a stored row, or a record that was added
        self._held: dict[str, int | ProofRecord] = {identity: row for row, identity in enumerate(self._stored["id"].to_pylist())}

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, identity: str) -> bool:
        return identity in self._held

    def __iter__(self) -> Iterator[str]:
        return iter(self._held)

    def __getitem__(self, identity: str) -> ProofRecord:
        held = self._held[identity]
        return _decode(self._records[held].as_py()) if isinstance(held, int) else held

    def get(self, identity: str) -> ProofRecord | None:
        """Return the proof of the statement with this id, or None if there is none."""
        return self[identity] if identity in self._held else None

    def put(self, record: ProofRecord) -> None:
        self._held[record.statement.id] = record

    def pop(self, identity: str) -> ProofRecord:
        record = self[identity]
        del self._held[identity]
        return record

    def improved_by(self, record: ProofRecord) -> bool:
        """Return True if there is no proof of the statement yet, or a longer one; of equal lengths, the first in the alphabet counts."""
        held = self._held.get(record.statement.id)
        if isinstance(held, int):
            size = int(self._sizes[held])
            return length(record) < size or (length(record) == size and record.proof < self[record.statement.id].proof)
        return held is None or (length(record), record.proof) < (length(held), held.proof)


def length(record: ProofRecord) -> int:
    """Return the length of a proof with its theorem, since a proof may be bare or whole declarations."""
    return len(stated_proof(record.statement.formal, record.proof))


def shortest(records: Iterable[ProofRecord]) -> dict[str, ProofRecord]:
    """Return the shortest proof of each statement, by its id."""
    kept: dict[str, ProofRecord] = {}
    for record in records:
        known = kept.get(record.statement.id)
        if known is None or (length(record), record.proof) < (length(known), known.proof):
            kept[record.statement.id] = record
    return kept


def record_batch(records: Sequence[ProofRecord]) -> pa.RecordBatch:
    """Return records as rows of SCHEMA."""
    statements = [record.statement for record in records]
    prints = np.array([_hashed(fingerprints([statement])) for statement in statements], np.uint64)
    columns = [
        pa.array([statement.id for statement in statements], pa.string()),
        pa.array([statement_id(statement.formal) for statement in statements], pa.string()),
        pa.array([length(record) for record in records], pa.int32()),
        pa.FixedSizeListArray.from_arrays(pa.array(prints.reshape(-1)), _PRINTS),
        pa.array([msgspec.json.encode(record) for record in records], pa.large_binary()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def map_proofs(path: Path) -> pa.Table:
    """Return the rows of a file of SCHEMA, mapped into memory. Raises pyarrow.ArrowInvalid or OSError if it cannot be read."""
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def held_out(stored: pa.Table, benchmark: Iterable[str]) -> Bool[np.ndarray, "n"]:
    """Return for each row whether the statement has one of these fingerprints."""
    prints = pa.chunked_array([chunk.flatten() for chunk in stored["prints"].chunks], pa.uint64()).to_numpy()
    known = np.array([_hash(print) for print in benchmark], np.uint64)
    hits: Bool[np.ndarray, "n p"] = np.isin(prints, known).reshape(-1, _PRINTS)
    return np.asarray(hits.any(axis=1))


def reads_alike(first: Statement, second: Statement) -> bool:
    """Return True if two statements have the same text, so that they have the same vector."""
    return first.formal == second.formal and first.header == second.header


def _hashed(found: set[str]) -> list[int]:
    hashes = [_hash(print) for print in sorted(found)]
    return (hashes * _PRINTS)[:_PRINTS]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
