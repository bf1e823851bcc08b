"""`oprover status` of finished runs, of runs in progress and of other folders; export of the policy after a stage."""

import io
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from oprover_jax.commands.export import export_run
from oprover_jax.commands.status import print_status
from oprover_jax.errors import InputError
from oprover_jax.progress import ProgressConsole

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess, pytest.mark.slow]


def status(run: Path) -> str:
    shown = io.StringIO()
    print_status(run, ProgressConsole(Console(file=shown, width=160)))
    return shown.getvalue()


def test_stages_are_done_running_and_to_do(calm: Path, tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in calm.rglob("*")}
    said = status(calm)
    assert "14 of 14 stages finished" in said and "pass@1" in said
    assert {path: path.stat().st_mtime_ns for path in calm.rglob("*")} == before, "reading changes nothing"
    run = Path(shutil.copytree(calm, tmp_path / "run"))
    (run / "stages" / "sft" / "done.json").unlink()
    lines = (run / "stages" / "sft" / "metrics.jsonl").read_text().splitlines(keepends=True)
    (run / "stages" / "sft" / "metrics.jsonl").write_text("".join(lines[:5]))
    said = status(run)
    assert "5 of 12 steps" in said and "13 of 14 stages finished" in said
    (run / "stages" / "sft" / "done.json").write_bytes((calm / "stages" / "sft" / "done.json").read_bytes())
    (run / "stages" / "rollout-1" / "done.json").unlink()
    assert "32 of 32 rollouts" in status(run)
    with pytest.raises(InputError, match="is not a run folder"):
        status(tmp_path)


def test_the_policy_after_a_stage_is_exported(calm: Path, tmp_path: Path) -> None:
    quiet = ProgressConsole(Console(quiet=True))
    for stage in ("cpt", "sft", ""):
        export_run(calm, tmp_path / (stage or "last"), "float32", False, quiet, stage)
    folders = [tmp_path / name / "model.safetensors" for name in ("cpt", "sft", "last")]
    assert len({folder.read_bytes() for folder in folders}) == 3
    with pytest.raises(InputError, match=r"stage 'rollout-1' trains no policy in .*; choose one of cpt, sft, sft-1, gspo-1"):
        export_run(calm, tmp_path / "no", "float32", False, quiet, "rollout-1")
