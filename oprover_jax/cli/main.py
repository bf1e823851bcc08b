"""Entry point of the `oprover <verb>` command line.

Exit codes: 2 for invalid input, with a one-sentence message; 1 for a training run that cannot continue or does not fit its chips, a full
disk, or an unavailable policy; 130 for Ctrl-C, with a hint on how to resume.
"""

import os
import sys
from pathlib import Path
from typing import Annotated, Literal

import tyro

from lean_worker.commands import Commands
from lean_worker.errors import LeanWorkerError
from lean_worker.lean_config import LeanConfig
from oprover_jax.cli.corpus import DEFAULT_LEAN, corpus_app
from oprover_jax.cli.servers import Servers, open_servers
from oprover_jax.errors import DiskFull, DoesNotFit, InputError, LeanAway, TrainingFailed
from oprover_jax.posttraining.rates import Rates
from oprover_jax.rollout.engine import EngineError

Overrides = Annotated[tuple[str, ...], tyro.conf.arg(name="set", metavar="KEY=VALUE"), tyro.conf.UseAppendAction]

_RATES = Rates()

# modules that another extra than `prover` contains
_EXTRAS = {"fastapi": "serve", "h11": "serve", "prometheus_client": "serve", "starlette": "serve", "uvicorn": "serve", "ray": "ray"}

app = Commands()
app.add(corpus_app, "corpus", "Build, extend, inspect and share the OProofs corpus.")


@app.command("iterate")
def iterate_command(
    config: Path,
    run: Path | None = None,
    data: Path | None = None,
    server: Servers = (),
    api_key_file: Path | None = None,
    plan: bool = False,
    rates: Rates = _RATES,
    overrides: Overrides = (),
    lean: LeanConfig = DEFAULT_LEAN,
) -> None:
    """Train a prover: CPT, SFT, then iterations of rollouts, SFT on repairs and GSPO, with an evaluation after each stage.

    The policy starts fresh or from a model folder (policy.init_from), the theorems are generated or those of a corpus (theorems.corpus),
    the policy is sampled in this process or by servers, and proofs are checked by the embedded Lean, an installed one or services. If
    interrupted, run the same command again to resume; `oprover status` shows how far it is.

    Args:
      config: Python configuration file of the experiment, such as configs/demo.py.
      run: Run folder; created if it does not exist.
      data: Folder with human-written theorems for a second held-out evaluation; defaults to OPROVER_DATA.
      server: Sample from the server at http://HOST:PORT, to which each new policy is published, instead of in this process; repeat it.
      api_key_file: File whose first line is the API key of the servers; defaults to the variable OPROVER_API_KEY.
      plan: Only print what the run will take: tokens, checks, device-hours, days and storage of each stage.
      rates: With --plan: speeds that are assumed.
      overrides: Override configuration values, such as --set seed=1 --set gspo.steps=4.
      lean: Lean that checks the proofs; what is not given is that of the configuration.
    """
    from dataclasses import replace

    from oprover_jax.configuration import load
    from oprover_jax.posttraining.experiment import Experiment
    from oprover_jax.posttraining.iterate import data_folder, iterate
    from oprover_jax.progress import ProgressConsole
    from oprover_jax.training.distributed import initialize

    experiment = load(config, Experiment, overrides)
    experiment = replace(experiment, lean=lean.over(experiment.lean))
    if server:
        experiment = replace(experiment, engine=replace(experiment.engine, urls=server, key_file=api_key_file))
    if plan:
        from oprover_jax.commands.iterate_plan import print_plan

        return print_plan(experiment, rates, ProgressConsole())
    if run is None:
        raise InputError("--run is missing; give the folder of the run")
    if initialize().way != "none":
        raise InputError("`oprover iterate` supports a single process only; start it on one host, with a mesh over that host's devices")
    iterate(experiment, run, data_folder(data), ProgressConsole())


@app.command("pack")
def pack_command(config: Path, out: Path, overrides: Overrides = ()) -> None:
    """Pack text, proofs and rollouts into training rows: one folder per source, and the mixture.

    If interrupted, run the same command again to resume; the result is byte-identical. Use the folder as the `data` of a training job.

    Args:
      config: Python configuration file with the sources, such as configs/pack_mini.py.
      out: Output folder.
      overrides: Override configuration values, such as --set seq_len=4096 --set sources.lean.weight=0.5.
    """
    from oprover_jax.configuration import load
    from oprover_jax.data.pack import pack_sources
    from oprover_jax.data.pack_config import PackConfig
    from oprover_jax.data.pack_report import print_packed
    from oprover_jax.progress import ProgressConsole

    console = ProgressConsole()
    packed = load(config, PackConfig, overrides)
    print_packed(packed, pack_sources(packed, out, console), console)


