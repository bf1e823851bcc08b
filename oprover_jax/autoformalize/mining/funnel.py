"""Funnel report: inputs, outputs and losses of each step."""

from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from oprover_jax.files import replacing


class Step(msgspec.Struct, frozen=True):
    """One step of a funnel; `entered` and `left` count `unit`, `lost` counts the difference by reason."""

    name: str
    unit: str
    entered: int
    left: int
    lost: dict[str, int]


class Funnel(msgspec.Struct, frozen=True):
    """Steps in order, with additional notes."""

    steps: tuple[Step, ...]
    notes: dict[str, Any] = {}


def write_funnel(path: Path, funnel: Funnel) -> None:
    """Write a funnel atomically as JSON."""
    with replacing(path) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(funnel), indent=2))


def print_funnel(funnel: Funnel, console: Console) -> None:
    """Print a table with one row per step, most frequent losses first."""
    table = Table("step", "of", "in", "out", "lost", title_justify="left")
    for step in funnel.steps:
        losses = sorted(step.lost.items(), key=lambda item: (-item[1], item[0]))
        reasons = "\n".join(f"{count:,} {reason}" for reason, count in losses if count)
        table.add_row(step.name, step.unit, f"{step.entered:,}", f"{step.left:,}", reasons)
    console.print(table)
    for name, value in funnel.notes.items():
        console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
