"""`oprover corpus <verb>`: the OProofs corpus on the command line. Each verb's work stands in the module that it imports."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

if TYPE_CHECKING:
    from oprover_jax.ingest.config import BuildConfig

Overrides = Annotated[tuple[str, ...], tyro.conf.arg(name="set", metavar="KEY=VALUE"), tyro.conf.UseAppendAction]
Columns = Annotated[tuple[str, ...], tyro.conf.arg(metavar="MEANING=COLUMN"), tyro.conf.UseAppendAction]

corpus_app = tyro.extras.SubcommandApp()


@corpus_app.command(name="show")
def show_command(corpus: tyro.conf.Positional[str]) -> None:
    """Say what a corpus holds: rows by source and licence, and its last commits.

    Args:
      corpus: Folder of the corpus, or its URL (s3://..., gs://...).
    """
    from oprover_jax.corpus.corpus import open_corpus
    from oprover_jax.corpus.show import show
    from oprover_jax.progress import ProgressConsole

    show(open_corpus(corpus), ProgressConsole().rich)


@corpus_app.command(name="tidy")
def tidy_command(corpus: tyro.conf.Positional[str], days: float = 7.0) -> None:
    """Remove the files that crashed or failed appends left behind. What was committed stays.

    Args:
      corpus: Folder of the corpus, or its URL.
      days: Younger files stay: an append that is still at work has such files too.
    """
    from oprover_jax.corpus.corpus import open_corpus
    from oprover_jax.progress import ProgressConsole

    removed = open_corpus(corpus).tidy(days * 24 * 3600)
    ProgressConsole().line(f"{len(removed)} files removed")


@corpus_app.command(name="add")
def add_command(corpus: str, run: Path) -> None:
    """Take the proofs and trajectories of an `oprover iterate` run into a corpus, finished or not; what is there already stays as it is.

    Statements of the run's benchmark are left out. Of a run that goes on, the finished stages are taken; call it again later.

    Args:
      corpus: Folder of the corpus, or its URL; made if it is not there.
      run: Folder of the run.
    """
    from oprover_jax.commands.add_run import add_run
    from oprover_jax.progress import ProgressConsole

    add_run(corpus, run, ProgressConsole())


@corpus_app.command(name="reprove")
def reprove_command(
    corpus: str, run: Path, limit: int | None = None, num_samples: int = 4, rounds: int = 2, batch: int = 64, seed: int = 0
) -> None:
    """Try the statements of a corpus that have no verified proof, those with the fewest tries first, with the last policy of a run.

    Proofs that Lean accepted twice go into the corpus, and every trajectory with its failed attempts and repairs, batch by batch.
    Killed at any moment, the same command goes on; finished, it changes nothing until --num-samples is raised. Several may work on one
    corpus, each with a --seed of its own.

    Args:
      corpus: Folder of the corpus, or its URL.
      run: Folder of the run whose last policy is used.
      limit: At most so many statements; all of them if left out.
      num_samples: Rollouts by this run on each statement, those of earlier calls included.
      rounds: Attempts with Lean's answer in between, at most, per rollout.
      batch: Statements per commit.
      seed: Another order and other draws for another number.
    """
    from oprover_jax.commands.reprove import ReproveConfig, reprove_with_run
    from oprover_jax.progress import ProgressConsole

    reprove_with_run(corpus, run, ReproveConfig(limit, num_samples, rounds, batch, seed), ProgressConsole())


@corpus_app.command(name="build")
def build_command(config: Path, corpus: str, data: Path | None = None, staging: Path | None = None, overrides: Overrides = ()) -> None:
    """Build a corpus, or grow one, from published sets of theorems: read, remove copies and benchmarks, let Lean judge, commit.

    Killed at any moment, the same command goes on where it was; run again when it is done, it changes nothing. What did not enter is in
    the corpus' quarantine and in CORPUS.builds, with the reason.

    Args:
      config: The sources and how they are checked, a Python file such as configs/corpus_mini.py.
      corpus: Folder or URL of the corpus; made if it is not there.
      data: Folder that the sources' paths and the benchmarks are in; also read from OPROVER_DATA.
      staging: Where the stages of the build are kept, on this machine; CORPUS.builds if left out.
      overrides: Change one number of the configuration, such as --set verify.workers=8 --set verify.enabled=false.
    """
    from oprover_jax.configuration import load
    from oprover_jax.ingest.config import BuildConfig

    _build(load(config, BuildConfig, overrides), corpus, data, staging)


@corpus_app.command(name="ingest")
def ingest_command(
    corpus: str,
    kind: str,
    path: str,
    name: str,
    licence: str = "",
    lean: str = "",
    upstream: str = "",
    column: Columns = (),
    data: Path | None = None,
    staging: Path | None = None,
    overrides: Overrides = (),
) -> None:
    """Take one set of theorems into a corpus: a build of one source.

    Kinds are those of the layouts in oprover_jax/ingest/sources/layouts.py: oproofs, numina-math-lean, lean-workbook, leanabell,
    goedel-pset, pairs, and, with columns of your own, jsonl and parquet; lean for .lean files.

    Args:
      corpus: Folder or URL of the corpus; made if it is not there.
      kind: Which layout the files have.
      path: A file, a folder or a pattern, under the data folder unless absolute.
      name: What the set is called in the corpus.
      licence: Of rows that say nothing of their own; "unknown" if left out.
      lean: The Lean and Mathlib that the rows were written for.
      upstream: Who has checked the proofs; if left out, what our Lean refuses is taken for wrong.
      column: Name of a column by what it means, such as --column formal=stmt --column proof=code.
      data: Folder that the path and the benchmarks are in; also read from OPROVER_DATA.
      staging: Where the stages are kept, on this machine; CORPUS.builds if left out.
      overrides: Change one number of the configuration, such as --set verify.tier=fast --set benchmarks=[].
    """
    from oprover_jax.configuration import apply_override
    from oprover_jax.errors import InputError
    from oprover_jax.ingest.config import BuildConfig, Source

    wrong = next((one for one in column if "=" not in one), None)
    if wrong is not None:
        raise InputError(f"--column {wrong!r} has no '='; write it as meaning=column")
    pairs = tuple((meaning, title) for meaning, _, title in (one.partition("=") for one in column))
    config = BuildConfig((Source(name, kind, path, licence=licence, lean=lean, upstream=upstream, columns=pairs),))
    for change in overrides:
        config = apply_override(config, change)
    _build(config, corpus, data, staging)


def _build(config: "BuildConfig", corpus: str, data: Path | None, staging: Path | None) -> None:
    import os

    from oprover_jax.ingest.build import build_corpus
    from oprover_jax.ingest.report import print_report
    from oprover_jax.progress import ProgressConsole

    console = ProgressConsole()
    folder = data or (Path(os.environ["OPROVER_DATA"]) if os.environ.get("OPROVER_DATA") else None)
    report = build_corpus(config, corpus, folder, console, staging)
    if report is not None:
        print_report(report, console.rich)


@corpus_app.command(name="train-classifier")
def train_classifier_command(labelled: Path, out: Path, overrides: Overrides = ()) -> None:
    """Train the classifier that tells mathematical statements from other text.

    A tenth of the rows is kept back: half of it chooses the threshold, half is reported. The same rows and seed give the same file.

    Args:
      labelled: JSONL; each row has text, and label "statement" or "other".
      out: The file to write (.npz), with its settings, its threshold and its held-out figures.
      overrides: Change one number, such as --set seed=1 --set precision=0.99 (of the calibration rows at the threshold).
    """
    from oprover_jax.autoformalize.mining.classifier import ClassifierConfig
    from oprover_jax.autoformalize.mining.fit import train_classifier
    from oprover_jax.configuration import apply_overrides
    from oprover_jax.progress import ProgressConsole

    train_classifier(labelled, out, apply_overrides(ClassifierConfig(), overrides), ProgressConsole())


@corpus_app.command(name="mine")
def mine_command(text: Path, classifier: Path, out: Path, data: Path | None = None, workers: int = 2, overrides: Overrides = ()) -> None:
    """Mine candidate mathematical statements from web pages and GitHub text.

    Reads .html, .md, .rst, .tex, .txt and .jsonl (rows with text or html, url, licence). Killed at any moment, the same command goes on;
    files that are new since then are added.

    Args:
      text: Folder with the files, searched to any depth.
      classifier: What `train-classifier` wrote.
      out: Folder for the candidates.
      data: Folder with benchmarks/, also read from OPROVER_DATA: passages that overlap with a statement there are left out.
      workers: Processes.
      overrides: Change one number, such as --set threshold=0.5 --set licence=CC-BY-SA-4.0 (of pages that state none).
    """
    from oprover_jax.autoformalize.mining.funnel import print_funnel
    from oprover_jax.autoformalize.mining.mine import Mine, MineConfig, mine
    from oprover_jax.autoformalize.mining.overlap import overlap_with
    from oprover_jax.configuration import apply_overrides
    from oprover_jax.posttraining.iterate import data_folder
    from oprover_jax.progress import ProgressConsole

    console = ProgressConsole()
    job = Mine(text, classifier, out, apply_overrides(MineConfig(), overrides), overlap_with(data_folder(data), console))
    print_funnel(mine(job, workers, console), console.rich)


@corpus_app.command(name="formalize")
def formalize_command(
    candidates: Path,
    corpus: str,
    work: Path,
    formalizer: Path,
    critic: Path | None = None,
    lean: str = "",
    config: Path | None = None,
    data: Path | None = None,
    overrides: Overrides = (),
) -> None:
    """Formalize mined texts: a policy writes theorems, Lean elaborates them, a critic judges them, what says nothing is screened out.

    What is left and new goes into the corpus in one commit, each statement with its lineage. Killed at any moment, the same command goes
    on. Prove the statements with `oprover corpus reprove`.

    Args:
      candidates: Folder that `oprover corpus mine` wrote.
      corpus: Folder or URL of the corpus; made if it is not there.
      work: Folder for what the stages make of each text, lost ones with the reason.
      formalizer: Whose policy translates: a run folder, or a Qwen3 in a Hugging Face folder.
      critic: Whose policy judges, likewise; the formalizer's if left out.
      lean: Address of a Lean worker service, such as one with Mathlib (its key in LEAN_WORKER_KEY); the embedded Lean if left out.
      config: A Python file with a FormalizeConfig, such as configs/formalize_mathlib.py; settings for core Lean if left out.
      data: Folder with benchmarks/, also read from OPROVER_DATA: its statements never enter the corpus.
      overrides: Change one number, such as --set formalizer.num_samples=8 --set faithful=0.8.
    """
    from oprover_jax.autoformalize.config import FormalizeConfig
    from oprover_jax.commands.formalize import Sources, formalize_into
    from oprover_jax.configuration import apply_overrides, load
    from oprover_jax.posttraining.iterate import data_folder
    from oprover_jax.progress import ProgressConsole

    settings = load(config, FormalizeConfig, overrides) if config is not None else apply_overrides(FormalizeConfig(), overrides)
    sources = Sources(candidates, formalizer, critic or formalizer, lean, data_folder(data))
    formalize_into(corpus, work, sources, settings, ProgressConsole())


@corpus_app.command(name="stats")
def stats_command(corpus: tyro.conf.Positional[str], out: Path | None = None) -> None:
    """Count what a corpus is made of: domain, difficulty, source, licence, Lean version, proofs, retrieval and feedback.

    Args:
      corpus: Folder of the corpus, or its URL.
      out: Folder for stats.json, stats.png and stats.svg as well; made if it is not there.
    """
    from oprover_jax.corpus.corpus import open_corpus
    from oprover_jax.corpus.stats import corpus_stats
    from oprover_jax.corpus.stats_report import print_stats, write_stats
    from oprover_jax.progress import ProgressConsole

    console, stats = ProgressConsole(), corpus_stats(open_corpus(corpus))
    print_stats(stats, console.rich)
    if out is not None:
        console.line("written: " + ", ".join(map(str, write_stats(stats, out))))


@corpus_app.command(name="tag")
def tag_command(corpus: tyro.conf.Positional[str], run: Path | None = None, limit: int | None = None) -> None:
    """Tag statements whose source gives no domain or no difficulty, by a policy or by rules; kept beside what the source said.

    The rules look at the words and the length of the statement and are rough; every tag says who gave it. Killed at any moment, the same
    command goes on; run again when it is done, it changes nothing.

    Args:
      corpus: Folder of the corpus, or its URL.
      run: Folder of the run whose last policy is asked; rules alone if left out, and for what the policy has no readable answer to.
      limit: At most so many statements; all of them if left out.
    """
    from oprover_jax.commands.tag import tag
    from oprover_jax.progress import ProgressConsole

    tag(corpus, run, limit, ProgressConsole())


@corpus_app.command(name="export")
def export_command(
    corpus: tyro.conf.Positional[str],
    out: Path,
    licence: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SPDX"), tyro.conf.UseAppendAction] = (),
    overwrite: bool = False,
) -> None:
    """Write a corpus as a folder that Hugging Face `datasets` loads: Parquet and a card with licences, counts and columns.

    Only rows whose licence lets them be passed on are taken; what is left out is counted. The folder is there whole or not at all.

    Args:
      corpus: Folder of the corpus, or its URL.
      out: Folder to write; one that holds something else is left alone.
      licence: A licence to take, by its SPDX name, several with several; the usual open ones if left out.
      overwrite: Replace an older export that is there.
    """
    from oprover_jax.corpus.corpus import open_corpus
    from oprover_jax.corpus.export import PERMITTED, ExportConfig, export_corpus
    from oprover_jax.progress import ProgressConsole

    export_corpus(open_corpus(corpus), out, ExportConfig(licence or PERMITTED), overwrite, ProgressConsole())


@corpus_app.command(name="import")
def import_command(export: tyro.conf.Positional[Path], corpus: str) -> None:
    """Read an export back into a corpus, row for row; rows that are there already are not added again.

    Its files are checked by their hashes. Its verdicts are believed: Lean is not asked again.

    Args:
      export: A folder that `oprover corpus export` wrote, or a copy of it.
      corpus: Folder of the corpus, or its URL; made if it is not there.
    """
    from oprover_jax.corpus.import_export import take_export
    from oprover_jax.progress import ProgressConsole

    take_export(export, corpus, ProgressConsole())
