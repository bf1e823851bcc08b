"""`oprover iterate`: the whole loop, stage by stage. A stage that is done is passed over, one that was cut off goes on where it was."""

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
from oprover_jax.posttraining import preparation, proving, training
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.gspo import gspo
from oprover_jax.posttraining.plan import Kind, Stage, plan
from oprover_jax.posttraining.run_folder import Done, RunFolder, write_atomic
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
    """Runs what is left of the plan in the run folder `path` and writes report.json and report.html.

    `data` is the folder with theorems that people wrote (the second held-out benchmark); without it that stage is left out.

    Raises:
      InputError: for a folder of another run, version or configuration, which is not touched, and for an encoder that is not there.
    """
    if "/" in experiment.encoder and not Path(experiment.encoder).is_dir():
        raise InputError(f"encoder names {experiment.encoder}, and there is no such folder; give that of a policy, 'minilm' or 'lexical'")
    folder = RunFolder(path, experiment.name, experiment)
    stages = plan(experiment, external=data is not None)
    with Workbench(experiment, folder, data) as bench:
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
    """One stage from its start or from where it was cut off; its seconds add up over the starts."""
    clock = bench.folder.stage(stage.name) / "seconds.json"
    before = msgspec.json.decode(clock.read_bytes(), type=float) if clock.exists() else 0.0
    started = time.monotonic()
    try:
        with console.stage(number, of, stage.name) as progress:
            summary = RUNNERS[stage.kind](bench, stage, progress)
    except BaseException:
        with suppress(DiskFull):  # the seconds are not worth hiding what ended the stage
            write_atomic(clock, msgspec.json.encode(before + time.monotonic() - started))
        raise
    bench.folder.finish(stage.name, before + time.monotonic() - started, summary)
    done = bench.folder.done(stage.name)
    assert done is not None
    return done


def headline(summary: dict[str, Any]) -> str:
    """One line of figures out of a stage's summary."""
    scored = summary.get("score") or summary.get("ablation") or summary.get("external")
    if scored:
        left_out = f" ({summary['left_out']} left out: training has them)" if summary.get("left_out") else ""
        return f"pass@1 {scored['pass_at_1']:.1%}  pass@8 {scored['pass_at_8']:.1%} of {scored['statements']} statements{left_out}"
    shown = {key: value for key, value in summary.items() if isinstance(value, int | float | str)}
    return "  ".join(f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}" for key, value in shown.items())


def write_report(folder: RunFolder, experiment: Experiment, stages: list[Stage], bench: Workbench) -> Report:
    """report.json and the page, from what is on disk."""
    summaries = {stage.name: (done.seconds, done.summary) for stage in stages if (done := folder.done(stage.name))}
    report = build_report(experiment.seed, summaries)
    write_atomic(folder.path / "report.json", msgspec.json.format(msgspec.json.encode(report), indent=2))
    last = f"evaluate-{experiment.iterations}" if experiment.iterations else "evaluate-sft"
    write_page(folder.path, report, all_metrics(folder, stages), bench.trajectories(last), bench.tokenizer.decode)
    return report


def all_metrics(folder: RunFolder, stages: list[Stage]) -> list[dict[str, Any]]:
    """The steps of all training stages, each with the name of its stage."""
    return [{"stage": stage.name, **line} for stage in stages for line in read_metrics(folder.stage(stage.name) / "metrics.jsonl")]


def data_folder(given: Path | None) -> Path | None:
    """--data, else OPROVER_DATA, else None."""
    return given or (Path(os.environ["OPROVER_DATA"]) if os.environ.get("OPROVER_DATA") else None)
