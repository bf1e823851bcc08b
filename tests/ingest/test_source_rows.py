"""Rows of every layout that we read, written as their publishers write them, and what must not enter."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from oprover_jax.corpus.tables import INCOMING
from oprover_jax.errors import InputError
from oprover_jax.ingest.config import Source
from oprover_jax.ingest.sources.files import check_file, rows, source_files
from oprover_jax.ingest.sources.reading import Task, counts_of, read_files
from oprover_jax.ingest.sources.rows import Place, RowLimits, read

HEADER = "import Mathlib\nimport Aesop\n\nset_option maxHeartbeats 400000\n\nopen BigOperators Real Nat Topology Rat"
STATEMENT = "theorem t1 (a b : ℝ) (h : a ≤ b) : a + 1 ≤ b + 1 := by sorry"
PROOF = "by\n  -- one step\n  linarith"
WHOLE = STATEMENT.replace("by sorry", PROOF)
LIMITS = RowLimits()

Pairs = tuple[list[dict[str, Any]], list[dict[str, Any]]]


def taken(source: Source, path: Path) -> Pairs:
    """The rows that enter and those that do not, of one file."""
    check_file(path, source.layout)
    place = Place(source.name, source.layout, LIMITS, path.name)
    pairs = [pair for raw in rows(path, source.layout) for pair in read(raw, place)]
    kept = [row for row, _ in pairs if row is not None]
    pa.Table.from_pylist(kept, schema=INCOMING)
    return kept, [bad for _, bad in pairs if bad is not None]


def parquet(path: Path, found: list[dict[str, Any]]) -> Path:
    pq.write_table(pa.Table.from_pylist(found), path)
    return path


def lines(path: Path, found: list[Any]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row, ensure_ascii=False)) + "\n" for row in found))
    return path


def release(statement: str, proof: str) -> dict[str, str]:
    return {"formal_statement": statement, "formal_proof": proof, "cot_proof": "### Plan", "prompt": "Current Task"}


def test_the_public_release(tmp_path: Path) -> None:
    helper = "lemma one (a : ℝ) : a + 0 = a := by\n  simp"
    found = [
        release(f"{HEADER}\n\n/-- Add one. -/\n{STATEMENT}", f"{HEADER}\n\n/-- Add one. -/\n{WHOLE}"),
        release(f"{HEADER}\n\n{STATEMENT}", f"```lean4\n{HEADER}\n\n{helper}\n\n{WHOLE}\n```"),
        release(f"{HEADER}\n\n{STATEMENT}", f"{HEADER}\n\n{WHOLE.replace('b + 1', 'b + 2')}"),
        release(f"{HEADER}\n\n{STATEMENT}", f"{HEADER}\n\n{WHOLE.replace('linarith', 'have : 1 = 1 := by sorry')}"),
        release(f"{HEADER}\n\n{STATEMENT}", f"{HEADER}\n\naxiom cheat : False\n\nlemma x : 1 = 2 := cheat.elim\n\n{WHOLE}"),
        release(f"{HEADER}\n\n{STATEMENT}", WHOLE.replace("t1", "t2")),
        release(STATEMENT, f"import Mathlib\n\n{helper}\n\n{WHOLE}"),
        release(f"{HEADER}\n\ndef f := 1\n\n{STATEMENT}", f"import Mathlib\n\ndef f := 1\n\n{helper}\n\n{WHOLE}"),
        release(f"{HEADER}\n\ndef f := 1\n\n{STATEMENT}", f"{HEADER}\n\ndef f := 2\n\n{WHOLE}"),
        release(f"import Mathlib\n\nopen Nat in\n{STATEMENT}", f"import Mathlib\n\n{helper}\n\nset_option a 1 in\nopen Nat in\n{WHOLE}"),
        release(f"import Mathlib\n\nopen Nat in\n{STATEMENT}", f"import Mathlib\n\n{helper}\n\nopen Real in\n{WHOLE}"),
    ]
    kept, bad = taken(Source("release", "oproofs", "x"), parquet(tmp_path / "train-00000.parquet", found))
    first, second = kept[:2]
    assert (first["formal"], first["header"], first["proof"]) == (STATEMENT, HEADER, PROOF)
    assert (first["name"], first["informal"], first["kind"]) == ("t1", "Add one.", "tactic")
    assert (first["licence"], first["source"], first["origin"]) == ("Apache-2.0", "m-a-p/OProofs", "release")
    assert first["where"] == "release/train-00000.parquet:1"
    assert (first["prompt"], first["answer"]) == ("Current Task", "### Plan")
    assert all(("prompt" in row) == (row["proof"] is not None) for row in kept), "a conversation belongs to the proof that it found"
    # the prover's lemmas belong to the proof: the statement is the one that is there already
    assert (second["formal"], second["header"]) == (STATEMENT, HEADER)
    assert second["proof"] == f"{helper}\n\n{WHOLE}" and second["kind"] == "tactic"
    assert [row["proof"] is None for row in kept] == [False, False, True, True, True, True, False, False, True, False, True]
    assert (kept[6]["header"], kept[6]["proof"]) == ("import Mathlib", f"{helper}\n\n{WHOLE}")
    assert (kept[7]["header"], kept[7]["proof"]) == ("import Mathlib\n\ndef f := 1", f"{helper}\n\n{WHOLE}")
    assert (kept[9]["header"], kept[9]["formal"], kept[9]["proof"]) == ("import Mathlib\n\nopen Nat", STATEMENT, f"{helper}\n\n{WHOLE}")
    reasons = [
        "another statement",
        "sorry or admit in the proof",
        "helpers that are no lemmas",
        "no such theorem",
        *["another context"] * 2,
    ]
    assert [one["reason"].partition(":")[0] for one in bad] == reasons
    assert json.loads(bad[0]["row"])["formal_proof"].startswith(HEADER)


def test_numina(tmp_path: Path) -> None:
    row = {"uuid": "u-1", "problem": "Show it.", "question_type": "proof", "answer": "", "author": "human", "source": "olympiads"}
    row |= {"problem_type": "Inequalities", "formal_statement": f"import Mathlib\n\n/- Show it. -/\n{STATEMENT}"}
    both = row | {"formal_ground_truth": f"import Mathlib\n\n{WHOLE}", "formal_proof": f"import Mathlib\n\n{WHOLE.replace('lin', 'nlin')}"}
    none = row | {"formal_ground_truth": f"import Mathlib\n\n{STATEMENT}", "formal_proof": None}
    kept, bad = taken(Source("numina", "numina-math-lean", "x"), parquet(tmp_path / "a.parquet", [both, none]))
    assert not bad
    assert [row["proof"] for row in kept] == [PROOF, PROOF.replace("lin", "nlin"), None]
    assert (kept[0]["name"], kept[0]["informal"], kept[0]["domain"]) == ("u-1", "Show it.", "Inequalities")
    assert kept[0]["header"] == "import Mathlib" and kept[0]["lean"] == "4.15.0 with mathlib"


def test_statements_without_headers(tmp_path: Path) -> None:
    workbook = [{"id": "lean_workbook_7", "natural_language_statement": "So.", "formal_statement": STATEMENT.replace(":= by", ":=  by")}]
    path = tmp_path / "lean_workbook.json"
    path.write_text(json.dumps(workbook))
    (one,), bad = taken(Source("workbook", "lean-workbook", "x"), path)
    assert not bad
    assert (one["formal"], one["proof"], one["name"], one["informal"]) == (STATEMENT, None, "lean_workbook_7", "So.")
    assert one["header"].startswith("import Mathlib")
    (own,), _ = taken(Source("workbook", "lean-workbook", "x", header="import Mathlib.Tactic"), path)
    assert own["header"] == "import Mathlib.Tactic"
    pset = parquet(
        tmp_path / "p.parquet", [{"problem_id": "P1", "formal_statement": f"{HEADER}\n\n{STATEMENT}", "informal_statement": "Do."}]
    )
    (one,), _ = taken(Source("pset", "goedel-pset", "x"), pset)
    assert (one["header"], one["informal"], one["licence"]) == (HEADER, "Do.", "unknown")
    (one,), _ = taken(Source("leana", "leanabell", "x"), parquet(tmp_path / "l.parquet", [{"formal_statement": STATEMENT}]))
    assert one["formal"] == STATEMENT and one["source"] == "stoney0062/Leanabell-Prover-Formal-Statement"


def test_pairs_with_their_own_licence_and_source(tmp_path: Path) -> None:
    source = "someone/book@0123456789abcdef0123456789abcdef01234567:Chapter/One.lean"
    pair = {
        "name": "One.a",
        "header": "variable (p : Prop)",
        "formal_statement": "theorem a : p → p := by sorry",
        "proof": ":=\n  fun h => h",
    }
    pair |= {"needs": "core", "lean": "4.33.0", "licence": "MIT", "source": source, "informal": "As is."}
    match = pair | {
        "formal_statement": "theorem b : ∀ n : Nat, 0 + n = n := by sorry",
        "proof": "| 0 => rfl\n  | n + 1 => by simp",
        "needs": "mathlib",
    }
    flagged = pair | {"contaminates": ["minif2f"]}
    kept, bad = taken(Source("book", "pairs", "x"), lines(tmp_path / "b.jsonl", [pair, match, flagged, pair | {"contaminates": []}]))
    assert [row["proof"] for row in kept] == ["fun h => h", match["proof"], "fun h => h"]
    assert [row["kind"] for row in kept] == ["term", "match", "term"]
    assert [row["lean"] for row in kept[:2]] == ["4.33.0", "4.33.0 with mathlib"]
    assert kept[0]["source"] == source.partition(":")[0] and kept[0]["licence"] == "MIT" and kept[0]["informal"] == "As is."
    (flag,) = bad
    assert flag["reason"] == "contaminates: minif2f" and json.loads(flag["row"]) == {"name": "One.a"}


def test_a_file_of_ones_own(tmp_path: Path) -> None:
    path = lines(
        tmp_path / "own.jsonl", [{"stmt": STATEMENT, "code": PROOF, "level": 7.4}, {"stmt": STATEMENT, "code": f":= {PROOF}", "level": 99}]
    )
    source = Source("own", "jsonl", "x", licence="CC0-1.0", columns=(("formal", "stmt"), ("proof", "code"), ("difficulty", "level")))
    kept, _ = taken(source, path)
    assert [(row["proof"], row["difficulty"]) for row in kept] == [(PROOF, 7), (PROOF, 0)]
    assert kept[0]["licence"] == "CC0-1.0" and kept[0]["source"] == "own"


def test_lean_files(tmp_path: Path) -> None:
    path = tmp_path / "A.lean"
    path.write_text(
        "namespace A\n\n/-- First. -/\ntheorem a (p : Prop) : p → p := fun h => h\n\n"
        "theorem b : 1 = 1 := by\n  sorry\n\ntheorem c : 2 = 2 := rfl\n"
    )
    kept, bad = taken(Source("mine", "lean", "x", lean="4.35.0"), path)
    assert [(row["name"], row["proof"], row["where"]) for row in kept] == [
        ("a", "fun h => h", "mine/A.lean:4"),
        ("b", None, "mine/A.lean:6"),
    ]
    assert kept[0]["header"] == "namespace A" and kept[0]["informal"] == "First." and kept[0]["lean"] == "4.35.0"
    assert kept[1]["header"].startswith("namespace A\n\n/-- First. -/\ntheorem a")
    assert [(one["where"], one["reason"]) for one in bad] == [("mine/A.lean:9", "sorry in the header")]
    path.write_text("theorem a (p : Prop) : p → p := by\n  have := by native_decide\n  exact id\n")
    (one,), (refused,) = taken(Source("mine", "lean", "x"), path)
    assert one["proof"] is None and refused["reason"].startswith("native_decide")
    path.write_text("-- nothing here\n")
    assert [one["reason"] for one in taken(Source("mine", "lean", "x"), path)[1]] == ["no theorem"]


@pytest.mark.parametrize("stranger", ["variable (h : False)", "local instance : Add Nat := ⟨fun _ _ => 5⟩", "axiom x : False", "open Nat"])
def test_what_could_change_the_statement_is_no_helper(tmp_path: Path, stranger: str) -> None:
    lemma = "/-- open, axiom, variable -/\nprivate lemma one : 1 = 1 := by\n  open Nat in\n  simp"
    texts = [f"{HEADER}\n\n{lemma}\n\n{more}{WHOLE}" for more in ("", f"{stranger}\n\n")]
    found = [release(f"{HEADER}\n\n{STATEMENT}", text) for text in texts]
    kept, (bad,) = taken(Source("release", "oproofs", "x"), parquet(tmp_path / "a.parquet", found))
    assert [row["proof"] is None for row in kept] == [False, True]
    assert bad["reason"] == f"helpers that are no lemmas: {stranger.split()[0]}"


def test_a_conversation_without_answer_or_end_is_left_out(tmp_path: Path) -> None:
    found = [
        release(f"{HEADER}\n\n{STATEMENT}", WHOLE) | change
        for change in ({"prompt": " "}, {"cot_proof": None}, {"cot_proof": "x" * 400_001})
    ]
    kept, (bad,) = taken(Source("release", "oproofs", "x"), parquet(tmp_path / "a.parquet", found))
    assert [row["proof"] for row in kept] == [PROOF] * 3 and not any("prompt" in row for row in kept)
    assert bad["reason"].startswith("absurdly long: a conversation") and "xxx" not in bad["row"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"formal_statement": "", "proof": PROOF}, "empty"),
        ({"formal_statement": None, "proof": PROOF}, "empty"),
        ({"formal_statement": "def x := 1", "proof": PROOF}, "no theorem"),
        ({"formal_statement": "theorem t : 1 = 1", "proof": PROOF}, "no end"),
        ({"formal_statement": ["theorem"], "proof": PROOF}, "wrong kind"),
        ({"formal_statement": STATEMENT.replace("t1", "t\u202e1"), "proof": PROOF}, "control character"),
        ({"formal_statement": "theorem t : " + "1 + " * 6000 + "1 = 1 := by sorry", "proof": PROOF}, "absurdly long"),
        ({"formal_statement": STATEMENT, "proof": "by\n  simp\x07"}, "control character"),
        ({"formal_statement": STATEMENT, "proof": "by\n  " + "simp; " * 20_000}, "absurdly long"),
        ({"formal_statement": STATEMENT, "proof": "by\n  have h : 1 = 1 := by admit\n  simp"}, "sorry or admit in the proof"),
        ({"formal_statement": STATEMENT, "proof": "by native_decide"}, "native_decide"),
        ('{"formal_statement": "theorem', "not JSON"),
        ("[1, 2]", "not a row"),
    ],
)
def test_what_is_no_theorem_with_a_proof_is_refused(tmp_path: Path, row: Any, reason: str) -> None:
    good = {"formal_statement": STATEMENT, "proof": "by\n  linarith -- not sorry: admit nothing"}
    source = Source("s", "jsonl", "x", columns=(("proof", "proof"),))
    kept, bad = taken(source, lines(tmp_path / "s.jsonl", [good, row, good]))
    assert [one["reason"].partition(":")[0] for one in bad] == [reason]
    assert bad[0]["where"] == "s/s.jsonl:2"
    about_proof = isinstance(row, dict) and row["formal_statement"] == STATEMENT
    assert [one["proof"] is None for one in kept] == ([False, True, False] if about_proof else [False, False])


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    good = json.dumps({"formal_statement": STATEMENT}).encode()
    path.write_bytes(good + b"\n" + good.replace(b"t1", b"t\xff") + b"\n" + good + b"\n")
    source = Source("s", "jsonl", "x")
    kept, bad = taken(source, path)
    assert len(kept) == 2 and bad[0]["reason"].startswith("not UTF-8") and "\\xff" in bad[0]["row"]
    arrays = pa.Array.from_buffers(pa.string(), 2, pa.array([STATEMENT.encode(), b"theorem \xff"], pa.binary()).buffers())
    pq.write_table(pa.table({"formal_statement": arrays}), tmp_path / "s.parquet")
    kept, bad = taken(Source("s", "parquet", "x"), tmp_path / "s.parquet")
    assert len(kept) == 1 and bad[0]["reason"].startswith("not UTF-8") and bad[0]["where"] == "s/s.parquet:2"


def test_a_torn_or_missing_file_and_a_wrong_column_are_named(tmp_path: Path) -> None:
    source = Source("release", "oproofs", "x")
    whole = parquet(tmp_path / "train-00000.parquet", [release(STATEMENT, WHOLE)] * 50)
    torn = tmp_path / "train-00001.parquet"
    torn.write_bytes(whole.read_bytes()[:-20])
    assert source_files(tmp_path, source.layout, "release") == [whole, torn]
    check_file(whole, source.layout)
    with pytest.raises(InputError, match=r"train-00001\.parquet cannot be read"):
        check_file(torn, source.layout)
    with pytest.raises(InputError, match="has no column formal_proof; it has formal_statement, proof"):
        check_file(parquet(tmp_path / "other.parquet", [{"formal_statement": STATEMENT, "proof": PROOF}]), source.layout)
    with pytest.raises(InputError, match="column formal_proof contains bool"):
        check_file(parquet(tmp_path / "kind.parquet", [{"formal_statement": STATEMENT, "formal_proof": True}]), source.layout)
    with pytest.raises(InputError, match=r"no \.parquet files"):
        source_files(tmp_path / "nowhere", source.layout, "release")
    with pytest.raises(InputError, match="has no column stmt"):
        check_file(lines(tmp_path / "own.jsonl", [{"formal": STATEMENT}]), Source("o", "jsonl", "x", columns=(("formal", "stmt"),)).layout)
    with pytest.raises(InputError, match="is not a JSON array"):
        broken = tmp_path / "lean_workbook.json"
        broken.write_text('[{"id": 1}')
        check_file(broken, Source("w", "lean-workbook", "x").layout)


def test_damage_inside_a_file_is_named_and_leaves_no_part(tmp_path: Path) -> None:
    source = Source("release", "oproofs", "x")
    path = parquet(tmp_path / "train.parquet", [release(STATEMENT, f"{WHOLE} -- {number}") for number in range(2000)])
    data = bytearray(path.read_bytes())
    data[200:2000] = b"\xff" * 1800
    path.write_bytes(data)
    check_file(path, source.layout)
    task = Task(path, Place("release", source.layout, LIMITS, path.name), "000-000000")
    with pytest.raises(InputError, match=r"train\.parquet cannot be read after row 0"):
        list(read_files([task], tmp_path / "out"))
    assert not list((tmp_path / "out").rglob("*.parquet")) and not list((tmp_path / "out").rglob("*.json"))


@pytest.mark.multiprocess
def test_files_are_read_once_and_by_any_number_of_processes(tmp_path: Path) -> None:
    source = Source("s", "jsonl", "x", columns=(("proof", "proof"),))
    tasks = []
    for number in range(2):
        path = lines(tmp_path / f"{number}.jsonl", [{"formal_statement": STATEMENT, "proof": f"by simp -- {number}"}] * 3 + ["{"])
        tasks.append(Task(path, Place("s", source.layout, LIMITS, path.name), f"000-{number:06d}"))
    assert list(read_files(tasks, tmp_path / "one")) == tasks
    part = tmp_path / "one" / "incoming" / "000-000001.parquet"
    before = part.stat().st_mtime_ns
    (tmp_path / "one" / "counts" / "000-000000.json").unlink()
    assert {task.part for task in read_files(tasks, tmp_path / "one")} == {task.part for task in tasks}
    assert part.stat().st_mtime_ns == before
    assert {task.part for task in read_files(tasks, tmp_path / "two", processes=2)} == {task.part for task in tasks}
    assert pq.read_table(tmp_path / "two" / "incoming").equals(pq.read_table(tmp_path / "one" / "incoming"))
    assert [(one.read, one.kept, one.refused) for one in counts_of(tmp_path / "two", tasks)] == [(4, 3, {"not JSON": 1})] * 2
