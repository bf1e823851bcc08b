"""Inline SVG charts of the report page; colours come from the page's CSS, so that they follow its light or dark theme."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from typing import Literal


@dataclass(frozen=True)
class Series:
    """One line of a chart. `style` is its CSS class; `band` holds (low, high) for each value, if known."""

    label: str
    values: Sequence[float]
    style: str
    band: Sequence[tuple[float, float]] = ()


@dataclass(frozen=True)
class Frame:
    """Size of a chart and margins around its plot, in pixels."""

    width: int = 960
    height: int = 320
    left: int = 44
    right: int = 96
    top: int = 14
    bottom: int = 34

    def x(self, fraction: float) -> float:
        return self.left + fraction * (self.width - self.left - self.right)

    def y(self, fraction: float) -> float:
        return self.height - self.bottom - fraction * (self.height - self.top - self.bottom)


def nice_ticks(low: float, high: float, count: int = 4) -> list[float]:
    """Return about `count` round numbers that cover the range from `low` to `high`."""
    span = max(high - low, 1e-9, abs(high) * 1e-6)
    power = 10.0 ** math.floor(math.log10(span / count))
    step = next(power * m for m in (1, 2, 2.5, 5, 10) if span / (power * m) <= count)
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def percent(value: float) -> str:
    """Format a fraction as a percentage: 0.4137 as `41.4%`."""
    return f"{100 * value:.1f}%"


def short(value: float) -> str:
    """Format a number compactly for an axis: 12000 as `12k`, 0.03134 as `0.0313`."""
    if abs(value) >= 1e6:
        return f"{value / 1e6:.3g}M"
    if abs(value) >= 1e4:
        return f"{value / 1e3:.3g}k"
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def stage_chart(names: Sequence[str], series: Sequence[Series], title: str, form: Literal["percent", "count"] = "percent") -> str:
    """Return a line chart over stages, with bands for known intervals and the last value as a label.

    Args:
      names: Stage names.
      series: Lines with one value per stage.
      title: Accessible description.
      form: Number format of the values.
    """
    frame, label = Frame(), percent if form == "percent" else short
    tops = [v for s in series for v in s.values] + [high for s in series for _, high in s.band]
    top = max(tops, default=0.0)
    ticks = nice_ticks(0.0, min(1.0, top * 1.08) if form == "percent" else top)
    ticks = [t for t in ticks if form != "percent" or t <= 1.0 + 1e-9]
    height = max(ticks[-1], top, 1e-9)
    places = [frame.x((i + 0.5) / len(names)) for i in range(len(names))]
    parts = [_axis(frame, [(frame.y(t / height), f"{100 * t:.0f}%" if form == "percent" else short(t)) for t in ticks])]
    parts += [
        f'<text class="tick" text-anchor="middle" x="{x:.1f}" y="{frame.height - 12}">{escape(name)}</text>'
        for x, name in zip(places, names)
    ]
    ends = _spread([frame.y(s.values[-1] / height) if s.values else 0.0 for s in series], 17.0)
    for s, end in zip(series, ends):
        points = [(x, frame.y(v / height)) for x, v in zip(places, s.values)]
        if s.band:
            edge = [(x, frame.y(high / height)) for x, (_, high) in zip(places, s.band)]
            edge += [(x, frame.y(low / height)) for x, (low, _) in reversed(list(zip(places, s.band)))]
            parts.append(f'<polygon class="band {s.style}" points="{_points(edge)}"/>')
        parts.append(f'<polyline class="line {s.style}" points="{_points(points)}"/>')
        for (x, y), name, value in zip(points, names, s.values):
            parts.append(
                f'<circle class="dot {s.style}" cx="{x:.1f}" cy="{y:.1f}" r="4"><title>'
                f"{escape(f'{name}: {s.label} {label(value)}')}</title></circle>"
            )
        if points:
            x = points[-1][0] + 12
            parts.append(f'<text class="end {s.style}" x="{x:.1f}" y="{end + 4:.1f}">{escape(f"{s.label} {label(s.values[-1])}")}</text>')
    return _svg(frame, title, parts)


def trace_chart(points: Sequence[tuple[float, float]], title: str) -> str:
    """Return a small chart of (step, value) points: faint values and a strong running mean."""
    frame = Frame(width=280, height=150, left=48, right=10, top=10, bottom=24)
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    # The highest 1% of the values, usually the first steps, would flatten the rest.
    ordered = sorted(ys)
    low, high = ordered[0], ordered[math.ceil(0.99 * (len(ordered) - 1))]
    ticks = nice_ticks(low, high, 3)
    span_x, span_y = max(xs[-1] - xs[0], 1e-9), ticks[-1] - ticks[0]

    def place(x: float, y: float) -> tuple[float, float]:
        return frame.x((x - xs[0]) / span_x), frame.y(min(max((y - ticks[0]) / span_y, 0.0), 1.0))

    smooth = running_mean(ys, max(1, len(ys) // 20))
    shown = range(0, len(points), max(1, len(points) // 400))
    parts = [_axis(frame, [(frame.y((t - ticks[0]) / span_y), short(t)) for t in ticks])]
    parts.append(f'<polyline class="line faint" points="{_points([place(xs[i], ys[i]) for i in shown])}"/>')
    parts.append(f'<polyline class="line one" points="{_points([place(xs[i], smooth[i]) for i in shown])}"/>')
    for x, anchor in ((xs[0], "start"), (xs[-1], "end")):
        parts.append(
            f'<text class="tick" text-anchor="{anchor}" x="{frame.x((x - xs[0]) / span_x):.1f}" y="{frame.height - 6}">{short(x)}</text>'
        )
    return _svg(frame, title, parts)


def running_mean(values: Sequence[float], window: int) -> list[float]:
    """Return the mean of each value and up to `window - 1` values before it."""
    out, total = [], 0.0
    for i, value in enumerate(values):
        total += value - (values[i - window] if i >= window else 0.0)
        out.append(total / min(i + 1, window))
    return out


def _svg(frame: Frame, title: str, parts: Sequence[str]) -> str:
    size = f'viewBox="0 0 {frame.width} {frame.height}" style="max-width:{frame.width}px"'
    return f'<svg role="img" aria-label="{escape(title)}" {size}>{"".join(parts)}</svg>'


def _axis(frame: Frame, ticks: Sequence[tuple[float, str]]) -> str:
    return "".join(
        f'<line class="grid" x1="{frame.left}" x2="{frame.width - frame.right}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="tick" text-anchor="end" x="{frame.left - 8}" y="{y + 4:.1f}">{escape(text)}</text>'
        for y, text in ticks
    )


def _points(points: Sequence[tuple[float, float]]) -> str:
    return " ".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _spread(heights: Sequence[float], apart: float) -> list[float]:
    """Return the heights, moved down where labels would overlap."""
    placed = list(heights)
    for before, this in pairwise(sorted(range(len(placed)), key=placed.__getitem__)):
        placed[this] = max(placed[this], placed[before] + apart)
    return placed
