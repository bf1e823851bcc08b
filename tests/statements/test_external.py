"""The second benchmark: distinct statements of a given folder, and a clear word where it is missing or broken."""

import json
import os
from pathlib import Path

import pytest

from oprover_jax.statements.external import PATH, ExternalError, external_benchmark


def _folder(tmp_path: Path, rows: list[object]) -> Path:
    path = tmp_path / PATH
    path.parent.mkdir(parents=True)
    path.write_text("\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows), encoding="utf-8")
    return tmp_path


def _row(name: str, statement: str, header: str = "") -> dict[str, str]:
    return {"name": name, "header": header, "formal_statement": f"theorem {name} {statement} := by sorry", "licence": "MIT", "source": "s"}


def test_the_same_statement_twice_is_one(tmp_path: Path) -> None:
    rows = [_row("a", "(p : Prop) : p → p"), _row("b", "(p : Prop) :\n  p → p", "open Nat"), _row("c", "(q : Prop) : q → q")]
    statements = external_benchmark(_folder(tmp_path, rows))
    assert [statement.name for statement in statements] == ["a", "c"]
    assert len({statement.id for statement in statements}) == 2
    assert statements[0].licence == "MIT" and statements[0].family == "external"


def test_missing_and_broken_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(ExternalError, match=r"core_verified_lean435\.jsonl does not exist"):
        external_benchmark(tmp_path / "nowhere")
    with pytest.raises(ExternalError, match="line 2"):
        external_benchmark(_folder(tmp_path, [_row("a", ": True"), '{"name": 3}']))


@pytest.mark.skipif("OPROVER_DATA" not in os.environ, reason="OPROVER_DATA names no data folder")
def test_the_real_folder() -> None:
    statements = external_benchmark(Path(os.environ["OPROVER_DATA"]))
    assert len(statements) == len({statement.id for statement in statements}) == 457
