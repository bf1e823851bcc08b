"""`oprover corpus build`: turn published sets into one commit of a corpus.

    read          every file of every source -> parts of INCOMING and QUARANTINE        (ingest.sources)
    deduplicate   ids, copies, benchmark contamination -> new statements and proofs     (ingest.deduplicate)
    verify        Lean's verdict on each new proof that it can check                    (ingest.verify_proofs)
    commit        statements, proofs and quarantine, atomically, under a key

Each stage keeps its results in CORPUS.builds/KEY/work; after a kill, the same command resumes there. The key is the hash of
the configuration and of the input files: a build whose key the corpus has is done. A build leaves its report
(`report.json`), the rows removed as copies or as part of a benchmark (`removed`), and the unchecked proofs with Lean's messages
(`unchecked.parquet`).
"""

import dataclasses
import fcntl
import hashlib
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from oprover_jax.corpus.corpus import Corpus, open_corpus
from oprover_jax.errors import InputError
from oprover_jax.files import replacing
from oprover_jax.ingest.config import BuildConfig, data_path
from oprover_jax.ingest.deduplicate import deduplicate
from oprover_jax.ingest.report import BuildReport, reported
from oprover_jax.ingest.sources.files import check_file, source_files
from oprover_jax.ingest.sources.reading import Task, counts_of, read_files
from oprover_jax.ingest.sources.rows import Place
from oprover_jax.ingest.verify_proofs import UNCHECKED, join, read_verdicts, verify_proofs
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import Statement
from oprover_jax.statements.benchmarks import load_benchmarks

VERSION = 3  # version of the build's algorithm; part of the key
_ROWS = 2048


@dataclass(frozen=True)
class Plan:
    """Files of a build, checked to be readable, and its key."""

    tasks: tuple[Task, ...]
    benchmarks: list[Statement]
    key: str


def build_corpus(
    config: BuildConfig, where: str | Path, data: Path | None, console: ProgressConsole, staging: Path | None = None
) -> BuildReport | None:
    """Read, deduplicate, verify and commit the sources of `config` into the corpus at `where`, which is created if it does not exist.

    `data` is the folder of relative paths and of the benchmarks; `staging` the folder of the stages, by default next to the corpus.
    Returns the report, or None for a build that was done with other stages, as on another machine.

    Raises:
      InputError: a source, file or column is invalid, before anything is written; or another process is
        running the same build.
      LeanWorkerError: the Lean that verifies is unavailable. Earlier stages are kept.
    """
    builds = _builds(where, staging)
    build_plan = plan(config, data, builds)
    corpus = open_corpus(where, create=True)
    folder = builds / build_plan.key
    with _alone(folder):
        if not corpus.has(build_plan.key):
            _build(config, build_plan, corpus, folder, console)
        else:
            console.line(f"nothing to do: {where} already contains this build (key {build_plan.key})")
        shutil.rmtree(folder / "work", ignore_errors=True)
    path = folder / "report.json"
    return msgspec.json.decode(path.read_bytes(), type=BuildReport) if path.is_file() else None


def plan(config: BuildConfig, data: Path | None, builds: Path) -> Plan:
    """Return all files of all sources, after checking each. Raises InputError for a file that is missing or torn or lacks a column."""
    fenced = (data / "benchmarks").resolve() if data is not None else None
    tasks = []
    digest = hashlib.sha256(msgspec.json.encode((VERSION, _identity(config)), enc_hook=str))
    digests = _Digests(builds / "digests.json")
    for index, source in enumerate(config.sources):
        path, layout = data_path(source, data), source.layout
        for number, file in enumerate(source_files(path, layout, source.name)):
            if fenced is not None and file.resolve().is_relative_to(fenced):
                raise InputError(f"source {source.name} reads {file}, a benchmark; benchmarks never enter a corpus, so remove it")
            check_file(file, layout)
            shown = str(file.relative_to(path)) if path.is_dir() else file.name
            tasks.append(Task(file, Place(source.name, layout, config.limits, shown), f"{index:03d}-{number:06d}"))
            digest.update(f"{source.name}/{shown} {digests.of(file)}\n".encode())
    benchmarks: list[Statement] = []
    if config.benchmarks:
        if data is None:
            raise InputError("--data: the benchmarks to exclude are read from the data folder; give it as --data or in OPROVER_DATA")
        benchmarks = load_benchmarks(data, config.benchmarks)
        digest.update(" ".join(statement.id for statement in benchmarks).encode())
    digests.save()
    return Plan(tuple(tasks), benchmarks, digest.hexdigest()[:24])


