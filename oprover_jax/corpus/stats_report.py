"""Reports of corpus statistics: on the terminal, as stats.json, and as a picture."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from oprover_jax.corpus.stats import Bin, Count, Rounds, Stats
from oprover_jax.files import replacing

SHOWN = 12  # values shown per dimension; the rest is summed

_TITLES = {"domain": "Domain", "difficulty": "Difficulty", "source": "Source", "licence": "Licence", "lean": "Lean version"}
_BLUE, _ORANGE, _PALE, _INK = "#2b6c99", "#d9822b", "#f3cfa5", "#333333"


def print_stats(stats: Stats, console: Console) -> None:
    """Print all tables."""
    t = stats.totals
    console.print(
        f"{t.statements:,} statements, {t.proved:,} of them proved; {t.accepted:,} proofs accepted by Lean, {t.unchecked:,} unchecked;"
        f" {t.trajectories:,} trajectories, {t.trajectories_accepted:,} accepted, {t.trajectories_undecided:,} undecided;"
        f" {t.quarantined:,} rows in quarantine",
        highlight=False,
    )
    for dimension, counts in stats.by.items():
        rows = [(c.value, c.statements, c.proved, c.proofs, c.accepted) for c in shown(dimension, counts)]
        console.print(_table(_TITLES[dimension], ("statements", "proved", "proofs", "accepted"), rows))
    console.print(_table("Domain given by", ("statements",), [(by or "none", n) for by, n in stats.tagged_by.items()]))
    console.print(_table("Kind of proof", ("proofs",), [(kind or "unknown", n) for kind, n in stats.kinds.items()]))
    console.print(_table("Proof length in characters", ("proofs",), [(b.label, b.count) for b in stats.proof_length]))
    console.print(_table("Proofs per statement", ("statements",), [(b.label, b.count) for b in stats.proofs_per_statement]))
    console.print(_table("Rounds", ("rounds", "accepted"), [(_context(r), r.rounds, r.accepted) for r in stats.rounds]))


def write_stats(stats: Stats, folder: Path) -> list[Path]:
    """Write stats.json, stats.png and stats.svg to `folder`, each atomically; return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    figure = draw(stats)
    paths = [folder / f"stats.{ending}" for ending in ("json", "png", "svg")]
    for path in paths:
        with replacing(path) as temporary:
            if path.suffix == ".json":
                temporary.write_bytes(msgspec.json.format(msgspec.json.encode(stats), indent=2))
            else:
                figure.savefig(temporary, format=path.suffix[1:], dpi=120)
    return paths


def shown(dimension: str, counts: Sequence[Count]) -> list[Count]:
    """Return the shown values of a dimension: difficulties in order, otherwise the largest, with the rest as one."""
    named = [msgspec.structs.replace(c, value="unknown") if c.value in ("", "0") else c for c in counts]
    if dimension == "difficulty":
        return sorted(named, key=lambda c: int(c.value) if c.value.isdigit() else 99)
    rest = named[SHOWN:]
    if len(rest) < 2:
        return named
    sums = [sum(getattr(c, name) for c in rest) for name in ("statements", "proved", "proofs", "accepted")]
    return [*named[:SHOWN], Count(f"{len(rest)} others", *sums)]


def draw(stats: Stats) -> Figure:
    """Draw one picture of eight charts."""
    figure = Figure(figsize=(15, 13), layout="constrained")
    t = stats.totals
    figure.suptitle(
        f"{t.statements:,} statements ({t.proved:,} proved) · {t.accepted:,} accepted and {t.unchecked:,} unchecked proofs ·"
        f" {t.trajectories:,} trajectories",
        fontsize=14,
        color=_INK,
    )
    axes = figure.subplots(3, 3)
    for axis, (dimension, counts) in zip(axes.flat, stats.by.items()):
        _draw_counts(axis, _TITLES[dimension], shown(dimension, counts))
    _draw_bins(axes[1, 2], "Proof length in characters", "proofs", stats.proof_length, _ORANGE)
    _draw_bins(axes[2, 0], "Proofs per statement", "statements", stats.proofs_per_statement, _BLUE)
    _draw_rounds(axes[2, 1], stats.rounds)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    axes[2, 2].legend(handles, labels, loc="upper left", frameon=False, fontsize=11)
    axes[2, 2].set_axis_off()
    return figure


