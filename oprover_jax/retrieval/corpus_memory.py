"""Memory of a corpus: built once by `oprover corpus index`, saved next to the corpus, loaded and extended by everything that retrieves.

CORPUS.index/ENCODER/    the saved memory (`memory_file`), whose index.json names the commits that it covers
"""

import fcntl
import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from oprover_jax.corpus.corpus import Commit, Corpus
from oprover_jax.errors import InputError
from oprover_jax.progress import StageProgress
from oprover_jax.records import ProofRecord, Statement
from oprover_jax.retrieval.encoder import Encoder, LexicalEncoder
from oprover_jax.retrieval.index import Index, IndexConfig, Tree
from oprover_jax.retrieval.memory import Filters, Memory, verified
from oprover_jax.retrieval.memory_file import PROOFS, TREE, VECTORS, MemoryFileError, Saved, encoder_path, read_saved, write_memory
from oprover_jax.retrieval.proofs import map_proofs, shortest
from oprover_jax.retrieval.vectors import Vectors, map_rows
from oprover_jax.statements.decontaminate import BenchmarkIndex, build_index, find_in_statements

_BATCH = 1024


@dataclass(frozen=True)
class Guard:
    """Benchmarks to keep out: their index, and a hash of their statements."""

    index: BenchmarkIndex
    identity: str

    @staticmethod
    def of(benchmarks: Sequence[Statement]) -> "Guard | None":
        """Return the guard against these statements, None if there are none."""
        if not benchmarks:
            return None
        identity = hashlib.sha256(" ".join(sorted(statement.id for statement in benchmarks)).encode()).hexdigest()[:16]
        return Guard(build_index(benchmarks), identity)


@dataclass(frozen=True)
class Indexed:
    """Outcome of `index_corpus`: what was saved, how many proofs were offered and how many statements belong to a benchmark; `why` says in
    a sentence why an index was built again, or that there was nothing to do."""

    saved: Saved
    offered: int = 0
    kept_out: int = 0
    why: str = ""


@dataclass(frozen=True)
class StoredVectors:
    """Stands for the encoder of a saved memory where only statements of the memory are searched for, whose vectors are stored."""

    name: str
    hash: str
    dims: int

    def encode(self, statements: Sequence[Statement]) -> Float32[np.ndarray, "n d"]:
        """Return no vectors for no statements. Raises InputError for any others."""
        if statements:
            raise InputError(f"statement {statements[0].id} is not in the index; update it with `oprover corpus index`")
        return np.zeros((0, self.dims), np.float32)


def index_folder(corpus: Corpus, encoder: str, folder: Path | None = None) -> Path:
    """Return the folder of a corpus' index. Raises InputError if the corpus is remote and no folder is given."""
    if folder is not None:
        return folder
    if not corpus.storage.local:
        raise InputError(f"{corpus.storage.url('')} is remote, but an index lies on this machine; give its folder")
    root = Path(corpus.storage.root)
    return root.with_name(f"{root.name}.index") / encoder


def index_corpus(
    corpus: Corpus,
    encoder: Encoder,
    folder: Path,
    config: IndexConfig,
    guard: Guard | None = None,
    progress: StageProgress | None = None,
) -> Indexed:
    """Build the index of a corpus' verified proofs, or add what was committed since to the one in `folder`.

    An index that cannot be extended (torn, of another corpus or encoder, or with other benchmarks kept out) is replaced once the new one
    is complete, and the outcome says why.

    Args:
      corpus: The corpus; what it has now is indexed.
      encoder: Encoder of the statements.
      folder: Folder of the index.
      config: Search settings and the data type of stored vectors.
      guard: Benchmarks whose statements are left out.
      progress: Receives progress.
    """
    commits, why = corpus.commits(), ""
    kept_out = offered = 0

    def batches(only: Sequence[Commit]) -> Iterator[list[ProofRecord]]:
        nonlocal kept_out, offered
        if progress is not None:
            progress.total(sum(commit.rows("proofs") for commit in only))
        for records in _batches(corpus.proofs(commits, only=only, ordered=True)):
            offered += len(records)
            best = [verified(record) for record in shortest(records).values()]
            clean = [record for record, hit in zip(best, _hits(best, guard), strict=True) if not hit]
            kept_out += len(best) - len(clean)
            if progress is not None:
                progress.update(offered, "proofs")
            yield clean

    covers, identity = [commit.id for commit in commits], guard.identity if guard else ""
    with _alone(folder):
        try:
            saved = _usable(folder, corpus, commits, encoder, identity, config)
            if saved is not None:
                missing = [commit for commit in commits if commit.id not in saved.covers]
                if not missing:
                    return Indexed(saved, why="the index covers the whole corpus already")
                memory = Memory.load(folder, encoder, config)
                for records in batches(missing):
                    memory.add(records)
                return Indexed(memory.save(folder, covers, identity), offered, kept_out)
        except MemoryFileError as error:
            why = f"built again, because {error}"
        encoded = ((records, encoder.encode([record.statement for record in records])) for records in batches(commits) if records)
        written = write_memory(folder, encoded, encoder, config.stored, _tree_over(encoder.dims, config), covers, identity)
        return Indexed(written, offered, kept_out, why)


