"""Resources shared by the stages of a run: mesh, Lean pool, corpus, tokenizer, memory, policy and engine, created on first use."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import jax
from jax.sharding import Mesh

from lean_worker.connect import open_lean
from lean_worker.lean_config import LeanConfig
from lean_worker.lean_pool import LeanPool
from oprover_jax.agent.refine import Prover
from oprover_jax.agent.template import Template
from oprover_jax.corpus import store
from oprover_jax.data.codec import codec_of
from oprover_jax.data.tokenizer import Tokenizer, load_tokenizer
from oprover_jax.ingest.near import reshaped
from oprover_jax.models.qwen3 import Params, init_params
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.plan import policy_version
from oprover_jax.posttraining.policy import engine_of, load_policy, open_policy, trained_policy
from oprover_jax.posttraining.run_folder import RunFolder
from oprover_jax.records import ProofRecord, Trajectory
from oprover_jax.retrieval.encoder import Encoder, LexicalEncoder
from oprover_jax.retrieval.memory import Filters, Memory
from oprover_jax.retrieval.minilm import MiniLMEncoder
from oprover_jax.retrieval.policy_encoder import PolicyEncoder
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.rollout.publish import publish_in_place
from oprover_jax.sharding import make_mesh
from oprover_jax.statements.decontaminate import fingerprints
from oprover_jax.statements.external import external_benchmark
from oprover_jax.synthetic.build import DemoCorpus, build
from oprover_jax.verify.verifier import Verifier

T = TypeVar("T")


class Workbench:
    """Shared resources of a run; a context manager that closes the Lean workers and the engine on exit.

    `lean`, if given, changes the run's own Lean (`LeanConfig.over`), for work whose verdicts do not enter the run.
    """

    def __init__(self, experiment: Experiment, folder: RunFolder, data: Path | None = None, lean: LeanConfig | None = None) -> None:
        self.experiment = experiment
        self.lean = experiment.lean if lean is None else lean.over(experiment.lean)
        self.folder = folder
        self.data = data
        self._open = ExitStack()
        self._policy: tuple[str, Params] | None = None
        self._engine_policy: str | None = None
        self._programs: dict[object, object] = {}

    @cached_property
    def mesh(self) -> Mesh:
        return make_mesh(self.experiment.mesh)

    @cached_property
    def pool(self) -> LeanPool:
        pool = self._open.enter_context(open_lean(self.lean, trusted_headers=True, name=self.experiment.name))
        if self.lean == self.experiment.lean:
            self.folder.claim_lean(self.lean, pool.describe())
        return pool

    @cached_property
    def verifier(self) -> Verifier:
        return Verifier(self.pool)

    @cached_property
    def corpus(self) -> DemoCorpus:
        """Synthetic corpus, built and verified on first use and read from the run folder afterwards."""
        return build(self.experiment.corpus, self.pool.check_many, self.folder.stage("corpus"))

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return load_tokenizer(self.folder.stage("tokenizer") / "tokenizer.json")

    @cached_property
    def template(self) -> Template:
        return Template(codec_of(self.tokenizer), self.experiment.budget)

    @cached_property
    def encoder(self) -> Encoder:
        if self.experiment.encoder == "minilm":
            return MiniLMEncoder()
        if self.experiment.encoder == "lexical":
            return LexicalEncoder.fit([record.statement for record in self.corpus.public])
        policy = open_policy(Path(self.experiment.encoder), self.mesh)
        return PolicyEncoder(policy.config, policy.params, self.mesh, policy.codec)

    def proofs(self, stage: str) -> list[ProofRecord]:
        """Return the verified proofs of a rollout stage."""
        return store.read(self.folder.stage(stage) / "proofs", store.PROOFS)

    def put_proofs(self, stage: str, records: list[ProofRecord]) -> None:
        """Store the proofs of a stage and add them to the memory. They are written as a whole, so an existing file is complete."""
        if not self.proofs(stage):
            store.append(self.folder.stage(stage) / "proofs", store.PROOFS, records)
        self.memory.add(records)

    def found(self, before: int) -> list[ProofRecord]:
        """Return the proofs found in all iterations before iteration `before`."""
        return [record for i in range(1, before) for record in self.proofs(f"rollout-{i}")]

    @cached_property
    def filters(self) -> Filters:
        """Filters of the memory: benchmark statements are never stored, and proofs of reshaped variants are never retrieved."""
        corpus = self.corpus
        external = external_benchmark(self.data) if self.data is not None else []
        near = reshaped([*(record.statement for record in corpus.public), *corpus.pool, *corpus.benchmark, *external])
        return Filters([near], frozenset(fingerprints(corpus.benchmark)))

    @cached_property
    def public_memory(self) -> Memory:
        """Memory of the public corpus only."""
        memory = Memory(self.encoder, filters=self.filters)
        memory.add(self.corpus.public)
        return memory

    @cached_property
    def memory(self) -> Memory:
        """Memory of the public corpus and all proofs found so far, rebuilt from disk when a run resumes."""
        return self.memory_with(self.filters)

    def memory_with(self, filters: Filters) -> Memory:
        """Return a memory with the contents of `memory` and other filters."""
        memory = Memory(self.encoder, filters=filters)
        memory.add([*self.corpus.public, *self.found(self.experiment.iterations + 1)])
        return memory

    def trajectories(self, stage: str) -> list[Trajectory]:
        """Return the trajectories that a stage has stored so far."""
        return store.read(self.folder.stage(stage) / "trajectories", store.TRAJECTORIES)

    def put_trajectories(self, stage: str, trajectories: Sequence[Trajectory]) -> None:
        """Store trajectories of a stage."""
        store.append(self.folder.stage(stage) / "trajectories", store.TRAJECTORIES, trajectories)

    def policy(self) -> tuple[str, Params]:
        """Return the latest policy as (training stage, weights), or ("init", random weights) before the first."""
        if self._policy is None:
            self._policy = load_policy(self.folder, self.experiment, self.mesh) or ("init", self.fresh_params())
        return self._policy

    def require_policy(self) -> None:
        """Load the latest policy; raise InputError if no training stage is finished."""
        if self._policy is None:
            self._policy = trained_policy(self.folder, self.experiment, self.mesh)

    def fresh_params(self) -> Params:
        """Return randomly initialised weights."""
        with jax.set_mesh(self.mesh):
            return init_params(self.experiment.model, self.experiment.seed, self.mesh)

    def set_policy(self, stage: str, params: Params) -> None:
        """Set the current policy."""
        self._policy = (stage, params)

    def program(self, key: object, make: Callable[[], T]) -> T:
        """Return a compiled function, created once per key and shared by stages of equal shapes."""
        if key not in self._programs:
            self._programs[key] = make()
        return self._programs[key]  # type: ignore[return-value]

    def prover(self) -> Prover:
        """Return a prover with the current policy; its weights are published to the engine if they are not in use yet."""
        stage, params = self.policy()
        if "engine" in self.__dict__ and self._engine_policy != stage:
            publish_in_place(self.engine, params, policy_version(self.experiment, stage))
        self._engine_policy = stage
        return Prover(self.engine, self.verifier, self.template)

    @cached_property
    def engine(self) -> JaxEngine:
        stage, params = self.policy()
        version = policy_version(self.experiment, stage)
        return self._open.enter_context(engine_of(self.experiment.model, params, self.mesh, self.experiment.engine, version))

    def __enter__(self) -> "Workbench":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.close()
