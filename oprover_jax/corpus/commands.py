"""`oprover corpus <verb>`: the OProofs corpus on the command line. Each verb's work stands in the module that it imports."""

from pathlib import Path

import tyro

corpus_app = tyro.extras.SubcommandApp()


@corpus_app.command(name="show")
def show_command(corpus: tyro.conf.Positional[str]) -> None:
    """Say what a corpus holds: rows by source and licence, and its last commits.

    Args:
      corpus: Folder of the corpus, or its URL (s3://..., gs://...).
    """
    from oprover_jax.corpus.corpus import open_corpus
    from oprover_jax.corpus.show import show
    from oprover_jax.progress import Screen

    show(open_corpus(corpus), Screen().console)


@corpus_app.command(name="tidy")
def tidy_command(corpus: tyro.conf.Positional[str], days: float = 7.0) -> None:
    """Remove the files that crashed or failed appends left behind. What was committed stays.

    Args:
      corpus: Folder of the corpus, or its URL.
      days: Younger files stay: an append that is still at work has such files too.
    """
    from oprover_jax.corpus.corpus import open_corpus
    from oprover_jax.progress import Screen

    removed = open_corpus(corpus).tidy(days * 24 * 3600)
    Screen().line(f"{len(removed)} files removed")


@corpus_app.command(name="add")
def add_command(corpus: str, run: Path) -> None:
    """Take the proofs and trajectories of an `oprover iterate` run into a corpus, finished or not; what is there already stays as it is.

    Statements of the run's benchmark are left out. Of a run that goes on, the finished stages are taken; call it again later.

    Args:
      corpus: Folder of the corpus, or its URL; made if it is not there.
      run: Folder of the run.
    """
    from oprover_jax.posttraining.add_run import add_run
    from oprover_jax.progress import Screen

    add_run(corpus, run, Screen())


@corpus_app.command(name="reprove")
def reprove_command(
    corpus: str, run: Path, limit: int | None = None, samples: int = 4, rounds: int = 2, batch: int = 64, seed: int = 0
) -> None:
    """Try the statements of a corpus that have no verified proof, those with the fewest tries first, with the last policy of a run.

    Proofs that Lean accepted twice go into the corpus, and every trajectory with its failed attempts and repairs, batch by batch.
    Killed at any moment, the same command goes on; finished, it changes nothing until --samples is raised. Several may work on one
    corpus, each with a --seed of its own.

    Args:
      corpus: Folder of the corpus, or its URL.
      run: Folder of the run whose last policy is used.
      limit: At most so many statements; all of them if left out.
      samples: Rollouts by this run on each statement, those of earlier calls included.
      rounds: Attempts with Lean's answer in between, at most, per rollout.
      batch: Statements per commit.
      seed: Another order and other draws for another number.
    """
    from oprover_jax.posttraining.reprove import ReproveConfig, reprove_with_run
    from oprover_jax.progress import Screen

    reprove_with_run(corpus, run, ReproveConfig(limit, samples, rounds, batch, seed), Screen())
