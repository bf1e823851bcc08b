"""`oprover corpus add`: what a run of `oprover iterate` proved, and how, becomes part of the corpus."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
from msgspec.structs import replace

from oprover_jax.corpus import store
from oprover_jax.corpus.corpus import Commit, Corpus, open_corpus
from oprover_jax.corpus.tables import TABLES, proof_row, rows_to_table, statement_row, trajectory_row
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.posttraining.plan import plan
from oprover_jax.posttraining.run_folder import RunFolder, open_run, read_header
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import ProofRecord, Statement, Trajectory
from oprover_jax.synthetic import build


def add_run(where: str | Path, path: Path, console: ProgressConsole) -> list[Commit]:
    """Adds what the finished stages of the run at `path` hold and the corpus does not; one commit for each, made once.

    Taken are public statements with their proofs, the pool's statements, and from each rollout the proofs that both tiers accepted and
    all trajectories. Nothing of the benchmark is. The run's folder is only read.

    Raises:
      InputError: for a folder that is no run, or holds something else than a corpus.
    """
    folder, experiment = open_run(path, Experiment)
    corpus, run = open_corpus(where, create=True), run_id(folder)
    commits: list[Commit] = []
    for stage in plan(experiment, external=False):
        if stage.kind not in ("corpus", "rollout") or not folder.done(stage.name):
            continue
        key = f"{run}/{stage.name}"
        if corpus.has(key):
            console.line(f"{key}: added earlier")
            continue
        rows = _of_corpus(corpus, path, run) if stage.kind == "corpus" else _of_rollout(corpus, path, run, stage.name)
        commit = corpus.commit(rows, {"command": "add", "run": run, "stage": stage.name}, key)
        if commit is not None:
            commits.append(commit)
            console.line(f"{key}: " + ", ".join(f"{commit.rows(table)} {table}" for table in TABLES if commit.rows(table)))
    return commits


def run_id(folder: RunFolder) -> str:
    """The run's name and a hash of its configuration: what a corpus calls it by, wherever its folder lies."""
    digest = hashlib.sha256((folder.path / "config.json").read_bytes()).hexdigest()
    return f"{read_header(folder.path).name}-{digest[:8]}"


def new_rows(
    corpus: Corpus,
    run: str,
    statements: Iterable[Statement] = (),
    proofs: Sequence[ProofRecord] = (),
    trajectories: Sequence[Trajectory] = (),
) -> dict[str, pa.Table]:
    """Rows for one commit: all trajectories, and of proofs and statements those that `corpus` has not, each once."""
    told = [*statements, *(proof.statement for proof in proofs), *(trajectory.statement for trajectory in trajectories)]
    by_id = {statement.id: statement for statement in reversed(told)}
    proved = {row["id"]: row for row in map(proof_row, proofs)}
    known, known_proofs = corpus.known("statements", by_id), corpus.known("proofs", proved)
    rows = {
        "statements": [statement_row(statement) for identity, statement in by_id.items() if identity not in known],
        "proofs": [row for identity, row in proved.items() if identity not in known_proofs],
        "trajectories": [trajectory_row(trajectory, run) for trajectory in trajectories],
    }
    return {table: rows_to_table(found, TABLES[table]) for table, found in rows.items()}


def _of_corpus(corpus: Corpus, path: Path, run: str) -> dict[str, pa.Table]:
    """What the run started from; it has several such folders where a later release took it up."""
    made = [build.load(found) for found in sorted((path / "stages" / "corpus").glob("corpus-*"))]
    return new_rows(corpus, run, [s for one in made for s in one.pool], [proof for one in made for proof in one.public])


def _of_rollout(corpus: Corpus, path: Path, run: str, stage: str) -> dict[str, pa.Table]:
    folder = path / "stages" / stage
    proofs = [replace(proof, origin=f"{run}/{proof.origin}") for proof in store.read(folder / "proofs", store.PROOFS)]
    return new_rows(corpus, run, (), proofs, store.read(folder / "trajectories", store.TRAJECTORIES))
