"""`oprover <verb>`: the command line. Bad input ends with one sentence and exit code 2, a training that cannot go on or does not fit its
chips, and a policy that nobody can ask, with 1, Ctrl-C with 130 and a word on how to go on."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from lean_worker.errors import LeanWorkerError
from oprover_jax.cli.corpus import corpus_app
from oprover_jax.errors import DiskFull, DoesNotFit, InputError, TrainingFailed
from oprover_jax.rollout.engine import EngineError

if TYPE_CHECKING:
    from oprover_jax.rollout.sglang_engine import SGLangEngine

Overrides = Annotated[tuple[str, ...], tyro.conf.arg(name="set", metavar="KEY=VALUE"), tyro.conf.UseAppendAction]

_PATIENCE_SECONDS = 60.0  # that a user waits for a lost server

app = tyro.extras.SubcommandApp()
app.command(corpus_app, name="corpus", help="The OProofs corpus: build, grow, count, share.")


@app.command(name="iterate")
def iterate_command(config: Path, run: Path, data: Path | None = None, overrides: Overrides = ()) -> None:
    """Train a prover: CPT, SFT, then rounds of practice on Lean, SFT on repairs and GSPO, with scores after each.

    Killed at any moment, the same command goes on where it was.

    Args:
      config: The experiment, a Python file such as configs/demo.py.
      run: Folder of the run; made if it is not there.
      data: Folder with theorems that people wrote, for a second held-out score; also read from OPROVER_DATA.
      overrides: Change one number of the configuration, such as --set seed=1 --set gspo.steps=4.
    """
    from oprover_jax.configuration import load
    from oprover_jax.posttraining.experiment import Experiment
    from oprover_jax.posttraining.iterate import data_folder, iterate
    from oprover_jax.progress import ProgressConsole
    from oprover_jax.training.distributed import initialize

    experiment = load(config, Experiment, overrides)
    if initialize().way != "none":
        raise InputError(
            "`oprover iterate` proves and trains in one process so far; start it on one host, with its mesh over that host's devices"
        )
    iterate(experiment, run, data_folder(data), ProgressConsole())


@app.command(name="pack")
def pack_command(config: Path, out: Path, overrides: Overrides = ()) -> None:
    """Pack text, proofs and rollouts into rows for training, once: a folder of rows for each source, with their mixture.

    Killed at any moment, the same command goes on where it was and ends with the same bytes. The folder is the `data` of a training job.

    Args:
      config: What to pack, a Python file such as configs/pack_mini.py.
      out: Folder to write.
      overrides: Change one number, such as --set seq_len=4096 --set sources.lean.weight=0.5.
    """
    from oprover_jax.configuration import load
    from oprover_jax.data.pack import pack_sources
    from oprover_jax.data.pack_config import PackConfig
    from oprover_jax.data.pack_report import print_packed
    from oprover_jax.progress import ProgressConsole

    console = ProgressConsole()
    packed = load(config, PackConfig, overrides)
    print_packed(packed, pack_sources(packed, out, console), console)


@app.command(name="cpt")
def cpt_command(config: Path, run: Path, overrides: Overrides = ()) -> None:
    """Continued pretraining of one model on rows that `oprover pack` wrote, on any mesh and any number of hosts.

    Ctrl-C and SIGTERM save before leaving, and the same command goes on where it was, on other devices too. `touch RUN/profile`
    traces the next steps into RUN/profiles.

    Args:
      config: A training job, a Python file such as configs/cpt_8b_v5p.py.
      run: Folder of the run; made if it is not there, shared between hosts.
      overrides: Change one number of the job, such as --set data=FOLDER --set optimizer.peak_lr=1e-4.
    """
    _train("cpt", config, run, overrides)


@app.command(name="sft")
def sft_command(config: Path, run: Path, overrides: Overrides = ()) -> None:
    """Supervised fine-tuning: as cpt, on rows whose weights leave the prompts out.

    Args:
      config: A training job with the objective sft, a Python file.
      run: Folder of the run; made if it is not there, shared between hosts.
      overrides: Change one number of the job, such as --set data=FOLDER --set loop.steps=1000.
    """
    _train("sft", config, run, overrides)


@app.command(name="rl")
def rl_command(config: Path, run: Path, overrides: Overrides = ()) -> None:
    """GSPO on stored rollouts: each batch is scored by the policy as it is, then practised on in mini-batches.

    It goes on, saves and is watched as cpt is. For rounds of practice that draw their own rollouts see iterate.

    Args:
      config: A training job with the objective rl, such as configs/rl_8b_v5p.py.
      run: Folder of the run; made if it is not there, shared between hosts.
      overrides: Change one number of the job, such as --set data=runs/demo/stages/rollout-1 for the rollouts of a run.
    """
    _train("rl", config, run, overrides)


def _train(objective: str, config: Path, run: Path, overrides: Overrides) -> None:
    from oprover_jax.training.distributed import initialize

    initialize()
    import jax
    from rich.console import Console

    from oprover_jax.configuration import load
    from oprover_jax.posttraining.rollout_rows import with_rows
    from oprover_jax.progress import ProgressConsole
    from oprover_jax.training.job import TrainingJob
    from oprover_jax.training.train import train

    job = load(config, TrainingJob, overrides)
    if job.objective != objective:
        raise InputError(f"configuration {config} describes a job for `oprover {job.objective}`; use that, or name another file")
    console = ProgressConsole(Console(quiet=jax.process_index() != 0))
    if objective == "rl":
        job, report = with_rows(job, run)
        if report is not None:
            console.line(f"rollouts: {report}")
    train(job, run, console)


@app.command(name="compile")
def compile_command(config: Path, out: Path | None = None, overrides: Overrides = ()) -> None:
    """Compile a job's whole train step for the TPU topology that it names, on this machine and without a TPU.

    Shows the memory that each chip needs beside what it has, the collectives and the FLOPs. Takes minutes. Exit code 1 if it does not fit.

    Args:
      config: A training job, such as configs/cpt_8b_v6e.py.
      out: Where to write the figures as JSON.
      overrides: Change one number of the job, such as --set topology=v5p:2x2x4 --set model.mlp_parts=1.
    """
    import os

    os.environ["JAX_PLATFORMS"] = "cpu"  # a GPU of this machine has no part in it
    from oprover_jax.configuration import load
    from oprover_jax.progress import ProgressConsole
    from oprover_jax.training.aot import compile_for, topology_devices
    from oprover_jax.training.aot_report import print_report, write_report
    from oprover_jax.training.job import TrainingJob

    job = load(config, TrainingJob, overrides)
    if not job.topology:
        raise InputError(f"configuration {config} names no topology; give one such as --set topology=v6e:4x4")
    if out is not None and not out.parent.is_dir():
        raise InputError(f"{out.parent} is no folder, and --out {out} is to be written to it; make it first")
    console = ProgressConsole()
    devices = topology_devices(job.topology)
    console.line(f"compiling {job.name} for {len(devices)} devices of {job.topology}; this takes minutes")
    report = compile_for(devices, job)
    if out is not None:
        write_report(report, out)
    print_report(report, console.rich)
    if not report.fits:
        sys.exit(1)


@app.command(name="prove")
def prove_command(
    file: tyro.conf.Positional[Path],
    run: Path | None = None,
    model: Path | None = None,
    server: Annotated[tuple[str, ...], tyro.conf.arg(metavar="URL"), tyro.conf.UseAppendAction] = (),
    api_key_file: Path | None = None,
    rounds: int = 8,
    num_samples: int = 16,
    prompt_tokens: int | None = None,
    answer_tokens: int | None = None,
    out: Path | None = None,
    seed: int = 0,
) -> None:
    """Prove the `sorry`s of a Lean file with the policy of a run, a model's folder, or servers.

    The file with the proofs that Lean accepted is written beside it, anew after each theorem; it is said which remain, and what Lean
    answered to them. Servers are `oprover serve`, SGLang or SGL-JAX; whose words they speak is said by --run or --model.

    Args:
      file: A core-Lean file (no imports).
      run: Folder of a run: its last policy, its memory of proofs, its settings of the agent; runs/demo if nothing is given.
      model: A Qwen3's folder as transformers writes it, in place of --run; its chat template is used, and the memory is empty.
      server: Ask the policy at http://HOST:PORT and load none here; give it several times for several servers.
      api_key_file: A file whose first line is the servers' bearer key; also read from OPROVER_API_KEY.
      rounds: Attempts with Lean's answer in between, at most, per rollout.
      num_samples: Rollouts per theorem.
      prompt_tokens: Longest prompt, for --model; 2048 if left out.
      answer_tokens: Longest answer, for --model; 2048 if left out.
      out: Where to write; FILE.proved.lean if left out.
      seed: Other draws for another number.
    """
    from contextlib import nullcontext

    from oprover_jax.commands.prove import prove_file
    from oprover_jax.commands.proving_agent import Lengths, agent_of_model, agent_of_run
    from oprover_jax.progress import ProgressConsole

    given = {name: tokens for name, tokens in (("prompt", prompt_tokens), ("answer", answer_tokens)) if tokens is not None}
    if run is not None and model is not None:
        raise InputError("give either --run RUN or --model FOLDER, not both")
    if server and run is None and model is None:
        raise InputError("--server is asked in tokens; say whose they are by --run RUN or --model FOLDER")
    if given and model is None:
        raise InputError(f"--{next(iter(given))}-tokens is for --model; a run has lengths of its own, so leave it out")
    for name, value in (("rounds", rounds), ("num-samples", num_samples), *((f"{name}-tokens", tokens) for name, tokens in given.items())):
        if value < 1:
            raise InputError(f"--{name} is {value}; give at least 1")
    with _servers(server, api_key_file) if server else nullcontext() as engine:
        if model is not None:
            opened = agent_of_model(model, rounds, num_samples, Lengths(**given), engine)
        else:
            opened = agent_of_run(run or Path("runs/demo"), rounds, engine)
        with opened as agent:
            prove_file(file, agent, num_samples, out or file.with_suffix(".proved.lean"), seed, ProgressConsole())


def _servers(urls: tuple[str, ...], api_key_file: Path | None) -> "SGLangEngine":
    try:
        from lean_worker.http import read_key
        from oprover_jax.rollout.sglang_engine import SGLangEngine
    except ModuleNotFoundError as error:
        raise InputError(f"asking a server needs {error.name}; install the extra `serve`") from error
    return SGLangEngine(*urls, key=read_key(api_key_file, "OPROVER_API_KEY"), patience=_PATIENCE_SECONDS)


@app.command(name="serve")
def serve_command(
    model: Path | None = None,
    run: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 30000,
    api_key_file: Path | None = None,
    allow_host: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME"), tyro.conf.UseAppendAction] = (),
    name: str = "",
    max_len: int = 0,
    slots: int = 64,
    dtype: Literal["float32", "bfloat16"] = "float32",
    version: int = 0,
    queue_limit: int = 16_384,
    fsdp: int = 1,
    tensor: int = 1,
) -> None:
    """Serve a policy over HTTP until SIGTERM or Ctrl-C: SGLang's native API and OpenAI's, with streaming.

    POST /generate, /v1/completions and /v1/chat/completions ask it; /update_weights_from_disk gives it other weights; /docs explains all.
    Try it: curl localhost:30000/v1/completions --json '{"prompt": "theorem t : 1 + 1 = 2 := by", "max_tokens": 32}'

    A key (the first line of --api-key-file, or the variable OPROVER_API_KEY) is asked of every client as `Authorization: Bearer KEY`.
    Without one only this machine may be served, and no web page that it shows. Exit code 1 where the engine fails: start it again.

    Args:
      model: A model's folder as transformers writes it (config.json, safetensors, tokenizer.json).
      run: A run whose last policy is served, in place of --model.
      host: The address to listen on; 0.0.0.0 for all.
      port: The port to listen on; 0 for any free one, which is printed.
      api_key_file: A file whose first line is the bearer key.
      allow_host: Another name than localhost under which a server without a key may be addressed, such as that of a proxy.
      name: What clients call the model; the folder's name if left out.
      max_len: Longest prompt and completion together, in tokens; the run's, or 4096, if left out.
      slots: Completions decoded at once.
      dtype: Of the computation, for --model.
      version: Version of the weights at the start, for --model.
      queue_limit: Completions under way or waiting; more are refused with 429 and Retry-After.
      fsdp: Devices over which weights and slots are split.
      tensor: Devices over which heads, MLP and vocabulary are split.
    """
    try:
        from lean_worker.http import is_loopback, listen, read_key
        from oprover_jax.commands.serve import serve_policy
        from oprover_jax.server.settings import ServerSettings
    except ModuleNotFoundError as error:
        raise InputError(f"the server needs {error.name}; install the extra `serve`") from error
    from oprover_jax.progress import ProgressConsole
    from oprover_jax.sharding import MeshConfig

    key = read_key(api_key_file, "OPROVER_API_KEY")
    if key is None and not is_loopback(host):
        raise InputError(f"{host} can be reached by others, so a key is needed; give --api-key-file or set OPROVER_API_KEY")
    settings = ServerSettings(name or (model or run or Path("policy")).resolve().name, key, allow_host, queue_limit)
    mesh = MeshConfig(fsdp=fsdp, tensor=tensor)
    with listen(host, port) as bound:
        serve_policy(
            model,
            run,
            bound,
            settings,
            mesh,
            dtype=dtype,
            version=version,
            max_len=max_len,
            slots=slots,
            console=ProgressConsole(),
        )


@app.command(name="report")
def report_command(run: Path) -> None:
    """Show the report of a run again.

    Args:
      run: Folder of the run.
    """
    from oprover_jax.evaluation.report import read_report
    from oprover_jax.evaluation.report_page import print_report
    from oprover_jax.progress import ProgressConsole

    print_report(read_report(run), ProgressConsole().rich)


@app.command(name="export")
def export_command(run: Path, out: Path, dtype: Literal["bfloat16", "float32"] = "bfloat16", overwrite: bool = False) -> None:
    """Write the last policy of a run as a folder that transformers loads, with its tokenizer.

    The folder is there whole or not at all; one that is not empty is left alone.

    Args:
      run: Folder of the run.
      out: Folder to write, with config.json, safetensors and tokenizer.json.
      dtype: Of the weights; a run keeps them in float32.
      overwrite: Replace the model that is there.
    """
    from oprover_jax.commands.export import export_run
    from oprover_jax.progress import ProgressConsole

    export_run(run, out, dtype, overwrite, ProgressConsole())


def main() -> None:
    """Entry point of the `oprover` command."""
    try:
        app.cli(prog="oprover", description="Train and run an agentic Lean 4 theorem prover in JAX.")
    except (InputError, LeanWorkerError) as error:
        print(f"oprover: {error}", file=sys.stderr)
        sys.exit(2)
    except (TrainingFailed, DoesNotFit, DiskFull, EngineError) as error:
        print(f"oprover: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("oprover: stopped; the same command goes on where it was", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