def _identity(config: BuildConfig) -> dict[str, Any]:
    """Return everything that the outcome depends on, which excludes the number of processes and the address of Lean."""
    settled = dataclasses.replace(config.deduplicate, runner="local", workers=1, memory_gb=1.0)
    identity = asdict(dataclasses.replace(config, readers=1, deduplicate=settled))
    identity["verify"]["lean"] = config.verify.lean.identity
    return identity


def _build(config: BuildConfig, plan: Plan, corpus: Corpus, folder: Path, console: ProgressConsole) -> None:
    work = folder / "work"
    with console.bar("read") as bar:
        bar.total(len(plan.tasks))
        for done, task in enumerate(read_files(plan.tasks, work, config.readers), start=1):
            bar.update(done, f"{task.place.origin}/{task.place.file}")
    settled, joined = work / "settled", work / "joined.parquet"
    if not joined.is_file():  # deduplicate once: later commits by others would change the result under existing verdicts
        deduplicate(sorted((work / "incoming").glob("*.parquet")), corpus, plan.benchmarks, settled, config.deduplicate, console)
        join(settled, corpus, joined, config.deduplicate.memory_gb)
    upstream = {source.name: source.layout.upstream for source in config.sources}
    with console.bar("verify") as bar:
        verify_proofs(joined, work / "verified", config.verify, upstream, bar)
    verified = read_verdicts(work / "verified")
    statements = settled / "statements"
    report = reported(plan.key, counts_of(work, plan.tasks), settled, work / "verified" / "proofs", verified)
    _keep(work, folder, report)
    rows = {
        "statements": _without(_batches(statements), verified.no_propositions),
        "proofs": _batches(work / "verified" / "proofs"),
        "conversations": _without(_batches(settled / "conversations"), verified.rejected_ids),
        "quarantine": _batches(work / "quarantine", work / "verified" / "quarantine"),
    }
    note = {"what": "build", "sources": ", ".join(source.name for source in config.sources), **report.totals}
    corpus.commit(rows, note, key=plan.key)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Lock the stages of a build for this process. Raises InputError if another process holds the lock."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(f"another process is running this build in {folder}; wait for it or stop it") from None
        yield


def _keep(work: Path, folder: Path, report: BuildReport) -> None:
    """Keep the permanent results when the stages are removed."""
    with replacing(folder / "report.json") as path:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    shutil.rmtree(folder / "removed", ignore_errors=True)
    shutil.copytree(work / "settled" / "removed", folder / "removed")
    with replacing(folder / "unchecked.parquet") as path, pq.ParquetWriter(path, UNCHECKED, compression="zstd") as writer:
        for batch in _batches(work / "verified" / "unchecked"):
            writer.write_batch(batch)


def _batches(*folders: Path) -> Iterator[pa.RecordBatch]:
    for path in (path for folder in folders for path in sorted(folder.glob("*.parquet"))):
        with pq.ParquetFile(path) as file:
            yield from file.iter_batches(_ROWS)


def _without(batches: Iterator[pa.RecordBatch], ids: Sequence[str]) -> Iterator[pa.RecordBatch]:
    excluded = pa.array(ids, pa.string())
    for batch in batches:
        yield batch.filter(pc.invert(pc.is_in(batch["id"], value_set=excluded)))


def _builds(where: str | Path, staging: Path | None) -> Path:
    if staging is not None:
        return staging
    if "://" in str(where):
        raise InputError(f"--staging: {where} is remote, but stages are kept on this machine; give a folder as --staging FOLDER")
    path = Path(where).resolve()
    return path.with_name(f"{path.name}.builds")


class _Digests:
    """Cache of SHA-256 digests of files, valid while a file's size and time are unchanged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._known = msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[int, int, str]])
        except (FileNotFoundError, msgspec.DecodeError):
            self._known = {}

    def of(self, file: Path) -> str:
        about = file.stat()
        known = self._known.get(str(file.resolve()))
        if known is None or known[:2] != (about.st_size, about.st_mtime_ns):
            with file.open("rb") as opened:
                known = (about.st_size, about.st_mtime_ns, hashlib.file_digest(opened, "sha256").hexdigest())
            self._known[str(file.resolve())] = known
        return known[2]

    def save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(self._path) as path:
            path.write_bytes(msgspec.json.encode(self._known))
