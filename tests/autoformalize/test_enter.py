"""What is left goes into the corpus: once, with its lineage, and without what a benchmark or the corpus has."""

from pathlib import Path

import pytest
from rich.console import Console

from lean_worker.pool import Pool
from oprover_jax.autoformalize.enter import enter
from oprover_jax.autoformalize.pipeline import formalize_texts
from oprover_jax.corpus.corpus import open_corpus
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import Statement
from oprover_jax.statements.normalize import statement_id
from tests.autoformalize.scripted import ScriptedEngine
from tests.autoformalize.test_pipeline import CONFIG, GOOD, Scripted, settings, texts

pytestmark = pytest.mark.lean

QUIET = ProgressConsole(Console(quiet=True))
SUM = "theorem c (a b : Nat) : a + b = b + a := by sorry"


@pytest.fixture(scope="module")
def work(lean: Pool, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two texts came through: squaring is monotone, sums commute."""
    folder = tmp_path_factory.mktemp("formalize") / "work"
    formalize_texts(texts(), folder, settings(), Scripted(lean).tools(), QUIET)
    return folder


def test_statements_enter_once_with_their_lineage(work: Path, tmp_path: Path) -> None:
    corpus = open_corpus(tmp_path / "corpus", create=True)
    step = enter(work, settings(), corpus, [], QUIET)
    assert (step.entered, step.left, sum(step.lost.values())) == (2, 2, 0)
    found = {statement.informal: statement for statement in corpus.statements()}
    statement = found["Squaring is monotone {formal}."]
    assert statement.formal == f"{GOOD} := by sorry" and statement.id == statement_id(statement.formal)
    assert (statement.source, statement.licence, statement.difficulty) == ("informal", "MIT", 0) and statement.lean
    lineage = {row["statement_id"]: row for row in corpus.dataset("formalizations").to_table().to_pylist()}
    assert set(lineage) == {statement.id for statement in found.values()}
    row = lineage[statement.id]
    assert (row["url"], row["place"], row["sample"], row["formalizer"]) == ("https://x.org/0", 0, 0, "scripted")
    assert row["faithful"] == pytest.approx(0.85) and row["judgements"][1] == "Score: 8" and "vacuous, omega: error" in row["tried"]

    assert enter(work, settings(), corpus, [], QUIET) == step
    assert len(corpus.commits()) == 1 and corpus.commits()[0].note["verb"] == "formalize"


def test_what_the_corpus_or_a_benchmark_has_stays_out(work: Path, tmp_path: Path) -> None:
    corpus = open_corpus(tmp_path / "corpus", create=True)
    benchmark = Statement(statement_id(SUM), "add_comm", "theorem add_comm (n m : Nat) : n + m = m + n := by sorry", family="bench")
    step = enter(work, settings(), corpus, [benchmark], QUIET)
    assert (step.entered, step.left, sum(step.lost.values())) == (2, 1, 1)
    assert [statement.informal for statement in corpus.statements()] == ["Squaring is monotone {formal}."]
    assert corpus.dataset("formalizations").count_rows() == 1


def test_an_empty_harvest_is_a_harvest(lean: Pool, tmp_path: Path) -> None:
    corpus, work = open_corpus(tmp_path / "corpus", create=True), tmp_path / "work"
    nothing = Scripted(lean, formalizer=ScriptedEngine(lambda _: ["I cannot."] * CONFIG.formalizer.num_samples))
    formalize_texts(texts(2), work, settings(), nothing.tools(), QUIET)
    step = enter(work, settings(), corpus, [], QUIET)
    assert (step.entered, step.left, step.lost) == (0, 0, {}) and list(corpus.statements()) == []