@app.command("cpt")
def cpt_command(config: Path, run: Path, overrides: Overrides = ()) -> None:
    """Continue pretraining a model on rows written by `oprover pack`, on any mesh and any number of hosts.

    Ctrl-C and SIGTERM save a checkpoint before exiting. Run the same command again to resume, on the same or on other devices.
    `touch RUN/profile` profiles the next steps into RUN/profiles.

    Args:
      config: Python configuration file of a training job, such as configs/cpt_8b_v5p.py.
      run: Run folder, shared between hosts; created if it does not exist.
      overrides: Override configuration values, such as --set data=FOLDER --set optimizer.peak_lr=1e-4.
    """
    _train("cpt", config, run, overrides)


@app.command("sft")
def sft_command(config: Path, run: Path, overrides: Overrides = ()) -> None:
    """Fine-tune a model with supervision (SFT): like cpt, on rows in which prompt tokens have no loss weight.

    Args:
      config: Python configuration file of a training job with the objective sft.
      run: Run folder, shared between hosts; created if it does not exist.
      overrides: Override configuration values, such as --set data=FOLDER --set loop.steps=1000.
    """
    _train("sft", config, run, overrides)


@app.command("rl")
def rl_command(config: Path, run: Path, overrides: Overrides = ()) -> None:
    """Train a policy with GSPO on stored rollouts: each batch is scored by the current policy, then trained on in mini-batches.

    Checkpoints, resuming and profiling work as in cpt. To generate rollouts between training stages, use iterate.

    Args:
      config: Python configuration file of a training job with the objective rl, such as configs/rl_8b_v5p.py.
      run: Run folder, shared between hosts; created if it does not exist.
      overrides: Override configuration values, such as --set data=runs/demo/stages/rollout-1 for the rollouts of a run.
    """
    _train("rl", config, run, overrides)


def _train(objective: str, config: Path, run: Path, overrides: Overrides) -> None:
    from oprover_jax.training.distributed import initialize

    initialize()
    from dataclasses import replace

    import jax
    from rich.console import Console

    from oprover_jax.configuration import load
    from oprover_jax.progress import ProgressConsole
    from oprover_jax.rollout.versions import MANIFEST, read_version
    from oprover_jax.training.job import TrainingJob
    from oprover_jax.training.rollout_rows import with_rows
    from oprover_jax.training.train import train

    job = load(config, TrainingJob, overrides)
    if job.objective != objective:
        raise InputError(f"--config: {config} has the objective {job.objective!r}; run `oprover {job.objective}` or give another file")
    console = ProgressConsole(Console(quiet=jax.process_index() != 0))
    if objective == "rl":
        if job.policy_version is None and job.init_from and (Path(job.init_from) / MANIFEST).is_file():
            job = replace(job, policy_version=read_version(Path(job.init_from)).version)
        job, report = with_rows(job, run)
        if report is not None:
            console.line(f"rollouts: {report.text()}")
    train(job, run, console)


@app.command("compile")
def compile_command(config: Path, out: Path | None = None, overrides: Overrides = ()) -> None:
    """Compile the train step of a job, or of every stage of a run, ahead of time for its TPU topology, on this machine without a TPU.

    Reports required and available memory per chip, collectives and FLOPs. Takes minutes. Exits with code 1 if the job does not fit.

    Args:
      config: Python configuration file of a training job or an experiment, such as configs/cpt_8b_v6e.py or configs/iterate_8b_v5p.py.
      out: Also write the report to this JSON file; for an experiment, one file per stage with the name of the stage in its own.
      overrides: Override configuration values, such as --set topology=v5p:2x2x4 --set model.mlp_parts=1.
    """
    os.environ["JAX_PLATFORMS"] = "cpu"  # compilation must not initialise a local GPU
    from oprover_jax.configuration import load
    from oprover_jax.posttraining.experiment import Experiment
    from oprover_jax.posttraining.jobs import jobs_of
    from oprover_jax.posttraining.policy import model_of
    from oprover_jax.progress import ProgressConsole
    from oprover_jax.training.aot import compile_for, topology_devices
    from oprover_jax.training.aot_report import print_report, write_report
    from oprover_jax.training.job import TrainingJob

    kinds: tuple[type[TrainingJob | Experiment], ...] = (TrainingJob, Experiment)
    configuration = load(config, kinds, overrides)
    if not configuration.topology:
        raise InputError(f"--config: {config} has no topology; give one such as --set topology=v6e:4x4")
    if out is not None and not out.parent.is_dir():
        raise InputError(f"--out: parent directory '{out.parent}' does not exist; create it first")
    console = ProgressConsole()
    devices = topology_devices(configuration.topology)
    single = isinstance(configuration, TrainingJob)
    jobs = [configuration] if isinstance(configuration, TrainingJob) else jobs_of(configuration, model_of(configuration.policy))
    fits = True
    for job in jobs:
        console.line(f"compiling {job.name} for {len(devices)} devices of {job.topology}; this takes minutes")
        report = compile_for(devices, job)
        if out is not None:
            write_report(report, out if single else out.with_stem(f"{out.stem}-{job.name.rpartition('/')[2]}"))
        print_report(report, console.rich)
        fits = fits and report.fits
    if not fits:
        sys.exit(1)


