"""Files of a source and their raw rows, in bounded memory. Files are checked before anything is read: a torn file or a missing column is an
error that names it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from oprover_jax.errors import InputError
from oprover_jax.ingest.sources.layouts import Layout

LONGEST_LINE = 16 << 20
_BATCH = 1024
_ENDINGS = {"parquet": ".parquet", "jsonl": ".jsonl", "json": ".json", "lean": ".lean"}


@dataclass(frozen=True)
class Raw:
    """One row of a file: columns to values, or, if it cannot be parsed, the reason and the text."""

    where: str
    values: dict[str, Any]
    problem: str = ""
    text: str = ""


def source_files(path: Path, layout: Layout, name: str) -> list[Path]:
    """Return the files of a file, a folder (all of its format, at any depth) or a pattern, in order. Raises InputError for none."""
    ending = _ENDINGS[layout.format]
    if path.is_dir():
        files = sorted(file for file in path.rglob(f"*{ending}") if not any(part.startswith(".") for part in file.relative_to(path).parts))
    elif path.is_file():
        files = [path]
    else:
        files = sorted(Path(file) for file in glob(str(path), recursive=True) if Path(file).is_file())
    if not files:
        raise InputError(f"source {name}: {path} has no {ending} files; give a file, a folder or a pattern of such files")
    return files


def check_file(path: Path, layout: Layout) -> None:
    """Raise InputError if the file cannot be read or lacks a column, naming both and the available columns."""
    try:
        if layout.format == "parquet":
            with pq.ParquetFile(path) as file:
                kinds = {field.name: field.type for field in file.schema_arrow}
            _check_columns(path, layout, kinds)
            for column in layout.columns.read:
                if column in kinds and not _readable(kinds[column], column == layout.columns.contaminates):
                    raise InputError(f"{path}: column {column} contains {kinds[column]}, expected text; give another column")
        else:
            with path.open("rb") as opened:
                opened.read(1)
            first = next((raw for raw in rows(path, layout) if not raw.problem), None) if layout.format != "lean" else None
            if first is not None:
                _check_columns(path, layout, first.values)
    except (pa.ArrowException, OSError) as error:
        raise InputError(
            f"{path} cannot be read ({str(error).splitlines()[0]}); restore it from a copy, or remove it from the source"
        ) from error


def rows(path: Path, layout: Layout) -> Iterator[Raw]:
    """Yield the rows of a file; `where` counts from 1: lines, rows or, in an array, items."""
    if layout.format == "parquet":
        yield from _parquet_rows(path, layout)
    elif layout.format == "jsonl":
        yield from _json_lines(path)
    elif layout.format == "json":
        yield from _json_items(path)
    else:
        data = path.read_bytes()
        try:
            yield Raw("1", {"text": data.decode()})
        except UnicodeDecodeError as error:
            yield Raw("1", {}, f"not UTF-8: {error.reason}", data.decode(errors="backslashreplace"))


def _check_columns(path: Path, layout: Layout, there: dict[str, Any]) -> None:
    missing = [column for column in layout.columns.read if column not in there and column not in layout.columns.lacking]
    if missing:
        raise InputError(f"{path} has no column {missing[0]}; it has {', '.join(there)}; check the source's kind and columns")


def _readable(kind: pa.DataType, lists: bool) -> bool:
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_null(kind)
    return bool(text or pa.types.is_integer(kind) or pa.types.is_floating(kind) or (lists and pa.types.is_list(kind)))


def _parquet_rows(path: Path, layout: Layout) -> Iterator[Raw]:
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            names = set(file.schema_arrow.names)
            for batch in file.iter_batches(_BATCH, columns=[column for column in layout.columns.read if column in names]):
                columns = {name: _values(column) for name, column in zip(batch.schema.names, batch.columns, strict=True)}
                for index in range(len(batch)):
                    number += 1
                    yield _decoded(str(number), {name: values[index] for name, values in columns.items()})
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{path} cannot be read after row {number} ({str(error).splitlines()[0]}); restore it from a copy") from error


def _values(column: pa.Array) -> list[Any]:
    """Return text as bytes, since Arrow does not check that it is UTF-8."""
    if pa.types.is_large_string(column.type):
        return list(column.cast(pa.large_binary()).to_pylist())
    return list((column.cast(pa.binary()) if pa.types.is_string(column.type) else column).to_pylist())


def _decoded(where: str, values: dict[str, Any]) -> Raw:
    try:
        return Raw(where, {name: value.decode() if isinstance(value, bytes) else value for name, value in values.items()})
    except UnicodeDecodeError as error:
        shown = {name: value.decode(errors="backslashreplace") if isinstance(value, bytes) else value for name, value in values.items()}
        return Raw(where, {}, f"not UTF-8: {error.reason}", json.dumps(shown, ensure_ascii=False, default=str))


def _json_lines(path: Path) -> Iterator[Raw]:
    with path.open("rb") as file:
        for number, (line, whole) in enumerate(_lines(file), start=1):
            if not whole:
                yield Raw(
                    str(number), {}, f"absurdly long: a line of more than {LONGEST_LINE:,} bytes", line[:1000].decode(errors="replace")
                )
            elif line.strip():
                yield _json_row(str(number), line)


def _lines(file: BinaryIO) -> Iterator[tuple[bytes, bool]]:
    """Yield lines, and whether they are complete: the rest of a line that is too long is skipped."""
    while line := file.readline(LONGEST_LINE):
        whole = line.endswith(b"\n") or len(line) < LONGEST_LINE
        yield line, whole
        while not whole and (more := file.readline(LONGEST_LINE)):
            whole = more.endswith(b"\n")


def _json_items(path: Path) -> Iterator[Raw]:
    """Yield the items of one array. The file is held in memory as bytes; sets of this format have some hundred megabytes."""
    try:
        items = msgspec.json.decode(path.read_bytes(), type=list[msgspec.Raw])
    except msgspec.DecodeError as error:
        raise InputError(f"{path} is not a JSON array ({error}); restore it from a copy") from error
    for number, item in enumerate(items, start=1):
        yield _json_row(str(number), bytes(item))


def _json_row(where: str, text: bytes) -> Raw:
    try:
        values = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            text.decode()
        except UnicodeDecodeError as not_text:
            return Raw(where, {}, f"not UTF-8: {not_text.reason}", text.decode(errors="backslashreplace"))
        return Raw(where, {}, f"not JSON: {error}", text.decode())
    if not isinstance(values, dict):
        return Raw(where, {}, f"not a row: {type(values).__name__} and no object", text.decode())
    return Raw(where, values)
