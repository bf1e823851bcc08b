"""Malformed requests against a real server next to a well-behaved client: the effect on that client, and the server's responses."""

import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import tyro
from common import ROOT, report

sys.path.insert(0, str(ROOT / "tests" / "support"))

from http_servers import Command, start
from malformed import malformed, send


@dataclass(frozen=True)
class Target:
    """A kind of server.

    Attributes:
        start: starts the server on a free loopback port.
        good: sends one request, numbered to defeat caches; returns whether the answer is right.
        skip: paths without malformed requests, because a valid one would stop the service for all clients.
    """

    start: Callable[[], Command]
    good: Callable[[httpx2.Client, int], bool]
    skip: frozenset[str] = frozenset()


def _ask_lean(http: httpx2.Client, number: int) -> bool:
    wrong = number % 5 == 0
    check = {"statement": f"theorem t : {number} + 1 = {number + 1 + wrong} := by sorry", "proof": "rfl"}
    response = http.post("/v1/verify", json=check)
    return response.status_code == 200 and response.json()["verdict"] == ("rejected" if wrong else "accepted")


def _write_model(folder: Path) -> None:
    import jax
    from tiny_model import write_tiny_model

    from oprover_jax.sharding import MeshConfig, make_mesh

    jax.config.update("jax_platforms", "cpu")
    write_tiny_model(folder, make_mesh(MeshConfig(), jax.devices()[:1]), seed=0)


def _start_rollout() -> Command:
    """Start a server with a fresh policy of a few thousand weights."""
    folder = Path(tempfile.mkdtemp(prefix="http_fuzz-")) / "tiny"
    with ProcessPoolExecutor(1, get_context("fork")) as processes:  # JAX has threads, and this process forks again
        processes.submit(_write_model, folder).result()
    words = ["serve", "--model", str(folder), "--port", "0", "--slots", "8", "--max-len", "64"]
    return start("oprover_jax.cli", words, {"JAX_PLATFORMS": "cpu"})


_ROLLOUT_ANSWERS: dict[int, list[int]] = {}


def _ask_rollout(http: httpx2.Client, number: int) -> bool:
    seed = number % 20  # their first answers, from the idle server, are the reference
    sampling = {"max_new_tokens": 12, "sampling_seed": seed, "top_p": 0.9 if seed % 2 else 1.0}
    response = http.post("/generate", json={"text": "theorem one", "sampling_params": sampling})
    return response.status_code == 200 and response.json()["output_ids"] == _ROLLOUT_ANSWERS.setdefault(seed, response.json()["output_ids"])


TARGETS = {
    "lean": Target(lambda: start("lean_worker.cli", ["serve", "--port", "0", "--timeout", "5"], {}), _ask_lean),
    "rollout": Target(_start_rollout, _ask_rollout, frozenset({"/pause_generation", "/continue_generation", "/abort_request"})),
}


@dataclass
class Good:
    """Results of the well-behaved client."""

    seconds: list[float] = field(default_factory=list)
    wrong: int = 0

    def ask(self, target: Target, http: httpx2.Client, number: int) -> None:
        """Send one request and count it."""
        began = time.perf_counter()
        try:
            right = target.good(http, number)
        except httpx2.HTTPError:
            right = False
        self.seconds.append(time.perf_counter() - began)
        self.wrong += not right

    def quantile(self, share: float) -> float:
        """Return a latency in milliseconds."""
        ordered = sorted(self.seconds)
        return 1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]


@contextmanager
def serving(target: Target) -> Iterator[tuple[Command, list[str]]]:
    """Yield the server and its output lines; kill it at the end."""
    server = target.start()
    output = server.process.stdout
    assert output is not None
    lines: list[str] = []
    reading = threading.Thread(target=lambda: lines.extend(output))
    reading.start()
    try:
        yield server, lines
    finally:
        server.process.kill()
        server.process.wait()
        reading.join()


def resident(pid: int, name: str = "VmRSS") -> float:
    """Return the memory of a process in megabytes; `VmHWM` is its peak."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:")) / 1024


def attack(url: str, requests: int, seed: int, connections: int, skip: frozenset[str]) -> tuple[dict[str, int], list[str]]:
    """Send malformed requests over several connections; return the count of each status, and the responses that must not occur."""
    parts = urlsplit(url)
    address = (parts.hostname or "", parts.port or 0)
    document = httpx2.get(f"{url}/openapi.json", timeout=60).json()
    made = list(malformed(document, requests, seed, parts.netloc, skip=skip))
    with ThreadPoolExecutor(connections) as threads:
        answers = list(threads.map(lambda request: send(address, request), made))
    statuses = Counter(str(status) if status else "none" for answer in answers for status in answer.statuses or (0,))
    return dict(sorted(statuses.items())), [request.name for request, answer in zip(made, answers, strict=True) if answer.broken]


def main(server: str = "lean", requests: int = 5000, seed: int = 0, idle: int = 300, connections: int = 2) -> None:
    """Fuzz one server.

    Args:
        server: lean, or another name in TARGETS.
        requests: number of malformed requests.
        seed: equal seeds give equal requests.
        idle: requests of the well-behaved client before the malformed requests begin.
        connections: malformed requests in flight at once.
    """
    if server not in TARGETS:
        raise SystemExit(f"--server is {server!r}; choose one of {', '.join(TARGETS)}")
    target = TARGETS[server]
    quiet, busy = Good(), Good()
    with serving(target) as (running, log), httpx2.Client(base_url=running.url, headers={"X-Client": "good"}, timeout=60) as http:
        for number in range(20):
            Good().ask(target, http, number)
        for number in range(100, 100 + idle):
            quiet.ask(target, http, number)
        before = resident(running.process.pid)
        with ProcessPoolExecutor(1, get_context("fork")) as processes:
            attacking = processes.submit(attack, running.url, requests, seed, connections, target.skip)
            number = 1_000_000
            while not attacking.done() or len(busy.seconds) < 20:
                busy.ask(target, http, number)
                number += 1
            statuses, broken = attacking.result()
        figures = {
            "statuses": statuses,
            "p50_ms_idle": quiet.quantile(0.5),
            "p99_ms_idle": quiet.quantile(0.99),
            "p50_ms_fuzz": busy.quantile(0.5),
            "p99_ms_fuzz": busy.quantile(0.99),
            "ratio_p99_fuzz_vs_idle": busy.quantile(0.99) / quiet.quantile(0.99),
            "good_requests": len(quiet.seconds) + len(busy.seconds),
            "wrong_answers": quiet.wrong + busy.wrong,
            "must_not_be": len(broken),
            "first_that_must_not_be": broken[:3],
            "lines_logged": len(log),
            "mib_before": before,
            "mib_after": resident(running.process.pid),
            "mib_most": resident(running.process.pid, "VmHWM"),
        }
    report("http_fuzz", server=server, requests=requests, seed=seed, connections=connections, **figures)


if __name__ == "__main__":
    tyro.cli(main)
