"""What came of a build, in numbers: for each source as it was named, for each project and licence, and why rows did not enter."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from oprover_jax.corpus.judge import Judged
from oprover_jax.corpus.sources.reading import Counts, reason_of
from oprover_jax.corpus.sources.rows import UNKNOWN_LICENCE

Reasons = dict[str, int]


class SourceReport(msgspec.Struct):
    """One source. `read` rows gave `kept` statements or pairs; what is refused, removed, unchecked or rejected is counted by reason.

    `accepted` and what follows counts proofs, each once; the statement of a refused or rejected proof may have entered all the same.
    """

    name: str
    read: int = 0
    kept: int = 0
    refused: Reasons = msgspec.field(default_factory=dict)
    removed: Reasons = msgspec.field(default_factory=dict)
    accepted: int = 0
    unchecked: Reasons = msgspec.field(default_factory=dict)
    rejected: Reasons = msgspec.field(default_factory=dict)


class Entered(msgspec.Struct):
    """What entered of one project under one licence."""

    source: str
    licence: str
    statements: int = 0
    proofs: int = 0
    accepted: int = 0


class BuildReport(msgspec.Struct):
    """Plain data: it stands in the commit's note."""

    key: str
    sources: list[SourceReport]
    entered: list[Entered]

    @property
    def without_licence(self) -> int:
        """Statements whose licence nobody gave."""
        return sum(one.statements for one in self.entered if one.licence == UNKNOWN_LICENCE)


def reported(key: str, read: Sequence[Counts], settled: Path, judged_proofs: Path, judged: Judged) -> BuildReport:
    """The report of a build whose stages are done."""
    found = {counts.origin: SourceReport(counts.origin) for counts in read}
    for counts in read:
        one = found[counts.origin]
        one.read, one.kept = one.read + counts.read, one.kept + counts.kept
        one.refused = dict(Counter(one.refused) + Counter(counts.refused))
    for origin, reasons in _removed(settled / "removed").items():
        found[origin].removed = reasons
    for origin, one in found.items():
        one.accepted = judged.accepted.get(origin, 0)
        one.unchecked, one.rejected = judged.unchecked.get(origin, {}), judged.rejected.get(origin, {})
    statements = _counted(settled / "statements", ["source", "licence"])
    proofs = _counted(judged_proofs, ["source", "licence", "checked"])
    entered = []
    for source, licence in sorted({key[:2] for key in [*statements, *proofs]}):
        checked = {key[2]: number for key, number in proofs.items() if key[:2] == (source, licence)}
        entered.append(Entered(source, licence, statements[source, licence], sum(checked.values()), checked.get("accepted", 0)))
    return BuildReport(key, list(found.values()), entered)


def print_report(report: BuildReport, console: Console) -> None:
    """The tables of a build."""
    table = Table(title="sources", title_justify="left")
    for column in ("source", "read", "kept", "refused", "removed", "accepted", "unchecked", "rejected"):
        table.add_column(column, justify="left" if column == "source" else "right")
    for one in report.sources:
        numbers = (one.read, one.kept, *map(_sum, (one.refused, one.removed)), one.accepted, *map(_sum, (one.unchecked, one.rejected)))
        table.add_row(one.name, *(f"{number:,}" for number in numbers))
    console.print(table)
    table = Table(title="entered", title_justify="left")
    for column in ("project", "licence", "statements", "proofs", "accepted by Lean"):
        table.add_column(column, justify="left" if column in ("project", "licence") else "right", overflow="fold")
    for entry in report.entered:
        table.add_row(entry.source, entry.licence, f"{entry.statements:,}", f"{entry.proofs:,}", f"{entry.accepted:,}")
    console.print(table)
    table = Table(title="why rows and proofs did not enter, or entered unchecked", title_justify="left")
    for column in ("what", "reason", "number"):
        table.add_column(column, justify="right" if column == "number" else "left")
    for what in ("refused", "removed", "unchecked", "rejected"):
        total: Counter[str] = Counter()
        for one in report.sources:
            total.update(getattr(one, what))
        for reason, number in total.most_common():
            table.add_row(what, reason, f"{number:,}")
    console.print(table)
    if report.without_licence:
        console.print(f"{report.without_licence:,} statements have no known licence; they say so", highlight=False)


def _sum(reasons: Reasons) -> int:
    return sum(reasons.values())


def _removed(folder: Path) -> dict[str, Reasons]:
    """What settling removed: by the origin, which `where` begins with, and the reason."""
    found: dict[str, Counter[str]] = {}
    for path in sorted(folder.glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["where", "reason"]):
                for where, reason in zip(batch["where"].to_pylist(), batch["reason"].to_pylist(), strict=True):
                    found.setdefault(where.partition("/")[0], Counter())[reason_of(reason)] += 1
    return {origin: dict(reasons) for origin, reasons in found.items()}


def _counted(folder: Path, columns: list[str]) -> Counter[tuple[str, ...]]:
    """Rows by the values of some columns."""
    found: Counter[tuple[str, ...]] = Counter()
    for path in sorted(folder.glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=columns):
                groups = pa.Table.from_batches([batch]).group_by(columns).aggregate([([], "count_all")])
                for row in groups.to_pylist():
                    found[tuple(row[column] for column in columns)] += row["count_all"]
    return found
