"""W&B itself, offline: `make test-wandb`. A run that is taken up again is the same run, and every metric is in its file."""

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

PROGRAM = """
import sys
from pathlib import Path
from oprover_jax.training.loggers import LOGGERS
folder, start = Path(sys.argv[1]), int(sys.argv[2])
with LOGGERS["wandb"](folder, start, {"seed": 3}) as write:
    for step in range(start, start + 3):
        write(step, {"loss": 2.0 - step, "mfu": 0.5})
"""


def records(log: Path) -> Iterator[bytes]:
    """The records of a W&B log: a header of 7 bytes, then (checksum of 4 bytes, length, type 1 where the record is whole, data)."""
    data = log.read_bytes()[7:]
    while data:
        length, kind = struct.unpack("<HB", data[4:7])
        assert kind == 1, "a log of a few steps fits one block"
        yield data[7 : 7 + length]
        data = data[7 + length :]


def test_offline_runs_hold_the_metrics(tmp_path: Path) -> None:
    from wandb.proto.wandb_internal_pb2 import Record

    environment = os.environ | {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    for start in (0, 2):
        subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path), str(start)], env=environment, check=True, timeout=120)
    logs = sorted(tmp_path.glob("wandb/offline-run-*/run-*.wandb"), key=lambda log: log.stat().st_mtime_ns)
    run_id = (tmp_path / "wandb_id").read_text()
    assert len(logs) == 2 and all(run_id in log.name for log in logs)
    rows = []
    for log in logs:
        found = [Record.FromString(data) for data in records(log)]
        items = [record.history.item for record in found if record.WhichOneof("record_type") == "history"]
        rows += [{item.key or ".".join(item.nested_key): json.loads(item.value_json) for item in row} for row in items]
    assert [(row["train_step"], row["loss"], row["mfu"]) for row in rows] == [(n, 2.0 - n, 0.5) for n in (0, 1, 2, 2, 3, 4)]
