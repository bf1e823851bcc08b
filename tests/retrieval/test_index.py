"""The index against brute force in numpy, through any history of upserts and deletes, and from several threads."""

import threading

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from oprover_jax.retrieval.index import Index, IndexConfig
from oprover_jax.retrieval.vectors import CHUNK, Vectors

DIMS = 8
TREE = IndexConfig(exact_up_to=40, leaves_searched=1.0, candidates=400, trained_on=60, retrain_growth=0.5)


def unit(count: int, seed: int, dims: int = DIMS) -> np.ndarray:
    made = np.random.default_rng(seed).normal(size=(count, dims)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def names(count: int, prefix: str = "v") -> list[str]:
    return [f"{prefix}{i}" for i in range(count)]


def oracle(held: dict[str, np.ndarray], query: np.ndarray, count: int) -> list[tuple[str, float]]:
    scores = sorted(((float(np.float64(vector) @ np.float64(query)), identity) for identity, vector in held.items()), reverse=True)
    return [(identity, score) for score, identity in scores[:count]]


def assert_same(found: list[tuple[str, float]], held: dict[str, np.ndarray], query: np.ndarray, count: int) -> None:
    """The same scores in the same order, and each id with its own score: equal scores may change places."""
    best = oracle(held, query, count)
    assert len(found) == len(best) and len({identity for identity, _ in found}) == len(found)
    np.testing.assert_allclose([score for _, score in found], [score for _, score in best], atol=1e-5)
    for identity, score in found:
        assert score == pytest.approx(float(held[identity] @ query), abs=1e-5)


class Histories(RuleBasedStateMachine):
    """The same calls on the index and on a dict; a tree whose leaves are all searched must find what brute force finds."""

    @initialize(config=st.sampled_from([IndexConfig(), TREE]), start=st.integers(0, 150))
    def begin(self, config: IndexConfig, start: int) -> None:
        self.index, self.held, self.seed = Index(DIMS, config), dict[str, np.ndarray](), 1
        self._put(names(start))

    @rule(count=st.integers(0, 70), offset=st.integers(0, 200))
    def upsert(self, count: int, offset: int) -> None:
        self._put([f"v{(offset + i) % 220}" for i in range(count)])

    def _put(self, ids: list[str]) -> None:
        self.seed += 1
        vectors = unit(len(ids), self.seed)
        self.index.upsert(ids, vectors)
        self.held |= dict(zip(ids, vectors, strict=True))

    @rule(count=st.integers(0, 60), offset=st.integers(0, 200))
    def delete(self, count: int, offset: int) -> None:
        ids = [identity for identity in list(self.held)[offset : offset + count] if identity in self.held]
        self.index.delete(ids)
        for identity in ids:
            del self.held[identity]

    @rule()
    def delete_what_is_not_there(self) -> None:
        known = list(self.held)[:3]
        with pytest.raises(KeyError, match="absent"):
            self.index.delete([*known, "absent"])

    @rule(count=st.integers(1, 9), queries=st.integers(0, 3))
    def search(self, count: int, queries: int) -> None:
        asked = unit(queries, 7)
        found = self.index.search(asked, count)
        assert len(found) == queries
        for query, row in zip(asked, found, strict=True):
            assert_same(row, self.held, query, count)

    @rule()
    def settle(self) -> None:
        self.index.wait()

    @invariant()
    def holds_what_it_was_given(self) -> None:
        if hasattr(self, "index"):
            assert len(self.index) == len(self.held)


Histories.TestCase.settings = settings(max_examples=12, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck))
TestHistories = Histories.TestCase


@pytest.mark.parametrize("stored", ["float32", "float16"])
def test_exact_search_goes_through_many_chunks(stored: str) -> None:
    count = 2 * CHUNK + 5
    vectors, made = Vectors(DIMS, stored), unit(count, 1)
    vectors.put(names(count), made)
    held = dict(zip(names(count), made.astype(stored).astype(np.float32), strict=True))
    for query, row in zip(unit(5, 2), vectors.search(unit(5, 2), 11), strict=True):
        assert_same(row, held, query, 11)


def test_equal_vectors_come_in_the_order_in_which_they_were_put() -> None:
    index = Index(DIMS, IndexConfig())
    index.upsert(names(5), np.repeat(unit(1, 1), 5, axis=0))
    assert [identity for identity, _ in index.search(unit(1, 1), 5)[0]] == names(5)


def test_few_leaves_still_give_as_many_as_were_asked_for() -> None:
    index, made = Index(DIMS, IndexConfig(exact_up_to=40, leaves_searched=0.01, candidates=4)), unit(300, 1)
    index.upsert(names(300), made)
    for row in index.search(unit(10, 2), 200):
        assert len({identity for identity, _ in row}) == 200


def test_it_serves_while_it_is_changed_and_rebuilt() -> None:
    """Readers see, at every moment, every entry that nobody deletes, and none that was deleted before they asked."""
    index, kept = Index(DIMS, TREE), unit(60, 1)
    index.upsert(names(60, "kept"), kept)
    index.search(kept[:1], 1)
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        try:
            while not done.is_set():
                for number, row in enumerate(index.search(kept, 1)):
                    assert row[0][0] == f"kept{number}" and row[0][1] == pytest.approx(1.0, abs=1e-5)
        except BaseException as failure:
            failures.append(failure)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for turn in range(12):
        moved = unit(40, 100 + turn)
        index.upsert(names(40, f"new{turn}-"), moved)
        index.delete(names(20, f"new{turn}-"))
        gone = {identity for identity, _ in index.search(moved[:20], 1)[0]}
        assert not gone & set(names(20, f"new{turn}-"))
    index.wait()
    done.set()
    for reader in readers:
        reader.join()
    assert not failures, failures
    assert len(index) == 60 + 12 * 20


def test_a_build_that_fails_is_said_and_not_swallowed(monkeypatch) -> None:
    index = Index(DIMS, TREE)
    index.upsert(names(60), unit(60, 1))
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="no memory"):
        patch.setattr("oprover_jax.retrieval.index._train", _no_memory)
        index.search(unit(1, 2), 1)
    assert len(index.search(unit(1, 2), 1)[0]) == 1


def _no_memory(*_: object) -> None:
    raise RuntimeError("no memory for the tree")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"leaves_searched": 0.0}, "leaves_searched is 0"),
        ({"retrain_growth": 0.0}, "retrain_growth is 0"),
        ({"exact_up_to": 3}, "exact_up_to is 3"),
        ({"stored": "int8"}, "stored is 'int8'"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        IndexConfig(**settings)
