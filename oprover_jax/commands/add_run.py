"""`oprover corpus add`: add the statements, proofs and trajectories of an `oprover iterate` run to a corpus."""

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

import pyarrow as pa
from msgspec.structs import replace

from oprover_jax.corpus import store
from oprover_jax.corpus.corpus import Commit, Corpus, open_corpus
from oprover_jax.corpus.tables import TABLES, proof_row, rows_to_table, statement_row, trajectory_row
from oprover_jax.corpus.theorems import load_theorems
from oprover_jax.posttraining.plan import plan
from oprover_jax.posttraining.run_folder import RunFolder, open_run, read_header
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import ProofRecord, Statement, Trajectory


def add_run(where: str | Path, path: Path, console: ProgressConsole) -> list[Commit]:
    """Add the new rows of each finished stage of the run at `path` to the corpus, one commit per stage, made once.

    Adds public statements with their proofs, the statements of the pool, and from each stage that draws attempts (rollout, GSPO) all
    trajectories and the proofs that both tiers accepted. Benchmark statements are never added. The run folder is only read.

    Raises:
      InputError: `path` is not a run folder, or `where` is not a corpus.
    """
    folder, experiment = open_run(path)
    corpus, run = open_corpus(where, create=True), run_id(folder)
    commits: list[Commit] = []
    for stage in plan(experiment, external=False):
        if stage.kind not in ("corpus", "rollout", "gspo") or not folder.done(stage.name):
            continue
        if stage.kind == "gspo" and not store.parts(path / "stages" / stage.name / "trajectories"):
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
    """Return the run's identifier in a corpus: its name and a hash of its configuration, independent of the folder's location."""
    digest = hashlib.sha256((folder.path / "config.json").read_bytes()).hexdigest()
    return f"{read_header(folder.path).name}-{digest[:8]}"


def new_rows(
    corpus: Corpus,
    run: str,
    statements: Iterable[Statement] = (),
    proofs: Sequence[ProofRecord] = (),
    trajectories: Sequence[Trajectory] = (),
) -> dict[str, pa.Table]:
    """Return the rows of one commit: all trajectories, and the proofs and statements that `corpus` does not contain, deduplicated."""
    mentioned = [*statements, *(proof.statement for proof in proofs), *(trajectory.statement for trajectory in trajectories)]
    by_id = {statement.id: statement for statement in reversed(mentioned)}
    proved = {row["id"]: row for row in map(proof_row, proofs)}
    known, known_proofs = corpus.known("statements", by_id), corpus.known("proofs", proved)
    rows = {
        "statements": [statement_row(statement) for identity, statement in by_id.items() if identity not in known],
        "proofs": [row for identity, row in proved.items() if identity not in known_proofs],
        "trajectories": [trajectory_row(trajectory, run) for trajectory in trajectories],
    }
    return {table: rows_to_table(new, TABLES[table]) for table, new in rows.items()}


def _of_corpus(corpus: Corpus, path: Path, run: str) -> dict[str, pa.Table]:
    """Return the new rows of the run's generated theorems; there are several folders if a later release resumed the run."""
    built = [load_theorems(folder) for folder in sorted((path / "stages" / "corpus").glob("corpus-*"))]
    return new_rows(
        corpus, run, [s for synthetic in built for s in synthetic.pool], [proof for synthetic in built for proof in synthetic.public]
    )


def _of_rollout(corpus: Corpus, path: Path, run: str, stage: str) -> dict[str, pa.Table]:
    folder = path / "stages" / stage
    proofs = [replace(proof, origin=f"{run}/{proof.origin}") for proof in store.read(folder / "proofs", store.PROOFS)]
    return new_rows(corpus, run, (), proofs, store.read(folder / "trajectories", store.TRAJECTORIES))
