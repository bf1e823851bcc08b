"""The GSPO stage of a run with the real trainer and the real kernel; a scripted engine proves half of what it is asked."""

import asyncio
import dataclasses
import json
from pathlib import Path

import pytest
from faulty_stage import FORMALS, RIGHT, STATEMENTS, TOKENIZER, WRONG
from rich.console import Console
from tiny_experiment import experiment

from oprover_jax.agent.refine import Prover, RefineConfig
from oprover_jax.agent.template import answer_text
from oprover_jax.corpus import store
from oprover_jax.corpus.theorems import Theorems
from oprover_jax.errors import TrainingFailed
from oprover_jax.posttraining.experiment import Experiment, PolicyConfig
from oprover_jax.posttraining.gspo import gspo
from oprover_jax.posttraining.guard import GuardConfig
from oprover_jax.posttraining.plan import Stage, policy_version
from oprover_jax.posttraining.policy import Weights
from oprover_jax.posttraining.proving import prove_all
from oprover_jax.posttraining.run_folder import begin_run
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.progress import ProgressConsole
from oprover_jax.retrieval.encoder import LexicalEncoder
from oprover_jax.retrieval.memory import Memory
from oprover_jax.rollout.engine import Completion, Request

pytestmark = [pytest.mark.lean, pytest.mark.slow]

QUIET = ProgressConsole(Console(quiet=True))
REFINE = RefineConfig(rounds=2, retrieve=0)
ROLLOUT, GSPO = Stage("rollout-1", "rollout", 1, REFINE), Stage("gspo-1", "gspo", 1, REFINE)


class ScriptedBench(Workbench):
    """Samples 0, 2, ... of a request are right in the first round, and all are wrong after Lean's answer."""

    memory = Memory(LexicalEncoder.fit([]))
    theorems = Theorems([], STATEMENTS, [], {})
    version = 0

    def prover_with(self, weights: Weights) -> Prover:
        self.version = weights.version
        return Prover(self, self.verifier, self.template)

    async def generate(self, request: Request) -> list[Completion]:
        await asyncio.sleep(0)
        first = "mismatch" not in TOKENIZER.decode(request.prompt_ids)
        texts = [answer_text(RIGHT if first and sample % 2 == 0 else WRONG) for sample in range(request.num_samples)]
        ids = [(*TOKENIZER.encode(text), TOKENIZER.end_id) for text in texts]
        return [Completion(tokens, (-6.0,) * len(tokens), "stop", self.version) for tokens in ids]


def scripted(folder: Path, guard: GuardConfig) -> ScriptedBench:
    tiny = experiment()
    assert tiny.policy.model is not None
    model = dataclasses.replace(tiny.policy.model, vocab_size=TOKENIZER.vocab_size)
    budget = dataclasses.replace(tiny.budget, prompt=160, statement=60, references=20, attempt=40, feedback=40)
    gspo_stage = dataclasses.replace(tiny.gspo, steps=2, states=4, group_size=4, seq_len=300)
    wanted: Experiment = dataclasses.replace(tiny, policy=PolicyConfig(model), gspo=gspo_stage, budget=budget, guard=guard)
    folder_of_run = begin_run(folder, wanted.name, wanted)
    TOKENIZER.save(folder_of_run.stage("tokenizer") / "tokenizer.json")
    return ScriptedBench(wanted, folder_of_run)


def test_what_it_draws_is_stored_and_what_it_proves_enters_the_memory(tmp_path: Path) -> None:
    with (
        scripted(tmp_path / "run", GuardConfig(sampler_gap=9.0)) as bench,
        ProgressConsole(Console(quiet=True)).stage(1, 1, "s") as progress,
    ):
        prove_all(bench, ROLLOUT, STATEMENTS[:6], 4, progress)
        summary = gspo(bench, GSPO, progress)
        assert summary["steps"] == 2 and summary["hard_states"] == 8 and summary["proofs"] == len(bench.proofs("gspo-1")) > 0
        assert {record.statement.formal for record in bench.proofs("gspo-1")} <= set(FORMALS)
        assert bench.found(2) == bench.proofs("gspo-1") and len(bench.memory) == summary["proofs"]
        assert bench.policy().version == policy_version(bench.experiment, "gspo-1", 2)
    stage = tmp_path / "run" / "stages" / "gspo-1"
    drawn = store.read(stage / "trajectories", store.TRAJECTORIES)
    assert sorted(trajectory.sample for trajectory in drawn) == list(range(2 * 4 * 4))
    versions = {trajectory.sample // 16: trajectory.rounds[0].policy_version for trajectory in drawn}
    assert versions == {0: 0, 1: policy_version(bench.experiment, "gspo-1", 1)}, "each step's attempts belong to the policy that drew them"
    steps = [json.loads(line) for line in (stage / "metrics.jsonl").read_text().splitlines()]
    assert [step["first_ratio"] for step in steps] == [1.0, 1.0] and all(0 < step["reward"] < 1 for step in steps)


def test_an_engine_that_samples_from_something_else_stops_the_run(tmp_path: Path) -> None:
    with (
        scripted(tmp_path / "run", GuardConfig(sampler_gap=1e-3)) as bench,
        ProgressConsole(Console(quiet=True)).stage(1, 1, "s") as progress,
    ):
        prove_all(bench, ROLLOUT, STATEMENTS[:2], 4, progress)
        with pytest.raises(TrainingFailed, match="nats per token"):
            gspo(bench, GSPO, progress)
