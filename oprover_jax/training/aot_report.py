"""The compiled step of a job as a table for people and as JSON for programs."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from oprover_jax.files import replacing
from oprover_jax.training.aot import GIB, Report


def figures(report: Report) -> dict[str, Any]:
    """All numbers of the report, the derived ones included; bytes and FLOPs of one device."""
    return dataclasses.asdict(report) | {"allocated": report.allocated, "fits": report.fits}


def write_report(report: Report, path: Path) -> None:
    """Writes `figures` as JSON, whole or not at all."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(figures(report), indent=2) + "\n")


def print_report(report: Report, console: Console) -> None:
    """Memory of a chip beside what it has, FLOPs, and what goes over the links."""
    table = Table(title=f"{report.name} on {report.devices} x {report.device_kind} ({report.topology})", title_justify="left")
    table.add_column("of one device")
    table.add_column("", justify="right")
    for name in ("arguments", "temporaries", "outputs", "aliased"):
        table.add_row(f"{name}, GiB", f"{getattr(report, name) / GIB:.2f}")
    table.add_row("allocated in all, GiB", f"{report.allocated / GIB:.2f}")
    room = f" of {report.hbm / GIB:.0f}" if report.hbm else ""
    table.add_row(
        "held at the busiest moment, GiB",
        f"{report.peak / GIB:.2f}{room}{'' if report.fits else '  DOES NOT FIT'}",
        style="bold",
        end_section=True,
    )
    table.add_row("matrix products of a step, TFLOP", f"{report.flops / 1e12:,.1f}")
    table.add_row("of the model for a token, GFLOP", f"{report.flops_per_token / 1e9:,.1f}")
    table.add_row("tokens of a step, all devices", f"{report.tokens_per_step:,}", end_section=True)
    for one in report.collectives:
        table.add_row(f"{one.kind}: {one.runs:,} of {one.places} places, GiB", f"{one.bytes / GIB:.2f}")
    table.add_section()
    table.add_row("parameters", f"{report.parameters:,}")
    table.add_row("lines of HLO", f"{report.hlo_lines:,}")
    table.add_row("compile time, s", f"{report.compile_seconds:.0f}")
    console.print(table)