@app.command("prove")
def prove_command(
    file: tyro.conf.Positional[Path],
    run: Path | None = None,
    model: Path | None = None,
    server: Servers = (),
    api_key_file: Path | None = None,
    rounds: int = 8,
    num_samples: int = 16,
    prompt_tokens: int | None = None,
    answer_tokens: int | None = None,
    out: Path | None = None,
    seed: int = 0,
    lean: LeanConfig = DEFAULT_LEAN,
) -> None:
    """Replace the `sorry`s of a Lean file with proofs, using the policy of a run, a model folder or inference servers.

    Lean finds every hole: whole proofs, parts of proofs and terms, `admit`. A hole inside a proof is proved as a theorem with its goal. A
    copy of the file is written after each hole, with all proofs that Lean accepts in their places. The summary lists every hole; those that
    remain open are shown with their goal and the reason. Errors elsewhere in the file do not stop it. --server accepts
    `oprover serve`, SGLang or SGL-JAX and needs --run or --model to select the tokenizer and prompt template.

    Args:
      file: A Lean file that imports only what the selected Lean provides; the embedded Lean provides its core library.
      run: Run folder: its latest policy, its retrieval memory and its agent settings; defaults to runs/demo.
      model: Qwen3 model folder in Hugging Face format, instead of --run; uses its chat template and no retrieval.
      server: Use the policy served at http://HOST:PORT instead of loading one; repeat for several servers.
      api_key_file: File whose first line is the API key of the servers; defaults to the variable OPROVER_API_KEY.
      rounds: Maximum number of attempts per rollout; each sees Lean's feedback on the previous one.
      num_samples: Rollouts per hole.
      prompt_tokens: Maximum prompt length in tokens, with --model; 2048 by default.
      answer_tokens: Maximum completion length in tokens, with --model; 2048 by default.
      out: Output file; defaults to FILE.proved.lean.
      seed: Random seed of sampling.
      lean: Lean that checks the proofs; what is not given is that of the run, or the embedded one with --model.
    """
    from oprover_jax.commands.prove import prove_file
    from oprover_jax.commands.proving_agent import Lengths, agent_of_model, agent_of_run
    from oprover_jax.progress import ProgressConsole

    given = {name: tokens for name, tokens in (("prompt", prompt_tokens), ("answer", answer_tokens)) if tokens is not None}
    if run is not None and model is not None:
        raise InputError("--run and --model are mutually exclusive; give one of them")
    if server and run is None and model is None:
        raise InputError("--server needs --run or --model to select the tokenizer and prompt template")
    if given and model is None:
        raise InputError(f"--{next(iter(given))}-tokens is valid only with --model; a run has its own lengths, so omit the option")
    for name, value in (("rounds", rounds), ("num-samples", num_samples), *((f"{name}-tokens", tokens) for name, tokens in given.items())):
        if value < 1:
            raise InputError(f"--{name} is {value}; it must be at least 1")
    with open_servers(server, api_key_file) as engine:
        if model is not None:
            opened = agent_of_model(model, rounds, num_samples, Lengths(**given), engine, lean)
        else:
            opened = agent_of_run(run or Path("runs/demo"), rounds, engine, lean)
        with opened as agent:
            prove_file(file, agent, num_samples, out or file.with_suffix(".proved.lean"), seed, ProgressConsole())


