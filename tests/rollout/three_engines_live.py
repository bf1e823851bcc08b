"""The same 200 theorems through the in-process engine, `oprover serve` and a real SGL-JAX server, with the same weights and a real kernel.

Run by `make test-sglang`, which gives SGL-JAX its own environment. Not one of the tests that every run collects. The policy is small
but trained, by the demo's own stages, so that some attempts are proofs, some are not, and Lean's answers are in the second prompts.
"""

import asyncio
import contextlib
import dataclasses
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
import rollout_server
from real_sgl_jax import SGLJax, serving

from lean_worker.source import declarations
from oprover_jax.agent.collect import Collection, collect
from oprover_jax.agent.refine import Prover
from oprover_jax.agent.template import Budget
from oprover_jax.configuration import load
from oprover_jax.data.tokenizer import exported_tokenizer
from oprover_jax.models.hf.export import export_hf
from oprover_jax.posttraining.experiment import EngineConfig, Experiment, PolicyConfig
from oprover_jax.posttraining.iterate import RUNNERS
from oprover_jax.posttraining.plan import plan
from oprover_jax.posttraining.run_folder import begin_run
from oprover_jax.posttraining.theorems import TheoremsConfig
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import Round, Statement, Trajectory
from oprover_jax.rollout.engine import Engine
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.rollout.sglang_engine import SGLangEngine
from oprover_jax.synthetic.config import SyntheticConfig
from oprover_jax.verify.verifier import Verifier

pytestmark = pytest.mark.live

DEMO = Path(__file__).parents[2] / "configs" / "demo.py"
THEOREMS = 200
STAGES = ("corpus", "warmup", "tokenizer", "sft")
TOLERANCE = 1e-3  # of a log-probability, between two implementations in fp32
NEAR_TIE = 1e-4  # nats between the two likeliest tokens: below it either may be the larger in fp32


class Flip(NamedTuple):
    """A place where two engines took different tokens after the same ones; `gap` is the likelihood ratio of the two, in nats."""

    name: str
    round: int
    position: int
    gap: float


def experiment() -> Experiment:
    """The demo's stages with a policy of the head size that SGL-JAX wants, on easy theorems."""
    demo = load(DEMO, Experiment)
    assert demo.policy.model is not None and demo.sft is not None
    shares = {"public_weights": (3.0, 1.0, 1.0), "pool_weights": (1.0,), "benchmark_weights": (3.0, 1.0, 1.0)}
    return dataclasses.replace(
        demo,
        name="three-engines",
        policy=PolicyConfig(
            dataclasses.replace(
                demo.policy.model, num_layers=2, hidden_size=128, num_heads=2, num_kv_heads=1, head_dim=128, intermediate_size=256
            )
        ),
        theorems=TheoremsConfig(SyntheticConfig(public=600, pool=20, benchmark=THEOREMS + 20, textbook=False, **shares)),
        sft=dataclasses.replace(demo.sft, steps=120),
        budget=Budget(prompt=328, statement=216, references=72, attempt=40, feedback=56),
        refine=dataclasses.replace(demo.refine, temperature=0.0),
        engine=EngineConfig(slots=32, max_len=384),
        gspo=dataclasses.replace(demo.gspo, seq_len=384),
        first_repairs=200,
    )


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workbench]:
    wanted = experiment()
    folder = begin_run(tmp_path_factory.mktemp("three") / "run", wanted.name, wanted)
    console = ProgressConsole()
    with Workbench(wanted, folder) as bench:
        for stage in (stage for stage in plan(wanted, external=False) if stage.name in STAGES):
            began = time.monotonic()
            with console.stage(1, len(STAGES), stage.name) as progress:
                RUNNERS[stage.kind](bench, stage, progress)
            print(f"{stage.name}: {time.monotonic() - began:.0f} s")
        yield bench


