"""Run of a training job: read rows and weights, compile the step, train, and save the weights.

RUN/config.json      the job of the newest start
RUN/program/         jaxpr, StableHLO and HLO of its step
RUN/metrics.jsonl, goodput.json, checkpoints/, profiles/     see `loop.run`
RUN/weights/         the weights of a finished run, a checkpoint without optimizer state
RUN/hf/              the same as a folder that `transformers` loads, in bfloat16
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import msgspec
from jax.sharding import Mesh

from oprover_jax.data.dataset import folders_of, read_index
from oprover_jax.data.loader import Batches, checksum, from_folders, shares
from oprover_jax.errors import InputError
from oprover_jax.files import replacing
from oprover_jax.models.hf.config import check_same_sizes
from oprover_jax.models.hf.export import export_hf, tokenizer_files
from oprover_jax.models.hf.load import load_hf, weights_identity
from oprover_jax.models.qwen3 import Params, init_params
from oprover_jax.progress import ProgressConsole, StageProgress
from oprover_jax.sharding import make_mesh
from oprover_jax.training.checkpoint import latest, restore, save
from oprover_jax.training.chips import peak_flops
from oprover_jax.training.distributed import alone_in
from oprover_jax.training.job import TrainingJob, loss_function
from oprover_jax.training.loop import resumed_step, run, stop_on_signals
from oprover_jax.training.metrics import Goodput
from oprover_jax.training.objectives import make_logprob_fn
from oprover_jax.training.optimizer import learning_rate, make_optimizer
from oprover_jax.training.program import Programs, compile_update, describe_batch, describe_state
from oprover_jax.training.reporting import OnProgress
from oprover_jax.training.rollout_step import Draw, drawn_step, numbers, rollout_batches, rollout_step
from oprover_jax.training.step import Batch, LossFunction, init_state, split_batch

__all__ = ["Start", "fit", "make_evaluation", "read_rows", "train"]


@dataclass(frozen=True)
class Start:
    """Weights from which a job starts, on its mesh, and what identifies them."""

    params: Params
    identity: str


def train(job: TrainingJob, folder: Path, console: ProgressConsole) -> None:
    """Train `job` in `folder`, or resume it there. Errors: see `fit`."""
    with console.bar(job.name) as progress:
        progress.total(job.loop.steps)
        fit(job, folder, make_mesh(job.mesh), _shown(progress), say=console.line)


def fit(
    job: TrainingJob,
    folder: Path,
    mesh: Mesh,
    on_progress: OnProgress,
    *,
    say: Callable[[str], None] = lambda line: None,
    start: Start | None = None,
    draw: Draw | None = None,
    programs: Programs | None = None,
    extra_files: Mapping[str, bytes] | None = None,
    end_id: int | None = None,
) -> Params:
    """Train `job` in `folder`, or resume it there, and return the trained weights.

    Args:
      job: The job.
      folder: Run folder, or the folder of a stage.
      mesh: Mesh over the job's devices.
      on_progress: Called after each finished step.
      say: Receives what a person may want to know, one line at a time.
      start: Weights to start from, instead of those of `job.init_from`.
      draw: Draws the rollout batches of an rl job from the current policy, instead of `job.data`.
      programs: Compiled functions, to share them with other jobs of the process.
      extra_files: Tokenizer files of the Hugging Face export; by default those of `job.init_from`.
      end_id: End token of the exported model; by default that of `job.init_from`.

    Raises:
      InputError: rows or weights are missing, torn or do not fit the job, or the folder has another configuration or is in
        use by another process.
      TrainingFailed: too many steps in a row were skipped.
      KeyboardInterrupt: training was stopped before the last step.
    """
    goodput, programs = Goodput(), programs or Programs()
    with ExitStack() as held:
        with goodput.measure("init"):
            weights_of_data = {} if draw is not None else folders_of(job.data)
            data = None if draw is not None else read_rows(job, weights_of_data)
            held_out = _held_out(job)
            described = describe_state(job, mesh)
            started_from = start.identity if start is not None else weights_identity(job.init_from)
            identity = job.identity(checksum(weights_of_data), started_from)
            weights, exported = folder / "weights", folder / "hf"
            resumed = resumed_step(folder, identity)
            if start is None and job.init_from and not resumed:
                check_same_sizes(job.model, Path(job.init_from))
            _check_folder(folder)
            held.enter_context(alone_in(folder))
            _keep_config(job, folder)
        if resumed == job.loop.steps == latest(weights) and exported.is_dir():
            say(f"{folder} is finished: weights in {weights}, Hugging Face export in {exported}")
            return restore(weights, job.loop.steps, described.params)
        with goodput.measure("compile"):
            step = _compiled(job, data, draw, mesh, folder / "program", programs)
        with goodput.measure("init"):
            state = described
            if not resumed:
                params = start.params if start is not None else start_params(job, mesh)
                state = init_state(params, make_optimizer(job.optimizer), mesh)
        if data is not None:
            taken = shares(data, weights_of_data, job.loop.steps * job.updates_per_step)
            say("data: " + ", ".join(f"{name} {part.tokens:.2%} of the tokens, {part.epochs:.3g} epochs" for name, part in taken.items()))
        if resumed:
            say(f"{folder}: resuming at step {resumed} of {job.loop.steps}")
        with stop_on_signals() as stop:
            state = run(
                folder,
                job.loop,
                state,
                step,
                lambda first: _batches(job, data, mesh, first),
                lambda number: learning_rate(job.optimizer, number, job.loop.steps),
                identity=identity,
                about={"name": job.name, "seed": job.seed},
                goodput=goodput,
                seconds_at_peak=_seconds_at_peak(job, mesh),
                evaluate=None if held_out is None else make_evaluation(loss_function(job), held_out, mesh, job.grad_accum_steps),
                on_progress=on_progress,
                stop=stop,
            )
        if int(state.step) < job.loop.steps * job.updates_per_step:
            raise KeyboardInterrupt
        save(weights, job.loop.steps, state.params, {"name": job.name})
        if extra_files is None:
            extra_files = tokenizer_files(Path(job.init_from)) if job.init_from else {}
        export_hf(job.model, state.params, exported, overwrite=True, extra_files=extra_files, end_id=end_id)
        say(f"finished: weights in {weights}, Hugging Face export in {exported}; {_spent(goodput)}")
        return state.params


def _held_out(job: TrainingJob) -> Batches | None:
    if job.loop.evaluate_every and not job.held_out:
        every = job.loop.evaluate_every
        raise InputError(f"loop.evaluate_every is {every} but held_out is empty; set held_out=FOLDER, or loop.evaluate_every=0")
    return read_rows(job, {job.held_out: 1.0}) if job.held_out else None


def read_rows(job: TrainingJob, weights: Mapping[str, float]) -> Batches:
    """Return rows datasets with their weights as the job's batches, after checking that they are complete and fit its model and rows."""
    if not all(weights):
        raise InputError("data is empty; give a folder written by `oprover pack` with --set data=FOLDER")
    for folder in weights:
        index = read_index(folder)
        if index.length != job.seq_len:
            raise InputError(f"rows dataset {folder} has rows of {index.length} tokens, but seq_len is {job.seq_len}; make them equal")
        if index.largest_id >= job.model.vocab_size:
            raise InputError(
                f"rows dataset {folder} has token id {index.largest_id}, but the model's vocabulary ends at {job.model.vocab_size - 1}; "
                "pack it with the model's tokenizer"
            )
        if job.objective == "rl" and job.gspo.kl != "none":
            raise InputError(f"gspo.kl is {job.gspo.kl!r}; rl on stored rollouts has no reference policy, so set it to 'none'")
        if job.objective == "rl" and not {"advantages", "sampler_logprob"} <= {name for name, _, _ in index.layout}:
            raise InputError(
                f"rows dataset {folder} has no advantages; give the folder of rollouts instead, from which `oprover rl` makes rows"
            )
    return from_folders(weights, job.batch_size, job.seed, shuffle=job.objective != "rl")  # rollouts are in the order of their versions


