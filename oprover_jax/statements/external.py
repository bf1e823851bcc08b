"""Core-Lean theorems that people wrote, as a second held-out benchmark: read from a data folder, never trained on, never shipped."""

from pathlib import Path

import msgspec

from oprover_jax.errors import InputError
from oprover_jax.records import Statement
from oprover_jax.statements.declarations import named_goal
from oprover_jax.statements.normalize import statement_id

PATH = Path("proofs") / "core_verified_lean435.jsonl"


class ExternalError(InputError):
    """The data folder does not hold the benchmark, or a row of it is not a statement."""


class _Row(msgspec.Struct):
    name: str
    formal_statement: str
    header: str = ""
    licence: str = ""
    source: str = ""
    informal: str | None = None


def external_benchmark(data: Path) -> list[Statement]:
    """The distinct statements of `data`/proofs/core_verified_lean435.jsonl, each with the header it needs, in order of the file.

    Two rows are one statement where they read the same but for name and white space; the first row counts.
    Raises ExternalError naming the file that is missing, or the line that is not a statement.
    """
    path = data / PATH
    if not path.is_file():
        raise ExternalError(f"{path} does not exist; give the folder that holds {PATH} as --data or in OPROVER_DATA")
    found: dict[str, Statement] = {}
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            row = msgspec.json.decode(line, type=_Row)
        except msgspec.DecodeError as error:
            raise ExternalError(f"{path}, line {number}: {error}; each row needs name, formal_statement and header as text") from error
        if not row.formal_statement.endswith("sorry"):
            raise ExternalError(f"{path}, line {number}: formal_statement of {row.name} does not end in `:= by sorry`; restore the row")
        key = " ".join(named_goal(row.formal_statement).split())
        if key not in found:
            found[key] = _statement(row, {statement.id for statement in found.values()})
    return list(found.values())


def _statement(row: _Row, taken: set[str]) -> Statement:
    """The row's statement; its name goes into the id where the same content was written twice with other variables."""
    key = statement_id(row.formal_statement, row.header)
    if key in taken:
        key = statement_id(row.formal_statement, f"{row.header}\n{row.name}")
    return Statement(
        id=key,
        name=row.name,
        formal=row.formal_statement,
        header=row.header,
        family="external",
        source=row.source,
        licence=row.licence,
        informal=row.informal or "",
    )
