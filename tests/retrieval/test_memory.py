"""The memory against numpy brute force, and the promises that training rests on: never the own proof, only verified ones."""

import random
import shutil
import sys
import threading
from collections.abc import Sequence
from types import FrameType

import numpy as np
import pytest

from oprover_jax.records import ProofRecord, Statement
from oprover_jax.retrieval.encoder import Encoder, LexicalEncoder
from oprover_jax.retrieval.index import IndexConfig
from oprover_jax.retrieval.memory import Filters, Memory, MemoryFileError, UnverifiedProofError
from oprover_jax.statements.decontaminate import fingerprints

pytestmark = pytest.mark.lean

EXACT = IndexConfig()
TREE = IndexConfig(exact_up_to=100, leaves_searched=0.5, candidates=200)


def statements(count: int, seed: int = 0) -> list[Statement]:
    rng = random.Random(seed)
    operators, relations, types = (
        ["+", "*", "-", "∧", "∨", "→", "++", "::"],
        ["=", "≤", "<", "≠", "↔"],
        ["Nat", "Int", "Prop", "List Nat", "Bool"],
    )
    made = []
    for i in range(count):
        terms = [f" {rng.choice(operators)} ".join(rng.choice("abcd") for _ in range(rng.randint(1, 5))) for _ in range(2)]
        formal = f"theorem t{i} (a b c d : {rng.choice(types)}) : {terms[0]} {rng.choice(relations)} {terms[1]} := by sorry"
        made.append(Statement(id=f"s{seed}-{i}", name=f"t{i}", formal=formal))
    return made


def proof(statement: Statement, text: str = "by simp", axioms: tuple[str, ...] = ("propext",), lean: str = "4.30.0") -> ProofRecord:
    return ProofRecord(statement=statement, proof=text, lean=lean, library="core", axioms=axioms, seconds=0.1, origin="test")


STATEMENTS = statements(600)
ENCODER = LexicalEncoder.fit(STATEMENTS, dims=256)


def ids(found: list[list[ProofRecord]]) -> list[list[str]]:
    return [[record.statement.id for record in records] for records in found]


def brute_force_scores(memory: Memory, queries: list[Statement], k: int) -> list[list[float]]:
    """Best similarities of each query with the other statements of the memory: ties make ids ambiguous, scores are not."""
    records = memory.records
    scores = ENCODER.encode(queries) @ ENCODER.encode([r.statement for r in records]).T
    own = np.array([[r.statement.id == q.id for r in records] for q in queries])
    return [sorted(row[~mine], reverse=True)[:k] for row, mine in zip(scores, own)]


def found_scores(found: list[list[ProofRecord]], queries: list[Statement]) -> list[list[float]]:
    return [
        [float(score) for score in ENCODER.encode([r.statement for r in records]) @ ENCODER.encode([query])[0]]
        for records, query in zip(found, queries)
    ]


def test_small_memories_are_searched_exactly() -> None:
    memory = Memory(ENCODER, EXACT)
    memory.add(map(proof, STATEMENTS))
    queries = STATEMENTS[:40] + statements(40, seed=1)
    found = memory.search(queries, k=8)
    np.testing.assert_allclose(found_scores(found, queries), brute_force_scores(memory, queries, 8), atol=1e-5)


def test_large_memories_recall_nearly_all() -> None:
    memory = Memory(ENCODER, TREE)
    memory.add(map(proof, STATEMENTS))
    queries = statements(60, seed=2)
    got, best = found_scores(memory.search(queries, k=8), queries), brute_force_scores(memory, queries, 8)
    recall = np.mean([[score >= row[-1] - 1e-5 for score in scores] for scores, row in zip(got, best)])
    assert recall >= 0.95


@pytest.mark.parametrize("config", [EXACT, TREE])
def test_own_and_excluded_proofs_never_come_back(config: IndexConfig) -> None:
    memory = Memory(ENCODER, config)
    memory.add(map(proof, STATEMENTS[:300]))
    excluded = {s.id for s in STATEMENTS[100:200]} | {"unknown"}
    for query, found in zip(STATEMENTS, ids(memory.search(STATEMENTS[:300], k=5, exclude_ids=excluded))):
        assert query.id not in found and not excluded & set(found)
        assert len(found) == len(set(found)) == 5


def test_fewer_proofs_than_asked_for() -> None:
    memory = Memory(ENCODER)
    assert memory.search(STATEMENTS[:2], k=4) == [[], []]
    memory.add(map(proof, STATEMENTS[:3]))
    assert sorted(ids(memory.search(STATEMENTS[:1], k=4))[0]) == [STATEMENTS[1].id, STATEMENTS[2].id]
    assert memory.search([], k=4) == [] and memory.search(STATEMENTS[:1], k=0) == [[]]
    with pytest.raises(ValueError, match="k is -1"):
        memory.search(STATEMENTS[:1], k=-1)


