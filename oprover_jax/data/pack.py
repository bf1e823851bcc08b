"""`oprover pack`: turn sources into rows datasets, one folder each, by worker processes that each make whole shards.

    OUT/NAME/index.json, rows-*.array_record    a rows dataset for each source
    OUT/mixture.json                            {NAME: weight in tokens}; written last

A source is planned in units, and the rows of unit 17 are shard 17, whichever process packs it and when: a killed packing resumes with the
missing shards, and produces the same bytes as an undisturbed one. While a source is being packed, its folder holds packing.json (the
settings) and a note next to each finished shard; its index is written once all shards exist.
"""

import fcntl
import hashlib
import os
import pickle
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import msgspec

from oprover_jax.data.dataset import INDEX, MIXTURE, RowsIndex, Shard, read_index, shard_name, write_index, write_shard
from oprover_jax.data.pack_config import PackConfig, encoder
from oprover_jax.data.packing import PackReport, fill_rows
from oprover_jax.data.rows import Example, document, row_of
from oprover_jax.data.sources import Left, Piece, Source
from oprover_jax.errors import InputError
from oprover_jax.files import replacing
from oprover_jax.processes import in_processes
from oprover_jax.progress import ProgressConsole, StageProgress

__all__ = ["pack_sources"]

BEGUN = "packing.json"

Unit = tuple[Piece, ...]


@dataclass(frozen=True)
class _Note:
    """Record of a finished unit."""

    shard: Shard
    report: PackReport


@dataclass(frozen=True)
class _Job:
    """One unit to be packed into shard `number` of `folder`."""

    source: str
    folder: Path
    number: int
    unit: Unit


def pack_sources(config: PackConfig, out: Path, console: ProgressConsole) -> dict[str, RowsIndex]:
    """Pack all sources of `config` into `out`, skipping finished shards, and return the index of each source.

    Raises:
      InputError: sources, tokenizer or settings are wrong (naming the file), or `out` contains something else.
    """
    encoder(config.tokenizer, config.end)
    try:
        pickle.dumps(config)
    except Exception as error:  # pickle may raise anything
        raise InputError(f"worker processes cannot import the configuration's objects ({error}); put functions into a module") from error
    if out.exists() and not out.is_dir():
        raise InputError(f"--out: {out} is a file; give a folder")
    plans = {name: _units(source.plan(config.unit_bytes), config.unit_bytes) for name, source in config.sources.items()}
    made_of = {name: _fingerprint(config.decides(name), plans[name]) for name in plans}
    out.mkdir(parents=True, exist_ok=True)
    with _alone_in(out):
        for name in plans:
            _check_same(out / name, made_of[name])
        for name in plans:
            _begin(out / name, made_of[name])
        todo = [
            _Job(name, out / name, number, unit)
            for name, units in plans.items()
            if not (out / name / INDEX).exists()
            for number, unit in enumerate(units)
            if _finished(out / name, number) is None
        ]
        _pack_all(config, todo, plans, console)
        indices = {name: _finish(out / name, len(units), made_of[name]) for name, units in plans.items()}
        with replacing(out / MIXTURE) as temporary:
            temporary.write_bytes(msgspec.json.format(msgspec.json.encode({name: config.sources[name].weight for name in plans}), indent=1))
    return indices


def _units(pieces: Sequence[Piece], size: int) -> list[Unit]:
    """Group consecutive pieces into units of at most `size` bytes."""
    units: list[list[Piece]] = []
    room = 0
    for piece in pieces:
        if not units or piece.size > room:
            units.append([])
            room = size
        units[-1].append(piece)
        room -= piece.size
    return [tuple(unit) for unit in units]


def _fingerprint(*of: object) -> str:
    return hashlib.sha256(repr(of).encode()).hexdigest()[:16]


def _check_same(folder: Path, made_of: str) -> None:
    """Raise InputError if `folder` contains anything other than a packing with the same inputs."""
    if (folder / INDEX).exists():
        packed_from = read_index(folder).made_of
    elif (folder / BEGUN).exists():
        packed_from = msgspec.json.decode((folder / BEGUN).read_bytes(), type=str)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InputError(f"--out: {folder} is not empty and was not packed by this program; give another folder")
    else:
        return
    if packed_from != made_of:
        raise InputError(f"--out: {folder} was packed from other files or with other settings; remove it or give another folder")


