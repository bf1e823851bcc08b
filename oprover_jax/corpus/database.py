"""DuckDB connections with the corpus's settings."""

from pathlib import Path
from typing import Any

import duckdb


def open_database(spill: Path | None = None, **settings: Any) -> duckdb.DuckDBPyConnection:
    """Return a database in memory, to be closed by the caller; data that does not fit spills to the folder `spill`. DuckDB's own progress
    bar is off, since it would garble ours and logs."""
    database = duckdb.connect(config=settings | ({"temp_directory": str(spill)} if spill else {}))
    database.execute("set enable_progress_bar = false")
    return database