def test_the_shortest_proof_of_a_statement_is_kept() -> None:
    memory, one = Memory(ENCODER), STATEMENTS[0]
    assert memory.add([proof(one, "by simp_all"), proof(one, "by rfl"), proof(one, "by omega")]) == 1
    assert memory.add([proof(one, "by exact rfl")]) == 0
    assert [r.proof for r in memory.records] == ["by rfl"]
    assert memory.add([proof(one, "rfl")]) == 1
    assert [r.proof for r in memory.records] == ["rfl"] and len(memory) == 1
    assert memory.search([STATEMENTS[1]], k=2)[0][0].proof == "rfl"


@pytest.mark.parametrize("config", [EXACT, TREE])
def test_any_history_of_adding_and_removing_equals_a_fresh_memory(config: IndexConfig) -> None:
    rng, memory, alive = random.Random(3), Memory(ENCODER, config), {}
    for _ in range(12):
        added, removed = rng.sample(STATEMENTS, 60), rng.sample(STATEMENTS, 20)
        memory.add(map(proof, added))
        alive |= {s.id: s for s in added}
        assert memory.remove(s.id for s in removed) == sum(s.id in alive for s in removed)
        for s in removed:
            alive.pop(s.id, None)
        found = ids(memory.search(list(alive.values())[:20], k=4))
        assert {i for row in found for i in row} <= alive.keys()
    assert len(memory) == len(alive) and set(alive) == {r.statement.id for r in memory.records}
    whole = ids(memory.search(statements(1, seed=9), k=len(alive)))[0] if config is EXACT else list(alive)
    assert sorted(whole) == sorted(alive)


def test_everything_can_be_removed_and_come_back() -> None:
    memory = Memory(ENCODER)
    memory.add(map(proof, STATEMENTS[:5]))
    memory.search(STATEMENTS[:1], k=1)
    assert memory.remove([s.id for s in STATEMENTS[:5]] * 2) == 5 and len(memory) == 0
    assert memory.search(STATEMENTS[:1], k=1) == [[]]
    memory.add(map(proof, STATEMENTS[5:8]))
    assert len(memory.search(STATEMENTS[:1], k=3)[0]) == 3 and STATEMENTS[5].id in memory and STATEMENTS[0].id not in memory


@pytest.mark.parametrize(
    ("record", "word"),
    [
        (proof(STATEMENTS[1], axioms=("sorryAx",)), "sorryAx"),
        (proof(STATEMENTS[1], lean=""), "no Lean version"),
        (proof(STATEMENTS[1], text="  "), "empty proof"),
    ],
)
def test_a_record_that_no_kernel_accepted_is_refused_and_nothing_changes(record: ProofRecord, word: str) -> None:
    memory = Memory(ENCODER)
    with pytest.raises(UnverifiedProofError, match=word):
        memory.add([proof(STATEMENTS[0]), record])
    assert len(memory) == 0


def test_save_load_round_trip(tmp_path) -> None:
    memory = Memory(ENCODER)
    memory.add(map(proof, STATEMENTS[:50]))
    memory.save(tmp_path / "memory")
    loaded = Memory.load(tmp_path / "memory", ENCODER)
    assert loaded.records == memory.records
    assert ids(loaded.search(STATEMENTS[:20], k=3)) == ids(memory.search(STATEMENTS[:20], k=3))
    Memory(ENCODER).save(tmp_path / "memory")
    assert len(Memory.load(tmp_path / "memory", ENCODER)) == 0


def test_another_encoder_is_refused(tmp_path) -> None:
    memory = Memory(ENCODER)
    memory.add(map(proof, STATEMENTS[:5]))
    memory.save(tmp_path / "memory")
    other = LexicalEncoder.fit(STATEMENTS[:10], dims=256)
    with pytest.raises(MemoryFileError, match=f"{ENCODER.hash}.*{other.hash}"):
        Memory.load(tmp_path / "memory", other)


@pytest.mark.parametrize("config", [EXACT, TREE])
def test_a_damaged_memory_is_refused(tmp_path, config: IndexConfig) -> None:
    memory = Memory(ENCODER, config)
    memory.add(map(proof, STATEMENTS[:300]))
    memory.save(tmp_path / "whole")
    names = [path.relative_to(tmp_path / "whole") for path in (tmp_path / "whole").rglob("*") if path.is_file()]
    assert len(names) > (8 if config is TREE else 3)
    for number, name in enumerate(names):
        damaged = tmp_path / str(number)
        shutil.copytree(tmp_path / "whole", damaged)
        with open(damaged / name, "r+b") as file:
            file.truncate((damaged / name).stat().st_size - 1)
        with pytest.raises(MemoryFileError, match=name.name if name.name != "index.json" else "is not a whole"):
            Memory.load(damaged, ENCODER)
        (damaged / name).unlink()
        with pytest.raises(MemoryFileError, match="build it again"):
            Memory.load(damaged, ENCODER)
    (tmp_path / "file").write_bytes(b"junk" * 20)
    for name in ("file", "absent"):
        with pytest.raises(MemoryFileError, match=name):
            Memory.load(tmp_path / name, ENCODER)


