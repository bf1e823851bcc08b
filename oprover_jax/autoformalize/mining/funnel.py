"""The funnel: what went into each step, what came out, and why the rest was lost."""

from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table

from oprover_jax.files import replacing


class Step(msgspec.Struct, frozen=True):
    """`entered` and `left` count `unit`; `lost` says why the difference is not there any more."""

    name: str
    unit: str
    entered: int
    left: int
    lost: dict[str, int]


class Funnel(msgspec.Struct, frozen=True):
    """The steps in order, and whatever else is worth knowing about them."""

    steps: tuple[Step, ...]
    notes: dict[str, Any] = {}


def write_funnel(path: Path, funnel: Funnel) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(msgspec.json.format(msgspec.json.encode(funnel), indent=2))


def print_funnel(funnel: Funnel, console: Console) -> None:
    """A table: one row for each step, the most frequent losses first."""
    table = Table("step", "of", "in", "out", "lost", title_justify="left")
    for step in funnel.steps:
        losses = sorted(step.lost.items(), key=lambda item: (-item[1], item[0]))
        reasons = "\n".join(f"{count:,} {reason}" for reason, count in losses if count)
        table.add_row(step.name, step.unit, f"{step.entered:,}", f"{step.left:,}", reasons)
    console.print(table)
    for name, value in funnel.notes.items():
        console.print(f"{name}: {value}", highlight=False, soft_wrap=True)
