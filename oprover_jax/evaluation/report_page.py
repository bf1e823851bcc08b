"""Report of a run as one self-contained HTML page and as tables on the terminal."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape as escape_markup
from rich.table import Table

from oprover_jax.evaluation.evaluate import FamilyScore, Score
from oprover_jax.evaluation.report import Report
from oprover_jax.evaluation.report_charts import Series, percent, short, stage_chart, trace_chart
from oprover_jax.evaluation.report_trajectories import Decode, trajectories_html
from oprover_jax.files import replacing
from oprover_jax.records import Trajectory

_TEMPLATE = Path(__file__).with_name("report_page.html")


def write_page(
    run_dir: Path, report: Report, metrics: Iterable[Mapping[str, Any]], trajectories: Sequence[Trajectory], decode: Decode
) -> Path:
    """Write `report.html` atomically into the run folder and return its path.

    Args:
      run_dir: Run folder.
      report: Results of the run.
      metrics: Lines of metrics.jsonl; the `loss` of each stage is plotted against `step`.
      trajectories: Examples to show, such as those that `report_trajectories.examples` chooses.
      decode: Converts token ids to text.
    """
    page = Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        title=escape(run_dir.resolve().name),
        headline=_headline(report),
        tiles=_tiles(report),
        learning=_learning(report),
        stages=_score_table(report.stages),
        ablations=_bars([Bar(s.name, s.pass_at_8, percent(s.pass_at_8), s.interval) for s in _with_full(report)]),
        external=_score_table(report.external),
        families=_families(report.families),
        losses=_losses(metrics),
        growth=_growth(report),
        corpus=_figures(report.corpus),
        verdicts=_bars([Bar(kind, float(count), f"{count:,}") for kind, count in report.verdicts.items()]),
        trajectories=trajectories_html(trajectories, decode),
    )
    path = run_dir / "report.html"
    with replacing(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def print_report(report: Report, console: Console | None = None) -> None:
    """Print the scores of every stage, the ablations and the verdicts to the terminal."""
    console = console or Console()
    for title, scores in (("Held-out benchmark", report.stages), ("Ablations", report.ablations), ("External benchmark", report.external)):
        if scores:
            console.print(_terminal_table(title, scores))
    verdicts = ", ".join(f"{count:,} {kind}" for kind, count in report.verdicts.items())
    console.print(f"Lean verdicts: {verdicts or 'none'}. Seed {report.seed}, total time {_duration(report.seconds)}.", highlight=False)


def _terminal_table(title: str, scores: Sequence[Score]) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column("after", overflow="fold")
    for heading in ("pass@1", "pass@8", "95% interval", "rollouts", "time"):
        table.add_column(heading, justify="right", no_wrap=True)
    for s in scores:
        rollouts = f"{s.statements:,} × {s.n}"
        figures = (percent(s.pass_at_1), percent(s.pass_at_8), _interval(s), rollouts, _duration(s.seconds))
        table.add_row(escape_markup(s.name), *figures)
    return table


def _interval(score: Score) -> str:
    low, high = score.interval
    return f"{100 * low:.1f}–{100 * high:.1f}%"


def _first_sft(scores: Sequence[Score]) -> Score:
    return next((s for s in scores if "sft" in s.name.lower()), scores[0])


def _headline(report: Report) -> str:
    if not report.stages:
        return "No stage of this run has been evaluated."
    first, last = _first_sft(report.stages), report.stages[-1]
    now = f"{percent(last.pass_at_8)} of {last.statements:,} held-out statements proved within 8 rollouts after {escape(last.name)}"
    return f"{now}." if first is last else f"{now}; {percent(first.pass_at_8)} after {escape(first.name)}."


def _tiles(report: Report) -> str:
    tiles = [("seed", str(report.seed)), ("wall clock", _duration(report.seconds))]
    if report.stages:
        first, last = _first_sft(report.stages), report.stages[-1]
        change = 100 * (last.pass_at_8 - first.pass_at_8)
        tiles = [
            ("pass@8", percent(last.pass_at_8)),
            ("pass@1", percent(last.pass_at_1)),
            (f"points of pass@8 since {first.name}", f"{change:+.1f}"),
            *tiles,
        ]
    if checked := sum(report.verdicts.values()):
        tiles.insert(-2, ("Lean verdicts", f"{checked:,}"))
    return "".join(f"<div><b>{escape(value)}</b><span>{escape(label)}</span></div>" for label, value in tiles)


def _learning(report: Report) -> str:
    if not report.stages:
        return '<p class="muted">No evaluations.</p>'
    series = [
        Series("pass@8", [s.pass_at_8 for s in report.stages], "one", [s.interval for s in report.stages]),
        Series("pass@1", [s.pass_at_1 for s in report.stages], "two"),
    ]
    return stage_chart([s.name for s in report.stages], series, "pass@8 and pass@1 on the held-out benchmark after each stage")


def _with_full(report: Report) -> list[Score]:
    return [*report.stages[-1:], *report.ablations] if report.ablations else []


def _score_table(scores: Sequence[Score]) -> str:
    rows = [
        [
            escape(s.name),
            percent(s.pass_at_1),
            f"<b>{percent(s.pass_at_8)}</b>",
            _interval(s),
            percent(s.first_round),
            f"{s.statements:,}",
            f"{s.n}",
            f"{s.attempts:,}",
            f"{s.unread:,}",
            _duration(s.seconds),
        ]
        for s in scores
    ]
    headings = [
        "after",
        "pass@1",
        "pass@8",
        "95% interval",
        "first attempt",
        "statements",
        "n",
        "attempts",
        "too long",
        "time",
    ]
    return _table(headings, rows)


def _families(scores: Sequence[FamilyScore]) -> str:
    stages, families = dict.fromkeys(s.stage for s in scores), dict.fromkeys(s.family for s in scores)
    by_place = {(s.family, s.stage): s for s in scores}
    rows = []
    for family in families:
        cells = [by_place.get((family, stage)) for stage in stages]
        count = max(c.statements for c in cells if c)
        # The shade encodes the value; the number stays readable on every shade.
        shades = [f'<span class="heat" style="--h:{100 * c.pass_at_8:.0f}%">{percent(c.pass_at_8)}</span>' if c else "" for c in cells]
        rows.append([escape(family), f"{count:,}", *shades])
    return _table(["family", "statements", *map(escape, stages)], rows)


def _losses(metrics: Iterable[Mapping[str, Any]]) -> str:
    stages: dict[str, list[tuple[float, float]]] = {}
    speeds: dict[str, float] = {}
    for line in metrics:
        stage, loss, step = str(line.get("stage", "")), line.get("loss"), line.get("step")
        if isinstance(loss, int | float) and isinstance(step, int | float) and math.isfinite(loss):
            stages.setdefault(stage, []).append((float(step), float(loss)))
        if isinstance(speed := line.get("tokens_per_second"), int | float) and math.isfinite(speed):
            speeds[stage] = float(speed)
    charts = []
    for stage, points in stages.items():
        about = f"{len(points):,} steps" + (f" · {short(speeds[stage])} tokens/s" if stage in speeds else "")
        ordered = sorted(dict(points).items())
        chart = trace_chart(ordered, f"loss of {stage} by step")
        charts.append(f'<figure><figcaption><b>{escape(stage)}</b> <span class="muted">{about}</span></figcaption>{chart}</figure>')
    return "".join(charts) or '<p class="muted">No training steps recorded.</p>'


def _growth(report: Report) -> str:
    growth = report.corpus.get("growth") or []
    if not growth:
        return '<p class="muted">No new proofs in the corpus.</p>'
    series = [
        Series("proofs", [float(g["proofs"]) for g in growth], "one"),
        Series("statements", [float(g["statements"]) for g in growth], "two"),
    ]
    return stage_chart([str(g["stage"]) for g in growth], series, "verified proofs and proved statements after each stage", form="count")


def _figures(corpus: Mapping[str, Any]) -> str:
    """Return tiles with the scalar figures of the corpus."""
    plain = [(key, value) for key, value in corpus.items() if isinstance(value, int | float | str)]
    shown = [(key.replace("_", " "), f"{value:,}" if isinstance(value, int) else str(value)) for key, value in plain]
    return "".join(f"<div><b>{escape(value)}</b><span>{escape(key)}</span></div>" for key, value in shown)


@dataclass(frozen=True)
class Bar:
    """One bar of a chart; `interval` is drawn as a whisker and written next to the value."""

    name: str
    value: float
    text: str
    interval: tuple[float, float] | None = None


def _bars(bars: Sequence[Bar]) -> str:
    if not bars:
        return '<p class="muted">None.</p>'
    longest = max(max(bar.value, *(bar.interval or (0.0,))) for bar in bars) or 1.0
    return f'<div class="bars">{"".join(_bar(bar, 100 / longest) for bar in bars)}</div>'


def _bar(bar: Bar, scale: float) -> str:
    """Return one row of three cells. All rows are in one grid, so that their bars begin and end at the same places."""
    whisker, text = "", f"<b>{escape(bar.text)}</b>"
    if bar.interval is not None:
        low, high = bar.interval
        whisker = f'<u style="left:{scale * low:.1f}%;width:{scale * (high - low):.1f}%"></u>'
        text += f' <span class="muted">{100 * low:.1f}–{100 * high:.1f}%</span>'
    track = f'<span class="track"><i style="width:{scale * bar.value:.1f}%"></i>{whisker}</span>'
    return f"<span>{escape(bar.name)}</span>{track}<span>{text}</span>"


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table whose cells are already HTML."""
    if not rows:
        return '<p class="muted">None.</p>'
    head = "".join(f"<th>{h}</th>" for h in headings)
    body = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