def start_params(job: TrainingJob, mesh: Mesh) -> Params:
    """Return the initial weights of the job, on `mesh`."""
    return load_hf(Path(job.init_from), mesh, job.model)[1] if job.init_from else init_params(job.model, job.seed, mesh)


def _compiled(
    job: TrainingJob, data: Batches | None, draw: Draw | None, mesh: Mesh, folder: Path, programs: Programs
) -> Callable[..., Any]:
    """Return the step of the loop. Its update is compiled here unless a job that is computed alike was, and stored in `folder`."""
    batch = describe_batch(job, mesh) if data is None else data.describe(mesh)
    if data is not None and job.objective == "rl":
        batch["old_logprob"] = batch["sampler_logprob"]
    update = programs.get(("update", mesh, job.program), lambda: compile_update(job, batch, mesh, folder))
    if job.objective != "rl":
        return update
    scored = (job.model, job.grad_accum_steps, job.head_chunk, job.temperature)
    logprobs = programs.get(("logprobs", mesh, scored), lambda: make_logprob_fn(scored[0], mesh, *scored[1:]))
    step = rollout_step(logprobs, update, mesh)
    return step if draw is None else drawn_step(draw, logprobs, step)


def _batches(job: TrainingJob, data: Batches | None, mesh: Mesh, start: int) -> Generator[Any]:
    if data is None:
        return numbers(start)
    return rollout_batches(data, mesh, job.minibatches, start) if job.objective == "rl" else data.stream(mesh, start)


