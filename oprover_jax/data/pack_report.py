"""Final report of `oprover pack`, with a line for each source."""

from collections.abc import Mapping

from rich.table import Table

from oprover_jax.data.dataset import RowsIndex
from oprover_jax.data.pack_config import PackConfig
from oprover_jax.progress import ProgressConsole


def print_packed(config: PackConfig, indices: Mapping[str, RowsIndex], console: ProgressConsole) -> None:
    """Print a table of documents and their outcome, tokens, fill, and share of the mixture."""
    columns = ["source", "share", "examples", "rows", "tokens", "fill", "continued", "dropped", "removed", "unusable", "bytes/token"]
    table = Table(*columns, title=f"{config.name}: rows of {config.seq_len:,} tokens")
    total = sum(source.weight for source in config.sources.values())
    for name, index in indices.items():
        report = index.report
        counts = [f"{count:,}" for count in (report.continued, report.dropped, report.removed, report.unusable)]
        size = sum(shard.bytes for shard in index.shards) / report.positions
        about = [f"{config.sources[name].weight / total:.1%}", f"{report.examples:,}", f"{report.rows:,}", f"{report.positions:,}"]
        table.add_row(name, *about, f"{report.fill(index.length):.2%}", *counts, f"{size:.2f}")
    console.rich.print(table)
