"""The index of a corpus: complete, extended by what was committed since, shared, and never used where it does not belong."""

import re
from pathlib import Path

import numpy as np
import pytest

from oprover_jax.corpus.corpus import Corpus, open_corpus
from oprover_jax.corpus.tables import TABLES, proof_row, rows_to_table, statement_row
from oprover_jax.errors import InputError
from oprover_jax.records import ProofRecord, Statement
from oprover_jax.retrieval.corpus_memory import Guard, Indexed, StoredVectors, index_corpus, index_folder, open_memory, saved_encoder
from oprover_jax.retrieval.encoder import LexicalEncoder
from oprover_jax.retrieval.index import IndexConfig
from oprover_jax.retrieval.memory import Memory
from oprover_jax.retrieval.memory_file import read_saved
from oprover_jax.statements.normalize import statement_id

pytestmark = pytest.mark.lean

TREE = IndexConfig(exact_up_to=20, leaves_searched=1.0)


def record(number: int, proof: str = "by omega") -> ProofRecord:
    formal = f"theorem t{number} (a b : Nat) (h : a + {number} < b) : a < b + {number % 7} ∧ {'a ≤ b ∧ ' * (number % 5)}True := by sorry"
    statement = Statement(statement_id(formal), f"t{number}", formal, source="own", licence="MIT")
    return ProofRecord(statement, proof, "4.35.0", "core", (), 0.1, "own")


RECORDS = [record(number) for number in range(60)]
ENCODER = LexicalEncoder.fit([one.statement for one in RECORDS], dims=64)


def commit(corpus: Corpus, records: list[ProofRecord], near: dict[str, str] | None = None) -> None:
    rows = [statement_row(one.statement, (near or {}).get(one.statement.id, "")) for one in records]
    proofs = rows_to_table(map(proof_row, records), TABLES["proofs"])
    corpus.commit({"statements": rows_to_table(rows, TABLES["statements"]), "proofs": proofs}, {"command": "test"})


@pytest.fixture
def corpus(tmp_path: Path) -> Corpus:
    made = open_corpus(tmp_path / "corpus", create=True)
    commit(made, RECORDS[:40], near={RECORDS[1].statement.id: RECORDS[0].statement.id})
    return made


def index(corpus: Corpus, config: IndexConfig = TREE, guard: Guard | None = None, encoder: LexicalEncoder = ENCODER) -> Indexed:
    return index_corpus(corpus, encoder, index_folder(corpus, "lexical"), config, guard)


def found(memory: Memory, k: int = 5) -> list[list[str]]:
    return [[one.statement.id for one in row] for row in memory.search([one.statement for one in RECORDS], k)]


def test_the_index_holds_the_corpus_and_what_was_committed_since(corpus: Corpus) -> None:
    done = index(corpus)
    folder = index_folder(corpus, "lexical")
    assert (done.offered, done.kept_out, done.saved.proofs, done.why) == (40, 0, 40, "")
    assert done.saved.tree is not None and folder.parent.name == "corpus.index"
    assert saved_encoder(folder).hash == ENCODER.hash
    memory = open_memory(corpus, ENCODER, config=TREE)
    assert {one.statement.id: one.proof for one in memory.records} == {one.statement.id: one.proof for one in RECORDS[:40]}
    assert RECORDS[0].statement.id not in found(memory, 30)[1] and RECORDS[1].statement.id not in found(memory, 30)[0]
    commit(corpus, [*RECORDS[40:50], record(3, "rfl")])
    grown = open_memory(corpus, ENCODER, config=TREE)
    assert len(grown) == 50 and grown.proof_of(RECORDS[3].statement.id).proof == "rfl"
    assert read_saved(folder) == done.saved, "reading does not write"
    again = index(corpus)
    assert (again.offered, again.saved.proofs, again.why) == (11, 50, "") and len(again.saved.covers) == 2
    assert found(open_memory(corpus, ENCODER, config=TREE)) == found(grown)
    assert index(corpus).why == "the index covers the whole corpus already"
    whole = index_corpus(corpus, ENCODER, folder.with_name("whole"), TREE)
    fresh = open_memory(corpus, ENCODER, folder.with_name("whole"), TREE)
    assert whole.saved.proofs == 50 and {one.statement.id: one for one in fresh.records} == {one.statement.id: one for one in grown.records}


