"""DuckDB, as all of the corpus opens it."""

from pathlib import Path
from typing import Any

import duckdb


def open_database(spill: Path | None = None, **settings: Any) -> duckdb.DuckDBPyConnection:
    """A database in memory, to be closed by the caller; what does not fit goes to the folder `spill`. DuckDB shows no progress of its own:
    it would be written over ours, and into logs."""
    database = duckdb.connect(config=settings | ({"temp_directory": str(spill)} if spill else {}))
    database.execute("set enable_progress_bar = false")
    return database