def test_a_saved_tree_is_not_trained_again_and_goes_on_growing(tmp_path, monkeypatch) -> None:
    memory = Memory(ENCODER, TREE)
    memory.add(map(proof, STATEMENTS[:400]))
    memory.save(tmp_path / "memory")
    before = ids(memory.search(STATEMENTS[:50], k=5))

    def train(*_: object) -> None:
        raise AssertionError("the tree is trained again")

    with monkeypatch.context() as patch:
        patch.setattr("oprover_jax.retrieval.index._train", train)
        loaded = Memory.load(tmp_path / "memory", ENCODER, TREE)
        assert ids(loaded.search(STATEMENTS[:50], k=5)) == before
        loaded.add(map(proof, STATEMENTS[400:500]))
        loaded.add([proof(STATEMENTS[7], "rfl")])
        loaded.remove([s.id for s in STATEMENTS[:5]])
        queries = statements(40, seed=5)
        got, best = found_scores(loaded.search(queries, k=8), queries), brute_force_scores(loaded, queries, 8)
        assert np.mean([[score >= row[-1] - 1e-5 for score in scores] for scores, row in zip(got, best)]) >= 0.95
        loaded.save(tmp_path / "memory")  # over the files that it has mapped itself
        again = Memory.load(tmp_path / "memory", ENCODER, TREE)
        assert ids(again.search(queries, k=8)) == ids(loaded.search(queries, k=8))
    assert again.records == loaded.records and len(again) == 495
    assert next(r for r in again.records if r.statement.id == STATEMENTS[7].id).proof == "rfl"


@pytest.mark.parametrize("config", [EXACT, TREE])
def test_one_statement_of_a_large_group_does_not_lengthen_the_search_of_others(config: IndexConfig) -> None:
    scores = ENCODER.encode(STATEMENTS) @ ENCODER.encode(STATEMENTS[:1])[0]
    group = [STATEMENTS[at] for at in np.argsort(-scores)[:200]]
    near = {s.id: group[0].id for s in group[1:]}
    memory = Memory(ENCODER, config, Filters([near]))
    memory.add(map(proof, STATEMENTS))
    memory.search(STATEMENTS[:1], k=1)  # trains the tree
    alone = [s for s in STATEMENTS if s not in group][:63]
    asked: list[tuple[int, int]] = []

    def watch(frame: FrameType, event: str, argument: object) -> None:
        if event == "call" and frame.f_code.co_qualname == "Index.search":
            asked.append((len(frame.f_locals["queries"]), frame.f_locals["count"]))

    sys.setprofile(watch)
    try:
        found = ids(memory.search([group[1], *alone], k=8))
    finally:
        sys.setprofile(None)
    assert all(len(row) == 8 for row in found) and not {s.id for s in group} & set(found[0])
    assert asked == [(64, 24), (1, 72), (1, 264)], asked


class WatchedEncoder:
    """Encodes like another encoder and lists the statements that it is given."""

    def __init__(self, inner: Encoder) -> None:
        self._inner, self.name, self.hash, self.dims = inner, inner.name, inner.hash, inner.dims
        self.encoded: list[str] = []

    def encode(self, statements: Sequence[Statement]) -> np.ndarray:
        self.encoded += [statement.id for statement in statements]
        return self._inner.encode(statements)


def test_stored_statements_are_not_encoded_again() -> None:
    watched, memories = WatchedEncoder(ENCODER), []
    for encoder in (ENCODER, watched):
        memories.append(Memory(encoder))
        memories[-1].add(map(proof, STATEMENTS[:50]))
    expected = ids(memories[0].search(STATEMENTS[:60], k=3))
    watched.encoded.clear()
    assert ids(memories[1].search(STATEMENTS[:60], k=3)) == expected and watched.encoded == [s.id for s in STATEMENTS[50:60]]