def test_a_snapshot_sees_what_it_had(corpus: Corpus) -> None:
    snapshot = corpus.commits()
    index(corpus)
    commit(corpus, RECORDS[40:])
    assert len(open_memory(corpus, ENCODER, commits=snapshot)) == 40
    index(corpus)
    with pytest.raises(InputError, match=r"covers commit .* which .* does not have; build the index again"):
        open_memory(corpus, ENCODER, commits=snapshot)


def test_an_index_that_does_not_belong_is_refused_and_rebuilt_with_the_reason(corpus: Corpus, tmp_path: Path) -> None:
    folder = index_folder(corpus, "lexical")
    with pytest.raises(InputError, match=r"does not exist; build the index with `oprover corpus index .*corpus`"):
        open_memory(corpus, ENCODER)
    index(corpus)
    other = LexicalEncoder.fit([RECORDS[0].statement], dims=64)
    with pytest.raises(InputError, match=f"{ENCODER.hash}, not lexical {other.hash}"):
        open_memory(corpus, other)
    assert "has the encoder" in index(corpus, encoder=other).why and len(open_memory(corpus, other)) == 40
    assert "has the encoder" in index(corpus).why
    with (folder / "vectors.bin").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(InputError, match=r"vectors\.bin is torn"):
        open_memory(corpus, ENCODER)
    assert "vectors.bin is torn" in index(corpus).why and len(open_memory(corpus, ENCODER)) == 40
    elsewhere = open_corpus(tmp_path / "other", create=True)
    commit(elsewhere, RECORDS[:3])
    with pytest.raises(InputError, match="does not have"):
        open_memory(elsewhere, ENCODER, folder)
    with pytest.raises(InputError, match="is remote"):
        index_folder(open_corpus("memory://remote", create=True), "lexical")


def test_benchmarks_are_kept_out(corpus: Corpus) -> None:
    disguised = re.sub(r"\ba\b", "x", RECORDS[5].statement.formal.replace("t5", "exam"))
    guard = Guard.of([Statement("b", "exam", disguised, family="bench")])
    done = index(corpus, guard=guard)
    assert done.kept_out >= 1 and RECORDS[5].statement.id not in open_memory(corpus, ENCODER)
    commit(corpus, [record(5, "rfl")])
    assert index(corpus, guard=guard).kept_out == 1 and RECORDS[5].statement.id not in open_memory(corpus, ENCODER)
    assert "other benchmarks" in index(corpus).why and RECORDS[5].statement.id in open_memory(corpus, ENCODER)


def test_stored_vectors_suffice_for_statements_of_the_index(corpus: Corpus) -> None:
    index(corpus)
    blind = StoredVectors("lexical", ENCODER.hash, ENCODER.dims)
    memory = open_memory(corpus, blind, index_folder(corpus, "lexical"))
    known = [one.statement for one in RECORDS[:40]]
    expected = open_memory(corpus, ENCODER).search(known, 3)
    assert memory.search(known, 3) == expected
    with pytest.raises(InputError, match="is not in the index"):
        memory.search([RECORDS[50].statement], 3)


def test_processes_share_the_vectors(corpus: Corpus) -> None:
    index(corpus)
    memory = open_memory(corpus, ENCODER)
    mapped = memory._index._vectors._mapped
    assert isinstance(mapped.base, np.memmap) and mapped.base.mode == "c"


def test_a_corpus_without_proofs_has_an_empty_index_that_grows(tmp_path: Path) -> None:
    corpus = open_corpus(tmp_path / "corpus", create=True)
    assert index(corpus).saved.proofs == 0 and len(open_memory(corpus, ENCODER)) == 0
    commit(corpus, RECORDS[:3])
    assert index(corpus).saved.proofs == 3 and len(found(open_memory(corpus, ENCODER), 2)[0]) == 2
