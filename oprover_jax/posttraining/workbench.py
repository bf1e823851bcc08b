"""Resources shared by the stages of a run: mesh, Lean pool, theorems, tokenizer, memory, policy and engine, created on first use."""

from collections.abc import Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType

from jax.sharding import Mesh

from lean_worker.connect import open_lean
from lean_worker.http import read_key
from lean_worker.lean_config import LeanConfig
from lean_worker.lean_pool import LeanPool
from oprover_jax.agent.refine import Prover
from oprover_jax.agent.template import Template
from oprover_jax.corpus import store
from oprover_jax.corpus.corpus import open_corpus
from oprover_jax.corpus.theorems import Theorems
from oprover_jax.data.codec import Codec
from oprover_jax.ingest.near import reshaped
from oprover_jax.models.hf.export import Dtype
from oprover_jax.models.qwen3 import Qwen3Config
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.policy import (
    Weights,
    codec_of_run,
    engine_of,
    exported_files,
    initial_policy,
    load_policy,
    model_of,
    open_encoder,
    trained_policy,
)
from oprover_jax.posttraining.run_folder import RunFolder
from oprover_jax.posttraining.theorems import open_theorems
from oprover_jax.records import ProofRecord, Trajectory
from oprover_jax.retrieval.corpus_memory import open_memory, saved_encoder
from oprover_jax.retrieval.encoder import Encoder, LexicalEncoder
from oprover_jax.retrieval.memory import Filters, Memory
from oprover_jax.rollout.jax_engine import JaxEngine
from oprover_jax.rollout.publish import publish_in_place, publish_to_servers
from oprover_jax.rollout.sglang_engine import SGLangEngine, open_engine
from oprover_jax.sharding import make_mesh
from oprover_jax.statements.decontaminate import fingerprints
from oprover_jax.statements.external import external_benchmark
from oprover_jax.training.program import Programs
from oprover_jax.verify.verifier import Verifier


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
        self.programs = Programs()
        self._policy: Weights | None = None
        self._published: int | None = None

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
        return Verifier(self.pool, self.lean.patience)

    @cached_property
    def model(self) -> Qwen3Config:
        return model_of(self.experiment.policy)

    @cached_property
    def theorems(self) -> Theorems:
        """Theorems of the run, made on first use and read from the run folder afterwards."""
        return open_theorems(self.experiment.theorems, lambda: self.pool, self.folder.stage("corpus"))

    @cached_property
    def codec(self) -> Codec:
        return codec_of_run(self.folder, self.experiment)

    @cached_property
    def template(self) -> Template:
        return Template(self.codec, self.experiment.budget)

    @cached_property
    def encoder(self) -> Encoder:
        index = self.experiment.memory.index

        def fit() -> LexicalEncoder:
            known = saved_encoder(Path(index)) if index else None
            return known or LexicalEncoder.fit([record.statement for record in self.theorems.public])

        return open_encoder(self.experiment.memory.encoder, fit, self.mesh)

    def proofs(self, stage: str) -> list[ProofRecord]:
        """Return the verified proofs that a stage has found."""
        return store.read(self.folder.path / "stages" / stage / "proofs", store.PROOFS)

    def put_proofs(self, stage: str, records: list[ProofRecord]) -> None:
        """Store the proofs of a stage and add them to the memory. They are written as a whole, so an existing file is complete."""
        if not self.proofs(stage):
            store.append(self.folder.stage(stage) / "proofs", store.PROOFS, records)
        self.memory.add(records)

    def found(self, before: int) -> list[ProofRecord]:
        """Return the proofs found in all iterations before iteration `before`."""
        return [record for i in range(1, before) for stage in ("rollout", "gspo") for record in self.proofs(f"{stage}-{i}")]

    @cached_property
    def filters(self) -> Filters:
        """Filters of the memory: benchmark statements are never stored, and proofs of reshaped variants are never retrieved."""
        theorems = self.theorems
        external = external_benchmark(self.data) if self.data is not None else []
        near = reshaped([*(record.statement for record in theorems.public), *theorems.pool, *theorems.benchmark, *external])
        return Filters([near, *([theorems.near] if theorems.near else [])], frozenset(fingerprints(theorems.benchmark)))

    @cached_property
    def public_memory(self) -> Memory:
        """Memory of the public theorems only."""
        return self._public_memory(self.filters)

    @cached_property
    def memory(self) -> Memory:
        """Memory of the public theorems and all proofs found so far, rebuilt from disk when a run resumes."""
        return self.memory_with(self.filters)

    def memory_with(self, filters: Filters) -> Memory:
        """Return a memory with the contents of `memory` and other filters."""
        memory = self._public_memory(filters)
        memory.add(self.found(self.experiment.iterations + 1))
        return memory

    def _public_memory(self, filters: Filters) -> Memory:
        index = self.experiment.memory.index
        if not index:
            memory = Memory(self.encoder, filters=filters)
            memory.add(self.theorems.public)
            return memory
        corpus = open_corpus(self.experiment.theorems.corpus)
        known = set(self.theorems.report["commits"])
        commits = [commit for commit in corpus.commits() if commit.id in known]
        memory = open_memory(corpus, self.encoder, Path(index), filters=filters, commits=commits)
        public = {record.statement.id for record in self.theorems.public}
        memory.remove([identity for identity in memory.ids if identity not in public])  # near a held-out one, or not of this run
        return memory

    def rollouts(self, *stages: str) -> list[str]:
        """Return the files of trajectories that stages have stored so far; `data.rollouts` reads them without holding all."""
        return [str(part) for stage in stages for part in store.parts(self.folder.stage(stage) / "trajectories")]

    def put_trajectories(self, stage: str, trajectories: Sequence[Trajectory]) -> None:
        """Store trajectories of a stage."""
        store.append(self.folder.stage(stage) / "trajectories", store.TRAJECTORIES, trajectories)

    def policy(self) -> Weights:
        """Return the latest policy, which is the one that the run begins with before the first training stage."""
        if self._policy is None:
            latest = load_policy(self.folder, self.experiment, self.model, self.mesh)
            self._policy = latest or initial_policy(self.experiment, self.model, self.mesh)
        return self._policy

    def require_policy(self) -> None:
        """Load the latest policy; raise InputError if no training stage is finished."""
        if self._policy is None:
            self._policy = trained_policy(self.folder, self.experiment, self.model, self.mesh)

    def set_policy(self, weights: Weights) -> None:
        """Set the current policy."""
        self._policy = weights

    def prover(self) -> Prover:
        """Return a prover with the current policy; its weights are published to the engine if they are not in use yet."""
        return self.prover_with(self.policy())

    def prover_with(self, weights: Weights) -> Prover:
        """Return a prover whose engine samples from `weights`."""
        if "engine" not in self.__dict__:
            self.engine = self._open_engine(weights)
        elif self._published != weights.version:
            self._publish(self.engine, weights)
        self._published = weights.version
        return Prover(self.engine, self.verifier, self.template)

    @cached_property
    def engine(self) -> JaxEngine | SGLangEngine:
        """Engine that samples from the latest policy when it is opened, and later from what `prover_with` publishes."""
        return self._open_engine(self.policy())

    def _open_engine(self, weights: Weights) -> JaxEngine | SGLangEngine:
        settings = self.experiment.engine
        if not settings.urls:
            return self._open.enter_context(engine_of(self.model, weights.params, self.mesh, settings, weights.version))
        engine = self._open.enter_context(open_engine(settings.urls, key=read_key(settings.key_file, "OPROVER_API_KEY")))
        self._publish(engine, weights)
        return engine

    def _publish(self, engine: JaxEngine | SGLangEngine, weights: Weights) -> None:
        """Make an engine sample from `weights`; servers load them from the run folder, which they must see under the same path."""
        if isinstance(engine, JaxEngine):
            return publish_in_place(engine, weights.params, weights.version)
        files, end_id = exported_files(self.folder, self.experiment)
        dtype: Dtype = "float32" if self.model.dtype == "float32" else "bfloat16"
        publish_to_servers(
            engine,
            self.model,
            weights.params,
            weights.version,
            self.folder.path / "served",
            dtype=dtype,
            extra_files=files,
            end_id=end_id,
        )

    def __enter__(self) -> "Workbench":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._open.close()