def make_evaluation(loss: LossFunction, rows: Batches, mesh: Mesh, grad_accum_steps: int = 1) -> Callable[[Params], dict[str, float]]:
    """Return a function that computes `held_out_loss`: the mean loss over the rows, each once (without the last few that do not fill a
    batch), in the micro-batches of training. Raises InputError if they do not fill a single batch."""
    count = rows.rows // rows.batch_rows
    if not count:
        raise InputError(f"held_out has {rows.rows} rows, but a batch takes {rows.batch_rows}; give more rows or a smaller batch")

    @jax.jit
    def score(params: Params, batch: Batch) -> Any:
        parts = jax.lax.map(lambda part: loss(params, part)[2]["loss"], split_batch(batch, grad_accum_steps))
        return jax.tree.map(jnp.sum, parts)

    def evaluate(params: Params) -> dict[str, float]:
        with jax.set_mesh(mesh):
            sums = [score(params, batch) for batch in islice(rows.stream(mesh), count)]
        total, denominator = (sum(float(part) for part in parts) for parts in zip(*sums, strict=True))
        return {"held_out_loss": total / max(denominator, 1.0)}

    return evaluate


def _check_folder(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise InputError(f"{folder} is a file; give a folder for the run")


def _keep_config(job: TrainingJob, folder: Path) -> None:
    if jax.process_index() == 0:
        folder.mkdir(parents=True, exist_ok=True)
        with replacing(folder / "config.json") as temporary:
            temporary.write_bytes(msgspec.json.format(msgspec.json.encode(job), indent=2))


def _seconds_at_peak(job: TrainingJob, mesh: Mesh) -> float | None:
    peak = peak_flops([device.device_kind for device in mesh.devices.flat])
    scoring = 4 / 3 if job.objective == "rl" else 1  # the old policy's pass is a forward pass, a third of forward and backward
    return None if peak is None else scoring * job.updates_per_step * job.flops_per_step / peak


def _shown(progress: StageProgress) -> OnProgress:
    """Return a callback that shows loss, speed and what else is known of a step."""

    def show(step: int, steps: int, metrics: Mapping[str, float]) -> None:
        parts = [f"loss {metrics['loss']:.4f}", f"{metrics['tokens_per_second']:,.0f} tokens/s"]
        parts += [f"MFU {metrics['mfu']:.1%}"] if "mfu" in metrics else []
        if "sampler_weight" in metrics:
            shares = (f"{metrics[f'sampler_{name}']:.1%} {name}" for name in ("capped", "masked"))
            parts += [f"weight {metrics['sampler_weight']:.3f}, {', '.join(shares)}"]
        parts += [f"held-out {metrics['held_out_loss']:.4f}"] if "held_out_loss" in metrics else []
        parts += [f"{metrics['skipped']:.0f} skipped"] if metrics["skipped"] else []
        progress.update(step, ", ".join(parts))

    return show


def _spent(goodput: Goodput) -> str:
    seconds = goodput.seconds()
    total = sum(seconds.values())
    return f"{total:,.1f} s: " + ", ".join(f"{kind} {value / total:.0%}" for kind, value in seconds.items() if value >= 0.005 * total)
