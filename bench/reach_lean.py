"""How many published statements reach Lean: are parsed by us and answered by Lean, whatever it then says about them.

The rows come from a data folder that is not part of the project, with `benchmarks/*.jsonl`. Mathlib is replaced by a small library with
Mathlib's notations (`tests/lean_worker/mini_mathlib`) behind an installed Lean that is made of the embedded one, so most statements use
names that are unknown there.
"""

import os
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import tyro
from common import ROOT, report, seconds

from lean_worker.jobs import Question
from lean_worker.language_server.backend import installed_server
from lean_worker.pool import Pool
from lean_worker.session import Backend, Finding, Limits, Session

sys.path.insert(0, str(ROOT / "tests" / "support"))

from embedded_toolchain import compile_library, make_toolchain

_LIBRARY = "MiniMathlib"
_IMPORT = re.compile(r"^import [^\n]*\n?", re.M)


class _Row(msgspec.Struct):
    name: str
    formal_statement: str
    header: str = ""


class _Watched:
    """A session, or a backend that starts such sessions, that counts the questions that Lean was asked."""

    def __init__(self, inner: Backend | Session, asked: Counter[str]) -> None:
        self._inner, self._asked = inner, asked

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def start(self, opening: str, limits: Limits) -> Session:
        return _Watched(self._inner.start(opening, limits), self._asked)  # type: ignore[union-attr,return-value]

    def run(self, question: Question) -> Finding:
        finding: Finding = self._inner.run(question)  # type: ignore[union-attr]
        self._asked[finding.outcome] += 1
        return finding


def try_rows(pool: Pool, rows: list[_Row], table: str, asked: Counter[str]) -> Counter[str]:
    """Return how many statements reached Lean, and how many it accepts; list the others on standard error."""
    counts: Counter[str] = Counter(statements=len(rows))
    for row in rows:
        before = asked.total()
        header = f"import {_LIBRARY}\n" + _IMPORT.sub("\n", row.header)
        found = pool.check_statement(row.formal_statement, header)
        counts["elaborated"] += found.elaborates is True
        if asked.total() > before:
            counts["reached"] += 1
        else:
            print(f"{table}: {row.name}: {'; '.join(message.text for message in found.messages)}", file=sys.stderr)
    return counts


def main(data: Path, /, *, workers: int = 1, timeout: float = 60.0) -> None:
    """Print one JSON line with the counts; list each statement that did not reach Lean, with the reason, on standard error.

    Args:
      data: Folder with `benchmarks`.
      workers: Number of Lean processes.
      timeout: Wall-clock limit of one statement, in seconds.
    """
    tables = sorted((data / "benchmarks").glob("*.jsonl"))
    if not tables:
        sys.exit(f"DATA: {data} contains no benchmarks/*.jsonl; give another folder")
    asked: Counter[str] = Counter()
    total: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        binaries = make_toolchain(folder / "toolchain")
        library = compile_library(binaries, ROOT / "tests" / "lean_worker" / "mini_mathlib", folder / "library")
        os.environ["PATH"] = os.pathsep.join([str(binaries), os.environ["PATH"]])
        backend: Any = _Watched(installed_server(library, imports=(_LIBRARY,)), asked)
        with Pool(workers, timeout, backend=backend, trusted_headers=True) as pool:

            def run() -> None:
                for path in tables:
                    rows = [msgspec.json.decode(line, type=_Row) for line in path.read_bytes().splitlines() if line.strip()]
                    counts = try_rows(pool, rows, path.stem, asked)
                    print(f"{path.stem}: {dict(counts)}", file=sys.stderr)
                    total.update(counts)

            taken = seconds(run)
    report(
        "reach_lean",
        statements=total["statements"],
        reached=total["reached"],
        elaborated=total["elaborated"],
        answered=dict(asked),
        seconds=taken,
    )


if __name__ == "__main__":
    tyro.cli(main)
