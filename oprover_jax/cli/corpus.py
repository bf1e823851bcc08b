"""`oprover corpus <verb>`: command-line access to the OProofs corpus. Each verb imports the module that does its work."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from lean_worker.commands import Commands
from lean_worker.lean_config import LeanConfig
from oprover_jax.cli.servers import Servers, open_servers

if TYPE_CHECKING:
    from oprover_jax.ingest.config import BuildConfig

Overrides = Annotated[tuple[str, ...], tyro.conf.arg(name="set", metavar="KEY=VALUE"), tyro.conf.UseAppendAction]
Columns = Annotated[tuple[str, ...], tyro.conf.arg(metavar="MEANING=COLUMN"), tyro.conf.UseAppendAction]

DEFAULT_LEAN = LeanConfig()

corpus_app = Commands()


@corpus_app.command("show")
def show_command(corpus: tyro.conf.Positional[str]) -> None:
    """Show the contents of a corpus: rows by source and licence, and the latest commits.

    Args:
      corpus: Corpus folder or URL (s3://..., gs://...).
    """
    from oprover_jax.corpus.corpus import open_corpus
    from oprover_jax.corpus.show import show
    from oprover_jax.progress import ProgressConsole

    show(open_corpus(corpus), ProgressConsole().rich)


@corpus_app.command("tidy")
def tidy_command(corpus: tyro.conf.Positional[str], days: float = 7.0) -> None:
    """Remove files left behind by crashed or failed appends. Committed data is never removed.

    Args:
      corpus: Corpus folder or URL.
      days: Keep files younger than this many days; a running append has such files too.
    """
    from oprover_jax.corpus.corpus import open_corpus
    from oprover_jax.progress import ProgressConsole

    removed = open_corpus(corpus).tidy(days * 24 * 3600)
    ProgressConsole().line(f"{len(removed)} files removed")


@corpus_app.command("add")
def add_command(corpus: str, run: Path) -> None:
    """Add the proofs and trajectories of an `oprover iterate` run to a corpus. Existing rows are not changed.

    The run may be unfinished: only its completed stages are added, so run the command again later. Statements of the run's benchmark are
    skipped.

    Args:
      corpus: Corpus folder or URL; created if it does not exist.
      run: Run folder.
    """
    from oprover_jax.commands.add_run import add_run
    from oprover_jax.progress import ProgressConsole

    add_run(corpus, run, ProgressConsole())


@corpus_app.command("reprove")
def reprove_command(
    corpus: str,
    run: Path,
    limit: int | None = None,
    num_samples: int = 4,
    rounds: int = 2,
    batch: int = 64,
    seed: int = 0,
    server: Servers = (),
    api_key_file: Path | None = None,
    lean: LeanConfig = DEFAULT_LEAN,
) -> None:
    """Prove the statements of a corpus that have no verified proof, using the latest policy of a run. Least-tried statements come first.

    Each batch commits the proofs that pass the tier for stored proofs and all trajectories, failed attempts and repairs included. If
    interrupted, run the same command again to resume. Once finished, it changes nothing until --num-samples is raised. Several processes
    may work on one corpus; give each its own --seed.

    Args:
      corpus: Corpus folder or URL.
      run: Run folder; its latest policy is used.
      limit: Maximum number of statements; no limit by default.
      num_samples: Rollouts per statement by this run, including those of earlier calls.
      rounds: Maximum number of attempts per rollout; each sees Lean's feedback on the previous one.
      batch: Statements per commit.
      seed: Random seed of the statement order and of sampling.
      server: Use the policy served at http://HOST:PORT instead of loading that of the run; repeat for several servers.
      api_key_file: File whose first line is the API key of the servers; defaults to the variable OPROVER_API_KEY.
      lean: Lean that checks the proofs; what is not given is that of the run.
    """
    from oprover_jax.commands.reprove import ReproveConfig, reprove_with_run
    from oprover_jax.progress import ProgressConsole

    with open_servers(server, api_key_file) as engine:
        reprove_with_run(corpus, run, ReproveConfig(limit, num_samples, rounds, batch, seed), ProgressConsole(), lean, engine)


@corpus_app.command("build")
def build_command(
    config: Path,
    corpus: str,
    data: Path | None = None,
    staging: Path | None = None,
    overrides: Overrides = (),
    lean: LeanConfig = DEFAULT_LEAN,
) -> None:
    """Build or extend a corpus from published theorem datasets: read, deduplicate, decontaminate, verify with Lean, commit.

    If interrupted, run the same command again to resume; once finished, it changes nothing. Rejected rows are kept, with the reason, in
    the quarantine of the corpus and in CORPUS.builds.

    Args:
      config: Python configuration file with the sources and checks, such as configs/corpus_mini.py.
      corpus: Corpus folder or URL; created if it does not exist.
      data: Folder with the source files and benchmarks; defaults to OPROVER_DATA.
      staging: Local folder for the intermediate files of the build; defaults to CORPUS.builds.
      overrides: Override configuration values, such as --set verify.lean.workers=8 --set verify.enabled=false.
      lean: Lean that checks the proofs; what is not given is that of the configuration.
    """
    from oprover_jax.configuration import load
    from oprover_jax.ingest.config import BuildConfig

    _build(load(config, BuildConfig, overrides), corpus, data, staging, lean)


@corpus_app.command("ingest")
def ingest_command(
    corpus: str,
    kind: str,
    path: str,
    name: str,
    licence: str = "",
    lean_version: str = "",
    upstream: str = "",
    column: Columns = (),
    data: Path | None = None,
    staging: Path | None = None,
    overrides: Overrides = (),
    lean: LeanConfig = DEFAULT_LEAN,
) -> None:
    """Add one theorem dataset to a corpus: a build with a single source.

    Supported kinds: oproofs, numina-math-lean, lean-workbook, leanabell, goedel-pset and pairs (see
    oprover_jax/ingest/sources/layouts.py); jsonl and parquet with your own --column mapping; lean for .lean files.

    Args:
      corpus: Corpus folder or URL; created if it does not exist.
      kind: Layout of the files.
      path: File, folder or glob pattern; relative paths are resolved against the data folder.
      name: Name of the dataset in the corpus.
      licence: Licence of rows that state none; "unknown" by default.
      lean_version: Versions of Lean and Mathlib that the rows were written for.
      upstream: Who verified the proofs upstream; if empty, proofs that our Lean rejects are taken as wrong.
      column: Map a meaning to a column name, such as --column formal=stmt --column proof=code.
      data: Folder with the path and the benchmarks; defaults to OPROVER_DATA.
      staging: Local folder for intermediate files; defaults to CORPUS.builds.
      overrides: Override configuration values, such as --set verify.retries=0 --set benchmarks=[].
      lean: Lean that checks the proofs; its default time limit is 20 s here.
    """
    from oprover_jax.configuration import apply_overrides
    from oprover_jax.errors import InputError
    from oprover_jax.ingest.config import BuildConfig, Source

    malformed = next((mapping for mapping in column if "=" not in mapping), None)
    if malformed is not None:
        raise InputError(f"--column: {malformed!r} has no '='; write it as meaning=column")
    pairs = tuple((meaning, title) for meaning, _, title in (mapping.partition("=") for mapping in column))
    config = BuildConfig((Source(name, kind, path, licence=licence, lean=lean_version, upstream=upstream, columns=pairs),))
    _build(apply_overrides(config, overrides), corpus, data, staging, lean)


def _build(config: "BuildConfig", corpus: str, data: Path | None, staging: Path | None, lean: LeanConfig) -> None:
    import os
    from dataclasses import replace

    from oprover_jax.ingest.build import build_corpus
    from oprover_jax.ingest.report import print_report
    from oprover_jax.progress import ProgressConsole

    console = ProgressConsole()
    config = replace(config, verify=replace(config.verify, lean=lean.over(config.verify.lean)))
    folder = data or (Path(os.environ["OPROVER_DATA"]) if os.environ.get("OPROVER_DATA") else None)
    report = build_corpus(config, corpus, folder, console, staging)
    if report is not None:
        print_report(report, console.rich)


@corpus_app.command("index")
def index_command(
    corpus: tyro.conf.Positional[str],
    encoder: str = "lexical",
    out: Path | None = None,
    data: Path | None = None,
    overrides: Overrides = (),
) -> None:
    """Build the retrieval memory of a corpus' verified proofs and save it next to the corpus, or add what was committed since.

    The search tree is saved too, so that loading does not train it again. If nothing is new, nothing changes. An index that is torn or
    was built with another encoder or other benchmarks is built again, and the command says why.

    Args:
      corpus: Corpus folder or URL.
      encoder: "lexical", "minilm", or the folder of a policy: a run, or a Qwen3 model in Hugging Face format.
      out: Folder of the index; defaults to CORPUS.index/ENCODER.
      data: Folder with benchmarks/, defaults to OPROVER_DATA; their statements never enter the index.
      overrides: Override search settings, such as --set stored=float16 --set exact_up_to=50000.
    """
    from oprover_jax.commands.index_corpus import index_with
    from oprover_jax.configuration import apply_overrides
    from oprover_jax.posttraining.iterate import data_folder
    from oprover_jax.progress import ProgressConsole
    from oprover_jax.retrieval.index import IndexConfig

    index_with(corpus, encoder, out, data_folder(data), apply_overrides(IndexConfig(), overrides), ProgressConsole())


@corpus_app.command("train-classifier")
def train_classifier_command(labelled: Path, out: Path, overrides: Overrides = ()) -> None:
    """Train the classifier that separates mathematical statements from other text.

    One tenth of the rows is held out: half selects the threshold, half is used for the reported metrics. The same rows and seed produce
    the same file.

    Args:
      labelled: JSONL file; each row has `text` and a `label`, "statement" or "other".
      out: Output file (.npz) with settings, threshold and held-out metrics.
      overrides: Override settings, such as --set seed=1 --set precision=0.99 (precision on the calibration rows at the threshold).
    """
    from oprover_jax.autoformalize.mining.classifier import ClassifierConfig
    from oprover_jax.autoformalize.mining.fit import train_classifier
    from oprover_jax.configuration import apply_overrides
    from oprover_jax.progress import ProgressConsole

    train_classifier(labelled, out, apply_overrides(ClassifierConfig(), overrides), ProgressConsole())


@corpus_app.command("mine")
def mine_command(text: Path, classifier: Path, out: Path, data: Path | None = None, workers: int = 2, overrides: Overrides = ()) -> None:
    """Mine candidate mathematical statements from web pages and GitHub text.

    Reads .html, .md, .rst, .tex, .txt and .jsonl files (rows with text or html, url, licence). If interrupted, run the same command again
    to resume; new files are picked up.

    Args:
      text: Folder with the files, searched recursively.
      classifier: Classifier file written by `oprover corpus train-classifier`.
      out: Output folder for the candidates.
      data: Folder with benchmarks/, defaults to OPROVER_DATA; passages that overlap with a benchmark statement are skipped.
      workers: Number of processes.
      overrides: Override settings, such as --set threshold=0.5 --set licence=CC-BY-SA-4.0 (licence of pages that state none).
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


@corpus_app.command("formalize")
def formalize_command(
    candidates: Path,
    corpus: str,
    work: Path,
    formalizer: Path,
    critic: Path | None = None,
    config: Path | None = None,
    data: Path | None = None,
    overrides: Overrides = (),
    lean: LeanConfig = DEFAULT_LEAN,
) -> None:
    """Formalize mined texts: a policy writes theorems, Lean elaborates them, a critic scores them, and vacuous ones are dropped.

    Accepted statements that are new enter the corpus in one commit, each with its lineage. If interrupted, run the same command again to
    resume. Prove the statements with `oprover corpus reprove`.

    Args:
      candidates: Folder written by `oprover corpus mine`.
      corpus: Corpus folder or URL; created if it does not exist.
      work: Folder for the results of each stage; rejected texts are kept with the reason.
      formalizer: Policy that writes the theorems: a run folder, or a Qwen3 model folder in Hugging Face format.
      critic: Policy that scores the theorems, in the same formats; defaults to the formalizer.
      config: Python file with a FormalizeConfig, such as configs/formalize_mathlib.py; defaults to settings for core Lean.
      data: Folder with benchmarks/, defaults to OPROVER_DATA; its statements never enter the corpus.
      overrides: Override settings, such as --set formalizer.num_samples=8 --set faithful=0.8.
      lean: Lean that elaborates the theorems; what is not given is that of the configuration.
    """
    from dataclasses import replace

    from oprover_jax.autoformalize.config import FormalizeConfig
    from oprover_jax.commands.formalize import Sources, formalize_into
    from oprover_jax.configuration import apply_overrides, load
    from oprover_jax.posttraining.iterate import data_folder
    from oprover_jax.progress import ProgressConsole

    settings = load(config, FormalizeConfig, overrides) if config is not None else apply_overrides(FormalizeConfig(), overrides)
    settings = replace(settings, lean=lean.over(settings.lean))
    sources = Sources(candidates, formalizer, critic or formalizer, data_folder(data))
    formalize_into(corpus, work, sources, settings, ProgressConsole())


@corpus_app.command("stats")
def stats_command(corpus: tyro.conf.Positional[str], out: Path | None = None) -> None:
    """Report the composition of a corpus: domain, difficulty, source, licence, Lean version, proofs, retrieval and feedback.

    Args:
      corpus: Corpus folder or URL.
      out: Also write stats.json, stats.png and stats.svg to this folder; created if it does not exist.
    """
    from oprover_jax.corpus.corpus import open_corpus
    from oprover_jax.corpus.stats import corpus_stats
    from oprover_jax.corpus.stats_report import print_stats, write_stats
    from oprover_jax.progress import ProgressConsole

    console, stats = ProgressConsole(), corpus_stats(open_corpus(corpus))
    print_stats(stats, console.rich)
    if out is not None:
        console.line("written: " + ", ".join(map(str, write_stats(stats, out))))


@corpus_app.command("tag")
def tag_command(corpus: tyro.conf.Positional[str], run: Path | None = None, limit: int | None = None) -> None:
    """Tag statements that lack a domain or difficulty, using a policy or rules. Tags are stored alongside the values from the source.

    The rules use keywords and statement length and are only a rough guide; each tag records its origin. If interrupted, run the same
    command again to resume; once finished, it changes nothing.

    Args:
      corpus: Corpus folder or URL.
      run: Run folder; its latest policy assigns the tags, with the rules as fallback for unreadable answers. Rules only if omitted.
      limit: Maximum number of statements; no limit by default.
    """
    from oprover_jax.commands.tag import tag
    from oprover_jax.progress import ProgressConsole

    tag(corpus, run, limit, ProgressConsole())


@corpus_app.command("export")
def export_command(
    corpus: tyro.conf.Positional[str],
    out: Path,
    licence: Annotated[tuple[str, ...], tyro.conf.arg(metavar="SPDX"), tyro.conf.UseAppendAction] = (),
    overwrite: bool = False,
) -> None:
    """Export a corpus for Hugging Face `datasets`: Parquet files and a dataset card with licences, counts and columns.

    Only rows whose licence permits redistribution are exported; skipped rows are counted. The folder is written atomically.

    Args:
      corpus: Corpus folder or URL.
      out: Output folder; never replaces a folder that is not an export.
      licence: SPDX identifier of a licence to include; repeat for several. Defaults to common open licences.
      overwrite: Replace an existing export.
    """
    from oprover_jax.corpus.corpus import open_corpus
    from oprover_jax.corpus.export import PERMITTED, ExportConfig, export_corpus
    from oprover_jax.progress import ProgressConsole

    export_corpus(open_corpus(corpus), out, ExportConfig(licence or PERMITTED), overwrite, ProgressConsole())


@corpus_app.command("import")
def import_command(export: tyro.conf.Positional[Path], corpus: str) -> None:
    """Import an export into a corpus, row for row; existing rows are not added again.

    File hashes are checked. Verdicts are trusted: proofs are not verified again.

    Args:
      export: Folder written by `oprover corpus export`, or a copy of it.
      corpus: Corpus folder or URL; created if it does not exist.
    """
    from oprover_jax.corpus.import_export import take_export
    from oprover_jax.progress import ProgressConsole

    take_export(export, corpus, ProgressConsole())
