"""Rows packed once and read by index, against Hugging Face datasets with packing on the fly: the same documents, the same batches.

The peer keeps tokenised documents on disk (Arrow) and packs best-fit-decreasing over windows of documents, into the same five arrays,
written in place. `ratio_vs_datasets` compares with its stream with a shuffle buffer and numpy output, its way to read a corpus of this
size; `ratio_vs_datasets_arrow` with the fastest way that we found, Arrow's own buffers from a shuffled map-style dataset.
All threads share one core, and CPU seconds include all of them.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tyro
from common import report

from oprover_jax.data.dataset import write_packed
from oprover_jax.data.loader import from_folders
from oprover_jax.data.mixture import PERIOD, mix
from oprover_jax.data.packing import pack
from oprover_jax.data.rows import Row, document

STEP = 512 * 8192  # tokens per step of the publication's CPT (arXiv 2605.17283), over 64 hosts
WORKERS = 16
SHARES = (0.3, 0.2, 0.4, 0.1)


def documents(tokens: int, length: int, vocab: int) -> list[np.ndarray]:
    """Return token ids of documents with the lengths of a CPT mixture: most are proofs of some hundred tokens, some are longer than a row.
    Ids are distributed like words."""
    rng = np.random.default_rng(0)
    lengths: list[int] = []
    while sum(lengths) < tokens:
        median, spread = ((length / 20, 0.8), (length / 8, 1.0), (length / 1.5, 0.5))[rng.choice(3, p=(0.8, 0.18, 0.02))]
        lengths.append(int(np.clip(rng.lognormal(np.log(median), spread), 8, 4 * length)))
    return [np.minimum(rng.zipf(1.3, n), vocab - 1).astype(np.int32) for n in lengths]


@dataclass(frozen=True)
class Measured:
    """Tokens per CPU second, the fraction of positions that hold a token, and seconds to a first batch at the start and deep in the
    data."""

    per_core: float
    fill: float
    first: float
    deep: float


def measured(batches: Callable[[int], Iterator[Row]], steps: int, deep: int, repeats: int) -> Measured:
    """Measure a stream of batches; `batches(step)` opens it at a step."""
    rates, fill = [], 0.0
    for _ in range(repeats):
        stream = batches(0)
        next(stream)  # the cost of opening is measured below
        start, used, positions = time.process_time(), 0, 0
        for batch in islice(stream, steps):
            used += np.count_nonzero(batch["segment_ids"])
            positions += batch["segment_ids"].size
        rates.append(used / (time.process_time() - start))
        fill = used / positions
    return Measured(max(rates), fill, *(min(opening(batches, step) for _ in range(repeats)) for step in (0, deep)))


def opening(batches: Callable[[int], Iterator[Row]], step: int) -> float:
    """Return the seconds from opening to the first batch."""
    start = time.perf_counter()
    next(batches(step))
    return time.perf_counter() - start


def ours(folder: Path, rows: int) -> Callable[[int], Iterator[Row]]:
    """Return our stream, read as on a training host: the dataset is checked and opened, and a thread reads ahead."""
    return lambda step: from_folders({str(folder): 1.0}, rows, 0).local(range(rows), step, prefetch=2)


def packed_on_the_fly(found: Iterator[list[np.ndarray]], rows: int, length: int) -> Iterator[Row]:
    """Yield batches from windows of documents; a document longer than a row continues in further rows."""
    ready: list[list[np.ndarray]] = []
    for window in found:
        pieces = [ids[at : at + length + 1] for ids in window for at in range(0, len(ids) - 1, length)]
        ready += [[pieces[i] for i in items] for items in pack([len(piece) - 1 for piece in pieces], length)]
        while len(ready) >= rows:
            yield batch_of(ready[:rows], length)
            del ready[:rows]


def batch_of(rows: list[list[np.ndarray]], length: int) -> Row:
    """Return the five arrays of a batch, written in place."""
    batch = {name: np.zeros((len(rows), length), np.int32) for name in ("tokens", "targets", "positions", "segment_ids")}
    batch["weights"] = np.zeros((len(rows), length), np.float32)
    counting = np.arange(length, dtype=np.int32)
    for number, pieces in enumerate(rows):
        at = 0
        for segment, ids in enumerate(pieces, start=1):
            here = slice(at, at + len(ids) - 1)
            batch["tokens"][number, here] = ids[:-1]
            batch["targets"][number, here] = ids[1:]
            batch["positions"][number, here] = counting[: len(ids) - 1]
            batch["segment_ids"][number, here] = segment
            batch["weights"][number, here] = 1
            at = here.stop
    return batch


def arrow(stored: Path, rows: int, length: int, window: int, per_step: float) -> Callable[[int], Iterator[Row]]:
    """Return the peer's map-style stream: `shuffle` by an index, batches of Arrow; step n skips the documents before it."""
    from datasets import load_from_disk

    def windows(step: int) -> Iterator[list[np.ndarray]]:
        data = load_from_disk(str(stored)).shuffle(seed=0).skip(int(step * per_step)).with_format("arrow")
        for table in data.iter(batch_size=window):
            column = table.column("ids").combine_chunks()
            values, offsets = column.values.to_numpy(), column.offsets.to_numpy()
            yield np.split(values[offsets[0] : offsets[-1]], offsets[1:-1] - offsets[0])

    return lambda step: packed_on_the_fly(windows(step), rows, length)


