"""Report of a build in numbers: by source, by project and licence, and by reason for excluding rows."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from oprover_jax.ingest.sources.reading import Counts, reason_of
from oprover_jax.ingest.sources.rows import FLAGGED, UNKNOWN_LICENCE
from oprover_jax.ingest.verify_proofs import Verified

Reasons = dict[str, int]

_COPIES = frozenset({"same statement", "same proof", "near duplicate"})


class SourceReport(msgspec.Struct):
    """One source. `read` rows gave `kept` statements or pairs; all other outcomes are counted by reason.

    `refused` rows could not be parsed as a theorem with a proof; `copies` existed before; `contaminated` are part of a benchmark;
    `accepted` and the following fields count the remaining proofs. The statement of a refused or rejected proof may still have been added.
    """

    name: str
    read: int = 0
    kept: int = 0
    refused: Reasons = msgspec.field(default_factory=dict)
    copies: Reasons = msgspec.field(default_factory=dict)
    contaminated: Reasons = msgspec.field(default_factory=dict)
    accepted: int = 0
    unchecked: Reasons = msgspec.field(default_factory=dict)
    rejected: Reasons = msgspec.field(default_factory=dict)


class Entered(msgspec.Struct):
    """Rows added from one project under one licence."""

    source: str
    licence: str
    statements: int = 0
    proofs: int = 0
    accepted: int = 0


class BuildReport(msgspec.Struct):
    """Whole report of a build, as stored in `report.json`."""

    key: str
    sources: list[SourceReport]
    entered: list[Entered]

    @property
    def totals(self) -> Reasons:
        """Return the sums over all sources, for the commit's note."""
        sums = {"read": 0, "refused": 0, "copies": 0, "contaminated": 0, "accepted": 0, "unchecked": 0, "rejected": 0}
        for source in self.sources:
            for what in sums:
                number = getattr(source, what)
                sums[what] += number if isinstance(number, int) else _sum(number)
        return sums

    @property
    def without_licence(self) -> int:
        """Number of statements without a known licence."""
        return sum(entry.statements for entry in self.entered if entry.licence == UNKNOWN_LICENCE)


def reported(key: str, read: Sequence[Counts], settled: Path, verified_proofs: Path, verified: Verified) -> BuildReport:
    """Return the report of a build whose stages are done."""
    reports = {counts.origin: SourceReport(counts.origin) for counts in read}
    for counts in read:
        report = reports[counts.origin]
        report.read, report.kept = report.read + counts.read, report.kept + counts.kept
        for reason, number in counts.refused.items():
            _add(report.contaminated if reason == FLAGGED else report.refused, reason, number)
    for (origin, reason), number in _removed(settled / "removed").items():
        _add(reports[origin].copies if reason in _COPIES else reports[origin].contaminated, reason, number)
    for origin, report in reports.items():
        report.accepted = verified.accepted.get(origin, 0)
        report.unchecked, report.rejected = verified.unchecked.get(origin, {}), verified.rejected.get(origin, {})
    statements = _counted(settled / "statements", ["source", "licence"], verified.no_propositions)
    proofs = _counted(verified_proofs, ["source", "licence", "checked"])
    entered = []
    for source, licence in sorted({key[:2] for key in [*statements, *proofs]}):
        checked = {key[2]: number for key, number in proofs.items() if key[:2] == (source, licence)}
        entered.append(Entered(source, licence, statements[source, licence], sum(checked.values()), checked.get("accepted", 0)))
    return BuildReport(key, list(reports.values()), entered)


def print_report(report: BuildReport, console: Console) -> None:
    """Print the tables of a build."""
    table = _table("sources", ("source",), ("read", "kept", "refused", "copies", "bench.", "accepted", "unchecked", "rejected"))
    for source in report.sources:
        reasons = (source.refused, source.copies, source.contaminated)
        numbers = (source.read, source.kept, *map(_sum, reasons), source.accepted, *map(_sum, (source.unchecked, source.rejected)))
        table.add_row(source.name, *(f"{number:,}" for number in numbers))
    console.print(table)
    table = _table("entered", ("project", "licence"), ("statements", "proofs", "accepted"))
    for entry in report.entered:
        table.add_row(_short(entry.source), entry.licence, f"{entry.statements:,}", f"{entry.proofs:,}", f"{entry.accepted:,}")
    console.print(table)
    table = _table("excluded or unchecked, by reason", ("what", "reason"), ("number",))
    for what in ("refused", "copies", "contaminated", "unchecked", "rejected"):
        total: Counter[str] = Counter()
        for source in report.sources:
            total.update(getattr(source, what))
        for reason, number in total.most_common():
            table.add_row(what, reason, f"{number:,}")
    console.print(table)
    if report.without_licence:
        console.print(f"{report.without_licence:,} statements have no known licence and are marked so", highlight=False)


def _sum(reasons: Reasons) -> int:
    return sum(reasons.values())


def _add(reasons: Reasons, reason: str, number: int) -> None:
    reasons[reason] = reasons.get(reason, 0) + number


def _short(source: str) -> str:
    """Return a project at a commit in readable form."""
    return re.sub(r"(@[0-9a-f]{7})[0-9a-f]+$", r"\1", source)


def _table(title: str, words: Sequence[str], numbers: Sequence[str]) -> Table:
    table = Table(title=f"\n{title}", title_justify="left", box=None, pad_edge=False)
    for word in words:
        table.add_column(word, overflow="fold")
    for number in numbers:
        table.add_column(number, justify="right", no_wrap=True)
    return table


def _removed(folder: Path) -> Counter[tuple[str, str]]:
    """Count the rows removed by deduplication by origin, which `where` begins with, and by reason without its figures."""
    counts: Counter[tuple[str, str]] = Counter()
    for path in sorted(folder.glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["where", "reason"]):
                for where, reason in zip(batch["where"].to_pylist(), batch["reason"].to_pylist(), strict=True):
                    counts[where.partition("/")[0], re.sub(r" [0-9.]+$", "", reason_of(reason))] += 1
    return counts


def _counted(folder: Path, columns: list[str], without: Sequence[str] = ()) -> Counter[tuple[str, ...]]:
    """Count rows by the values of some columns, excluding those with the ids `without`."""
    counts: Counter[tuple[str, ...]] = Counter()
    excluded = pa.array(without, pa.string())
    for path in sorted(folder.glob("*.parquet")):
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(columns=["id", *columns]):
                kept = pa.Table.from_batches([batch.filter(pc.invert(pc.is_in(batch["id"], value_set=excluded)))])
                for row in kept.group_by(columns).aggregate([([], "count_all")]).to_pylist():
                    counts[tuple(row[column] for column in columns)] += row["count_all"]
    return counts