@pytest.fixture(scope="module")
def model(bench: Workbench, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The policy as a Hugging Face folder in fp32."""
    path = tmp_path_factory.mktemp("three") / "model"
    tokenizer, length = bench.folder.stage("tokenizer") / "tokenizer.json", bench.experiment.engine.max_len
    beside = exported_tokenizer(tokenizer, length)
    export_hf(bench.model, bench.policy().params, path, dtype="float32", extra_files=beside, end_id=bench.codec.end_ids[0])
    return path


@pytest.fixture(scope="module")
def real(model: Path) -> Iterator[SGLJax]:
    with serving(model) as server:
        yield server


@pytest.fixture(scope="module")
def expected(bench: Workbench) -> list[Trajectory]:
    """What the in-process engine makes of every theorem."""
    return prove_all(bench, bench.engine, "in-process")


def theorems(bench: Workbench) -> list[Statement]:
    assert len(bench.theorems.benchmark) >= THEOREMS
    return bench.theorems.benchmark[:THEOREMS]


def prove_all(bench: Workbench, engine: Engine, name: str) -> list[Trajectory]:
    """One greedy trajectory on each theorem, in the order of the theorems. Nothing is remembered of other engines' verdicts."""
    found: list[Trajectory] = []
    prover = Prover(engine, Verifier(bench.pool), bench.template)
    wanted = Collection(theorems(bench), 1, bench.experiment.refine, "three", seed=0)
    tally = asyncio.run(collect(prover, bench.memory, wanted, found.extend, lambda _: None))
    tokens = sum(len(one.attempt_ids) for trajectory in found for one in trajectory.rounds)
    print(f"{name}: {tally.text()}; {tokens} tokens in {time.monotonic() - tally.started:.0f} s")
    order = {statement.id: i for i, statement in enumerate(theorems(bench))}
    return sorted(found, key=lambda trajectory: order[trajectory.statement.id])


def assert_complete(bench: Workbench, found: Sequence[Trajectory]) -> None:
    """Every theorem once, tried until it was proved or its rounds were used up, and every proof has its verdict."""
    assert [trajectory.statement.id for trajectory in found] == [statement.id for statement in theorems(bench)]
    for trajectory in found:
        assert trajectory.accepted is not None
        assert trajectory.accepted or len(trajectory.rounds) == bench.experiment.refine.rounds
        for one in trajectory.rounds:
            assert len(one.attempt_ids) == len(one.logprobs) > 0
            assert (one.verdict is None) == (one.proof is None)
            assert one.verdict is None or one.verdict.accepted is not None


def compare(scorer: JaxEngine, found: Sequence[Trajectory], expected: Sequence[Trajectory]) -> tuple[int, float, list[Flip]]:
    """Rounds compared, the largest difference of two log-probabilities, and the flips. After a flip a trajectory is another one, so what
    follows in it is not compared; where there is none all of it must be the same."""
    rounds, largest, flips = 0, 0.0, []
    for ours, theirs in zip(expected, found, strict=True):
        flip = None
        for number, (a, b) in enumerate(zip(ours.rounds, theirs.rounds)):
            assert a.prompt_ids == b.prompt_ids
            rounds += 1
            at = first_difference(a.attempt_ids, b.attempt_ids)
            largest = max([largest, *(abs(x - y) for x, y in zip(a.logprobs[:at], b.logprobs[:at], strict=True))])
            if at is not None:
                flip = Flip(ours.statement.name, number, at, gap(scorer, a, b, at))
                flips.append(flip)
                break
            assert (a.finish_reason, a.proof, a.well_formed, a.feedback) == (b.finish_reason, b.proof, b.well_formed, b.feedback)
            assert (a.verdict and a.verdict.accepted, a.reward) == (b.verdict and b.verdict.accepted, b.reward)
        assert flip is not None or len(ours.rounds) == len(theirs.rounds)
    return rounds, largest, flips


def first_difference(a: Sequence[int], b: Sequence[int]) -> int | None:
    if tuple(a) == tuple(b):
        return None
    return next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))


def gap(scorer: JaxEngine, a: Round, b: Round, at: int) -> float:
    """How much likelier the token of `a` at place `at` is than that of `b`, by the in-process engine's full forward pass."""
    assert at < min(len(a.attempt_ids), len(b.attempt_ids)), "one engine ended where the other went on"
    shared = (*a.prompt_ids, *a.attempt_ids[:at])
    said = [asyncio.run(scorer.score((*shared, one.attempt_ids[at])))[-1] for one in (a, b)]
    return abs(said[0] - said[1])


def test_three_engines_prove_the_same_theorems_alike(bench: Workbench, model: Path, expected: list[Trajectory], real: SGLJax) -> None:
    assert_complete(bench, expected)
    attempts = [one for trajectory in expected for one in trajectory.rounds]
    kinds = {one.verdict.kind for one in attempts if one.verdict is not None}
    assert {"accepted", "error"} <= kinds
    assert len({one.attempt_ids for one in attempts}) > THEOREMS / 10
    shape = ("--slots", str(bench.experiment.engine.slots), "--max-len", str(bench.experiment.engine.max_len))
    with contextlib.ExitStack() as open_:
        served = rollout_server.command(model, *shape)
        open_.callback(served.process.communicate)
        open_.callback(served.process.kill)
        for name, url in (("oprover serve", served.url), ("SGL-JAX", real.url)):
            with SGLangEngine(url, patience=60.0) as client:
                found = prove_all(bench, client, name)
            assert_complete(bench, found)
            rounds, largest, flips = compare(bench.engine, found, expected)
            print(f"{name}: {rounds} rounds compared, log-probs within {largest:.1e}, {len(flips)} near ties fell the other way {flips}")
            assert largest < TOLERANCE
            assert all(flip.gap < NEAR_TIE for flip in flips)


def test_a_user_s_file_is_proved_over_a_real_server(bench: Workbench, expected: list[Trajectory], real: SGLJax, tmp_path: Path) -> None:
    provable = [trajectory.statement for trajectory in expected if trajectory.accepted]
    others = [trajectory.statement for trajectory in expected if not trajectory.accepted][:2]
    file = tmp_path / "users.lean"
    file.write_text("\n\n".join(statement.formal for statement in [*provable, *others]) + "\n", encoding="utf-8")
    words = ["prove", str(file), "--run", str(bench.folder.path), "--server", real.url, "--num-samples", "1"]
    words += ["--rounds", str(bench.experiment.refine.rounds)]
    done = subprocess.run([sys.executable, "-m", "oprover_jax.cli", *words], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {one.name: one for one in declarations(file.with_suffix(".proved.lean").read_text(encoding="utf-8"))}
    closed = [statement for statement in provable if not found[statement.name].is_open]
    print(f"oprover prove: {len(closed)} of the {len(provable)} theorems that the in-process engine proves")
    assert len(closed) > len(provable) / 2  # not all: in the file others stand before them, and in their prompts
    assert all(verdict.accepted for verdict in bench.pool.check_many([found[statement.name].check() for statement in closed]))
