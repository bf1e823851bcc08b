"""`oprover prove` over a real server, over a run and over a model's folder, each with the real kernel."""

import dataclasses
import io
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path

import http_servers
import jax
import parrot
import pytest
import rollout_server
from rich.console import Console
from start import TINY, start
from trained import finish_training

from lean_worker.lean_config import LeanConfig
from lean_worker.pool import Pool
from lean_worker.service.app import make_app
from lean_worker.source import declarations
from oprover_jax.cli.main import prove_command
from oprover_jax.commands.prove import prove_file
from oprover_jax.commands.proving_agent import Lengths, ProvingAgent, agent_of_model, agent_of_run
from oprover_jax.configuration import load
from oprover_jax.errors import InputError
from oprover_jax.posttraining.experiment import EngineConfig, Experiment, PolicyConfig
from oprover_jax.posttraining.policy import engine_of, policy_of_run
from oprover_jax.posttraining.run_folder import begin_run
from oprover_jax.posttraining.theorems import TheoremsConfig
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import Statement
from oprover_jax.rollout.engine import Completion, Engine, EngineError, Request
from oprover_jax.rollout.sglang_engine import SGLangEngine
from oprover_jax.server.service import Service
from oprover_jax.server.settings import ServerSettings
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.synthetic.config import SyntheticConfig

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess, pytest.mark.slow]

EXPERIMENT = dataclasses.replace(
    load(TINY, Experiment),
    policy=PolicyConfig(parrot.CONFIG),
    theorems=TheoremsConfig(SyntheticConfig(public=8, pool=2, benchmark=2, textbook=False)),
    engine=EngineConfig(slots=4, max_len=300, prefill_batch=2),
)
LENGTHS = Lengths(prompt=320, answer=16)
FILE = """-- what a user wrote
theorem easy (n : Nat) : n = n := by sorry

theorem simple (p : Prop) : p ∧ True ↔ p := by
  sorry

theorem wrong (n : Nat) : n = n + 1 := by sorry
"""
PROVED = {"easy (2:37)", "simple (5:2)"}


@pytest.fixture(scope="module")
def mesh(devices: list[jax.Device]) -> jax.sharding.Mesh:
    return make_mesh(MeshConfig(), devices[:1])


