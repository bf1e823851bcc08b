"""Plain Lean on the raw text is the measure: our verdicts on files and pairs equal its own, whatever the text looks like."""

from collections.abc import Iterator
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from surface_forms import Case, cases

from lean_worker.embedded.build import CoreLibrary, ensure_core
from lean_worker.pool import Pool
from lean_worker.protocol import ALLOWED_AXIOMS, Check
from lean_worker.tools.plain_lean import accepts_pair, differences, read_plain, run_plain

pytestmark = [pytest.mark.lean, pytest.mark.slow]

BATCH = 40  # cases that one run of plain Lean reads


@pytest.fixture(scope="module")
def core() -> CoreLibrary:
    return ensure_core()


@pytest.fixture(scope="module")
def trusting() -> Iterator[Pool]:
    with Pool(2, timeout=60.0, trusted_headers=True, heartbeats=200_000) as pool:
        yield pool


def accepted_by_lean(batch: list[Case], core: CoreLibrary) -> list[bool]:
    """Return what plain Lean says of each case, all of them in one file."""
    texts = [case.text for case in batch]
    named = [case.full_name for case in batch if case.full_name]
    plain = read_plain("".join(texts), named, core)
    found, line = [], 1
    for case, text in zip(batch, texts, strict=True):
        after = line + text.count("\n")
        complained = any(line <= at < after for at, _, _ in plain.complaints)
        axioms = plain.axioms.get(case.full_name)
        audited = not case.full_name or (axioms is not None and ALLOWED_AXIOMS.issuperset(axioms))
        found.append(audited and not complained)
        line = after
    return found


@settings(max_examples=2, derandomize=True, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.integers(0, 1 << 32))
def test_generated_forms(trusting: Pool, core: CoreLibrary, seed: int) -> None:
    batch = cases(Random(seed), BATCH)
    wanted = accepted_by_lean(batch, core)
    assert 0.25 < sum(wanted) / len(wanted) < 0.9
    text = "".join(case.text for case in batch)
    report = trusting.read_file(text).result()
    assert [theorem.accepted for theorem in report.theorems] == wanted, [
        (case.text, theorem.messages, right)
        for case, theorem, right in zip(batch, report.theorems, wanted, strict=True)
        if theorem.accepted != right
    ]
    assert [theorem.name for theorem in report.theorems if theorem.name] == [case.full_name for case in batch if case.full_name]
    pairs = [(case, check, right) for case, right in zip(batch, wanted, strict=True) for check in case.checks()]
    verdicts = trusting.check_many([check for _, check, _ in pairs])
    differ = [
        (case.text, check.proof, right, verdict.kind, verdict.messages[:1])
        for (case, check, right), verdict in zip(pairs, verdicts, strict=True)
        # attributes of other cases can reach a case in one file with them
        if verdict.accepted is not right and [verdict.accepted] != accepted_by_lean([case], core)
    ]
    assert not differ, f"{len(differ)} of {len(pairs)} differ, first: {differ[0]}"


FILES = {
    "an early error": "def f : Nat := nowhere\ntheorem a : 1 = 1 := rfl\ntheorem b : f = f := rfl\n",
    "an unfinished proof": "theorem a : 1 = 1 := by\n\ntheorem b (p : Prop) : p → p := by\n  intro h\ntheorem c : 1 = 1 := rfl\n",
    "sections that are not closed": "namespace A\nsection\nvariable (p : Prop)\ntheorem a (h : p) : p := h\n",
    "holes of all kinds": "theorem a : 1 = 1 ∧ 2 = 2 := ⟨sorry, rfl⟩\ntheorem b : 1 = 1 := by\n  admit\n"
    "def c : 1 = 1 := sorry\ntheorem d : 1 = 1 := c\n",
    "axioms": "axiom c : 1 = 2\ntheorem a : 2 = 1 := c.symm\nnamespace A\nprivate theorem b : 2 = 1 := a\nend A\n"
    "theorem d : 2 = 1 := A.b\n",
    "examples": "variable (p q : Prop) (h : p ∧ q)\nexample : q ∧ p := ⟨h.2, h.1⟩\nexample : Nat → Nat := fun n => n\nexample : q := h.1\n",
    "macros": 'macro "done!" : tactic => `(tactic| first | rfl | sorry)\ntheorem a : 1 = 1 := by done!\ntheorem b : 1 = 2 := by done!\n',
    "the end of the text": "theorem a : 1 = 1 := rfl\ntheorem b : 1 = 1 :=",
}


@pytest.mark.parametrize("name", FILES)
def test_whole_files(trusting: Pool, core: CoreLibrary, name: str) -> None:
    assert differences(FILES[name], trusting.read_file(FILES[name]).result(), core) == []


PAIRS = [
    Check("variables of an example", "example : q ∧ p := by sorry", "⟨h.2, h.1⟩", "variable (p q : Prop) (h : p ∧ q)\n"),
    Check("variables of a theorem", "theorem t : q ∧ p := by sorry", "⟨h.2, h.1⟩", "variable (p q : Prop) (h : p ∧ q)\n"),
    Check("data", "example : Nat → Nat := by sorry", "fun n => n + 1"),
    Check("wrong data", "def f (n : Nat) : { m : Nat // m = n } := by sorry", "⟨n + 1, rfl⟩"),
    Check("a definition", "def f (n : Nat) : { m : Nat // m = n } := by sorry", "⟨n, rfl⟩"),
    Check("a full name", "theorem _root_.t : 1 = 1 := by sorry", "rfl", "namespace A\n"),
    Check("an axiom of the header", "theorem t : 1 = 2 := by sorry", "c", "axiom c : 1 = 2\n"),
]


@pytest.mark.parametrize("check", PAIRS, ids=lambda check: check.id)
def test_pairs(trusting: Pool, core: CoreLibrary, check: Check) -> None:
    assert trusting.submit(check).result().accepted is accepts_pair(check, core)


def test_plain_lean_itself_is_read_correctly(core: CoreLibrary) -> None:
    text = "theorem a : 1 = 1 := rfl\ntheorem b : 1 = 2 := sorry\ntheorem c : 1 = 2 := rfl\n"
    plain = read_plain(text, ["a", "b", "nothing"], core)
    assert plain.axioms == {"a": (), "b": ("sorryAx",)}
    assert {line for line, _, _ in plain.complaints} == {2, 3}
    assert run_plain("import Init\n\n#check Nat\n", core)[0]["pos"] == {"line": 3, "column": 0}
