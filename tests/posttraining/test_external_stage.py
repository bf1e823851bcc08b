"""The second held-out benchmark of a run: what training says too, in whatever shape, is left out of its score and counted."""

import json
import shutil
from pathlib import Path

import pytest
from start import TINY

from oprover_jax.configuration import load
from oprover_jax.corpus.theorems import load_theorems
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.iterate import headline, iterate
from oprover_jax.posttraining.run_folder import begin_run
from oprover_jax.progress import ProgressConsole
from oprover_jax.statements.external import PATH

pytestmark = pytest.mark.lean

FRESH = "theorem fresh (n : Nat) (h : n = 17) : n + 2 = 19 := by sorry"


def test_statements_that_training_says_too_are_left_out_and_counted(calm: Path, tmp_path: Path) -> None:
    experiment, run, data = load(TINY, Experiment), tmp_path / "run", tmp_path / "data"
    shutil.copytree(calm, run)
    corpus = load_theorems(next((run / "stages" / "corpus").rglob("report.json")).parent)
    known = [corpus.public[0].statement.formal.replace("theorem t_", "theorem other_"), corpus.pool[0].formal]
    (data / PATH).parent.mkdir(parents=True)
    rows = [{"name": f"row{number}", "formal_statement": formal} for number, formal in enumerate([*known, FRESH])]
    (data / PATH).write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    report = iterate(experiment, run, data, ProgressConsole())
    assert [score.statements for score in report.external] == [1]
    done = begin_run(run, experiment.name, experiment).done("external")
    assert done is not None and done.summary["left_out"] == 2
    assert "of 1 statements (2 excluded" in headline(done.summary)
