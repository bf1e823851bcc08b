"""`oprover corpus build`, whole: real Lean, small files, killed on the way, run twice."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from rich.console import Console

from lean_worker.lean_config import LeanConfig
from lean_worker.protocol import Message, Verdict
from lean_worker.tools.soak import HANG
from oprover_jax.cli.main import app
from oprover_jax.corpus.corpus import Corpus, open_corpus
from oprover_jax.errors import InputError
from oprover_jax.ingest import build
from oprover_jax.ingest.config import BuildConfig, Source, VerifyConfig
from oprover_jax.ingest.report import BuildReport, print_report
from oprover_jax.ingest.verify_proofs import outcome
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import utc_now
from oprover_jax.statements.benchmarks import Benchmark

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess]

MIT = "someone/logic@0123456789abcdef0123456789abcdef01234567"
PAIR = {"header": "", "needs": "core", "lean": "4.33.0", "licence": "MIT", "source": f"{MIT}:A.lean", "informal": ""}
FAST = VerifyConfig(lean=LeanConfig(workers=1, tier="fast"))


def pair(name: str, statement: str, proof: str, **more: Any) -> dict[str, Any]:
    return PAIR | {"name": name, "formal_statement": f"theorem {name} {statement} := by sorry", "proof": proof} | more


ROWS = [
    pair("one", "(p : Prop) : p → p", ":= fun h => h"),
    pair("two", "(p q : Prop) (hp : p) (hq : q) : p ∧ q", ":= by\n  exact ⟨hp, hq⟩"),
    pair("again", "(q : Prop) : q → q", ":= fun h => h"),
    pair("wrong", "(p q : Prop) : p → q", ":= fun h => h"),
    pair("beyond", "(x : Real) : x = x", ":= rfl"),
    pair("needing", "(x : ℝ) : x = x", ":= rfl", header="import Mathlib"),
    pair("saying", "(x : Nat) : x = x", ":= rfl", needs="mathlib"),
    pair("from_axiom", ": False", ":= cheat", header="axiom cheat : False"),
    pair("shape", "(n : Nat) : Nat", ":= n"),
    pair("flagged", "(r : Prop) : r → r ∨ r", ":= Or.inl", contaminates=["minif2f"]),
    pair("open", "(p q : Prop) : p ∨ q → q ∨ p", ":= by sorry"),
]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))
    return path


def config(*sources: Source, verify: VerifyConfig = FAST) -> BuildConfig:
    return BuildConfig(sources, verify=verify, benchmarks=())


def built(config: BuildConfig, corpus: Path, data: Path | None = None) -> BuildReport:
    report = build.build_corpus(config, corpus, data, ProgressConsole(Console(quiet=True)))
    assert report is not None
    return report


def tables(corpus: Corpus) -> dict[str, list[dict[str, Any]]]:
    """All rows, in an order of their own."""
    found = {table: corpus.dataset(table).to_table().to_pylist() for table in ("statements", "proofs", "quarantine")}
    return {table: sorted(rows, key=lambda row: json.dumps(row, default=str)) for table, rows in found.items()}


def undated(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Without what differs from one run of Lean to the next."""
    return {
        table: [row | {"seconds": 0.0, "verified_at": ""} if "seconds" in row else row for row in found] for table, found in rows.items()
    }