@contextmanager
def _alone_in(out: Path) -> Iterator[None]:
    """Lock the output folder against other packings; the lock ends with its process."""
    with open(out / ".lock", "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise InputError(f"--out: another `oprover pack` is writing to {out}; wait for it or give another folder") from error
        yield


def _begin(folder: Path, made_of: str) -> None:
    folder.mkdir(exist_ok=True)
    for torn in folder.glob(".*.tmp"):
        torn.unlink()
    if not (folder / INDEX).exists() and not (folder / BEGUN).exists():
        with replacing(folder / BEGUN) as temporary:
            temporary.write_bytes(msgspec.json.encode(made_of))


def _note_of(folder: Path, number: int) -> Path:
    return folder / f"{shard_name(number)}.json"


def _finished(folder: Path, number: int) -> _Note | None:
    """Return the note of a finished shard. Everything written before the note is complete, as both are renamed into place."""
    try:
        return msgspec.json.decode(_note_of(folder, number).read_bytes(), type=_Note)
    except FileNotFoundError:
        return None


def _finish(folder: Path, units: int, made_of: str) -> RowsIndex:
    if not (folder / INDEX).exists():
        notes = [_finished(folder, number) for number in range(units)]
        finished = [note for note in notes if note is not None]
        assert len(finished) == units
        try:
            write_index(folder, [note.shard for note in finished], sum((note.report for note in finished), PackReport()), made_of)
        except ValueError as error:
            raise InputError(f"{folder}: {error}") from error
    for number in range(units):
        _note_of(folder, number).unlink(missing_ok=True)
    (folder / BEGUN).unlink(missing_ok=True)
    return read_index(folder)


def _pack_all(config: PackConfig, todo: Sequence[_Job], plans: dict[str, list[Unit]], console: ProgressConsole) -> None:
    every = sum(len(units) for units in plans.values())
    if len(todo) < every:
        console.line(f"{every - len(todo)} of {every} shards are already packed")
    if not todo:
        return
    with console.bar(f"pack {config.name}") as progress:
        shown = _Shown(progress, todo)
        for job, note in in_processes(partial(_pack_unit, config), todo, config.workers or len(os.sched_getaffinity(0))):
            shown.more(job, note)


class _Shown:
    """Progress display: megabytes of text, tokens, and the remaining time."""

    def __init__(self, progress: StageProgress, todo: Sequence[_Job]) -> None:
        self.progress, self.done, self.tokens = progress, 0, 0
        self.start = time.monotonic()
        progress.total(-(-sum(_size(job) for job in todo) // 10**6))

    def more(self, job: _Job, note: _Note) -> None:
        self.done += _size(job)
        self.tokens += note.report.positions
        now = time.monotonic()
        self.progress.update(-(-self.done // 10**6), f"MB, {self.tokens / (now - self.start):,.0f} tokens/s")


def _size(job: _Job) -> int:
    return sum(piece.size for piece in job.unit)


# The following runs in the worker processes.


def _pack_unit(config: PackConfig, job: _Job) -> _Note:
    source: Source = config.sources[job.source]
    encode = encoder(config.tokenizer, config.end)
    examples: list[Example] = []
    left: Counter[Left] = Counter()
    for piece in job.unit:
        for item in source.read(piece):
            if isinstance(item, Left):
                left[item] += 1
            elif isinstance(item, Example):
                examples.append(item)
            elif config.decontaminate is not None and config.decontaminate(item):
                left[Left.REMOVED] += 1
            else:
                examples.append(document(encode(item)))
    rows, report = fill_rows(examples, config.seq_len, source.too_long)
    shard, _ = write_shard(job.folder, job.number, (row_of(segments, config.seq_len) for segments in rows))
    note = _Note(shard, report + PackReport(removed=left[Left.REMOVED], unusable=left[Left.UNUSABLE]))
    with replacing(_note_of(job.folder, job.number)) as temporary:
        temporary.write_bytes(msgspec.json.encode(note))
    return note
