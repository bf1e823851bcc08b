"""Cache of compiled statements, each compiled once for all of its proofs, limited in number and bytes."""

import hashlib
import shutil
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from lean_worker.embedded.slow_phases import OLEAN, Setting, compile_module
from lean_worker.protocol import NO_VERDICT, Kind

_LONGEST_REASON = 4000


@dataclass(frozen=True)
class Compiled:
    """A statement's .olean, or the kind and the reason why there is none."""

    olean: Path
    kind: Kind | None
    reason: str


@dataclass
class _Entry:
    folder: Path
    busy: threading.Lock = field(default_factory=threading.Lock)
    users: int = 0
    compiled: Compiled | None = None
    size: int = 0


class StatementCache:
    """Thread-safe cache. The least recently used statements are evicted, with their folders, but never one that is in use.

    Args:
        setting: how to compile; the statements' folders are created in its folder.
        most: maximum number of statements.
        most_bytes: maximum total size of their files, in bytes.
        most_bytes: how many bytes their files may have together.
    """

    def __init__(self, setting: Setting, most: int, most_bytes: int) -> None:
        self._setting, self._most, self._most_bytes = setting, most, most_bytes
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # by the text's hash, since a header may be megabytes long
        self._number = 0

    @contextmanager
    def use(self, text: str) -> Iterator[Compiled]:
        """Compile the statement's module `text` unless it is cached, and keep its file for the duration of the block."""
        key = hashlib.sha256(text.encode()).hexdigest()
        with self._lock:
            entry = self._entries.get(key)
            if entry is None:
                self._number += 1
                entry = self._entries[key] = _Entry(self._setting.folder / f"statement{self._number}")
            entry.users += 1
            self._entries.move_to_end(key)
        try:
            with entry.busy:
                if entry.compiled is None or entry.compiled.kind in NO_VERDICT:
                    entry.compiled = self._compile(entry, text)
            yield entry.compiled
        finally:
            with self._lock:
                entry.users -= 1
                self._evict()

    def _compile(self, entry: _Entry, text: str) -> Compiled:
        shutil.rmtree(entry.folder, ignore_errors=True)
        entry.folder.mkdir()
        work, olean = entry.folder / "work", entry.folder / OLEAN
        kind, reason = compile_module(self._setting, work, text, time.monotonic() + self._setting.limits.seconds)
        if kind is None:
            (work / OLEAN).rename(olean)
            entry.size = olean.stat().st_size
        shutil.rmtree(work if kind is None else entry.folder, ignore_errors=True)
        return Compiled(olean, "statement" if kind == "error" else kind, reason[:_LONGEST_REASON])

    def _evict(self) -> None:
        idle = [key for key, entry in self._entries.items() if not entry.users]
        size = sum(entry.size for entry in self._entries.values())
        for key in idle:
            entry = self._entries[key]
            compiled = entry.compiled
            if compiled is None or compiled.kind in NO_VERDICT or len(self._entries) > self._most or size > self._most_bytes:
                del self._entries[key]
                size -= entry.size
                shutil.rmtree(entry.folder, ignore_errors=True)