@app.command("serve")
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
    log: Literal["off", "text", "json"] = "off",
) -> None:
    """Serve a policy over HTTP until SIGTERM or Ctrl-C, with the native API of SGLang, the OpenAI API, and streaming.

    POST /generate, /v1/completions or /v1/chat/completions to sample; POST /update_weights_from_disk to load new weights; see /docs.
    Example: curl localhost:30000/v1/completions --json '{"prompt": "theorem t : 1 + 1 = 2 := by", "max_tokens": 32}'

    With an API key (the first line of --api-key-file, or the variable OPROVER_API_KEY), every request needs the header
    `Authorization: Bearer KEY`. Without a key, the server accepts only local connections and rejects requests from web pages. Exits with
    code 1 if the engine fails; start the server again.

    Args:
      model: Model folder in Hugging Face format (config.json, safetensors, tokenizer.json).
      run: Run folder, instead of --model; its latest policy is served.
      host: Address to listen on; 0.0.0.0 for all interfaces.
      port: Port to listen on; 0 picks a free port and prints it.
      api_key_file: File whose first line is the API key.
      allow_host: Additional host name under which a server without a key may be addressed, such as that of a proxy.
      name: Model name in the API; defaults to the folder name.
      max_len: Maximum length of prompt and completion together, in tokens; 0 selects the value of the run, or 4096.
      slots: Number of completions decoded concurrently.
      dtype: Data type of the computation, with --model.
      version: Initial version number of the weights, with --model.
      queue_limit: Maximum number of running and queued completions; further requests receive 429 with Retry-After.
      fsdp: Number of devices over which weights and slots are sharded.
      tensor: Number of devices over which heads, MLP and vocabulary are sharded.
      log: Write one line per request to standard error (id, method, path, status, milliseconds), as text or JSON.
    """
    from lean_worker.http import is_loopback, listen, log_requests, read_key
    from oprover_jax.commands.serve import serve_policy
    from oprover_jax.progress import ProgressConsole
    from oprover_jax.server.settings import ServerSettings
    from oprover_jax.sharding import MeshConfig

    key = read_key(api_key_file, "OPROVER_API_KEY")
    if key is None and not is_loopback(host):
        raise InputError(f"--host: {host} is reachable from other machines and needs a key; give --api-key-file or set OPROVER_API_KEY")
    settings = ServerSettings(name or (model or run or Path("policy")).resolve().name, key, allow_host, queue_limit)
    mesh = MeshConfig(fsdp=fsdp, tensor=tensor)
    log_requests(log)
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


@app.command("status")
def status_command(run: Path) -> None:
    """Show how far a run is: its stages, their results, and progress, rate and remaining time of the current one.

    Reads the run folder only, so it can be called while the run is active, from any machine that sees the folder.

    Args:
      run: Run folder.
    """
    from oprover_jax.commands.status import print_status
    from oprover_jax.progress import ProgressConsole

    print_status(run, ProgressConsole())


@app.command("report")
def report_command(run: Path) -> None:
    """Print the report of a run.

    Args:
      run: Run folder.
    """
    from oprover_jax.evaluation.report import read_report
    from oprover_jax.evaluation.report_page import print_report
    from oprover_jax.progress import ProgressConsole

    print_report(read_report(run), ProgressConsole().rich)


@app.command("export")
def export_command(
    run: Path, out: Path, stage: str = "", dtype: Literal["bfloat16", "float32"] = "bfloat16", overwrite: bool = False
) -> None:
    """Export the latest policy of a run, or that after a stage, with its tokenizer, in Hugging Face format.

    After cpt it is what publications call Base, after sft or gspo of iteration N it is Round N.

    The folder is written atomically; a folder that is not empty is not replaced unless --overwrite is given.

    Args:
      run: Run folder.
      out: Output folder for config.json, safetensors and tokenizer.json.
      stage: Training stage after which the policy is exported, such as cpt, sft-1 or gspo-2; by default the last finished one.
      dtype: Data type of the exported weights; runs store float32.
      overwrite: Replace an existing model.
    """
    from oprover_jax.commands.export import export_run
    from oprover_jax.progress import ProgressConsole

    export_run(run, out, dtype, overwrite, ProgressConsole(), stage)


def _missing(error: ModuleNotFoundError) -> str:
    """Return which extra contains a missing module. Raises the error again if it is a module of ours."""
    module = (error.name or "").partition(".")[0]
    if module in ("", "oprover_jax", "lean_worker"):
        raise error
    extra = _EXTRAS.get(module, "prover")
    return f"module {module!r} is not installed; run: pip install 'oprover_jax[{extra}]'"


def main() -> None:
    """Entry point of the `oprover` command."""
    try:
        app.cli(prog="oprover", description="Train and run an agentic Lean 4 theorem prover in JAX.")
    except (InputError, LeanWorkerError) as error:
        print(f"oprover: {error}", file=sys.stderr)
        sys.exit(2)
    except (TrainingFailed, DoesNotFit, DiskFull, LeanAway, EngineError) as error:
        print(f"oprover: {error}", file=sys.stderr)
        sys.exit(1)
    except ModuleNotFoundError as error:
        print(f"oprover: {_missing(error)}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader of the output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        print("oprover: interrupted; run the same command again to resume", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
