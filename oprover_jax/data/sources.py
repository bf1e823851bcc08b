"""Sources of `oprover pack`: text in columns, files, and proofs of a corpus. Rounds of rollouts are in `data.trajectories`.

A source is first planned from sizes alone, in pieces of bounded size that can be read independently. So any number of processes can pack
it, and a killed packing resumes without reading finished pieces again.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, Protocol

import fsspec
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oprover_jax.corpus.corpus import open_corpus
from oprover_jax.data.packing import TooLong
from oprover_jax.data.rows import Example
from oprover_jax.errors import InputError
from oprover_jax.statements.declarations import is_declaration, without_imports

__all__ = ["Files", "Left", "Piece", "Proofs", "Source", "Text", "open_parquet", "parquet_pieces", "parquet_rows", "row_pieces"]


class Left(Enum):
    """Marker in place of a skipped document: it contains no text, or it is flagged as not to be trained on."""

    UNUSABLE = "unusable"
    REMOVED = "removed"


@dataclass(frozen=True)
class Piece:
    """A part of a source: bytes or rows [start, stop) of a file, about `size` bytes of text; `picks` are (row, round) of rollouts."""

    path: str
    start: int
    stop: int
    size: int
    picks: tuple[tuple[int, int], ...] = ()


class Source(Protocol):
    """One source of a mixture: `weight` is its share of the tokens, `too_long` the treatment of examples longer than a row."""

    weight: float

    @property
    def too_long(self) -> TooLong: ...

    def plan(self, size: int) -> list[Piece]:
        """Return pieces of about `size` bytes that cover the source, the same ones for the same files. Raises InputError if missing."""

    def read(self, piece: Piece) -> Iterator[str | Example | Left]:
        """Yield documents as text, or examples whose token ids are stored. Raises InputError if the piece cannot be read."""


@dataclass(frozen=True)
class Text:
    """Documents in a text column of .jsonl, .parquet or .arrow files (streams, as Hugging Face `datasets` saves them).

    `path` is such a file or a folder that is searched for them. Rows with a non-empty value in the column `flag` (if given) are removed.
    """

    path: str
    weight: float = 1.0
    column: str = "text"
    flag: str = ""
    too_long: Literal["continue"] = "continue"

    def plan(self, size: int) -> list[Piece]:
        pieces: list[Piece] = []
        for path in _files(self.path, (".jsonl", ".parquet", ".arrow")):
            if path.suffix == ".parquet":
                pieces += parquet_pieces(str(path), self.column, size)
            elif path.suffix == ".arrow":
                pieces += _arrow_pieces(str(path), self.column, size)
            else:
                total = path.stat().st_size
                pieces += [Piece(str(path), at, min(at + size, total), min(size, total - at)) for at in range(0, total, size)]
        return pieces

    def read(self, piece: Piece) -> Iterator[str | Left]:
        columns = [self.column, self.flag] if self.flag else [self.column]
        read = {".parquet": parquet_rows, ".arrow": _arrow_rows}.get(Path(piece.path).suffix)
        for where, row in read(piece, columns) if read else _json_lines(piece):
            if not isinstance(row, dict) or self.column not in row:
                raise InputError(f"{where} has no column {self.column!r}; give the column that contains the text")
            text = row[self.column]
            if not isinstance(text, str | None):
                raise InputError(f"{where}: column {self.column!r} contains {type(text).__name__}, expected text; give another column")
            yield Left.REMOVED if self.flag and row.get(self.flag) else text or Left.UNUSABLE


@dataclass(frozen=True)
class Files:
    """Files below the folder `path` with one of `suffixes`, each a document; a file that is not UTF-8 is unusable."""

    path: str
    weight: float = 1.0
    suffixes: tuple[str, ...] = (".lean", ".py")
    too_long: Literal["continue"] = "continue"

    def plan(self, size: int) -> list[Piece]:
        files = [(path, path.stat().st_size) for path in _files(self.path, self.suffixes)]
        return [Piece(str(path), 0, total, total) for path, total in files]

    def read(self, piece: Piece) -> Iterator[str | Left]:
        try:
            yield Path(piece.path).read_text(encoding="utf-8") or Left.UNUSABLE
        except UnicodeDecodeError:
            yield Left.UNUSABLE


@dataclass(frozen=True)
class Proofs:
    """Proofs of the corpus at `path`, each a document: header, statement, proof. `checked` are the accepted verdicts."""

    path: str
    weight: float = 1.0
    checked: tuple[str, ...] = ("accepted", "unchecked")
    too_long: Literal["continue"] = "continue"

    def plan(self, size: int) -> list[Piece]:
        return [piece for path in open_corpus(self.path).paths("proofs") for piece in parquet_pieces(path, "proof", size)]

    def read(self, piece: Piece) -> Iterator[str]:
        rows = [row for _, row in parquet_rows(piece, ["statement_id", "proof", "checked"]) if row["checked"] in self.checked]
        ids = pa.array({row["statement_id"] for row in rows}, pa.string())
        columns = ["id", "header", "formal"]
        table = open_corpus(self.path).dataset("statements").to_table(columns=columns, filter=pc.field("id").isin(ids))
        statements = {row["id"]: row for row in table.to_pylist()}
        for row in rows:
            statement = statements[row["statement_id"]]
            yield declaration(statement["header"], statement["formal"], row["proof"])


def declaration(header: str, formal: str, proof: str) -> str:
    """Return header, statement and proof as in a file.

    `formal` ends in `:= by sorry`. `proof` may begin with `:=` or `|`, or be whole declarations, which are not stated a second time.
    """
    if is_declaration(proof):
        whole = (without_imports(proof) if header.strip() else proof).strip("\n").rstrip()
    else:
        proof = proof.strip()
        head = re.sub(r":=\s*(?:by\s+)?sorry\s*$", "", formal).rstrip()
        whole = f"{head} {proof}" if proof.startswith((":=", "|")) else f"{head} := {proof}"
    return f"{header.strip()}\n\n{whole}\n" if header.strip() else f"{whole}\n"


def open_parquet(path: str) -> pq.ParquetFile:
    """Open a Parquet file, local or at an fsspec URL. Raises InputError if it cannot be read."""
    try:
        return pq.ParquetFile(fsspec.open(path, "rb").open())
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} cannot be read as Parquet ({error}); remove it or restore it from a copy") from error


def parquet_pieces(path: str, column: str, size: int) -> list[Piece]:
    """Return row ranges of a Parquet file with about `size` bytes of `column` each."""
    file = open_parquet(path)
    if column not in file.schema_arrow.names:
        raise InputError(f"{path} has no column {column!r}; it has {', '.join(file.schema_arrow.names)}")
    groups = [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]
    chunks = [group.column(i) for group in groups for i in range(group.num_columns)]
    total = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] == column)
    rows = file.metadata.num_rows
    count = min(rows, -(-total // size))
    edges = [rows * i // count for i in range(count + 1)] if count else []
    return [Piece(path, start, stop, total // count) for start, stop in pairwise(edges)]


def row_pieces(path: str, row_bytes: int, size: int) -> list[Piece]:
    """Return row ranges of a Parquet file whose rows become about `row_bytes` bytes of text each, with at most about `size` bytes each."""
    total, rows = open_parquet(path).metadata.num_rows, max(1, size // row_bytes)
    edges = [*range(0, total, rows), total]
    return [Piece(path, start, stop, (stop - start) * row_bytes) for start, stop in pairwise(edges)]


def parquet_rows(piece: Piece, columns: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (where, row) of the piece's range, reading only row groups that overlap it."""
    file = open_parquet(piece.path)
    if missing := set(columns) - set(file.schema_arrow.names):
        raise InputError(f"{piece.path} has no column {min(missing)!r}; it has {', '.join(file.schema_arrow.names)}")
    edges = [0]
    for i in range(file.metadata.num_row_groups):
        edges.append(edges[-1] + file.metadata.row_group(i).num_rows)
    groups = [i for i in range(len(edges) - 1) if edges[i] < piece.stop and edges[i + 1] > piece.start]
    at = edges[groups[0]] if groups else 0
    for batch in file.iter_batches(1024, row_groups=groups, columns=columns):
        skip, take = max(0, piece.start - at), piece.stop - at
        for number, row in enumerate(batch.slice(skip, max(0, take - skip)).to_pylist(), at + skip):
            yield f"{piece.path} row {number}", row
        at += len(batch)


