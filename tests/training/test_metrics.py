import math
import time
from pathlib import Path

import pytest

from oprover_jax.training.metrics import Goodput, MetricsLog, Throughput, read_metrics


def test_a_torn_line_is_dropped_and_no_step_is_there_twice(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with MetricsLog(path) as log:
        for step in range(6):
            log.write({"step": step, "loss": float(step)})
    path.write_bytes(path.read_bytes() + b'{"step": 6, "lo')  # killed while writing
    assert [r["step"] for r in read_metrics(path)] == list(range(6))
    with MetricsLog(path, start_step=4) as log:  # the newest checkpoint is older than the last line
        log.write({"step": 4, "loss": -4.0})
    assert [(r["step"], r["loss"]) for r in read_metrics(path)] == [(0, 0), (1, 1), (2, 2), (3, 3), (4, -4)]


def test_each_line_is_there_as_soon_as_it_is_written(tmp_path: Path) -> None:
    with MetricsLog(tmp_path / "m.jsonl") as log:
        log.write({"step": 0, "loss": math.nan})
        assert read_metrics(tmp_path / "m.jsonl") == [{"step": 0, "loss": None}]


def test_a_bad_line_in_the_middle_is_named(tmp_path: Path) -> None:
    path = tmp_path / "m.jsonl"
    path.write_text('{"step": 0}\nnot json\n{"step": 2}\n')
    with pytest.raises(ValueError, match=r"m\.jsonl, line 2 is not a JSON object"):
        read_metrics(path)


def test_the_ledger_adds_up_over_starts() -> None:
    before = dict.fromkeys(Goodput.KINDS, 1.0) | {"lost": 2.0}
    goodput = Goodput()
    goodput.carry(before, lost=3.0)
    for kind in ("data", "step", "data"):
        with goodput.measure(kind):
            time.sleep(0.001)
    seconds = goodput.seconds()
    assert set(seconds) == set(Goodput.KINDS)
    assert seconds["lost"] == 5 and seconds["data"] > 1.002 and seconds["evaluation"] == 1
    assert sum(seconds.values()) > 12.003 and seconds["other"] >= 1
    assert goodput.share() == pytest.approx(seconds["step"] / sum(seconds.values()), rel=1e-2)


def test_what_dropped_steps_had_taken(tmp_path: Path) -> None:
    with MetricsLog(tmp_path / "m.jsonl") as log:
        for step in range(6):
            log.write({"step": step, "seconds": 2.0**step})
    with MetricsLog(tmp_path / "m.jsonl", start_step=4) as log:
        assert log.lost_seconds == 16 + 32


def test_rates_leave_the_first_step_out() -> None:
    throughput = Throughput()
    assert throughput.add(100.0) == (0, 0)
    time.sleep(0.01)
    tokens, steps = throughput.add(100.0)
    assert tokens == pytest.approx(100 * steps) and 0 < steps <= 100