@pytest.fixture(scope="module")
def model(mesh: jax.sharding.Mesh, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models") / "parrot"
    parrot.write_parrot(folder, mesh)
    return folder


@pytest.fixture(scope="module")
def server(model: Path) -> Iterator[str]:
    started = rollout_server.command(model, "--slots", "8", "--max-len", str(LENGTHS.prompt + LENGTHS.answer))
    yield started.url
    started.process.kill()
    started.process.communicate()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "user.lean"
    path.write_text(FILE)
    return path


def proved(opened: AbstractContextManager[ProvingAgent], file: Path, samples: int = 4) -> tuple[dict[str, str], str]:
    """Proofs by name, and what was said, times of day apart."""
    said = io.StringIO()
    with opened as agent:
        proofs = prove_file(file, agent, samples, file.with_suffix(".out"), 0, ProgressConsole(Console(file=said)))
    return proofs, "\n".join(line for line in said.getvalue().splitlines() if " started " not in line)


def test_from_the_command_line_a_server_is_asked_and_lean_accepts_what_is_written(server: str, model: Path, file: Path) -> None:
    words = ["--model", str(model), "--prompt-tokens", str(LENGTHS.prompt), "--answer-tokens", str(LENGTHS.answer)]
    process = start("prove", str(file), "--server", server, *words, "--rounds", "2", "--num-samples", "4")
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert "easy (2:37) round 1 of 2: 4 of 4 attempts verified, 4 accepted" in output
    assert "easy (2:37): proved by 4 of 4 rollouts, first in round 1" in output
    assert "wrong (7:42) round 2 of 2: 4 of 4 attempts verified, 0 accepted" in output
    assert "wrong (7:42): not proved in 8 attempts" in output
    assert "proved  simple (5:2)\nopen    wrong (7:42): not proved in 8 attempts" in output and "\n    ⊢ n = n + 1\n" in output
    assert "2 of 3 proved" in output and output.strip().endswith("`sorry` remains in wrong (7:42)")

    written = file.with_suffix(".proved.lean").read_text()
    found = {one.name: one for one in declarations(written)}
    assert found["simple"].proof == ":= by simp" and [name for name, one in found.items() if one.is_open] == ["wrong"]
    with Pool(workers=1) as pool:
        assert all(verdict.accepted for verdict in pool.check_many([one.check() for one in found.values() if not one.is_open]))
    with_it, _ = proved(agent_of_model(model, 2, 4, LENGTHS, None), file)
    assert file.with_suffix(".out").read_text() == written and set(with_it) == PROVED


def test_lean_may_be_a_service(server: str, model: Path, file: Path) -> None:
    here, _ = proved(agent_of_model(model, 2, 4, LENGTHS, None), file)
    with Pool(workers=1) as pool, http_servers.thread(make_app(pool)) as url:
        lean = LeanConfig("remote", urls=(url,))
        there, said = proved(agent_of_model(model, 2, 4, LENGTHS, None, lean), file)
        assert there == here and "proofs are checked by Lean 4.35.0 (embedded-fork)" in said
        words = ["--model", str(model), "--prompt-tokens", str(LENGTHS.prompt), "--answer-tokens", str(LENGTHS.answer)]
        asked = pool.status().verdicts["accepted"]
        options = ["--lean.backend", "remote", "--lean.urls", url]
        process = start("prove", str(file), "--server", server, *words, "--num-samples", "2", "--rounds", "2", *options)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0 and "2 of 3 proved" in output, output
        assert pool.status().verdicts["accepted"] > asked


def test_a_run_is_asked_here_and_behind_a_server_with_the_same_memory(mesh: jax.sharding.Mesh, tmp_path: Path, file: Path) -> None:
    run = begin_run(tmp_path / "run", "tiny", EXPERIMENT)
    parrot.TOKENIZER.save(run.stage("tokenizer") / "tokenizer.json")
    with pytest.raises(InputError, match="no trained policy"):
        proved(agent_of_run(run.path, 2, None), file)
    finish_training(run, "cpt", parrot.parrot(mesh))
    here, said = proved(agent_of_run(run.path, 2, None), file)
    assert set(here) == PROVED and "round 1 of 2" in said
    with ExitStack() as opened:
        policy = policy_of_run(run.path, mesh)
        engine = opened.enter_context(engine_of(policy.config, policy.params, mesh, EXPERIMENT.engine, policy.version))
        url = opened.enter_context(rollout_server.thread(Service(engine, policy.codec, ServerSettings("tiny"))))
        remote = opened.enter_context(SGLangEngine(url))
        assert proved(agent_of_run(run.path, 2, remote), file) == (here, said)
        with agent_of_run(run.path, 2, remote) as agent:
            assert len(agent.retrieve(Statement("mine", "mine", "theorem mine (p : Prop) (h : p) : p := by sorry"))) == 2


class Failing:
    """An engine to which something happens after some requests."""

    def __init__(self, inner: Engine, after: int, happens: Callable[[], None]) -> None:
        self.inner, self.left, self.happens = inner, after, happens

    async def generate(self, request: Request) -> list[Completion]:
        self.left -= 1
        if self.left < 0:
            self.happens()
        return await self.inner.generate(request)


def lost() -> None:
    raise EngineError("lost")


def test_what_was_proved_before_the_policy_was_lost_or_ctrl_c_came_is_written(server: str, model: Path, file: Path) -> None:
    out = file.with_suffix(".out")
    with SGLangEngine(server) as remote:
        with pytest.raises(EngineError, match="lost"):
            proved(agent_of_model(model, 2, 2, LENGTHS, Failing(remote, 1, lost)), file, samples=2)
        assert [one.name for one in declarations(out.read_text()) if one.is_open] == ["simple", "wrong"]
        for after, written in ((0, False), (1, True)):
            out.unlink(missing_ok=True)
            with pytest.raises(SystemExit) as stopped:
                stopping = Failing(remote, after, lambda: signal.raise_signal(signal.SIGINT))
                proved(agent_of_model(model, 1, 2, LENGTHS, stopping), file, samples=2)
            assert stopped.value.code == 130 and out.exists() == written
    with (
        SGLangEngine(f"http://127.0.0.1:{rollout_server.free_port()}", patience=0.1) as nobody,
        pytest.raises(EngineError, match="answered"),
    ):
        proved(agent_of_model(model, 2, 2, LENGTHS, nobody), file)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"run": Path("r"), "model": Path("m")}, "--run and --model"),
        ({"server": ("http://127.0.0.1:1",)}, "--server needs --run or --model"),
        ({"run": Path("r"), "prompt_tokens": 9}, "--prompt-tokens is valid only"),
        ({"run": Path("r"), "num_samples": 0}, "--num-samples is 0"),
        ({"model": Path("m"), "answer_tokens": 0}, "--answer-tokens is 0"),
        ({"model": Path("m")}, "tokenizer.json does not exist"),
        ({"run": Path("r")}, "no run"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(file: Path, arguments: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        prove_command(file, **arguments)