def open_memory(
    corpus: Corpus,
    encoder: Encoder,
    folder: Path | None = None,
    config: IndexConfig | None = None,
    filters: Filters | None = None,
    commits: Sequence[Commit] | None = None,
) -> Memory:
    """Return the memory of a corpus from its index, with what was committed since; processes of a host share the index's memory.

    Near duplicates of the corpus never receive each other's proofs.

    Args:
      corpus: The corpus.
      encoder: The encoder of the index; see `saved_encoder` for a lexical one.
      folder: Folder of the index; by default the one next to the corpus.
      config: Search settings.
      filters: Further exclusions.
      commits: Snapshot of the corpus; by default its present state.

    Raises:
      InputError: There is no index, it is torn, or it belongs to another encoder or corpus.
    """
    commits = corpus.commits() if commits is None else commits
    folder = index_folder(corpus, encoder.name, folder)
    saved = read_index(corpus, folder, commits)
    memory = Memory.load(folder, encoder, config, with_near(corpus, commits, filters))
    new = [commit for commit in commits if commit.id not in saved.covers]
    for records in _batches(corpus.proofs(commits, only=new, ordered=True)) if new else ():
        memory.add(records)
    return memory


def read_index(corpus: Corpus, folder: Path, commits: Sequence[Commit] | None = None) -> Saved:
    """Return what an index says of itself. Raises InputError if there is none, it is torn, or it belongs to another corpus."""
    where = corpus.storage.url("").rstrip("/")
    if not folder.exists():
        raise InputError(f"{folder} does not exist; build the index with `oprover corpus index {where}`")
    saved = read_saved(folder)
    if foreign := set(saved.covers) - {commit.id for commit in (corpus.commits() if commits is None else commits)}:
        raise MemoryFileError(
            f"{folder} covers commit {min(foreign)}, which {where} does not have; build the index again with `oprover corpus index {where}`"
        )
    return saved


def saved_encoder(folder: Path) -> LexicalEncoder | None:
    """Return the lexical encoder of an index, None if there is no such index."""
    path = encoder_path(folder)
    return LexicalEncoder.load(path) if path.is_file() else None


def with_near(corpus: Corpus, commits: Sequence[Commit] | None, filters: Filters | None) -> Filters:
    """Return filters with the near duplicates that the corpus has marked."""
    filters = filters or Filters()
    return replace(filters, near=[*filters.near, corpus.near(commits)])


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock the index in `folder` for this process. Raises InputError if another process is writing it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"another process is writing the index {folder}; wait for it") from None
        yield


def _usable(folder: Path, corpus: Corpus, commits: Sequence[Commit], encoder: Encoder, identity: str, config: IndexConfig) -> Saved | None:
    """Return the index in `folder` if it can be extended, None if there is none. Raises MemoryFileError saying why it cannot."""
    if not folder.exists():
        return None
    saved = read_index(corpus, folder, commits)
    if (saved.encoder, saved.encoder_hash) != (encoder.name, encoder.hash):
        raise MemoryFileError(f"{folder} has the encoder {saved.encoder} {saved.encoder_hash}, not {encoder.name} {encoder.hash}")
    if saved.benchmarks != identity:
        raise MemoryFileError(f"{folder} was built with other benchmarks kept out")
    if saved.stored != config.stored:
        raise MemoryFileError(f"{folder} stores vectors as {saved.stored}, not {config.stored}")
    return saved


def _tree_over(dims: int, config: IndexConfig) -> Callable[[Path], Tree | None]:
    """Return a function that trains and saves the tree over the vectors in a folder."""

    def save(folder: Path) -> Tree | None:
        ids = map_proofs(folder / PROOFS)["id"].to_pylist()
        vectors = Vectors(dims, config.stored, ids, map_rows(folder / VECTORS, len(ids), dims, config.stored))
        return Index(dims, config, vectors).save_tree(folder / TREE)

    return save


def _batches(records: Iterable[ProofRecord]) -> Iterator[list[ProofRecord]]:
    """Yield the records in lists of whole statements; those of one statement come together."""
    batch: list[ProofRecord] = []
    for _, group in groupby(records, lambda record: record.statement.id):
        batch += group
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _hits(records: Sequence[ProofRecord], guard: Guard | None) -> Sequence[object]:
    if guard is None:
        return [None] * len(records)
    return find_in_statements(guard.index, [r.statement.formal for r in records], [r.statement.header for r in records])