def _draw_counts(axis: Axes, title: str, counts: Sequence[Count]) -> None:
    """Draw a bar of statements and one of proofs for each value, with unchecked proofs in a pale colour."""
    places = range(len(counts))
    axis.barh([p - 0.2 for p in places], [c.statements for c in counts], 0.36, color=_BLUE, label="statements")
    axis.barh([p + 0.2 for p in places], [c.accepted for c in counts], 0.36, color=_ORANGE, label="proofs accepted by Lean")
    unchecked = [c.proofs - c.accepted for c in counts]
    axis.barh([p + 0.2 for p in places], unchecked, 0.36, [c.accepted for c in counts], color=_PALE, label="unchecked proofs")
    for place, count in zip(places, counts):
        _label(axis, count.statements, place - 0.2, count.statements, 7)
        _label(axis, count.proofs, place + 0.2, count.proofs, 7)
    _finish(axis, title, [c.value for c in counts], max((max(c.statements, c.proofs) for c in counts), default=0))


def _draw_bins(axis: Axes, title: str, what: str, bins: Sequence[Bin], color: str) -> None:
    axis.barh(range(len(bins)), [b.count for b in bins], 0.7, color=color)
    for place, entry in enumerate(bins):
        _label(axis, entry.count, place, entry.count)
    _finish(axis, f"{title} ({what})", [b.label for b in bins], max((b.count for b in bins), default=0))


def _draw_rounds(axis: Axes, rounds: Sequence[Rounds]) -> None:
    axis.barh(range(len(rounds)), [r.accepted for r in rounds], 0.7, color=_ORANGE)
    axis.barh(range(len(rounds)), [r.rounds - r.accepted for r in rounds], 0.7, [r.accepted for r in rounds], color="#cccccc")
    for place, group in enumerate(rounds):
        _label(axis, group.rounds, place, f"{group.accepted:,} of {group.rounds:,}")
    _finish(axis, "Rounds of trajectories, accepted of total", [_context(r) for r in rounds], max((r.rounds for r in rounds), default=0))


def _label(axis: Axes, x: int, y: float | int, text: int | str, size: int = 8) -> None:
    shown = f"{text:,}" if isinstance(text, int) else text
    axis.annotate(shown, (x, y), (3, 0), textcoords="offset points", va="center", fontsize=size, color=_INK)


def _finish(axis: Axes, title: str, names: Iterable[str], largest: int) -> None:
    cut = [name if len(name) <= 28 else f"{name[:27]}…" for name in names]
    axis.set_title(title, loc="left", fontsize=11, color=_INK)
    axis.set_yticks(range(len(cut)), cut, fontsize=8)
    axis.set_ylim(max(len(cut), 8) - 0.4, -0.6)
    axis.set_xlim(0, max(largest, 1) * 1.2)
    axis.set_xticks([])
    axis.tick_params(length=0, colors=_INK)
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    if not cut:
        axis.text(0.5, 0.5, "none", transform=axis.transAxes, ha="center", color=_INK)


def _context(rounds: Rounds) -> str:
    return f"{'repair' if rounds.feedback else 'first'}, {'with' if rounds.retrieval else 'without'} retrieval"


def _table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str | int]]) -> Table:
    table = Table(title=title, title_justify="left", box=SIMPLE_HEAD)
    table.add_column("")
    for column in columns:
        table.add_column(column, justify="right")
    for name, *counts in rows:
        table.add_row(escape(str(name)), *(f"{count:,}" for count in counts))
    return table
