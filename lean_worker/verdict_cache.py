"""On-disk cache of verdicts, keyed by statement, proof, header, tier, heartbeats, Lean, library and backend."""

import hashlib
import sqlite3
import threading
from dataclasses import replace
from pathlib import Path

import msgspec

from lean_worker.errors import LeanWorkerError
from lean_worker.jobs import Question
from lean_worker.protocol import Verdict
from lean_worker.session import Backend


class VerdictCache:
    """Verdict cache in a file that several processes may share. It stores only decisions of the kernel, never infrastructure failures.

    Raises LeanWorkerError if `path` cannot be used as a cache.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(path, timeout=30, check_same_thread=False, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("CREATE TABLE IF NOT EXISTS verdicts (key BLOB PRIMARY KEY, verdict BLOB NOT NULL) WITHOUT ROWID")
        except sqlite3.Error as error:
            raise LeanWorkerError(f"--cache: {path} cannot be used as a verdict cache ({error}); give another file") from error

    def get(self, question: Question, backend: Backend, heartbeats: int) -> Verdict | None:
        with self._lock:
            row = self._connection.execute("SELECT verdict FROM verdicts WHERE key = ?", (_key(question, backend, heartbeats),)).fetchone()
        return msgspec.json.decode(row[0], type=Verdict) if row else None

    def put(self, question: Question, backend: Backend, heartbeats: int, verdict: Verdict) -> None:
        row = (_key(question, backend, heartbeats), msgspec.json.encode(verdict))
        with self._lock:
            self._connection.execute("INSERT OR REPLACE INTO verdicts VALUES (?, ?)", row)

    def close(self) -> None:
        with self._lock:
            self._connection.close()


def _key(question: Question, backend: Backend, heartbeats: int) -> bytes:
    """Return the cache key. It includes heartbeats, because a proof may fail only under that limit, but not the client."""
    question = replace(question, scope="")
    return hashlib.sha256(msgspec.json.encode((question, heartbeats, backend.name, backend.lean, backend.library))).digest()
