"""False refusals: how many published statements and proofs are refused by our own rules, before any Lean reads them.

The rows come from a data folder that is not part of the project, with `benchmarks/*.jsonl` and `proofs/*.jsonl`, or from the theorems of
a folder of .lean files. All were written by people or checked by a Lean, so that each refusal is one too many unless it names a tactic
that proves nothing.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
import tyro
from common import report

from lean_worker.errors import LeanWorkerError
from lean_worker.proof_filter import filter_declarations, filter_proof
from lean_worker.statement import check_header, split_imports, split_statement
from oprover_jax.ingest.sources.split import theorems


class _Row(msgspec.Struct):
    name: str
    formal_statement: str
    proof: str = ""
    header: str = ""


def statement_reason(row: _Row) -> str | None:
    """Return why the statement of a row, or its header, would not reach Lean."""
    try:
        check_header(split_imports(row.header)[1])
        split_statement(row.formal_statement)
    except LeanWorkerError as error:
        return str(error)
    return None


def proof_reason(row: _Row) -> str | None:
    """Return why the proof of a row would not reach Lean, bare or as a whole declaration."""
    reason = filter_proof(row.proof)
    if reason is None and (stated := row.formal_statement.rstrip().removesuffix("sorry").rstrip().removesuffix("by").rstrip()).endswith(
        ":="
    ):
        begins = row.proof.lstrip().startswith((":=", "|"))
        whole = f"{stated.removesuffix(':=') if begins else stated + ' '}{row.proof}"
        reason = filter_declarations(whole)
    return None if reason is None else str(reason)


def rows_of_files(folder: Path) -> Iterator[tuple[str, list[_Row]]]:
    """Yield the theorems of each .lean file."""
    for path in sorted(folder.rglob("*.lean")):
        text = path.read_text(encoding="utf-8", errors="replace")
        yield (
            str(path.relative_to(folder)),
            [_Row(found.name or f"line {found.line}", found.statement, found.proof, found.context) for found in theorems(text)],
        )


def rows_of_tables(folder: Path) -> Iterator[tuple[str, list[_Row]]]:
    """Yield the rows of each .jsonl file."""
    for path in sorted(folder.glob("*.jsonl")):
        yield path.stem, [msgspec.json.decode(line, type=_Row) for line in path.read_bytes().splitlines() if line.strip()]


def main(data: Path, /, *, counted: int = 20) -> None:
    """List each refusal with its reason on stderr and print one JSON line with the counts.

    Args:
      data: Folder with `benchmarks` and `proofs`, or with .lean files.
      counted: How many of the most common reasons to list at the end of stderr.
    """
    folders = [data / name for name in ("benchmarks", "proofs") if (data / name).is_dir()]
    tables = [table for folder in folders for table in rows_of_tables(folder)] if folders else list(rows_of_files(data))
    if not any(rows for _, rows in tables):
        sys.exit(f"DATA: {data} contains neither benchmarks/*.jsonl, proofs/*.jsonl nor theorems in .lean files; give another folder")
    counts: Counter[str] = Counter()
    reasons: Counter[str] = Counter()
    for table, rows in tables:
        for row in rows:
            for kind, reason in (("statement", statement_reason(row)), ("proof", proof_reason(row) if row.proof.strip() else None)):
                counts[kind] += kind == "statement" or bool(row.proof.strip())
                if reason is not None:
                    counts[f"{kind} refused"] += 1
                    reasons[f"{kind}: {reason}"] += 1
                    print(f"{table}, {row.name}: {kind} refused: {reason}", file=sys.stderr)
    for reason, count in reasons.most_common(counted):
        print(f"{count:6} {reason}", file=sys.stderr)
    report(
        "false_refusals",
        statements=counts["statement"],
        statements_refused=counts["statement refused"],
        proofs=counts["proof"],
        proofs_refused=counts["proof refused"],
    )


if __name__ == "__main__":
    tyro.cli(main)
