"""`oprover status`: how far a run is, which stage it is in, how fast that goes, and what was refused."""

import time
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
from rich.table import Table

from oprover_jax.corpus import store
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.iterate import headline
from oprover_jax.posttraining.jobs import job_of
from oprover_jax.posttraining.plan import TRAINING, Stage, plan
from oprover_jax.posttraining.policy import model_of
from oprover_jax.posttraining.run_folder import RunFolder, open_run
from oprover_jax.progress import ProgressConsole
from oprover_jax.training.metrics import read_metrics

_STALLED_SECONDS = 600.0


@dataclass(frozen=True)
class Progress:
    """Progress of an unfinished stage: units done and in all (0: unknown), units per second, and seconds since the last sign of life."""

    done: int
    of: int
    unit: str
    per_second: float
    silent: float

    def text(self) -> str:
        """Return the progress in one line."""
        if not self.of:
            return f"{self.done} {self.unit}" if self.done else "begun"
        said = f"{self.done} of {self.of} {self.unit}"
        if self.per_second > 0:
            said += f", {self.per_second:.3g}/s, {_clock((self.of - self.done) / self.per_second)} left"
        return said + (f"; nothing for {_clock(self.silent)}" if self.silent > _STALLED_SECONDS else "")


def print_status(run: Path, console: ProgressConsole) -> None:
    """Print the state of every stage of a run.

    Raises:
      InputError: `run` is not a run folder.
    """
    folder, experiment = open_run(run)
    table = Table("stage", "state", "result", box=None, pad_edge=False)
    stages = plan(experiment, external=(run / "stages" / "external").is_dir())
    current = next((stage for stage in stages if folder.done(stage.name) is None), None)
    for stage in stages:
        done = folder.done(stage.name)
        if done is not None:
            table.add_row(stage.name, _clock(done.seconds), headline(done.summary))
        elif stage is current and (progress := progress_of(folder, experiment, stage)) is not None:
            table.add_row(stage.name, "running", progress.text())
        else:
            table.add_row(stage.name, "to do", "")
    console.rich.print(table)
    finished = sum(folder.done(stage.name) is not None for stage in stages)
    console.line(f"{run}: {finished} of {len(stages)} stages finished" + ("" if current else "; `oprover report` shows the result"))


def progress_of(folder: RunFolder, experiment: Experiment, stage: Stage) -> Progress | None:
    """Return the progress of an unfinished stage, None if it has not begun."""
    path = folder.path / "stages" / stage.name
    if not path.is_dir():
        return None
    if stage.kind in TRAINING:
        return _training(path, job_of(experiment, model_of(experiment.policy), stage).loop.steps)
    return _proving(path, _rollouts(experiment, stage))


def _training(path: Path, steps: int) -> Progress:
    lines = read_metrics(path / "metrics.jsonl")
    recent = [line["seconds"] for line in lines[-20:]]
    written = path / "metrics.jsonl"
    return Progress(len(lines), steps, "steps", len(recent) / sum(recent) if recent else 0.0, _silence([written]))


def _proving(path: Path, of: int) -> Progress:
    parts = store.parts(path / "trajectories")
    done = sum(pq.read_metadata(part).num_rows for part in parts)
    times = [part.stat().st_mtime for part in parts]
    took = times[-1] - times[0] if len(times) > 1 else 0.0
    first = pq.read_metadata(parts[0]).num_rows if parts else 0
    return Progress(done, of, "rollouts", (done - first) / took if took > 0 else 0.0, _silence(parts[-1:]))


def _rollouts(experiment: Experiment, stage: Stage) -> int:
    if stage.kind == "rollout":
        return experiment.rollout.statements * experiment.rollout.num_samples
    if stage.kind in ("evaluate", "ablation"):
        held_out = experiment.theorems.benchmark if experiment.theorems.corpus else experiment.theorems.synthetic.benchmark
        return (experiment.evaluation.statements or held_out) * experiment.evaluation.num_samples
    return 0


def _silence(files: list[Path]) -> float:
    return min((time.time() - file.stat().st_mtime for file in files if file.exists()), default=0.0)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
