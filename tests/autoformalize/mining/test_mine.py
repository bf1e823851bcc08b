"""The mine as a whole: candidates with their lineage, counted losses, and what a kill leaves."""

import io
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from rich.console import Console

from oprover_jax.autoformalize.mining.candidates import Candidate, read_candidates
from oprover_jax.autoformalize.mining.funnel import Funnel, print_funnel
from oprover_jax.autoformalize.mining.mine import Mine, MineConfig, mine
from oprover_jax.errors import InputError
from oprover_jax.progress import ProgressConsole
from tests.autoformalize.mining.conftest import prose, statements

pytestmark = pytest.mark.multiprocess

PAGES = 12
CONFIG = MineConfig(shard=2, licence="CC0-1.0", threshold=0.3)


@pytest.fixture
def text(tmp_path: Path) -> Path:
    """Pages of three statements of their own, one that all pages have, a proof, and prose."""
    folder = tmp_path / "text"
    (folder / "deep").mkdir(parents=True)
    own, other = statements(3 * PAGES, seed=5), prose(2 * PAGES, seed=5)
    for number in range(PAGES):
        shared = "Theorem 1. Suppose that $a < b$ are integers. Find all solutions of $x^2 = 99999$."
        blocks = [*own[3 * number : 3 * number + 3], shared, *other[2 * number : 2 * number + 2], "Short.", "Proof. It is clear."]
        (folder / "deep" / f"page{number:02}.md").write_text("\n\n".join(blocks))
    return folder


def quiet() -> ProgressConsole:
    return ProgressConsole(Console(quiet=True))


def mined(job: Mine, workers: int = 1) -> tuple[Funnel, list[Candidate]]:
    funnel = mine(job, workers, quiet())
    return funnel, read_candidates(job.out)


def overlaps(texts: Sequence[str]) -> list[str]:
    """Stands in for the benchmarks: one text of theirs."""
    return ["bench/7" if text == statements(3 * PAGES, seed=5)[7] else "" for text in texts]


def test_every_passage_is_a_candidate_or_a_counted_loss(text: Path, classifier_file: Path, tmp_path: Path) -> None:
    (text / "bad.md").write_bytes(b"\xff")
    funnel, found = mined(Mine(text, classifier_file, tmp_path / "out", CONFIG, overlaps))
    own = statements(3 * PAGES, seed=5)
    assert {c.text for c in found} >= {t for t in own if t != own[7]} and own[7] not in {c.text for c in found}
    assert [c.text for c in found].count("Suppose that $a < b$ are integers. Find all solutions of $x^2 = 99999$.") == 1
    pages, passages, distinct = funnel.steps
    assert (pages.entered, pages.left, pages.lost) == (PAGES + 1, PAGES, {"unreadable": 1})
    assert passages.entered == 8 * PAGES and passages.lost["in a proof"] == passages.lost["too short"] == PAGES
    assert passages.lost["overlaps a benchmark"] == 1 and distinct.lost == {"said before": PAGES - 1}
    for step in funnel.steps:
        assert step.entered == step.left + sum(step.lost.values())
    assert len(found) == distinct.left
    one = next(c for c in found if c.text == own[4])
    assert (one.where, one.place, one.licence, one.kind) == ("deep/page01.md", 1, "CC0-1.0", "paragraph") and one.score > 0.5
    reports = [msgspec.json.decode(p.read_bytes()) for p in (tmp_path / "out" / "parts").glob("*.json")]
    assert [r["unreadable"] for r in reports if r["unreadable"]] == [["bad.md: not UTF-8"]]
    assert [r["contaminated"] for r in reports if r["contaminated"]] == [["deep/page02.md passage 1: bench/7"]]


def test_the_table_shows_every_loss(text: Path, classifier_file: Path, tmp_path: Path) -> None:
    funnel, _ = mined(Mine(text, classifier_file, tmp_path / "out", CONFIG))
    written = io.StringIO()
    print_funnel(funnel, Console(width=100, file=written))
    shown = written.getvalue()
    assert f"{PAGES} in a proof" in shown and f"{PAGES - 1} said before" in shown


def test_processes_make_no_difference(text: Path, classifier_file: Path, tmp_path: Path) -> None:
    alone = mined(Mine(text, classifier_file, tmp_path / "alone", CONFIG))
    assert mined(Mine(text, classifier_file, tmp_path / "beside", CONFIG), workers=2) == alone


SLOWLY = """
import sys, time
from pathlib import Path
from rich.console import Console
from oprover_jax.autoformalize.mining.mine import Mine, MineConfig, mine
from oprover_jax.progress import ProgressConsole

def slow(texts):
    time.sleep(0.4)
    return [""] * len(texts)

text, classifier, out = map(Path, sys.argv[1:])
mine(Mine(text, classifier, out, MineConfig(shard=2, licence="CC0-1.0", threshold=0.3), slow), 1, ProgressConsole(Console(quiet=True)))
"""


def nothing(texts: Sequence[str]) -> list[str]:
    return [""] * len(texts)


def test_a_kill_loses_no_finished_part(text: Path, classifier_file: Path, tmp_path: Path) -> None:
    out, undisturbed = tmp_path / "out", mined(Mine(text, classifier_file, tmp_path / "undisturbed", CONFIG, nothing))
    process = subprocess.Popen([sys.executable, "-c", SLOWLY, str(text), str(classifier_file), str(out)])
    while len(list((out / "parts").glob("*.json"))) < 2:
        assert process.poll() is None
        time.sleep(0.02)
    process.kill()
    process.wait()
    assert not (out / "candidates.parquet").exists()
    before = {path.name: path.stat().st_mtime_ns for path in (out / "parts").glob("*.json")}
    assert 2 <= len(before) < PAGES // CONFIG.shard
    assert mined(Mine(text, classifier_file, out, CONFIG, nothing)) == undisturbed
    assert {name: (out / "parts" / name).stat().st_mtime_ns for name in before} == before


def test_new_pages_are_added_and_old_candidates_keep_their_places(text: Path, classifier_file: Path, tmp_path: Path) -> None:
    job = Mine(text, classifier_file, tmp_path / "out", CONFIG)
    _, before = mined(job)
    (text / "a_new_page.md").write_text("Let $n$ be a natural number. Prove that $123456 + n$ is even.")
    funnel, after = mined(job)
    assert after[: len(before)] == before and len(after) == len(before) + 1 and funnel.notes["files"] == PAGES + 1


def test_other_settings_are_refused(text: Path, classifier_file: Path, tmp_path: Path) -> None:
    job = Mine(text, classifier_file, tmp_path / "out", CONFIG)
    mined(job)
    with pytest.raises(InputError, match="other settings"):
        mine(Mine(text, classifier_file, tmp_path / "out", MineConfig(shard=3)), 1, quiet())
    with pytest.raises(InputError, match="no readable files"):
        (tmp_path / "empty").mkdir()
        mine(Mine(tmp_path / "empty", classifier_file, tmp_path / "out2", CONFIG), 1, quiet())
    with pytest.raises(InputError, match="is not empty"):
        mine(Mine(text, classifier_file, text, CONFIG), 1, quiet())