def test_a_failed_save_leaves_the_old_file_whole(tmp_path, monkeypatch) -> None:
    memory, path = Memory(ENCODER), tmp_path / "memory"
    memory.add(map(proof, STATEMENTS[:5]))
    memory.save(path)
    before = {file.name: file.read_bytes() for file in path.iterdir()}
    memory.add(map(proof, STATEMENTS[5:50]))

    def no_space(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space"):
        patch.setattr("os.replace", no_space)
        memory.save(path)
    assert {file.name: file.read_bytes() for file in path.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["memory"]


def test_nothing_of_a_statement_s_own_group_comes_back(tmp_path) -> None:
    """Near duplicates by the corpus's groups, whether the statement itself is in the memory or not, and whoever is the first of a group."""
    near = {STATEMENTS[i].id: STATEMENTS[0].id for i in range(1, 40)} | {STATEMENTS[50].id: ""}
    filters = Filters(near=[near])
    memory = Memory(ENCODER, EXACT, filters)
    memory.add(map(proof, STATEMENTS[:38] + STATEMENTS[40:80]))
    memory.save(tmp_path / "memory")
    group = {s.id for s in STATEMENTS[:40]}
    for one in (memory, Memory.load(tmp_path / "memory", ENCODER, EXACT, filters)):
        for query, found in zip(STATEMENTS[:60], ids(one.search(STATEMENTS[:60], k=30)), strict=True):
            assert len(found) == 30 and query.id not in found
            assert not group & set(found) if query.id in group else group & set(found)
    memory.remove([STATEMENTS[3].id])
    assert STATEMENTS[3].id not in ids(memory.search([STATEMENTS[60]], k=200))[0]


def test_a_statement_may_have_groups_of_several_kinds() -> None:
    a, b, c, d = STATEMENTS[:4]
    memory = Memory(ENCODER, filters=Filters(near=[{b.id: a.id}, {b.id: c.id}, {a.id: d.id}]))
    memory.add(map(proof, STATEMENTS[:6]))
    others = {s.id for s in STATEMENTS[:6]}
    for query, group in ((a, {a, b, d}), (b, {a, b, c}), (c, {b, c}), (d, {a, d})):
        assert set(ids(memory.search([query], k=6))[0]) == others - {s.id for s in group}


def test_the_same_normal_form_under_another_header_is_the_statement_itself() -> None:
    memory, text = Memory(ENCODER), "theorem t{} ({} : Nat) : {} * 1 = {} := by sorry"
    headed = Statement("headed", "t1", text.format(1, *"nnn"), header="open Nat\n")
    plain = Statement("plain", "t2", text.format(2, *"kkk"))
    memory.add([proof(headed), *map(proof, STATEMENTS[:5])])
    assert "headed" not in ids(memory.search([plain], k=6))[0] and "headed" in ids(memory.search([STATEMENTS[0]], k=6))[0]


def test_a_benchmark_s_statement_never_enters(tmp_path) -> None:
    disguised = Statement("other-id", "renamed", STATEMENTS[3].formal.replace("t3", "renamed"), header="open Nat\n")
    unguarded = Memory(ENCODER)
    unguarded.add(map(proof, [*STATEMENTS[:6], disguised]))
    unguarded.save(tmp_path / "memory")
    filters = Filters(benchmark=frozenset(fingerprints([STATEMENTS[3]])))
    guarded = Memory(ENCODER, filters=filters)
    assert guarded.add(map(proof, [*STATEMENTS[:6], disguised])) == 5
    for memory in (guarded, Memory.load(tmp_path / "memory", ENCODER, filters=filters)):
        assert {r.statement.id for r in memory.records} == {s.id for s in STATEMENTS[:6]} - {STATEMENTS[3].id}


def test_many_threads_add_search_and_save_at_once(tmp_path) -> None:
    memory = Memory(ENCODER, TREE)
    memory.add(map(proof, STATEMENTS[:120]))
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for step in range(4):
                mine = STATEMENTS[150 + 40 * number + 10 * step :][:10]
                memory.add(map(proof, mine))
                assert all(len(found) == 5 for found in ids(memory.search(STATEMENTS[:20], k=5)))
                memory.save(tmp_path / f"memory-{number}")
                memory.remove([s.id for s in mine[:5]])
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    assert len(memory) == 120 + 4 * 4 * 5 and len(Memory.load(tmp_path / "memory-0", ENCODER)) >= 120


def test_an_own_proof_that_comes_in_during_a_search_stays_out_of_it() -> None:
    """The first search of a tree waits until it is built: time enough for others to add."""
    mine, named = STATEMENTS[0], STATEMENTS[1]
    for _ in range(10):
        memory, done = Memory(ENCODER, TREE), threading.Event()
        memory.add(map(proof, STATEMENTS[2:150]))

        def come_and_go(memory: Memory = memory, done: threading.Event = done) -> None:
            while not done.is_set():
                memory.add([proof(mine), proof(named)])
                done.wait(0.002)  # long enough to be found
                memory.remove([mine.id, named.id])
                done.wait(0.002)

        other = threading.Thread(target=come_and_go)
        other.start()
        try:
            [found] = ids(memory.search([mine], k=5, exclude_ids=[named.id]))
        finally:
            done.set()
            other.join()
        assert len(found) == 5 and not {mine.id, named.id} & set(found)
