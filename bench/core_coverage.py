"""Coverage of the core library: how many human-written proofs for core Lean check unchanged.

The rows come from a data folder that is not part of the project: `core_*.jsonl` and `batteries.jsonl`, one pair of statement and proof
per line.
"""

import json
import re
import sys
from collections import Counter
from pathlib import Path

import tyro
from common import report, seconds

from lean_worker.pool import Pool
from lean_worker.protocol import Verdict
from lean_worker.tools.pairs import read_pairs


def reason(verdict: Verdict) -> str:
    """Return the first words of the first error, without the parts that differ between proofs."""
    errors = [message.text for message in verdict.messages if message.severity == "error"]
    words = next((line for line in (errors[0] if errors else "").splitlines() if line.strip()), "no message")
    return f"{verdict.kind}: {re.sub(r'[?]m[.][0-9]+', '?m', words)[:140]}"


def main(
    data: Path, /, *, files: tuple[str, ...] = (), workers: int = 2, timeout: float = 20.0, failures: int = 0, names: Path | None = None
) -> None:
    """Check every pair and print one JSON line: rows and accepted rows per file, and the sum.

    Args:
      data: Folder with the .jsonl files, or one that contains it as `proofs`.
      files: Names of files without .jsonl; by default all core_* and batteries.
      workers: Number of Lean processes.
      timeout: Wall-clock limit of one check, in seconds.
      failures: How many of the most common first errors to list on stderr.
      names: Write one line per row to this file: its name, whether it checks, and the first error.
    """
    folder = data / "proofs" if (data / "proofs").is_dir() else data
    chosen = [folder / f"{name}.jsonl" for name in files] or [*sorted(folder.glob("core_*.jsonl")), folder / "batteries.jsonl"]
    missing = [str(path) for path in chosen if not path.is_file()]
    if missing:
        sys.exit(f"--files: missing {', '.join(missing)}; give the folder of the .jsonl files")
    found: dict[str, list[Verdict]] = {}

    def check_all() -> None:
        with Pool(workers=workers, timeout=timeout) as pool:
            for path in chosen:
                found[path.stem] = pool.check_many(read_pairs(path))

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
