"""Differential test: our verdicts on files and pairs against those of plain Lean on the same raw text.

The data is not part of the project: `proofs/core_*.jsonl` with pairs of statement and proof, and folders of .lean files.
"""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import msgspec
import tyro
from common import report, seconds

from lean_worker.embedded.build import ensure_core
from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.tools.check_file import SourceError, read_source
from lean_worker.tools.pairs import read_pairs
from lean_worker.tools.plain_lean import PlainLeanFailed, accepts_pair, differences, elaborates


@dataclass(frozen=True)
class Disagreement:
    """A file or pair on which we and plain Lean differ, and how."""

    name: str
    how: str


def pairs(chosen: list[Path], swapped: int) -> Iterator[Check]:
    """Yield each pair, and for one in `swapped` pairs the same statement with the proof of the next pair."""
    for path in chosen:
        checks = read_pairs(path)
        yield from (msgspec.structs.replace(check, id=f"{path.stem} {number} {check.id}") for number, check in enumerate(checks))
        for number in range(0, len(checks) - 1, swapped) if swapped else ():
            name = f"{path.stem} {number} with the next proof {checks[number].id}"
            yield msgspec.structs.replace(checks[number], id=name, proof=checks[number + 1].proof)


def compare_pairs(checks: list[Check], pool: Pool, workers: int) -> Iterator[Disagreement]:
    """Yield the pairs on which the verdicts differ."""
    core = ensure_core()

    def plain(check: Check) -> bool | str:
        try:
            return accepts_pair(check, core)
        except Exception as error:  # an unreadable statement or a crash of plain Lean is reported, not raised
            return f"{type(error).__name__}: {error}"

    futures = [pool.submit(check) for check in checks]
    with ThreadPoolExecutor(workers) as threads:
        for check, future, wanted in zip(checks, futures, threads.map(plain, checks), strict=True):
            verdict = future.result()
            refused = verdict.kind == "statement" and not elaborates(check, core)  # without its proof, it is nothing to be proved
            if verdict.accepted is not wanted and not refused:
                first = next((message.text for message in verdict.messages if message.severity == "error"), "")[:200]
                yield Disagreement(check.id, f"plain Lean: {wanted}; verdict: {verdict.accepted} ({verdict.kind}) {first}")


def compare_files(paths: list[Path], pool: Pool) -> Iterator[Disagreement]:
    """Yield the files on which the reports differ."""
    for path in paths:
        try:
            text = read_source(path)
        except SourceError:  # not UTF-8: Lean reads it as little as we do
            continue
        found = pool.read_file(text).result()
        try:
            for how in differences(text, found) if found.kind in ("accepted", "error") else [f"no verdict: {found.kind}"]:
                yield Disagreement(str(path), how)
        except PlainLeanFailed as error:
            yield Disagreement(str(path), str(error))


def main(
    data: Path,
    /,
    *,
    files: tuple[str, ...] = (),
    lean: tuple[Path, ...] = (),
    swapped: int = 4,
    most: int | None = None,
    workers: int = 2,
    timeout: float = 120.0,
) -> None:
    """Compare, list every disagreement on stderr, and print one line of JSON: files, pairs and disagreements.

    Args:
      data: Folder with the .jsonl files, or one that contains it as `proofs`.
      files: Names of files without .jsonl; by default all core_*.
      lean: Folders whose .lean files are compared as files.
      swapped: For one in this many pairs, the proof of the next pair is tried as well; 0 for none.
      most: How many pairs to try at most.
      workers: Number of Lean processes.
      timeout: Wall-clock limit of one check, in seconds.
    """
    folder = data / "proofs" if (data / "proofs").is_dir() else data
    chosen = [folder / f"{name}.jsonl" for name in files] or sorted(folder.glob("core_*.jsonl"))
    missing = [str(path) for path in (*chosen, *lean) if not path.exists()]
    if missing:
        sys.exit(f"--files, --lean: missing {', '.join(missing)}; give existing ones")
    checks = list(pairs(chosen, swapped))[:most]
    paths = sorted(path for place in lean for path in place.rglob("*.lean"))
    found: list[Disagreement] = []

    def compare_all() -> None:
        with Pool(workers, timeout, heartbeats=200_000, trusted_headers=True) as pool:
            for each in compare_files(paths, pool):
                print(f"{each.name}: {each.how}", file=sys.stderr, flush=True)
                found.append(each)
            for each in compare_pairs(checks, pool, workers):
                print(f"{each.name}: {each.how}", file=sys.stderr, flush=True)
                found.append(each)

    spent = seconds(compare_all)
    report("differential", files=len(paths), pairs=len(checks), disagreements=len({each.name for each in found}), seconds=spent)


if __name__ == "__main__":
    tyro.cli(main)
