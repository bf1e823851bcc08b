"""Text of published sets as they are downloaded: Parquet folders and Arrow streams, in pieces that cover each row once."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from own_benchmark import write_benchmark

from oprover_jax.data.sources import Text
from oprover_jax.data.without_benchmarks import WithoutBenchmarks
from oprover_jax.errors import InputError


def arrow(path: Path, texts: list[str], batch: int, column: str = "text") -> None:
    """Writes a stream of batches, as Hugging Face `datasets` saves a set."""
    table = pa.table({column: texts, "lang": ["python"] * len(texts)})
    path.parent.mkdir(parents=True, exist_ok=True)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=batch)


@pytest.mark.parametrize("size", [1, 500, 10**6])
def test_every_row_of_a_download_is_read_once(tmp_path: Path, size: int) -> None:
    texts = [f"row {number} " * 20 for number in range(100)]
    arrow(tmp_path / "set" / "algorithmic_corpus" / "data-00000-of-00002.arrow", texts[:37], 10)
    arrow(tmp_path / "set" / "algorithmic_corpus" / "data-00001-of-00002.arrow", texts[37:60], 7)
    pq.write_table(pa.table({"text": texts[60:]}), tmp_path / "set" / "part.parquet", row_group_size=9)
    source = Text(str(tmp_path / "set"))
    pieces = source.plan(size)
    assert [text for piece in pieces for text in source.read(piece)] == texts
    assert len(pieces) > 3 if size < 10**6 else len(pieces) == 3
    assert source.plan(size) == pieces


def test_a_torn_stream_and_a_wrong_column_are_named(tmp_path: Path) -> None:
    arrow(tmp_path / "a.arrow", ["x" * 100] * 50, 10, column="content")
    with pytest.raises(InputError, match=r"a\.arrow has no column 'text'; it has content, lang"):
        Text(str(tmp_path)).plan(1000)
    source = Text(str(tmp_path), column="content")
    pieces = source.plan(1000)
    (tmp_path / "a.arrow").write_bytes((tmp_path / "a.arrow").read_bytes()[:3000])
    with pytest.raises(InputError, match=r"a\.arrow cannot be read as an Arrow stream"):
        source.plan(1000)
    with pytest.raises(InputError, match=r"a\.arrow cannot be read as an Arrow stream"):
        list(source.read(pieces[-1]))


def test_documents_with_a_benchmark_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="is missing"):
        WithoutBenchmarks(str(tmp_path))("text")
    formal = "theorem exam (x y z : Nat) (h : x + y = z) (g : y + z = x) (k : z + x = y) : x = 0 ∧ y = 0 ∧ z = 0 := by sorry"
    remove = WithoutBenchmarks(str(tmp_path / "data"), (write_benchmark(tmp_path / "data", {"exam": formal}),))
    assert remove("Some text.\n\n" + formal.replace("exam", "other")).startswith("own/exam: ")
    assert remove("theorem one (n : Nat) : n + 0 = n := by rfl") == ""