def test_a_build_keeps_judges_and_counts_everything(tmp_path: Path) -> None:
    write(tmp_path / "data" / "logic.jsonl", ROWS)
    source = Source("logic", "pairs", "logic.jsonl")
    report = built(config(source), tmp_path / "corpus", tmp_path / "data")
    corpus = open_corpus(tmp_path / "corpus")
    (one,) = report.sources
    assert (one.read, one.kept, one.refused) == (11, 10, {})
    assert one.copies == {"same proof": 1} and one.contaminated == {"contaminates": 1}
    assert one.accepted == 2
    assert one.unchecked == {
        "needs Mathlib": 2,
        "statement beyond this Lean's library": 1,
        "refused under this Lean's library, checked upstream": 1,
    }
    assert one.rejected == {"Lean rejected it (axiom)": 1, "no proposition": 1}
    found = tables(corpus)
    by_name = {row["name"]: row for row in found["statements"]}
    assert set(by_name) == {"one", "two", "wrong", "beyond", "needing", "saying", "from_axiom", "open"}
    assert {row["licence"] for row in found["statements"]} == {"MIT"} and {row["source"] for row in found["proofs"]} == {MIT}
    checked = {row["statement_id"]: row for row in found["proofs"]}
    accepted = checked[by_name["two"]["id"]]
    assert (accepted["checked"], accepted["proof"], accepted["kind"]) == ("accepted", "by\n  exact ⟨hp, hq⟩", "tactic")
    assert accepted["lean"] and accepted["library"] and accepted["seconds"] > 0 and accepted["verified_at"].startswith("20")
    kept = checked[by_name["wrong"]["id"]]
    assert (kept["checked"], kept["lean"], kept["library"], kept["axioms"]) == ("unchecked", "4.33.0", "", [])
    assert by_name["open"]["id"] not in checked and by_name["from_axiom"]["id"] not in checked
    assert [record.statement.name for record in corpus.proofs()] in (["one", "two"], ["two", "one"])
    (flag,) = [row for row in found["quarantine"] if row["reason"].startswith("contaminates")]
    assert "r ∨ r" not in json.dumps(found, ensure_ascii=False) and flag["where"] == "logic/logic.jsonl:10"
    (builds,) = (tmp_path / "corpus.builds").glob("*/")
    assert {path.name for path in builds.iterdir()} == {"report.json", "unchecked.parquet", "removed", ".lock"}
    words = {row["reason"]: row["words"] for row in pq.read_table(builds / "unchecked.parquet").to_pylist()}
    assert "mismatch" in words["refused under this Lean's library, checked upstream"].lower()
    assert (report.entered[0].statements, report.entered[0].proofs, report.entered[0].accepted) == (8, 6, 2)

    # nothing is done twice
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "corpus").rglob("*") if path.is_file()}
    console = Console(record=True, width=100, file=io.StringIO())
    again = build.build_corpus(config(source), tmp_path / "corpus", tmp_path / "data", ProgressConsole(console))
    assert again is not None and again == report and {path: path.stat().st_mtime_ns for path in before} == before
    print_report(again, console)
    shown = console.export_text()
    assert "nothing to do" in shown and "needs Mathlib" in shown and "someone/logic@0123456" in shown

    assert corpus.commits()[0].note["accepted"] == 2 and corpus.commits()[0].note["sources"] == "logic"
    elsewhere = build.build_corpus(
        config(source), tmp_path / "corpus", tmp_path / "data", ProgressConsole(Console(quiet=True)), tmp_path / "stages"
    )
    assert elsewhere is None and len(corpus.commits()) == 1

    # the corpus grows by what is new, and knows its statements again
    write(tmp_path / "data" / "more.jsonl", [*ROWS[:2], pair("two", "(p q : Prop) (hp : p) (hq : q) : p ∧ q", ":= And.intro hp hq")])
    (more,) = built(config(Source("more", "pairs", "more.jsonl")), tmp_path / "corpus", tmp_path / "data").sources
    assert (more.copies, more.accepted) == ({"same proof": 2}, 1)
    assert len(tables(corpus)["statements"]) == 8 and len(tables(corpus)["proofs"]) == 7


def test_of_unknown_origin_a_refused_proof_is_wrong(tmp_path: Path) -> None:
    path = write(tmp_path / "own.jsonl", [{"formal_statement": ROWS[3]["formal_statement"], "proof": "fun h => h"}])
    source = Source("own", "jsonl", str(path), columns=(("proof", "proof"),))
    report = built(config(source), tmp_path / "corpus")
    assert report.sources[0].rejected == {"Lean rejected it (error)": 1} and report.without_licence == 1
    found = tables(open_corpus(tmp_path / "corpus"))
    assert not found["proofs"] and found["statements"][0]["licence"] == "unknown"
    assert "mismatch" in found["quarantine"][0]["reason"].lower() and "fun h => h" in found["quarantine"][0]["row"]


