"""Who proves a user's theorems: the words, the memory and the settings of a run or of a model's folder, and a policy here or on servers."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lean_worker.pool import Pool
from oprover_jax.agent.refine import Prover, RefineConfig
from oprover_jax.agent.template import Template, budget_within
from oprover_jax.data.codec import load_codec
from oprover_jax.posttraining.experiment import EngineConfig, Experiment, LeanConfig
from oprover_jax.posttraining.policy import engine_of, policy_of_model
from oprover_jax.posttraining.run_folder import open_run
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.records import ProofRecord, Statement
from oprover_jax.rollout.engine import Engine
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.verify.verifier import Verifier


@dataclass(frozen=True)
class ProvingAgent:
    """`prover` and `retrieve` load what they need when they are first called: a file with an error in it costs no time."""

    pool: Pool
    template: Template
    refine: RefineConfig
    prover: Callable[[], Prover]
    retrieve: Callable[[Statement], Sequence[ProofRecord]]


@dataclass(frozen=True)
class Lengths:
    """Most tokens of a prompt and of an answer, for a model whose folder does not say; together what `oprover serve` takes."""

    prompt: int = 2048
    answer: int = 2048


@contextmanager
def agent_of_run(run: Path, rounds: int, servers: Engine | None) -> Iterator[ProvingAgent]:
    """The agent as the run has trained it; its last policy is asked here, or whatever the servers serve.

    Raises InputError for a folder that holds no run, and from `prover` where no policy is trained yet.
    """
    folder, experiment = open_run(run, Experiment)
    refine = dataclasses.replace(experiment.refine, rounds=rounds)
    with Workbench(experiment, folder) as bench:

        def prover() -> Prover:
            if servers is not None:
                return Prover(servers, bench.verifier, bench.template)
            bench.require_policy()
            return bench.prover()

        def retrieve(statement: Statement) -> Sequence[ProofRecord]:
            return bench.memory.search([statement], refine.retrieve)[0]

        yield ProvingAgent(bench.pool, bench.template, refine, prover, retrieve)


@contextmanager
def agent_of_model(folder: Path, rounds: int, samples: int, lengths: Lengths, servers: Engine | None) -> Iterator[ProvingAgent]:
    """An agent that speaks the words of a model in a Hugging Face folder and remembers no proofs; the model is asked here, or the servers.

    Raises InputError for a folder without a tokenizer, and from `prover` for one that holds no Qwen3.
    """
    template = Template(load_codec(folder), budget_within(lengths.prompt))
    refine = RefineConfig(rounds=rounds, retrieve=0, max_new_tokens=lengths.answer)
    lean = LeanConfig()
    with ExitStack() as opened:
        pool = opened.enter_context(Pool(workers=lean.workers, timeout=lean.timeout, trusted_headers=True))

        @cache
        def prover() -> Prover:
            return Prover(servers or here(), Verifier(pool), template)

        def here() -> Engine:
            mesh = make_mesh(MeshConfig())
            policy = policy_of_model(folder, mesh, "float32")
            settings = EngineConfig(slots=samples, max_len=lengths.prompt + lengths.answer)
            return opened.enter_context(engine_of(policy.config, policy.params, mesh, settings, policy.version))

        yield ProvingAgent(pool, template, refine, prover, lambda statement: ())
