"""Report of a compiled step, as a table for people and as JSON for programs."""

import dataclasses
import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from oprover_jax.files import replacing
from oprover_jax.training.aot import GIB, Report


def figures(report: Report) -> dict[str, Any]:
    """Return all numbers of the report, including derived ones; bytes and FLOPs of one device."""
    return dataclasses.asdict(report) | {"allocated": report.allocated, "fits": report.fits}


def write_report(report: Report, path: Path) -> None:
    """Write `figures` as JSON, atomically."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(figures(report), indent=2) + "\n")


def print_report(report: Report, console: Console) -> None:
    """Print a chip's memory use and capacity, FLOPs, and communication volume."""
    table = Table(title=f"{report.name} on {report.devices} x {report.device_kind} ({report.topology})", title_justify="left")
    table.add_column("per device")
    table.add_column("", justify="right")
    for name in ("arguments", "temporaries", "outputs", "aliased"):
        table.add_row(f"{name}, GiB", f"{getattr(report, name) / GIB:.2f}")
    table.add_row("total allocated, GiB", f"{report.allocated / GIB:.2f}")
    room = f" of {report.hbm / GIB:.0f}" if report.hbm else ""
    table.add_row(
        "peak memory, GiB",
        f"{report.peak / GIB:.2f}{room}{'' if report.fits else '  DOES NOT FIT'}",
        style="bold",
        end_section=True,
    )
    table.add_row("matrix products per step, TFLOP", f"{report.flops / 1e12:,.1f}")
    table.add_row("model per token, GFLOP", f"{report.flops_per_token / 1e9:,.1f}")
    table.add_row("tokens per step, all devices", f"{report.tokens_per_step:,}", end_section=True)
    for collective in report.collectives:
        table.add_row(f"{collective.kind}: {collective.runs:,} of {collective.places} places, GiB", f"{collective.bytes / GIB:.2f}")
    table.add_section()
    table.add_row("parameters", f"{report.parameters:,}")
    table.add_row("lines of HLO", f"{report.hlo_lines:,}")
    table.add_row("compile time, s", f"{report.compile_seconds:.0f}")
    console.print(table)
