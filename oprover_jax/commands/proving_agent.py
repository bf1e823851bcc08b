"""Agents for `oprover prove`, built from a run or a model folder, with a local policy or remote servers."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from lean_worker.connect import open_lean
from lean_worker.lean_config import LeanConfig
from lean_worker.lean_pool import LeanPool
from oprover_jax.agent.refine import Prover, RefineConfig
from oprover_jax.agent.template import Template, budget_within
from oprover_jax.data.codec import load_codec
from oprover_jax.posttraining.experiment import EngineConfig
from oprover_jax.posttraining.policy import engine_of, policy_of_model
from oprover_jax.posttraining.run_folder import open_run
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.records import ProofRecord, Statement
from oprover_jax.rollout.engine import Engine
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.verify.verifier import Verifier


@dataclass(frozen=True)
class ProvingAgent:
    """Lean pool, prompt template, settings, policy and retrieval of `oprover prove`.

    `prover` and `retrieve` load their resources on first use, so that errors in the input file are reported without delay.
    """

    pool: LeanPool
    template: Template
    refine: RefineConfig
    prover: Callable[[], Prover]
    retrieve: Callable[[Statement], Sequence[ProofRecord]]


@dataclass(frozen=True)
class Lengths:
    """Maximum number of tokens of a prompt and of a completion for a model folder; their sum is the default of `oprover serve`."""

    prompt: int = 2048
    answer: int = 2048


@contextmanager
def agent_of_run(run: Path, rounds: int, servers: Engine | None, lean: LeanConfig | None = None) -> Iterator[ProvingAgent]:
    """Open the agent of a run, with its latest policy and its Lean or, if given, the policy on `servers` and `lean`.

    Raises:
      InputError: `run` is not a run folder; raised from `prover` if no policy is trained yet.
    """
    folder, experiment = open_run(run)
    refine = dataclasses.replace(experiment.refine, rounds=rounds)
    with Workbench(experiment, folder, lean=lean) as bench:

        def prover() -> Prover:
            if servers is not None:
                return Prover(servers, bench.verifier, bench.template)
            bench.require_policy()
            return bench.prover()

        def retrieve(statement: Statement) -> Sequence[ProofRecord]:
            return bench.memory.search([statement], refine.retrieve)[0]

        yield ProvingAgent(bench.pool, bench.template, refine, prover, retrieve)


@contextmanager
def agent_of_model(
    folder: Path, rounds: int, num_samples: int, lengths: Lengths, servers: Engine | None, lean: LeanConfig | None = None
) -> Iterator[ProvingAgent]:
    """Open an agent without retrieval that uses the chat template of a model folder; the model runs locally or on `servers`.

    Args:
      folder: Qwen3 model folder in Hugging Face format.
      rounds: Maximum number of attempts per rollout.
      num_samples: Rollouts per theorem, decoded concurrently.
      lengths: Token limits of prompt and completion.
      servers: Remote engine, or None to load the model here.
      lean: Lean that checks the proofs; None for the embedded one.

    Raises:
      InputError: The folder has no tokenizer; raised from `prover` if it does not hold a Qwen3 model.
    """
    template = Template(load_codec(folder), budget_within(lengths.prompt))
    refine = RefineConfig(rounds=rounds, retrieve=0, max_new_tokens=lengths.answer)
    chosen = lean or LeanConfig()
    with ExitStack() as opened:
        pool = opened.enter_context(open_lean(chosen, trusted_headers=True, name="prove"))

        @cache
        def prover() -> Prover:
            return Prover(servers or local_engine(), Verifier(pool, chosen.patience), template)

        def local_engine() -> Engine:
            mesh = make_mesh(MeshConfig())
            policy = policy_of_model(folder, mesh, "float32")
            settings = EngineConfig(slots=num_samples, max_len=lengths.prompt + lengths.answer)
            return opened.enter_context(engine_of(policy.config, policy.params, mesh, settings, policy.version))

        yield ProvingAgent(pool, template, refine, prover, lambda statement: ())
