"""How many proofs that people wrote for core Lean check as they stand: what the core library still lacks shows here.

The rows come from a data folder that is not part of the project: `core_*.jsonl` and `batteries.jsonl`, one pair of statement and proof
on each line.
"""

import json
import re
import sys
from collections import Counter
from pathlib import Path

import msgspec
import tyro
from common import report, seconds

from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict

# There are no other modules to import: whatever a file needs of them is an unknown name then.
_NOT_HERE = re.compile(r"^(?:(?:public |meta |private )*import [^\n]*|module|@\[expose\] (?:public )?section|public section)$", re.M)


class _Row(msgspec.Struct):
    name: str
    formal_statement: str
    proof: str
    header: str = ""


def read(path: Path) -> list[Check]:
    """The pairs of one file, in order."""
    rows = [msgspec.json.decode(line, type=_Row) for line in path.read_bytes().splitlines() if line.strip()]
    return [Check(row.name, row.formal_statement, row.proof, _NOT_HERE.sub("", row.header)) for row in rows]


def reason(verdict: Verdict) -> str:
    """The first words of the first error, with what differs from proof to proof left out."""
    errors = [message.text for message in verdict.messages if message.severity == "error"]
    words = next((line for line in (errors[0] if errors else "").splitlines() if line.strip()), "no message")
    return f"{verdict.kind}: {re.sub(r'[?]m[.][0-9]+', '?m', words)[:140]}"


def main(
    data: Path, /, *, files: tuple[str, ...] = (), workers: int = 2, timeout: float = 20.0, failures: int = 0, names: Path | None = None
) -> None:
    """Checks every pair and prints one JSON line: per file the rows and those that check, and the sum.

    Args:
      data: The folder that holds the .jsonl files, or one that holds it as `proofs`.
      files: Names of files without .jsonl; all core_* and batteries where none is given.
      workers: Lean processes of the pool.
      timeout: Wall clock of one check.
      failures: How many of the most common first errors to list on stderr.
      names: Write one line per row here: its name, whether it checks, and the first error.
    """
    folder = data / "proofs" if (data / "proofs").is_dir() else data
    chosen = [folder / f"{name}.jsonl" for name in files] or [*sorted(folder.glob("core_*.jsonl")), folder / "batteries.jsonl"]
    missing = [str(path) for path in chosen if not path.is_file()]
    if missing:
        sys.exit(f"no such file: {', '.join(missing)}; give the folder of the .jsonl files")
    found: dict[str, list[Verdict]] = {}

    def check_all() -> None:
        with Pool(workers=workers, timeout=timeout) as pool:
            for path in chosen:
                found[path.stem] = pool.check_many(read(path))

    spent = seconds(check_all)
    everything = [verdict for verdicts in found.values() for verdict in verdicts]
    if names is not None:
        rows = [[stem, v.id, v.accepted, "" if v.accepted else reason(v)] for stem, verdicts in found.items() for v in verdicts]
        names.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    for words, count in Counter(reason(v) for v in everything if not v.accepted).most_common(failures):
        print(f"{count:5}  {words}", file=sys.stderr)
    checked = sum(v.accepted is True for v in everything)
    report(
        "core_coverage",
        files={stem: {"total": len(verdicts), "checked": sum(v.accepted is True for v in verdicts)} for stem, verdicts in found.items()},
        total=len(everything),
        checked=checked,
        share=checked / max(1, len(everything)),
        seconds=spent,
    )


if __name__ == "__main__":
    tyro.cli(main)