def streamed(stored: Path, rows: int, length: int, window: int, per_step: float) -> Callable[[int], Iterator[Row]]:
    """Return the peer's stream: shards in shuffled order and a shuffle buffer; step n skips documents with `skip`."""
    from datasets import load_from_disk

    def windows(step: int) -> Iterator[list[np.ndarray]]:
        data = load_from_disk(str(stored)).with_format("numpy").to_iterable_dataset(num_shards=16)
        for found in data.shuffle(seed=0, buffer_size=window).skip(int(step * per_step)).iter(batch_size=window):
            yield list(found["ids"])

    return lambda step: packed_on_the_fly(windows(step), rows, length)


def check(batch: Row, sums: set[int], length: int) -> None:
    """Check that every segment is a document or the beginning of one, so that both sides give batches of the same documents."""
    for row in range(len(batch["tokens"])):
        for segment in range(1, batch["segment_ids"][row].max() + 1):
            inside = batch["segment_ids"][row] == segment
            ids = np.append(batch["tokens"][row][inside][0], batch["targets"][row][inside])
            assert np.array_equal(batch["positions"][row][inside], np.arange(len(ids) - 1)) and (batch["weights"][row][inside] == 1).all()
            assert hash(ids.tobytes()) in sums, "a segment that is in no document"


def share_errors(length: int) -> dict[str, float]:
    """Return how far the shares of a mixture of four sources are from the requested ones in the worst window of each size."""
    mixture = mix(SHARES, [float(length)] * 4)
    windows = {millions: -(-millions * 10**6 // length) for millions in (1, 2, 4)}
    taken = np.cumsum(np.eye(4)[np.tile(mixture.order, 2 + max(windows.values()) // PERIOD)], axis=0)
    errors = {}
    for millions, rows in windows.items():
        got = (taken[rows : rows + PERIOD] - taken[:PERIOD]) / rows
        errors[f"share_error_in_{millions}m_tokens"] = float(np.abs(got - SHARES).max())
    return errors


def main(tokens: int = 30_000_000, length: int = 8192, rows: int = 8, vocab: int = 151_669, window: int = 1000, repeats: int = 3) -> None:
    """Measure both on one host's part of a step.

    Args:
      tokens: Total tokens of all documents.
      length: Positions per row.
      rows: Rows per batch: the share of one of 64 hosts in a step of 4.2M tokens.
      vocab: Number of token ids.
      window: Documents that the peer packs at a time, and holds in its shuffle buffer.
      repeats: Number of measurements; the best counts.
    """
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})  # one core for both sides and all threads
    import datasets

    datasets.disable_progress_bars()
    found = documents(tokens, length, vocab)
    folder = Path(tempfile.mkdtemp(prefix="oprover-data-loader-"))
    try:
        start = time.process_time()
        index = write_packed(folder / "rows", [document(ids) for ids in found], length, "continue")
        packing_seconds = time.process_time() - start
        peer = datasets.Dataset.from_dict({"ids": found}, features=datasets.Features({"ids": datasets.Sequence(datasets.Value("int32"))}))
        peer.save_to_disk(str(folder / "peer"))
        steps = index.rows // rows - 2
        if steps < 2:
            raise SystemExit(f"--rows: {index.rows} rows are too few for batches of {rows}; raise --tokens")
        deep, per_step = steps * 9 // 10, len(found) / (index.rows / rows)
        sides = {
            "ours": ours(folder / "rows", rows),
            "arrow": arrow(folder / "peer", rows, length, window, per_step),
            "streamed": streamed(folder / "peer", rows, length, window, per_step),
        }
        sums = {hash(ids[at : at + length + 1].tobytes()) for ids in found for at in range(0, len(ids) - 1, length)}
        for side in sides.values():
            check(next(side(0)), sums, length)
        measures = {name: measured(side, steps * 9 // 10, deep, repeats) for name, side in sides.items()}
        disk = {name: sum(path.stat().st_size for path in (folder / name).rglob("*") if path.is_file()) for name in ("rows", "peer")}
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    own, streaming, buffers = (measures[name] for name in ("ours", "streamed", "arrow"))
    figures: dict[str, Any] = {
        "fill": index.fill,
        "fill_datasets": streaming.fill,
        "tokens_per_core_second": own.per_core,
        "tokens_per_core_second_datasets": streaming.per_core,
        "tokens_per_core_second_datasets_arrow": buffers.per_core,
        "core_milliseconds_of_a_step_of_4m_tokens": 1e3 * STEP / own.per_core,
        "milliseconds_of_that_step_on_16_cores": 1e3 * STEP / own.per_core / WORKERS,
        "seconds_to_first_batch": own.first,
        "seconds_to_first_batch_datasets": streaming.first,
        "seconds_to_first_batch_datasets_arrow": buffers.first,
        "seconds_to_resume": own.deep,
        "seconds_to_resume_datasets": streaming.deep,
        "seconds_to_resume_datasets_arrow": buffers.deep,
        "bytes_per_token": disk["rows"] / index.report.positions,
        "bytes_per_token_datasets": disk["peer"] / sum(map(len, found)),
        "packing_tokens_per_core_second": index.report.positions / packing_seconds,
        **share_errors(length),
        "ratio_vs_datasets": own.per_core / streaming.per_core,
        "ratio_vs_datasets_arrow": own.per_core / buffers.per_core,
        "ratio_resume_vs_datasets": streaming.deep / own.deep,
    }
    report(
        "data_loader", documents=len(found), tokens=sum(map(len, found)), length=length, rows=rows, datasets=datasets.__version__, **figures
    )


if __name__ == "__main__":
    tyro.cli(main)
