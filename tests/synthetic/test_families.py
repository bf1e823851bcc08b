"""The families: deterministic, provable at every difficulty, and each rewriting proof as short as it claims."""

import random

import pytest

from lean_worker.pool import Pool
from lean_worker.protocol import Check
from oprover_jax.statements.normalize import statement_id
from oprover_jax.synthetic.families import DIFFICULTIES, FAMILIES, LIGHT, UNSEEN
from oprover_jax.synthetic.generate import distinct, drafts
from oprover_jax.synthetic.textbook import Provable

pytestmark = pytest.mark.lean

_EACH = 2


@pytest.fixture(scope="module")
def sample() -> list[Provable]:
    seen: set[str] = set()
    return [made for family in FAMILIES for difficulty in DIFFICULTIES for made in distinct(family, difficulty, _EACH, 11, seen)[0]]


def test_the_kernel_accepts_every_family_at_every_difficulty(sample: list[Provable], lean: Pool) -> None:
    checks = [Check(id=made.statement.id, statement=made.statement.formal, proof=made.proof) for made in sample]
    refused = [(made, verdict) for made, verdict in zip(sample, lean.check_many(checks)) if verdict.accepted is not True]
    assert not refused, "\n\n".join(f"{made.statement.formal}\n{made.proof}\n{verdict.messages}" for made, verdict in refused[:5])
    assert {made.statement.family for made in sample} == set(FAMILIES)
    for family in FAMILIES:
        assert len({made.statement.difficulty for made in sample if made.statement.family == family}) >= 4, family


def test_a_proof_belongs_to_its_statement(sample: list[Provable], lean: Pool) -> None:
    chosen = random.Random(0).sample(sample, 60)
    checks = [Check(id=str(i), statement=chosen[i].statement.formal, proof=chosen[i - 1].proof) for i in range(len(chosen))]
    accepted = sum(verdict.accepted is True for verdict in lean.check_many(checks))
    assert accepted <= len(chosen) // 10


def test_statements_are_not_one_line_giveaways(sample: list[Provable], lean: Pool) -> None:
    chosen = random.Random(1).sample([made for made in sample if made.statement.family not in LIGHT], 100)
    lines = ("by simp_all", "by intros; simp_all", "by decide", "by rfl", "by intros; assumption")
    checks = [Check(id=f"{i}/{line}", statement=made.statement.formal, proof=line) for i, made in enumerate(chosen) for line in lines]
    solved = {verdict.id.split("/")[0] for verdict in lean.check_many(checks) if verdict.accepted}
    assert len(solved) < 0.4 * len(chosen)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_seed_decides(family: str) -> None:
    def first(seed: int) -> list[tuple[str, str]]:
        source = drafts(family, 3, seed)
        return [(made.statement.formal, made.proof) for made in (next(source) for _ in range(12))]

    assert first(5) == first(5)
    assert first(5) != first(6)


def test_distinct_means_distinct_by_content(sample: list[Provable]) -> None:
    ids = [made.statement.id for made in sample]
    assert len(set(ids)) == len(ids)
    assert all(made.statement.id == statement_id(made.statement.formal) for made in sample)
    again, duplicates = distinct("order_chain", 1, 1000, 0, set())
    assert 0 < len(again) < 100 and duplicates > 0


def test_proofs_grow_with_difficulty() -> None:
    def mean(difficulty: int) -> float:
        lengths = [len(made.proof.split()) for family in FAMILIES for made in distinct(family, difficulty, 5, 3, set())[0]]
        return sum(lengths) / len(lengths)

    lengths = [mean(difficulty) for difficulty in (1, 3, 5)]
    assert lengths[0] < lengths[1] < lengths[2]


def test_named_sets_are_families() -> None:
    assert set(FAMILIES) >= UNSEEN and set(FAMILIES) >= LIGHT and not UNSEEN & LIGHT
