"""A stage that proves, in which one thing goes wrong; the tests run it in processes of their own, or in theirs.

The workbench, its run folder, the store, the verifier and the kernel are the real ones. The policy is a script, so that what should
come out is known: of the two rollouts on each statement one is right at once, the other after it has read Lean's answer.
"""

import asyncio
import math
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from tiny_experiment import experiment

from lean_worker.pool import Pool
from oprover_jax.agent.refine import Prover, RefineConfig
from oprover_jax.agent.template import PHRASES, Budget, Template, answer_text
from oprover_jax.corpus import store
from oprover_jax.data.codec import codec_of
from oprover_jax.data.tokenizer import train_tokenizer
from oprover_jax.posttraining.plan import Stage
from oprover_jax.posttraining.proving import prove_all
from oprover_jax.posttraining.run_folder import begin_run
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import Statement, Trajectory
from oprover_jax.retrieval.encoder import LexicalEncoder
from oprover_jax.retrieval.memory import Memory
from oprover_jax.rollout.engine import Completion, Request
from oprover_jax.statements.normalize import statement_id

FORMALS = [f"theorem t{i} (n : Nat) (h : n = {i}) : {i} = n := by sorry" for i in range(10)]
STATEMENTS = [Statement(statement_id(formal), f"t{i}", formal) for i, formal in enumerate(FORMALS)]
WRONG, RIGHT = "by exact h", "by exact h.symm"
SAMPLES, BEFORE = 2, 4  # rollouts on each statement; what goes wrong does so once as many as BEFORE were reported
TOKENIZER = train_tokenizer([*FORMALS, answer_text(RIGHT), answer_text(WRONG)], 420, PHRASES)
STAGE = Stage("rollout-1", "rollout", 1, RefineConfig(rounds=2, retrieve=0))


class EngineLost(RuntimeError):
    """What an engine that died in mid-flight raises."""


class FaultyBench(Workbench):
    """`fault`: "" for none; "engine" and "killed" when it is asked once more; "disk" from then on; "lean" while it begins."""

    def __init__(self, folder: Path, fault: str = "") -> None:
        tried = experiment()
        super().__init__(tried, begin_run(folder, tried.name, tried))
        self.fault, self.reported = fault, 0

    template = Template(codec_of(TOKENIZER), Budget(1024, 256, 256, 256, 256))
    memory = Memory(LexicalEncoder.fit([]))

    def prover(self) -> Prover:
        return Prover(self, self.verifier, self.template)

    async def generate(self, request: Request) -> list[Completion]:
        prompt = TOKENIZER.decode(request.prompt_ids)
        if not any(formal.split("(h", 1)[1].split(":=")[0] in prompt for formal in FORMALS[:BEFORE]):
            while self.fault and self.reported < BEFORE:
                await asyncio.sleep(0.005)
            if self.fault == "engine":
                raise EngineLost("the engine is gone")
            if self.fault == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
        await asyncio.sleep(0)
        texts = [answer_text(RIGHT if sample or "mismatch" in prompt else WRONG) for sample in range(request.num_samples)]
        ids = [(*TOKENIZER.encode(text), TOKENIZER.end_id) for text in texts]
        return [Completion(tokens, (-1.0,) * len(tokens), "stop", 1) for tokens in ids]

    def put_trajectories(self, stage: str, trajectories: Sequence[Trajectory]) -> None:
        if self.fault == "disk" and self.reported >= BEFORE:
            resource.setrlimit(resource.RLIMIT_FSIZE, (512, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))
        super().put_trajectories(stage, trajectories)
        self.reported += len(trajectories)
        print("reported", self.reported, flush=True)


@contextmanager
def lean_gone(pool: Pool, seconds: float = math.inf) -> Iterator[None]:
    """Kill every Lean session as soon as it exists, for so long after the first check comes, or until the block ends."""
    ended = threading.Event()

    def kill() -> None:
        until = math.inf
        while time.monotonic() < until and not ended.is_set():
            status = pool.status()
            if until == math.inf and status.waiting + status.running:
                until = time.monotonic() + seconds
            for pid in pool.worker_pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            time.sleep(0.002)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield
    finally:
        if seconds == math.inf:
            ended.set()
        killer.join()


def run_stage(bench: FaultyBench) -> list[Trajectory]:
    """The stage from its start or from where it was cut off; all of its trajectories."""
    with bench, ProgressConsole(Console(quiet=True)).stage(1, 1, STAGE.name) as progress:
        prove_all(bench, STAGE, STATEMENTS, SAMPLES, progress, flush_seconds=0.0)
    return made(bench)


def made(bench: Workbench) -> list[Trajectory]:
    """The trajectories that the stage has stored so far."""
    return store.read(bench.folder.stage(STAGE.name) / "trajectories", store.TRAJECTORIES)


if __name__ == "__main__":
    run_stage(FaultyBench(Path(sys.argv[1]), sys.argv[2]))
