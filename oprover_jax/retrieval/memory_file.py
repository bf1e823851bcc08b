"""Folder of a saved memory, written atomically and mapped into memory by the processes that load it.

proofs.arrow     the records, in the schema `proofs.SCHEMA`
vectors.bin      their vectors, row by row
tree/            search tree of ScaNN, if there are enough entries for one
index.json       encoder, sizes and checksums of the other files
"""

from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
from jaxtyping import Float32

from oprover_jax.errors import InputError
from oprover_jax.files import ends_checksum, replacing_folder
from oprover_jax.records import ProofRecord
from oprover_jax.retrieval.encoder import Encoder
from oprover_jax.retrieval.index import Tree
from oprover_jax.retrieval.proofs import SCHEMA, record_batch

FORMAT = "oprover-memory-2"
INDEX, PROOFS, VECTORS, TREE = "index.json", "proofs.arrow", "vectors.bin", "tree"

Batch = tuple[list[ProofRecord], Float32[np.ndarray, "n d"]]


class MemoryFileError(InputError):
    """A saved memory cannot be read, or belongs to another encoder."""


class Saved(msgspec.Struct, frozen=True):
    """Contents of index.json. `stored` is the data type of the vectors; `covers` are the commits of a corpus whose proofs it holds, and
    `benchmarks` identifies the benchmarks that were kept out; `files` gives the size and the checksum of the ends of each file."""

    format: str
    encoder: str
    encoder_hash: str
    dims: int
    stored: str
    proofs: int
    tree: Tree | None
    files: dict[str, tuple[int, int]]
    covers: tuple[str, ...] = ()
    benchmarks: str = ""


class _Format(msgspec.Struct):
    format: str = ""


def write_memory(
    folder: Path,
    batches: Iterable[Batch],
    encoder: Encoder,
    stored: str,
    save_tree: Callable[[Path], Tree | None],
    covers: Iterable[str] = (),
    benchmarks: str = "",
) -> Saved:
    """Write a memory to `folder` in bounded memory, and atomically replace any that is there.

    Args:
      folder: Folder of the memory.
      batches: Records and their vectors, [n, dims]; each statement once.
      encoder: Encoder of the vectors; a lexical one is saved with them.
      stored: Data type of the stored vectors.
      save_tree: Called with the folder of the files so far; writes the search tree into it, if one is needed.
      covers: Commits of a corpus whose proofs these are.
      benchmarks: Identifies the benchmarks that were kept out.
    """
    with replacing_folder(folder) as temporary:
        count = 0
        with (
            (temporary / VECTORS).open("wb") as file,
            pa.OSFile(str(temporary / PROOFS), "wb") as sink,
            pa.ipc.new_file(sink, SCHEMA) as rows,
        ):
            for records, vectors in batches:
                rows.write_batch(record_batch(records))
                file.write(np.ascontiguousarray(vectors, stored).data)
                count += len(records)
        tree = save_tree(temporary)
        if save := getattr(encoder, "save", None):
            save(encoder_path(temporary))
        paths = sorted(path for path in temporary.rglob("*") if path.is_file())
        files = {path.relative_to(temporary).as_posix(): (path.stat().st_size, ends_checksum(path)) for path in paths}
        about = (encoder.name, encoder.hash, encoder.dims, stored, count, tree)
        saved = Saved(FORMAT, *about, files, tuple(sorted(covers)), benchmarks)
        (temporary / INDEX).write_bytes(msgspec.json.format(msgspec.json.encode(saved), indent=1))
    return saved


def read_saved(folder: Path) -> Saved:
    """Return the contents of index.json after verifying size and ends of every file. Raises MemoryFileError."""
    try:
        content = (folder / INDEX).read_bytes()
        version = msgspec.json.decode(content, type=_Format).format
        if version != FORMAT:
            raise MemoryFileError(f"{folder} has format {version!r}, expected {FORMAT!r}; build it again")
        saved = msgspec.json.decode(content, type=Saved)
        for name, (size, ends) in saved.files.items():
            path = folder / name
            if path.stat().st_size != size or ends_checksum(path) != ends:
                raise MemoryFileError(f"{path} is torn or belongs to another memory; restore it from a copy, or build it again")
    except (OSError, msgspec.DecodeError) as error:
        raise MemoryFileError(f"{folder} is not a whole retrieval memory ({error}); build it again") from error
    return saved


def require_encoder(folder: Path, saved: Saved, encoder: Encoder) -> None:
    """Raise MemoryFileError if the memory was saved with another encoder."""
    theirs, ours = f"{saved.encoder} {saved.encoder_hash}", f"{encoder.name} {encoder.hash}"
    if theirs != ours:
        raise MemoryFileError(f"{folder} was built with encoder {theirs}, not {ours}; load that encoder or build the memory again")


def encoder_path(folder: Path) -> Path:
    """Return the file of a lexical encoder that was saved with a memory."""
    return folder / "encoder.npz"
