"""Theorems of a run from a corpus: what is held out, what is public, what is tried."""

import dataclasses
from pathlib import Path

import pytest

from oprover_jax.commands.add_run import new_rows
from oprover_jax.corpus.corpus import Corpus, open_corpus
from oprover_jax.corpus.tables import TABLES, rows_to_table, statement_row
from oprover_jax.corpus.theorems import load_theorems, write_theorems
from oprover_jax.errors import InputError
from oprover_jax.posttraining.theorems import TheoremsConfig, theorems_of_corpus
from oprover_jax.records import ProofRecord, Statement
from oprover_jax.statements.normalize import statement_id


def stated(name: str, goal: str, header: str = "", source: str = "mini") -> Statement:
    formal = f"theorem {name} {goal} := by sorry"
    return Statement(statement_id(formal, header), name, formal, header, source=source, licence="MIT")


EASY = [stated(f"easy{n}", f"(a b : Nat) (h : a = b + {n}) : b + {n} = a") for n in range(12)]
OPEN = [stated(f"open{n}", f"(a : Nat) : a = {n}") for n in range(3)]
ELSEWHERE = stated("elsewhere", "(x : ℝ) : x = x", "import Mathlib")
OTHER = stated("other", "(p : Prop) (h : p) : p", source="other")


def proofs(statement: Statement) -> list[ProofRecord]:
    texts = ("by exact h.symm", "by simpa using h.symm", "by omega", "h.symm", "by rw [h]")
    return [ProofRecord(statement, text, "4", "core", (), 0.1, "test") for text in texts]


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    """The first two statements are near duplicates of one another."""
    corpus = open_corpus(tmp_path / "corpus", create=True)
    corpus.commit(new_rows(corpus, "public", [*EASY[2:], *OPEN, ELSEWHERE, OTHER], []), {})
    near = [statement_row(EASY[0]), statement_row(EASY[1], near=EASY[0].id)]
    corpus.commit({"statements": rows_to_table(near, TABLES["statements"])}, {})
    corpus.commit(new_rows(corpus, "public", [], [proof for one in (*EASY, OTHER) for proof in proofs(one)]), {})
    return corpus


def provided(module: str) -> bool:
    return not module.startswith("Mathlib")


def test_parts_are_apart_and_a_function_of_the_seed(corpus: Corpus, tmp_path: Path) -> None:
    config = TheoremsConfig(corpus="here", benchmark=3, proofs=2)
    found = theorems_of_corpus(corpus, config, provided)
    held_out, tried = {s.id for s in found.benchmark}, {s.id for s in found.pool}
    assert len(held_out) == 3 and held_out <= {s.id for s in (*EASY, OTHER)} and not held_out & tried
    assert {s.id for s in OPEN} <= tried and ELSEWHERE.id not in tried
    public = {record.statement.id for record in found.public}
    assert public == tried - {s.id for s in OPEN} and len(found.public) == 2 * len(public)
    assert {record.proof for record in found.public} == {"h.symm", "by omega"}, "the shortest"
    assert found.report["left_out"]["needs Mathlib"] == 1
    assert theorems_of_corpus(corpus, config, provided) == found
    seeds = {frozenset(s.id for s in theorems_of_corpus(corpus, dataclasses.replace(config, seed=n), provided).benchmark) for n in range(5)}
    assert len(seeds) > 1
    for one in (theorems_of_corpus(corpus, dataclasses.replace(config, seed=n), provided) for n in range(20)):
        twins = {EASY[0].id, EASY[1].id}
        assert not (twins & {s.id for s in one.benchmark} and twins & {s.id for s in one.pool}), "near duplicates are on one side"
    write_theorems(tmp_path / "kept", found)
    assert load_theorems(tmp_path / "kept") == found


def test_sources_and_limits_choose(corpus: Corpus) -> None:
    found = theorems_of_corpus(corpus, TheoremsConfig(corpus="here", benchmark=1, sources=("mini",)), provided)
    assert OTHER.id not in {s.id for s in (*found.pool, *found.benchmark)} and found.report["left_out"]["of another source"] == 1
    few = theorems_of_corpus(corpus, TheoremsConfig(corpus="here", benchmark=1, limit=6, sources=("mini",)), provided)
    assert len(few.pool) + 1 <= 6


def test_too_few_theorems_are_one_sentence(corpus: Corpus) -> None:
    with pytest.raises(InputError, match=r"theorems\.benchmark is 50, but .* has 12 different statements"):
        theorems_of_corpus(corpus, TheoremsConfig(corpus="here", benchmark=50), provided)
    with pytest.raises(ValueError, match=r"theorems\.proofs is 0"):
        TheoremsConfig(proofs=0)