def _arrow_batches(path: str) -> Iterator[pa.RecordBatch]:
    """Yield the batches of an Arrow stream, mapped into memory. Raises InputError if it cannot be read."""
    try:
        with pa.memory_map(path) as file:
            yield from pa.ipc.open_stream(file)
    except (pa.ArrowInvalid, OSError) as error:
        raise InputError(f"{path} cannot be read as an Arrow stream ({error}); remove it or restore it from a copy") from error


def _arrow_pieces(path: str, column: str, size: int) -> list[Piece]:
    """Return runs of whole batches with about `size` bytes of `column` each; the text itself is not read."""
    pieces, start, stop, held = [], 0, 0, 0
    for batch in _arrow_batches(path):
        if column not in batch.schema.names:
            raise InputError(f"{path} has no column {column!r}; it has {', '.join(batch.schema.names)}")
        stop, held = stop + len(batch), held + batch[column].nbytes
        if held >= size:
            pieces.append(Piece(path, start, stop, held))
            start, held = stop, 0
    return [*pieces, Piece(path, start, stop, held)] if stop > start else pieces


def _arrow_rows(piece: Piece, columns: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (where, row) of the piece's range."""
    at = 0
    for batch in _arrow_batches(piece.path):
        if at >= piece.stop:
            break
        if missing := set(columns) - set(batch.schema.names):
            raise InputError(f"{piece.path} has no column {min(missing)!r}; it has {', '.join(batch.schema.names)}")
        if at >= piece.start:
            for number, row in enumerate(batch.select(columns).to_pylist(), at):
                yield f"{piece.path} row {number}", row
        at += len(batch)


def _json_lines(piece: Piece) -> Iterator[tuple[str, Any]]:
    """Yield (where, row) of the lines that begin within the piece's bytes."""
    with open(piece.path, "rb") as file:
        file.seek(max(0, piece.start - 1))
        at = piece.start and file.tell() + len(file.readline())
        while at < piece.stop and (line := file.readline()):
            if line.strip():
                try:
                    yield f"{piece.path} at byte {at}", msgspec.json.decode(line)
                except msgspec.DecodeError as error:
                    raise InputError(f"{piece.path} at byte {at} is not valid JSON ({error}); fix or remove that line") from error
            at += len(line)


def _files(path: str, suffixes: tuple[str, ...]) -> list[Path]:
    where = Path(path)
    if where.is_file():
        files = [where] if where.suffix in suffixes else []
    else:
        files = sorted(file for file in where.rglob("*") if file.suffix in suffixes and file.is_file())
    if not files:
        raise InputError(f"{path} contains no {' or '.join(suffixes)} file; give such a file or a folder of them")
    return files
