"""Holes and `have`s as lemmas, by the real Lean: each closes its hole, and a proof that is kept proves it."""

import asyncio

import pytest

from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.toolbelt.asking import PoolLean, ToolError
from lean_worker.toolbelt.lemmas import LemmasReport, lemmas

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess, pytest.mark.slow]

HOLES = """namespace A
variable (α : Type)
theorem t (n m : Nat) (l : List α) (h : n < m) : n + 0 < m + 1 := by
  have a : n + l.length = l.length + n := sorry
  cases l
  · sorry
  · sorry
noncomputable def d : Nat := sorry
end A
"""
HAVES = """theorem u (n m : Nat) (h : n < m) : n + 0 < m + 1 := by
  have a : n + 0 = n := by
    have inner : 1 = 1 := rfl
    simp
  have b : m < m + 1 ∧ 1 = 1 := ⟨Nat.lt_succ_self m, rfl⟩
  have := b.1
  have ⟨c, d⟩ := b
  have e (k : Nat) : k = (let x := k; x) := rfl
  have f : n < m + 1 := by
    omega
  exact f
"""


def taken(pool: Pool, text: str, haves: bool = False) -> LemmasReport:
    return asyncio.run(lemmas(PoolLean(pool), text, haves))


def test_every_hole_becomes_a_lemma_that_closes_it(pool: Pool) -> None:
    report = taken(pool, HOLES)
    assert [(each.line, each.column) for each in report.lemmas] == [(4, 42), (6, 4), (7, 4), (8, 29)]
    *stated, data = report.lemmas
    assert not data.statement and "data" in data.problem
    filled, added = HOLES.split("\n"), []
    for each in reversed(stated):
        line = filled[each.line - 1]
        filled[each.line - 1] = f"{line[: each.column]}(by {each.call}){line[each.column + len('sorry') :]}".replace("· (by", "· exact (by")
        added.append(each.statement)
    text = "\n".join([*filled[:2], *reversed(added), *filled[2:]])
    whole = pool.read_file(text, lookup=True).result()
    assert not any(message.severity == "error" for message in whole.messages), whole.messages
    # each lemma holds its one hole, and the theorem has none of its own any more
    assert len(whole.holes) == 4 and {hole.theorem for hole in whole.holes} == {0, 1, 2, None}


def test_haves_become_lemmas_with_their_proofs(pool: Pool) -> None:
    report = taken(pool, HAVES, haves=True)
    assert [(each.line, each.column) for each in report.lemmas] == [(2, 2), (3, 4), (5, 2), (8, 2), (9, 2)]
    assert all(each.within == "u" and each.statement and not each.problem for each in report.lemmas)
    assert [each.proof.split("\n")[0] for each in report.lemmas] == [":= by", ":= rfl", ":= ⟨Nat.lt_succ_self m, rfl⟩", ":= rfl", ":= by"]
    verdicts = pool.check_many([Check("", each.statement, each.proof) for each in report.lemmas])
    assert all(verdict.accepted for verdict in verdicts)


def test_what_is_not_there_is_not_extracted(pool: Pool) -> None:
    assert taken(pool, "theorem t : 1 = 1 := rfl").lemmas == () == taken(pool, "theorem t : 1 = 1 := rfl", haves=True).lemmas
    refused = taken(pool, "#eval 1\ntheorem t : 1 = 1 := sorry")
    assert refused.kind == "forbidden" and refused.messages and not refused.lemmas
    with pytest.raises(ToolError, match="4 holes, more than 3"):
        asyncio.run(lemmas(PoolLean(pool), HOLES, most=3))


def test_a_cancelled_caller_asks_nothing_more(pool: Pool) -> None:
    async def cancelled() -> None:
        work = asyncio.ensure_future(lemmas(PoolLean(pool), HOLES))
        await asyncio.sleep(0.05)
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work

    asyncio.run(cancelled())
    assert pool.status().waiting == 0
