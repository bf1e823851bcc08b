"""`oprover iterate`: run all stages of an experiment; finished stages are skipped, an interrupted stage resumes."""

import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from oprover_jax.errors import DiskFull, InputError
from oprover_jax.evaluation.report import Report, build_report
from oprover_jax.evaluation.report_page import print_report, write_page
from oprover_jax.evaluation.report_trajectories import examples
from oprover_jax.files import locked
from oprover_jax.posttraining import preparation, proving, training
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.gspo import gspo
from oprover_jax.posttraining.plan import Kind, Stage, plan
from oprover_jax.posttraining.run_folder import Done, RunFolder, begin_run, write_atomic
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.progress import ProgressConsole, StageProgress
from oprover_jax.training.metrics import read_metrics

RUNNERS: dict[Kind, Callable[[Workbench, Stage, StageProgress], dict[str, Any]]] = {
    "corpus": preparation.corpus,
    "tokenizer": preparation.tokenizer,
    "warmup": preparation.warmup_examples,
    "cpt": training.cpt,
    "sft": training.sft,
    "repair_sft": training.repair_sft,
    "gspo": gspo,
    "rollout": proving.rollout,
    "evaluate": proving.evaluate,
    "ablation": proving.ablation,
    "external": proving.external,
}


def iterate(experiment: Experiment, path: Path, data: Path | None, console: ProgressConsole) -> Report:
    """Run the remaining stages of the plan and write report.json and report.html.

    Args:
      experiment: Configuration.
      path: Run folder; created if it does not exist.
      data: Folder with human-written theorems, the second held-out benchmark; None skips that stage.
      console: Receives progress and results.

    Raises:
      InputError: The folder belongs to another run, version or configuration (it is not changed), or the encoder does not exist.
    """
    if "/" in experiment.memory.encoder and not Path(experiment.memory.encoder).is_dir():
        raise InputError(
            f"memory.encoder: directory {experiment.memory.encoder} does not exist; give the folder of a policy, 'minilm' or 'lexical'"
        )
    folder = begin_run(path, experiment.name, experiment)
    stages = plan(experiment, external=data is not None)
    with locked(path), Workbench(experiment, folder, data) as bench:
        for number, stage in enumerate(stages, 1):
            done = folder.done(stage.name)
            if done is None:
                done = _run(bench, stage, number, len(stages), console)
            console.finished(number, len(stages), stage.name, done.seconds, headline(done.summary))
        report = write_report(folder, experiment, stages, bench)
    print_report(report, console.rich)
    console.line(f"report: {path / 'report.html'}")
    return report


def _run(bench: Workbench, stage: Stage, number: int, of: int, console: ProgressConsole) -> Done:
    """Run one stage from the beginning or from the point of interruption; its seconds are summed over all starts."""
    clock = bench.folder.stage(stage.name) / "seconds.json"
    before = msgspec.json.decode(clock.read_bytes(), type=float) if clock.exists() else 0.0
    started = time.monotonic()
    try:
        with console.stage(number, of, stage.name) as progress:
            summary = RUNNERS[stage.kind](bench, stage, progress)
    except BaseException:
        with suppress(DiskFull):  # must not hide the original error
            write_atomic(clock, msgspec.json.encode(before + time.monotonic() - started))
        raise
    bench.folder.finish(stage.name, before + time.monotonic() - started, summary)
    done = bench.folder.done(stage.name)
    assert done is not None
    return done


def headline(summary: dict[str, Any]) -> str:
    """Return a one-line summary of the figures of a stage."""
    scored = summary.get("score") or summary.get("ablation") or summary.get("external")
    if scored:
        excluded = f" ({summary['left_out']} excluded: in the training data)" if summary.get("left_out") else ""
        return f"pass@1 {scored['pass_at_1']:.1%}  pass@8 {scored['pass_at_8']:.1%} of {scored['statements']} statements{excluded}"
    shown = {key: value for key, value in summary.items() if isinstance(value, int | float | str)}
    return "  ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in shown.items())


def write_report(folder: RunFolder, experiment: Experiment, stages: list[Stage], bench: Workbench) -> Report:
    """Write report.json and report.html from the files of the run folder."""
    summaries = {stage.name: (done.seconds, done.summary) for stage in stages if (done := folder.done(stage.name))}
    report = build_report(experiment.seed, summaries)
    write_atomic(folder.path / "report.json", msgspec.json.format(msgspec.json.encode(report), indent=2))
    last = [stage.name for stage in stages if stage.kind == "evaluate"][-1]
    write_page(folder.path, report, all_metrics(folder, stages), examples(bench.rollouts(last)), bench.codec.decode)
    return report


def all_metrics(folder: RunFolder, stages: list[Stage]) -> list[dict[str, Any]]:
    """Return the metrics of all training steps, each with the name of its stage."""
    return [{"stage": stage.name, **line} for stage in stages for line in read_metrics(folder.stage(stage.name) / "metrics.jsonl")]


def data_folder(given: Path | None) -> Path | None:
    """Return the value of --data, else of OPROVER_DATA, else None."""
    return given or (Path(os.environ["OPROVER_DATA"]) if os.environ.get("OPROVER_DATA") else None)
