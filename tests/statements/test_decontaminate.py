"""Benchmark statements in disguise are found in a corpus; nothing else is taken for one."""

import pickle

import pytest
from disguise import disguise, random_theorem, reshape

from oprover_jax.records import Statement
from oprover_jax.statements.decontaminate import build_index, contains_benchmark, decontaminate, find_in_statements, form
from oprover_jax.synthetic.families import FAMILIES
from oprover_jax.synthetic.generate import distinct

_THEOREMS = [random_theorem(seed) for seed in range(100)]
_BENCHMARK = [
    Statement(
        id="",
        name=f"p{i}",
        formal=theorem.written(),
        family="made",
        informal=f"Let it be known that number {i} of these is true of {i} apples.",
    )
    for i, theorem in enumerate(_THEOREMS[:50])
]
_INDEX = build_index(_BENCHMARK)


def test_planted_copies_are_found_and_no_others() -> None:
    seen: set[str] = set()
    drawn = [made.statement for family in FAMILIES for d in (1, 4) for made in distinct(family, d, 4, 9, seen)[0]]
    drawn = list({form(statement): statement for statement in drawn}.values())
    assert len(drawn) > 100
    benchmark, corpus = drawn[::2], drawn[1::2]
    planted = [Statement(id=f"planted{i}", name="x", formal=disguise(s.formal, i)) for i, s in enumerate(benchmark)]
    kept, removed = decontaminate([*corpus, *planted], benchmark, lambda statement: statement)
    assert removed == planted
    assert kept == corpus
    hits = find_in_statements(build_index(benchmark), [s.formal for s in planted], [""] * len(planted))
    assert {hit.reason for hit in hits if hit} == {"identical"} and None not in hits


def test_a_copy_that_moved_its_context_is_found() -> None:
    held_out = Statement(id="a", name="a", formal="theorem a (n : Nat) : n = n := by sorry", header="open Nat")
    copy = Statement(id="b", name="b", formal="theorem b (m : Nat) : m = m := by sorry")
    assert decontaminate([copy], [held_out], lambda statement: statement) == ([], [copy])


def test_reshaped_copies_of_generated_statements_are_removed() -> None:
    held_out = [Statement(id="", name=f"p{i}", formal=theorem.written()) for i, theorem in enumerate(_THEOREMS[:50])]
    shapes = [Statement(id=f"{i}", name="x", formal=reshape(theorem, 7)) for i, theorem in enumerate(_THEOREMS)]
    kept, removed = decontaminate(shapes, held_out, lambda statement: statement)
    assert (kept, removed) == (shapes[50:], shapes[:50])


def test_reshaped_copies_are_found_and_no_others() -> None:
    shapes = [(i, reshape(theorem, seed)) for i, theorem in enumerate(_THEOREMS) for seed in range(4)]
    hits = find_in_statements(_INDEX, [text for _, text in shapes], [""] * len(shapes))
    for (i, text), hit in zip(shapes, hits, strict=True):
        assert (hit.benchmark if hit else None) == (f"made/p{i}" if i < 50 else None), text


def test_a_copy_with_one_hypothesis_more_is_found_by_its_runs() -> None:
    plain = _THEOREMS[3].written()
    more = plain.replace(" : ", " : ", 1).replace("(h0", "(extra : 7 < 8) (h0", 1)
    (hit,) = find_in_statements(_INDEX, [more], [""])
    assert hit and (hit.benchmark, hit.reason) == ("made/p3", "overlap 1.00")


def test_short_statements_are_found_by_their_content_alone() -> None:
    index = build_index([Statement(id="", name="a", formal="theorem a (x y z : ℝ) : x + y + z = x + (y + z) := by sorry", family="f")])
    others = ["lemma b (p q r : Real) : p + q + r = p + (q + r)", "theorem c (x y z : ℕ) : x + y + z = x + (y + z)", "theorem d : f = g"]
    assert [hit and hit.reason for hit in find_in_statements(index, others, [""] * 3)] == ["reshaped", None, None]


def test_short_statements_are_known_with_what_is_defined_for_them() -> None:
    text = "def good (f g : ℕ → ℕ) : Prop := ∀ n, f (g n) = f n + 1\nvariable {f g : ℕ → ℕ} (h : good f g)\ntheorem a : f = g := by sorry"
    index = build_index([Statement(id="", name="a", formal=text, header="import Mathlib", family="f")])
    inside = "def good (p q : Nat → Nat) : Prop := ∀ k, p (q k) = p k + 1\nvariable {p q : Nat → Nat} (i : good p q)"
    others = [
        (f"{inside}\nexample : p = q", "open Nat"),
        ("theorem b : p = q", inside),
        ("theorem c : f = g", ""),
        ("theorem c : f = g", "def good := 1"),
    ]
    found = find_in_statements(index, [formal for formal, _ in others], [header for _, header in others])
    assert [hit and hit.reason for hit in found] == ["reshaped", "reshaped", None, None]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Some words. let it be KNOWN that number 5 of these\nis true of 5 apples. And so on.", "text overlap 1.00"),
        (f"In Lean:\n{reshape(_THEOREMS[5], 1)}\nand we go on.", "theorem, reshaped"),
        (f"A helper first.\n{disguise(_THEOREMS[5].written(), 3)} done", "theorem, identical"),
        ("Let it be known that there are theorems about apples, none of them := ours.", None),
        (f"theorem {_THEOREMS[70].written()}", None),
        ("", None),
    ],
)
def test_documents(text: str, reason: str | None) -> None:
    hit = contains_benchmark(pickle.loads(pickle.dumps(_INDEX)), text)
    assert (hit and hit.reason) == reason
    assert hit is None or hit.benchmark == "made/p5"
