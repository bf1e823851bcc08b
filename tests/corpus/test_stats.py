"""Counts of a corpus, against the same counts made by hand from its rows; and what is printed and drawn of them."""

from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import msgspec
from PIL import Image
from rich.console import Console
from shared_corpus import small_corpus

from oprover_jax.corpus.corpus import open_corpus
from oprover_jax.corpus.stats import Bin, Count, Rounds, Stats, corpus_stats
from oprover_jax.corpus.stats_report import print_stats, shown, write_stats
from oprover_jax.corpus.tables import TABLES, rows_to_table
from oprover_jax.corpus.tagging import tag_corpus, tags_by_rules
from oprover_jax.progress import ProgressConsole


def test_counts_are_those_of_the_rows(tmp_path: Path) -> None:
    corpus = small_corpus(tmp_path / "c")
    tag_corpus(corpus, tags_by_rules, "", 100, None, ProgressConsole(Console(quiet=True)))
    [row] = corpus.dataset("proofs").to_table().slice(0, 1).to_pylist()
    earlier = {**row, "checked": "unchecked", "lean": "4.8"}  # taken over before Lean accepted it: one proof
    corpus.commit({"proofs": rows_to_table([earlier], TABLES["proofs"])}, {})
    found = corpus_stats(corpus)

    statements, proofs = list(corpus.statements()), list(corpus.proofs())
    assert len(proofs) == sum(n % 4 for n in range(30))
    totals = found.totals
    assert (totals.statements, totals.proved, totals.accepted, totals.unchecked) == (30, 22, len(proofs), 5)
    assert totals.proofs == len(proofs) + 5 and totals.quarantined == 1
    assert (totals.trajectories, totals.trajectories_accepted, totals.trajectories_undecided) == (4, 2, 1)
    for dimension in ("source", "licence"):
        by = {count.value: count for count in found.by[dimension]}
        assert {value: count.statements for value, count in by.items()} == Counter(getattr(s, dimension) for s in statements)
        assert {value: count.accepted for value, count in by.items()} == Counter(getattr(p.statement, dimension) for p in proofs)
        assert {value: count.proved for value, count in by.items()} == Counter(
            getattr(s, dimension) for s in {p.statement.id: p.statement for p in proofs}.values()
        )
    assert {c.value: (c.statements, c.proofs, c.accepted) for c in found.by["lean"]} == {
        "4.9": (30, 5, 0),
        "4.35.0": (0, len(proofs), len(proofs)),
    }
    own = [int(s.id, 16) for s in statements if s.domain]
    assert {c.value: c.statements for c in found.by["domain"]} == {"Order": len(own), "number theory": 30 - len(own)}
    assert {c.value: c.accepted for c in found.by["domain"]}["Order"] == sum(n % 4 for n in own)
    assert {c.value: c.statements for c in found.by["difficulty"]}["7"] == len(own)
    assert found.tagged_by == {"rules": 30 - len(own), "source": len(own)}
    assert found.kinds == {"tactic": len(proofs), "term": 5}

    lengths = [*(len(p.proof) for p in proofs), *[len("exact foo")] * 5]
    assert sum(b.count for b in found.proof_length) == len(lengths)
    assert all(b.count == sum(b.low <= n <= b.high for n in lengths) for b in found.proof_length)
    several = [n % 4 + (n % 6 == 0) for n in range(30)]
    assert [b.label for b in found.proofs_per_statement] == ["0", "1", "2", "3–4"]
    assert all(b.count == sum(b.low <= n <= b.high for n in several) for b in found.proofs_per_statement)
    assert found.rounds == [Rounds(False, False, 1, 0), Rounds(False, True, 1, 0), Rounds(True, False, 3, 1), Rounds(True, True, 1, 1)]

    assert corpus_stats(corpus, corpus.commits()[:1]).totals.trajectories == 0


def test_they_are_printed_written_and_drawn(tmp_path: Path) -> None:
    found = corpus_stats(small_corpus(tmp_path / "c"))
    console = Console(record=True, width=100, quiet=False, file=open(tmp_path / "log", "w"))  # noqa: SIM115
    print_stats(found, console)
    console.file.close()
    text = console.export_text()
    assert all(word in text for word in ("30 statements, 22 of them proved", "a/b c=d", "unknown", "repair, with retrieval"))
    paths = write_stats(found, tmp_path / "new" / "out")
    assert [path.name for path in paths] == ["stats.json", "stats.png", "stats.svg"]
    assert msgspec.json.decode(paths[0].read_bytes(), type=Stats) == found
    with Image.open(paths[1]) as image:
        assert image.size == (1800, 1560) and len(image.getcolors(1 << 24) or []) > 10
    assert ElementTree.fromstring(paths[2].read_text()).tag.endswith("svg")


def test_an_empty_corpus_has_stats_too(tmp_path: Path) -> None:
    found = corpus_stats(open_corpus(tmp_path / "c", create=True))
    assert found.totals.statements == 0 and found.proof_length == found.rounds == []
    assert write_stats(found, tmp_path / "out")[1].stat().st_size > 1000


def test_only_the_largest_values_are_shown_and_the_rest_is_summed() -> None:
    counts = [Count(f"s{n}", 20 - n, 1, 2, 1) for n in range(20)]
    assert [c.value for c in shown("source", counts)] == [*(f"s{n}" for n in range(12)), "8 others"]
    assert shown("source", counts)[-1] == Count("8 others", sum(range(1, 9)), 8, 16, 8)
    assert [c.value for c in shown("difficulty", [Count(n, 1, 0, 0, 0) for n in ("10", "0", "2")])] == ["2", "10", "unknown"]
    assert Bin(8, 8, 1).label == "8" and Bin(1024, 2047, 1).label == "1,024–2,047"
