"""What the stages of a run share: mesh, kernel, corpus, tokenizer, memory, policy and engine, each made when first needed."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import jax
from jax.sharding import Mesh

from lean_worker.pool import Pool
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
    """Use as a context manager: leaving it ends the Lean workers and the engine."""

    def __init__(self, experiment: Experiment, folder: RunFolder, data: Path | None = None) -> None:
        self.experiment = experiment
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
    def pool(self) -> Pool:
        return self._open.enter_context(
            Pool(workers=self.experiment.lean.workers, timeout=self.experiment.lean.timeout, trusted_headers=True)
        )

    @cached_property
    def verifier(self) -> Verifier:
        return Verifier(self.pool)

    @cached_property
    def corpus(self) -> DemoCorpus:
        """Built and verified at the first call, read from the run folder afterwards."""
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
        """Proofs that a stage's rollouts found and the kernel accepted."""
        return store.read(self.folder.stage(stage) / "proofs", store.PROOFS)

    def put_proofs(self, stage: str, found: list[ProofRecord]) -> None:
        """Into the corpus and the memory. A stage's proofs are written as a whole, so what is there already is complete."""
        if not self.proofs(stage):
            store.append(self.folder.stage(stage) / "proofs", store.PROOFS, found)
        self.memory.add(found)

    def found(self, before: int) -> list[ProofRecord]:
        """Proofs found in all iterations before iteration number `before`."""
        return [record for i in range(1, before) for record in self.proofs(f"rollout-{i}")]

    @cached_property
    def filters(self) -> Filters:
        """What no memory may hold: the benchmark, by its normal forms; and what it may not show: a proof of the same in another shape."""
        corpus = self.corpus
        external = external_benchmark(self.data) if self.data is not None else []
        near = reshaped([*(record.statement for record in corpus.public), *corpus.pool, *corpus.benchmark, *external])
        return Filters([near], frozenset(fingerprints(corpus.benchmark)))

    @cached_property
    def public_memory(self) -> Memory:
        """The public corpus alone."""
        memory = Memory(self.encoder, filters=self.filters)
        memory.add(self.corpus.public)
        return memory

    @cached_property
    def memory(self) -> Memory:
        """The public corpus and every proof found so far, indexed afresh from what is on disk when a run is taken up again."""
        return self.memory_with(self.filters)

    def memory_with(self, filters: Filters) -> Memory:
        """As `memory`, with other filters."""
        memory = Memory(self.encoder, filters=filters)
        memory.add([*self.corpus.public, *self.found(self.experiment.iterations + 1)])
        return memory

    def trajectories(self, stage: str) -> list[Trajectory]:
        """What a stage that proves has stored so far."""
        return store.read(self.folder.stage(stage) / "trajectories", store.TRAJECTORIES)

    def put_trajectories(self, stage: str, trajectories: Sequence[Trajectory]) -> None:
        store.append(self.folder.stage(stage) / "trajectories", store.TRAJECTORIES, trajectories)

    def policy(self) -> tuple[str, Params]:
        """(the training stage that made it, its weights); fresh random weights before the first."""
        if self._policy is None:
            self._policy = load_policy(self.folder, self.experiment, self.mesh) or ("init", self.fresh_params())
        return self._policy

    def require_policy(self) -> None:
        """Raises InputError where no training stage has left a policy yet."""
        if self._policy is None:
            self._policy = trained_policy(self.folder, self.experiment, self.mesh)

    def fresh_params(self) -> Params:
        with jax.set_mesh(self.mesh):
            return init_params(self.experiment.model, self.experiment.seed, self.mesh)

    def set_policy(self, stage: str, params: Params) -> None:
        self._policy = (stage, params)

    def program(self, key: object, make: Callable[[], T]) -> T:
        """A compiled function, made once for each key: stages of equal shapes share it."""
        if key not in self._programs:
            self._programs[key] = make()
        return self._programs[key]  # type: ignore[return-value]

    def prover(self) -> Prover:
        """Agent over the current policy; the engine gets its weights if they are not yet the ones it holds."""
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
