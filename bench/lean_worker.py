"""The Lean worker's backends against one `lean` process per check and against bare elaboration: the same checks, the same verdicts.

Checks come in groups of attempts on one statement, as from rollouts, and each attempt is checked in isolation.
"""

import json
import os
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import msgspec
import tyro
from common import report, seconds

from lean_worker.candidate import Candidate
from lean_worker.document import Document, read_answer, write_document
from lean_worker.embedded.backend import ForkBackend
from lean_worker.embedded.build import OPENING, CoreLibrary, ensure_core, lean_command, lean_environment
from lean_worker.language_server.backend import embedded_server
from lean_worker.pool import Pool
from lean_worker.protocol import ALLOWED_AXIOMS, Check
from lean_worker.session import Limits
from lean_worker.statement import split_statement
from lean_worker.tools.benchmark import grouped_checks, measure, sample_checks


def run_lean(core: CoreLibrary, text: str) -> str:
    """Return the output of a `lean` process for a text, as lines of JSON."""
    options = [f"-D{name}={value}" for name, value in Limits().options.items()]
    command = [*lean_command(core.library), "--json", *options, "--stdin"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, env=lean_environment(core.path), check=False)
    return done.stdout


def laid_out(check: Check, nonce: str) -> Document:
    return write_document(OPENING, "", split_statement(check.statement), Candidate(check.proof), nonce)


def in_a_process(core: CoreLibrary, check: Check) -> bool:
    """Return whether a separate `lean` process accepts the check, including the audit."""
    document = laid_out(check, "nonce")
    messages = [json.loads(line) for line in run_lean(core, document.text).split("\n") if line.startswith("{")]
    answer = read_answer(document, messages)
    return not answer.failed and answer.axioms is not None and ALLOWED_AXIOMS.issuperset(answer.axioms)


def bare_seconds(core: CoreLibrary, checks: list[Check]) -> float:
    """Return the seconds of bare elaboration: all checks in one document and one process, each statement once."""
    parts, last, nonce = [OPENING], "", ""
    for number, check in enumerate(checks):
        nonce = nonce if check.statement == last else str(number)
        document = laid_out(check, nonce)
        stub = "" if check.statement == last else document.stub
        # attempts on one statement share its stub, and have unique names otherwise
        own = (document.attempt + document.audit).replace(f"Candidate_{nonce}", f"Candidate_{number}_")
        parts += [stub, own.replace(f"Judge_{nonce}", f"Judge_{number}_")]
        last = check.statement
    start = seconds(lambda: run_lean(core, OPENING))
    return seconds(lambda: run_lean(core, "".join(parts))) - start


@contextmanager
def one_core() -> Iterator[None]:
    """Run everything started within on one core, so that comparisons are fair."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def slow_rate(pool: Pool, count: int) -> float:
    """Return checks per second through the slow tier, each with a different statement."""
    checks = [msgspec.structs.replace(check, tier="slow") for check in sample_checks(count)]
    pool.check_many(checks[:1])
    return count / seconds(lambda: pool.check_many(checks))


def main(count: int = 1000, processes: int = 100, workers: int = 2, attempts: int = 8, timeout: float = 30.0) -> None:
    """Measure checks per second, latency and memory of every backend.

    Args:
      count: Checks per backend, one in five wrong.
      processes: How many of them are also run in a process of their own.
      workers: Lean sessions of a pool; as many processes run at once.
      attempts: Attempts per statement.
      timeout: Wall-clock limit of one check, in seconds.
    """
    core = ensure_core()
    pools = {
        "server": lambda n: Pool(n, timeout, backend=embedded_server(core)),
        "fork": lambda n: Pool(n, timeout, backend=ForkBackend(core)),
    }
    asked = grouped_checks(count, attempts)
    with ThreadPoolExecutor(workers) as threads:
        alone: list[bool] = []
        rate = processes / seconds(lambda: alone.extend(threads.map(lambda check: in_a_process(core, check), asked[:processes])))
    with one_core():
        bare = count / bare_seconds(core, asked)
    figures: dict[str, object] = {"process_checks_per_second": rate, "bare_checks_per_second_one_core": bare}
    same = True
    for name, make in pools.items():
        with make(workers) as pool:
            speed, verdicts = measure(pool, asked)
            if name == "fork":
                figures["slow_checks_per_second"] = slow_rate(pool, max(4, count // 20))
        same &= alone == [verdict.accepted for verdict in verdicts[:processes]]
        figures |= {f"{name}_{key}": getattr(speed, key) for key in speed.__struct_fields__}
        figures[f"ratio_{name}_vs_process"] = speed.checks_per_second / rate
        if workers > 1:
            with make(1) as pool:
                one, _ = measure(pool, asked[: count // 2])
            with one_core(), make(1) as pool:
                pinned, _ = measure(pool, asked[: count // 2])
            figures[f"ratio_{name}_vs_bare_on_one_core"] = pinned.checks_per_second / bare
            figures[f"ratio_{name}_{workers}_workers_vs_1"] = speed.checks_per_second / one.checks_per_second
    report("lean_worker", checks=count, workers=workers, attempts=attempts, same_verdicts=same, **figures)


if __name__ == "__main__":
    tyro.cli(main)
