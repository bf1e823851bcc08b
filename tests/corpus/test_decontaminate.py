"""Benchmark statements in disguise are found in a corpus; nothing else is taken for one."""

from disguise import disguise

from oprover_jax.corpus.decontaminate import decontaminate
from oprover_jax.corpus.families import FAMILIES
from oprover_jax.corpus.generate import distinct
from oprover_jax.records import Statement


def test_planted_copies_are_found_and_no_others() -> None:
    seen: set[str] = set()
    drawn = [made.statement for family in FAMILIES for d in (1, 2, 5) for made in distinct(family, d, 4, 9, seen)[0]]
    benchmark, corpus = drawn[::2], drawn[1::2]
    planted = [Statement(id=f"planted{i}", name="x", formal=disguise(s.formal, i)) for i, s in enumerate(benchmark)]
    kept, removed = decontaminate([*corpus, *planted], benchmark, lambda statement: statement)
    assert removed == planted
    assert kept == corpus


def test_a_copy_that_moved_its_context_is_found() -> None:
    held_out = Statement(id="a", name="a", formal="theorem a (n : Nat) : n = n := by sorry", header="open Nat")
    copy = Statement(id="b", name="b", formal="theorem b (m : Nat) : m = m := by sorry")
    assert decontaminate([copy], [held_out], lambda statement: statement) == ([], [copy])