def test_what_a_prover_read_and_wrote_is_kept_with_its_proof(tmp_path: Path) -> None:
    def row(statement: str, proof: str, answer: str) -> dict[str, str]:
        formal = f"theorem t {statement} := by sorry"
        return {"stmt": formal, "code": proof, "asked": f"Prove {statement}", "said": answer}

    swap = "(p q : Prop) (h : p ∧ q) : q ∧ p"
    rows = [
        row("(p : Prop) : p → p", "fun h => h", "id"),
        row("(p q : Prop) : p → q", "fun h => h", "wrong"),
        row(swap, "⟨h.2, h.1⟩", "first copy"),
        row(swap, "⟨h.2, h.1⟩", "second copy"),
        row(swap, "And.intro h.2 h.1", ""),
    ]
    path = write(tmp_path / "own.jsonl", rows)
    columns = (("formal", "stmt"), ("proof", "code"), ("prompt", "asked"), ("answer", "said"))
    built(config(Source("own", "jsonl", str(path), licence="MIT", columns=columns)), tmp_path / "corpus")
    corpus = open_corpus(tmp_path / "corpus")
    said = corpus.dataset("conversations").to_table().to_pylist()
    assert {one["answer"]: one["prompt"] for one in said} == {"id": "Prove (p : Prop) : p → p", "first copy": f"Prove {swap}"}
    proofs = {one["id"]: one for one in corpus.dataset("proofs").to_table().to_pylist()}
    assert [proofs[one["id"]]["statement_id"] for one in said] == [one["statement_id"] for one in said]
    assert all(one["licence"] == "MIT" for one in said) and len(proofs) == 3


@pytest.mark.parametrize(
    ("kind", "upstream", "checked"),
    [
        ("accepted", "", "accepted"),
        ("statement", "", "unchecked"),
        ("error", "its authors", "unchecked"),
        ("forbidden", "its authors", "unchecked"),
        ("error", "", "rejected"),
        ("forbidden", "", "rejected"),
        ("axiom", "its authors", "rejected"),
        ("mismatch", "its authors", "rejected"),
        ("timeout", "", "unchecked"),
        ("crash", "its authors", "unchecked"),
        ("unavailable", "", "unchecked"),
    ],
)
def test_what_a_verdict_is_worth(kind: Any, upstream: str, checked: str) -> None:
    accepted = True if kind == "accepted" else None if kind in ("timeout", "crash", "unavailable") else False
    found = outcome(Verdict("x", accepted, kind, (Message("error", 1, 0, 1, 0, "no\nsuch  lemma"),)), upstream)
    assert found.checked == checked and (checked == "accepted" or found.words == "no such lemma")


def test_without_verification_everything_is_unchecked(tmp_path: Path) -> None:
    path = write(tmp_path / "logic.jsonl", ROWS[:2])
    report = built(config(Source("logic", "pairs", str(path)), verify=VerifyConfig(enabled=False)), tmp_path / "corpus")
    assert report.sources[0].unchecked == {"verification is off": 2}
    assert {row["checked"] for row in tables(open_corpus(tmp_path / "corpus"))["proofs"]} == {"unchecked"}


def test_no_answer_makes_no_proof_wrong(tmp_path: Path) -> None:
    path = write(tmp_path / "own.jsonl", [{"formal_statement": HANG[0].format(i=1), "proof": HANG[1]}])
    source = Source("own", "jsonl", str(path), columns=(("proof", "proof"),))
    hurried = VerifyConfig(lean=LeanConfig(workers=1, tier="fast", timeout=0.5), retries=1)
    (one,) = built(config(source, verify=hurried), tmp_path / "corpus").sources
    assert (one.unchecked, one.rejected) == ({"no verdict (timeout)": 1}, {})


def test_bad_input_is_named_before_anything_is_written(tmp_path: Path) -> None:
    good = write(tmp_path / "data" / "good.jsonl", ROWS[:1])
    write(tmp_path / "data" / "bad.jsonl", [{"formal_statement": "theorem t : True := by sorry"}])
    bad = Source("bad", "pairs", "bad.jsonl")
    with pytest.raises(InputError, match=r"bad\.jsonl has no column proof; it has formal_statement"):
        built(config(Source("good", "pairs", str(good)), bad), tmp_path / "corpus", tmp_path / "data")
    with pytest.raises(InputError, match="give its data folder as --data"):
        built(config(bad), tmp_path / "corpus")
    write(tmp_path / "data" / "benchmarks" / "b.jsonl", ROWS[:1])
    with pytest.raises(InputError, match="benchmarks never enter"):
        built(config(Source("all", "pairs", "benchmarks")), tmp_path / "corpus", tmp_path / "data")
    with pytest.raises(InputError, match="--staging"):
        build.build_corpus(config(bad), "memory://corpus", tmp_path / "data", ProgressConsole(Console(quiet=True)))
    assert not (tmp_path / "corpus").exists()
    for wrong in (
        lambda: Source("a b", "pairs", "x"),
        lambda: Source("a", "nothing", "x"),
        lambda: Source("a", "jsonl", "x", columns=(("colour", "x"),)),
        lambda: config(bad, bad),
        lambda: VerifyConfig(lean=LeanConfig(cache=tmp_path / "x")),
    ):
        with pytest.raises(InputError):
            wrong()


