"""The report page: every section is there, nothing comes from outside, and nothing that a model or a file wrote becomes markup."""

import io
import re
import xml.etree.ElementTree as ElementTree
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import msgspec
import plausible_run
import pytest
from rich.console import Console

from lean_worker.protocol import Message
from oprover_jax.corpus import store
from oprover_jax.evaluation.report import Report
from oprover_jax.evaluation.report_charts import nice_ticks, running_mean, trace_chart
from oprover_jax.evaluation.report_page import print_report, write_page
from oprover_jax.evaluation.report_trajectories import examples, marked_code, outcome

HOSTILE = "<script>alert('x')</script>\"'&<img src=x onerror=y>$title"
VOID = {"meta", "br", "img", "input", "hr", "link"}


class Outline(HTMLParser):
    """Collects tags and text and checks that every element that opens closes, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def outline(page: str) -> Outline:
    parsed = Outline()
    parsed.feed(page)
    assert not parsed.open
    return parsed


def page_of(folder: Path, report: Report | None = None, trajectories=None, metrics=None, decode=plausible_run.decode) -> str:
    path = write_page(
        folder,
        report or plausible_run.report(),
        plausible_run.metrics() if metrics is None else metrics,
        plausible_run.trajectories() if trajectories is None else trajectories,
        decode,
    )
    assert path == folder / "report.html" and [p.name for p in folder.iterdir()] == ["report.html"]
    return path.read_text(encoding="utf-8")


def test_all_that_the_run_showed_is_on_the_page(tmp_path) -> None:
    page = page_of(tmp_path)
    text = outline(page).text
    for name, value in zip(plausible_run.STAGES, plausible_run.PASS_AT_8):
        assert name in text and f"{100 * value:.1f}%" in text
    for word in (
        "no retrieval",
        "33.1%",
        "induction (unseen depth)",
        "31,877",
        "6,000",
        "iteration-2/gspo",
        "4,840",
        "after iteration-3",
        "17 min 22 s",
    ):
        assert word in text, word
    for word in (
        "but is expected to have type",
        "unknown constant 'List.length_flip'",
        "holds no complete code block",
        "51e0b3aa92f1",
        "Accepted by the kernel",
    ):
        assert word in text, word
    assert "240 held-out statements" in text and "18.5% after sft" in text


def test_nothing_comes_from_outside(tmp_path) -> None:
    page = page_of(tmp_path)
    assert not re.search(r"https?:|//\w|@import|url\(", page)
    parsed = outline(page)
    assert not parsed.tags & {"script", "link", "img", "iframe", "object", "embed"} and not parsed.attributes & {"src", "href"}


def test_svg_is_well_formed(tmp_path) -> None:
    charts = re.findall(r"<svg.*?</svg>", page_of(tmp_path), re.DOTALL)
    assert len(charts) == 2 + 6
    for chart in charts:
        assert "nan" not in chart and ElementTree.fromstring(chart).attrib["role"] == "img"


def hostile(value, depth: int = 0):
    """`value` with every text in it replaced, keys of mappings and names of fields kept out."""
    if isinstance(value, str):
        return HOSTILE
    if isinstance(value, list):
        return [hostile(v) for v in value]
    if isinstance(value, dict):
        return {k if k in KEPT else HOSTILE: v if k == "kind" else hostile(v) for k, v in value.items()}
    return value


KEPT = {
    *Report.__struct_fields__,
    "growth",
    "stage",
    "proofs",
    "statements",
    "family",
    "pass_at_8",
    "pass_at_1",
    "name",
    "seconds",
    "interval",
} | {*("n", "unread", "first_round", "attempts", "loss", "step", "tokens_per_second")}


def test_hostile_text_stays_text(tmp_path) -> None:
    report = msgspec.convert(hostile(msgspec.to_builtins(plausible_run.report())), Report)
    message = Message("error", 1, 3, 1, 9, HOSTILE)
    statement = msgspec.structs.replace(
        plausible_run.trajectories()[0].statement,
        id=HOSTILE,
        name=HOSTILE,
        formal=f"theorem {HOSTILE} := by sorry",
        header=HOSTILE,
        family=HOSTILE,
    )
    rounds = (
        plausible_run.played(HOSTILE, "error", (message,), (HOSTILE,), HOSTILE),
        plausible_run.played(None, "error", feedback=HOSTILE),
        plausible_run.played(HOSTILE, "accepted", axioms=(HOSTILE,)),
    )
    bad = msgspec.structs.replace(plausible_run.trajectories()[0], statement=statement, stage=HOSTILE, rounds=rounds)
    metrics = [{"stage": HOSTILE, "step": i, "loss": 1.0 / (i + 1)} for i in range(5)]
    folder = tmp_path / "<b>run"
    folder.mkdir()
    parsed = outline(page_of(folder, report, [bad], metrics, lambda _: HOSTILE))
    assert not parsed.tags & {"script", "img"} and not {a for a in parsed.attributes if a.startswith("on")}
    assert parsed.text.count("alert('x')") >= 20


def test_a_run_with_nothing_in_it_has_a_page_and_a_table(tmp_path) -> None:
    empty = Report(seed=0, seconds=0.0, stages=[], ablations=[], external=[], families=[], corpus={}, verdicts={})
    text = outline(page_of(tmp_path, empty, [], [])).text
    assert "No stage of this run has been evaluated." in text and "No trajectories stored." in text
    out = io.StringIO()
    print_report(empty, Console(file=out, width=80))
    assert "none" in out.getvalue()


def test_the_table_fits_80_columns_without_cutting_a_word() -> None:
    out = io.StringIO()
    print_report(plausible_run.report(), Console(file=out, width=80))
    shown = out.getvalue()
    assert "…" not in shown and max(map(len, shown.splitlines())) <= 80
    for words in (("pass@1", "pass@8", "95% interval", "rollouts", "time"), ("240 × 16",)):
        assert all(word in shown for word in words)


def test_ablation_bars_begin_at_one_place_and_carry_their_intervals(tmp_path) -> None:
    report = plausible_run.report()
    page = page_of(tmp_path, report)
    rows = re.findall(
        r'<span>([^<]*)</span><span class="track"><i style="width:([\d.]+)%"></i><u style="left:([\d.]+)%;width:([\d.]+)%">', page
    )
    scores = {score.name: score for score in [report.stages[-1], *report.ablations]}
    assert [name for name, *_ in rows] == list(scores) and page.count('<div class="bars">') == 2
    for name, width, left, across in rows:
        low, high = scores[name].interval
        assert float(left) < float(width) < float(left) + float(across)
        assert float(across) / float(width) == pytest.approx((high - low) / scores[name].pass_at_8, rel=0.02)
        assert f"{100 * low:.1f}–{100 * high:.1f}%" in page


def test_one_stage_that_proves_nothing_is_drawn(tmp_path) -> None:
    report = msgspec.structs.replace(plausible_run.report(), stages=[plausible_run.score("cpt", 0.0)])
    page = page_of(tmp_path, report, metrics=[{"stage": "cpt", "step": 1, "loss": 2.0}, {"stage": "cpt", "step": 2, "loss": float("nan")}])
    assert "nan" not in page.lower().replace("nanosecond", "") and "0.0%" in page


def test_a_failed_write_leaves_the_old_page(tmp_path, monkeypatch) -> None:
    before = page_of(tmp_path)

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr("os.replace", no_space)
        write_page(tmp_path, plausible_run.report(), [], [], plausible_run.decode)
    assert (tmp_path / "report.html").read_text() == before and len(list(tmp_path.iterdir())) == 1


def test_repairs_come_first_and_no_statement_twice(tmp_path) -> None:
    made = [msgspec.structs.replace(t, sample=10 * t.sample + i) for i in range(5) for t in plausible_run.trajectories()]
    files = [str(store.append(tmp_path, store.TRAJECTORIES, made[at : at + 7])) for at in range(0, len(made), 7)]
    chosen = examples(files)
    assert [outcome(t.accepted, len(t.rounds)) for t in chosen] == ["repaired", "repaired", "not proved", "not proved"]
    assert len({t.statement.id for t in chosen}) == len(chosen) and {t.sample % 10 for t in chosen} == {4}
    assert all(t in made for t in chosen)


def test_the_error_is_marked_where_lean_saw_it() -> None:
    marked = marked_code("theorem t : ¬p\n  simp <;> rfl", [Message("error", 2, 11, 2, 14, "no"), Message("warning", 1, 0, 1, 3, "so")])
    assert marked == ('<span><i>1</i>theorem t : ¬p</span><span class="error"><i>2</i>  simp &lt;;&gt; <u>rfl</u></span>')
    over_lines = marked_code("ab\ncd\nef", [Message("error", 1, 1, 3, 1, "no")])
    assert re.findall("<u>(.*?)</u>", over_lines) == ["b", "cd", "e"]


def test_the_terminal_table_is_whole_on_80_columns() -> None:
    out = io.StringIO()
    print_report(plausible_run.report(), Console(file=out, width=80))
    text = out.getvalue()
    assert "iteration-3" in text and "35.6–45.3%" in text and "no feedback" in text and "9,120 accepted" in text and "…" not in text


@pytest.mark.parametrize(("low", "high"), [(0.0, 0.45), (-0.013, 0.002), (3.0, 3.0), (0.0, 0.0), (120.0, 98000.0), (-2.0, -1.0)])
def test_ticks_hold_the_range_and_are_even(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low + 1e-9 and ticks[-1] >= high - 1e-9 and 2 <= len(ticks) <= 7
    assert {round((b - a) / (ticks[1] - ticks[0]), 6) for a, b in pairwise(ticks)} == {1.0}


def test_running_mean_and_a_chart_of_one_point() -> None:
    assert running_mean([1.0, 3.0, 5.0, 7.0], 2) == [1.0, 2.0, 4.0, 6.0]
    assert ElementTree.fromstring(trace_chart([(1.0, 0.5)], "one")).tag == "svg"
