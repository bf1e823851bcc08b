"""Tags: the rules on plain cases, what an engine answered, and which tag counts; in the corpus, resumed and never twice."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from rich.console import Console

from oprover_jax.commands.tag import engine_tagger
from oprover_jax.corpus.corpus import Corpus, open_corpus
from oprover_jax.corpus.tables import TABLES, rows_to_table, statement_row
from oprover_jax.corpus.tag_rules import DOMAINS, difficulty_by_rules, domain_by_rules
from oprover_jax.corpus.tagging import TAGGED, Tag, read_tag, tag_corpus, tag_prompt, tags_by_rules
from oprover_jax.data.codec import codec_of
from oprover_jax.data.tokenizer import Tokenizer, train_tokenizer
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import Statement
from oprover_jax.rollout.engine import Completion, Request


@pytest.mark.parametrize(
    ("domain", "signature"),
    [
        ("number theory", "(p : ℕ) (hp : Nat.Prime p) (h : p ∣ 12) : p = 2 ∨ p = 3"),
        ("number theory", "(n : Nat) : n + 0 = n"),
        ("inequality", "(a b : ℝ) (h : 0 < a) (k : 0 < b) : a * b ≤ ((a + b) / 2) ^ 2"),
        ("inequality", "(a b : ℝ) (h : 0 < a) (k : 0 < b) : ((a + b) / 2) ^ 2 >= a * b"),
        ("algebra", "(x : ℝ) (h : 0 ≤ x ∧ x ^ 2 = 4) : x = 2"),
        ("analysis", "(f : ℝ → ℝ) (h : Continuous f) : Filter.Tendsto (fun x => f x) (nhds 0) (nhds (f 0))"),
        ("analysis", ": ∑' n : ℕ, (1 / 2 : ℝ) ^ n = 2"),
        ("linear algebra", "(n : ℕ) (A B : Matrix (Fin n) (Fin n) ℝ) : (A * B).det = A.det * B.det"),
        ("abstract algebra", "{G : Type*} [Group G] (a b : G) (h : a * b = 1) : b * a = 1"),
        ("topology", "{X : Type*} [TopologicalSpace X] (K : Set X) (h : IsCompact K) (C : Set X) (k : IsClosed C) : IsCompact (K ∩ C)"),
        ("geometry", "(A B C : EuclideanSpace ℝ (Fin 2)) (h : dist A B = dist A C) : ∠ A B C = ∠ A C B"),
        ("combinatorics", "(n : ℕ) : ∑ k ∈ Finset.range (n + 1), n.choose k = 2 ^ n"),
        ("set theory", "{α : Type*} (s t u : Set α) : s ∩ (t ∪ u) = s ∩ t ∪ s ∩ u"),
        ("computer science", "{α : Type} (xs ys : List α) : (xs ++ ys).reverse = ys.reverse ++ xs.reverse"),
        ("logic", "(p q : Prop) (h : p ∧ q) : q ∧ p"),
        ("other", "(a : α) (b : β) : (a, b).1 = a"),
    ],
)
def test_the_rules_know_plain_cases(domain: str, signature: str) -> None:
    assert domain_by_rules(f"theorem t {signature} := by sorry", "import Mathlib\nopen Nat Real Topology\n") == domain


def test_comments_quotes_and_open_lines_do_not_vote_and_the_header_votes_last() -> None:
    formal = "theorem t (x : α) : f x = x := by sorry"
    assert domain_by_rules(f'/- a Matrix -/ theorem t : "Matrix" = s /- Group -- -/ := by sorry', "open Matrix\n") == "other"  # noqa: F541
    assert domain_by_rules(formal, "open Matrix Topology\nvariable [Group α]\n") == "abstract algebra"
    assert domain_by_rules(formal.replace("α", "ℕ"), "variable [Group α]\n") == "number theory"


def test_difficulty_grows_with_the_length_and_stays_in_range() -> None:
    found = [difficulty_by_rules(f"theorem t : {' ∧ '.join(['a = b'] * terms)} := by sorry") for terms in (3, 9, 30, 400)]
    assert found == sorted(set(found)) and found[0] >= 1 and found[-1] == 10
    assert difficulty_by_rules("") == 1


def test_an_answer_is_read_or_it_is_none() -> None:
    assert read_tag("Domain: number theory\nDifficulty: 7") == ("number theory", 7)
    assert read_tag("I think so.\n**Domain:** Algebra.\n**Difficulty:** 3/10\n") == ("algebra", 3)
    assert read_tag("Domain: algebra\nDifficulty: 1\nDomain: logic\nDifficulty: 10") == ("logic", 10)
    for wrong in ("", "Domain: algebra", "Difficulty: 3", "Domain: cooking\nDifficulty: 3", "Domain: algebra\nDifficulty: 11", "algebra 3"):
        assert read_tag(wrong) is None
    prompt = tag_prompt(Statement("a", "t", "theorem t : 1 = 1 := by sorry", informal="One is one."))
    assert "theorem t : 1 = 1" in prompt and "One is one." in prompt and all(domain in prompt for domain in DOMAINS)


def _statement(number: int, domain: str = "", difficulty: int = 0) -> Statement:
    formal = f"theorem t{number} (p : Prop) : p → p := by sorry"
    return Statement(f"{number:016x}", f"t{number}", formal, source=f"s{number % 2}", licence="MIT", domain=domain, difficulty=difficulty)


def _corpus(path: Path, *statements: Statement) -> Corpus:
    corpus = open_corpus(path, create=True)
    corpus.commit({"statements": rows_to_table(map(statement_row, statements), TABLES["statements"])}, {})
    return corpus


def _tagged(corpus: Corpus) -> list[tuple[object, ...]]:
    with corpus.database() as database:
        return database.sql(f"from ({TAGGED}) select domain, domain_by, difficulty, difficulty_by order by id").fetchall()


def _quiet() -> ProgressConsole:
    return ProgressConsole(Console(quiet=True))


def test_the_source_goes_before_an_engine_and_an_engine_before_the_rules(tmp_path: Path) -> None:
    corpus = _corpus(tmp_path, _statement(0, "Order", 4), _statement(1, "Order"), _statement(2), _statement(3))
    assert _tagged(corpus)[2] == ("", "", 0, "")
    assert tag_corpus(corpus, tags_by_rules, "", 100, None, _quiet()) == {"rules": 3}

    def by_engine(statements: Sequence[Statement]) -> list[Tag]:
        return [Tag("algebra", 9, "engine:x", "engine:x") if s.name != "t3" else Tag("other", 1, "rules", "engine:x") for s in statements]

    assert tag_corpus(corpus, by_engine, "engine:x", 100, None, _quiet()) == {"engine:x": 2, "rules": 1}
    assert _tagged(corpus) == [
        ("Order", "source", 4, "source"),
        ("Order", "source", 9, "engine:x"),
        ("algebra", "engine:x", 9, "engine:x"),
        ("other", "rules", 1, "rules"),
    ]
    commits = corpus.commits()
    assert not tag_corpus(corpus, tags_by_rules, "", 100, None, _quiet())
    assert not tag_corpus(corpus, by_engine, "engine:x", 100, None, _quiet())
    assert corpus.commits() == commits
    assert tag_corpus(corpus, lambda some: [Tag("other", 1, "rules", "engine:y") for _ in some], "engine:y", 100, None, _quiet()) == {
        "rules": 3
    }
    assert _tagged(corpus)[2] == ("algebra", "engine:x", 9, "engine:x")


def test_a_stopped_tagging_goes_on_and_a_limit_holds(tmp_path: Path) -> None:
    corpus = _corpus(tmp_path, *map(_statement, range(5000)))
    seen: list[int] = []

    def stopped(statements: Sequence[Statement]) -> list[Tag]:
        if seen:
            raise KeyboardInterrupt
        seen.append(len(statements))
        return tags_by_rules(statements)

    with pytest.raises(KeyboardInterrupt):
        tag_corpus(corpus, stopped, "", 2048, None, _quiet())
    assert 0 < seen[0] < 5000 and corpus.dataset("tags").count_rows() == seen[0]
    assert tag_corpus(corpus, tags_by_rules, "", 2048, 7, _quiet()) == {"rules": 7}
    assert tag_corpus(corpus, tags_by_rules, "", 2048, None, _quiet()) == {"rules": 4993 - seen[0]}
    assert {row[0] for row in _tagged(corpus)} == {"logic"}


class _Scripted:
    """An engine that answers by the name of the theorem, and cannot read the one called t2."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.tokenizer = tokenizer

    async def generate(self, request: Request) -> list[Completion]:
        await asyncio.sleep(0)
        prompt = self.tokenizer.decode(request.prompt_ids)
        assert request.sampling.temperature == 0 and request.sampling.stop_ids == (self.tokenizer.end_id,)
        if "theorem t2 " in prompt:
            raise ValueError("too long")
        answer = "Domain: set theory\nDifficulty: 2" if "theorem t1 " in prompt else "no idea"
        ids = (*self.tokenizer.encode(answer), self.tokenizer.end_id)
        return [Completion(ids, (0.0,) * len(ids), "stop", 1)]


def test_an_engine_tags_and_the_rules_say_where_it_did_not() -> None:
    tokenizer = train_tokenizer([tag_prompt(_statement(1))], 400, [])
    found = engine_tagger(_Scripted(tokenizer), codec_of(tokenizer), "engine:x")([_statement(n) for n in range(3)])
    assert found[1] == Tag("set theory", 2, "engine:x", "engine:x")
    assert [(tag.domain, tag.tagged_by, tag.asked) for tag in (found[0], found[2])] == [("logic", "rules", "engine:x")] * 2