def test_benchmarks_reach_the_settling(tmp_path: Path) -> None:
    formal = "theorem held_out (a b c : Nat) (h : a ≤ b) (g : b ≤ c) (k : c ≤ a) : a = b ∧ b = c ∧ a + c = b + b := by sorry"
    (tmp_path / "benchmarks").mkdir()
    write(tmp_path / "benchmarks" / "mine.jsonl", [{"name": "held_out", "formal_statement": formal}])
    mine = Benchmark("mine", "mine.jsonl", rows=1, sha256="", licence="MIT", upstream="")
    leaked = formal.removeprefix("theorem held_out ").removesuffix(" := by sorry").replace("a", "x")
    path = write(tmp_path / "logic.jsonl", [*ROWS[:1], pair("leaked", leaked, ":= by omega")])
    source = Source("logic", "pairs", str(path))
    settings = BuildConfig((source,), verify=VerifyConfig(enabled=False), benchmarks=(mine,))
    (one,) = built(settings, tmp_path / "corpus", tmp_path).sources
    assert sum(one.contaminated.values()) == 1 and not one.copies
    assert [row["name"] for row in tables(open_corpus(tmp_path / "corpus"))["statements"]] == ["one"]


KILLED = """
import sys
from pathlib import Path
from rich.console import Console
from lean_worker.lean_config import LeanConfig
from oprover_jax.ingest import build, verify_proofs
from oprover_jax.ingest.config import BuildConfig, Source, VerifyConfig
from oprover_jax.progress import ProgressConsole

if __name__ == "__main__":
    corpus, path, stage = sys.argv[1:]
    module, name = {"verdict": (verify_proofs, "_count"), "kept": (build, "_keep")}[stage]
    reached = getattr(module, name)
    def stop(*arguments):
        print("reached", flush=True)
        sys.stdin.read()
    setattr(module, name, stop)
    source = Source("logic", "pairs", path)
    config = BuildConfig((source,), verify=VerifyConfig(lean=LeanConfig(workers=1, tier="fast")), benchmarks=())
    build.build_corpus(config, corpus, None, ProgressConsole(Console(quiet=True)))
"""


def test_killed_at_any_stage_the_build_goes_on(tmp_path: Path) -> None:
    path = write(tmp_path / "logic.jsonl", ROWS)
    whole = config(Source("logic", "pairs", str(path)))
    undisturbed = built(whole, tmp_path / "undisturbed")
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    for stage in ("verdict", "kept"):
        command = [sys.executable, str(script), str(tmp_path / "corpus"), str(path), stage]
        env = os.environ | {"PYTHONPATH": os.getcwd()}
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env) as started:
            assert started.stdout is not None and started.stdout.readline() == b"reached\n"
            with pytest.raises(InputError, match="another process is running this build"):
                built(whole, tmp_path / "corpus")
            started.send_signal(signal.SIGKILL)
        assert not open_corpus(tmp_path / "corpus").commits()
    began = utc_now()
    report = built(whole, tmp_path / "corpus")
    assert report == undisturbed
    assert undated(tables(open_corpus(tmp_path / "corpus"))) == undated(tables(open_corpus(tmp_path / "undisturbed")))
    # verdicts that were there are not asked for again
    verified = [row["verified_at"] for row in tables(open_corpus(tmp_path / "corpus"))["proofs"] if row["checked"] == "accepted"]
    assert len(verified) == 2 and all(at < began for at in verified)


def test_one_set_from_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write(tmp_path / "own.jsonl", [{"stmt": ROWS[0]["formal_statement"], "code": "fun h => h"}])
    words = ["corpus", "ingest", "--corpus", str(tmp_path / "corpus"), "--kind", "jsonl", "--path", str(path), "--name", "own"]
    words += ["--column", "formal=stmt", "--column", "proof=code", "--set", "benchmarks=[]", "--set", "verify.enabled=false"]
    app.cli("oprover", "", args=words)
    assert "verification is off" in capsys.readouterr().out
    assert len(tables(open_corpus(tmp_path / "corpus"))["proofs"]) == 1
    with pytest.raises(InputError, match="has no '='"):
        app.cli("oprover", "", args=[*words, "--column", "formal"])
