"""`oprover iterate` killed at several moments ends where an undisturbed run ends; bad input touches nothing."""

import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from start import TINY, iterate, start

from oprover_jax.evaluation.report import Report, read_report

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess, pytest.mark.slow]


def kill_when(run: Path, reached: Callable[[], bool]) -> None:
    with iterate(run) as process:
        deadline = time.monotonic() + 300
        while not reached():
            assert process.poll() is None, process.stdout.read() if process.stdout else ""
            assert time.monotonic() < deadline
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)


def figures(report: Report) -> dict[str, object]:
    """Everything but the clock."""
    scores = [(s.name, s.pass_at_1, s.pass_at_8, s.attempts) for s in [*report.stages, *report.ablations]]
    return {"scores": scores, "verdicts": report.verdicts, "growth": report.corpus["growth"]}


def losses(run: Path, stage: str) -> list[tuple[int, float]]:
    lines = (run / "stages" / stage / "metrics.jsonl").read_text().splitlines()
    return [(line["step"], line["loss"]) for line in map(json.loads, lines)]


def test_killed_runs_end_where_undisturbed_ones_do(calm: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    stages = killed / "stages"
    kill_when(killed, lambda: (stages / "corpus").exists())
    kill_when(killed, lambda: (stages / "sft" / "metrics.jsonl").exists() and len(losses(killed, "sft")) >= 3)
    kill_when(killed, lambda: (stages / "evaluate-sft").exists())
    kill_when(killed, lambda: (stages / "gspo-1").exists())
    process = iterate(killed)
    output, _ = process.communicate(timeout=900)
    assert process.returncode == 0, output
    assert figures(read_report(killed)) == figures(read_report(calm))
    for stage in ("cpt", "sft", "sft-1"):
        assert losses(killed, stage) == losses(calm, stage)
    page = (killed / "report.html").read_text()
    assert "iteration-1" in page and not list(killed.rglob("*.tmp"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--set", "gspo.stepz=1"), "unknown configuration key 'gspo.stepz'"),
        (("--set", "mesh.fsdp=3"), "does not divide over the mesh"),
        (("--set", "refine.rounds=0"), "refine.rounds is 0"),
    ],
)
def test_bad_configuration_is_one_sentence_and_exit_code_2(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    run = tmp_path / "run"
    process = start("iterate", "--config", str(TINY), "--run", str(run), *arguments)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 2 and said in output and len(output.strip().splitlines()) == 1, output
    assert not run.exists()
