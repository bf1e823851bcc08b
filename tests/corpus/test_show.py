"""`oprover corpus show` counts what is there, by source and licence."""

from dataclasses import replace
from io import StringIO
from pathlib import Path

import pytest
from msgspec.structs import replace as changed
from rich.console import Console

from oprover_jax.corpus.corpus import open_corpus
from oprover_jax.corpus.show import Holding, holdings, show
from oprover_jax.corpus.tables import TABLES, proof_row, rows_to_table, statement_row, trajectory_row
from oprover_jax.records import ProofRecord, Statement, Trajectory

ONE = Statement("1", "one", "theorem one : True := by sorry", source="a", licence="MIT")
TWO = changed(ONE, id="2", licence="CC-BY-4.0")
PROOF = ProofRecord(ONE, "by trivial", "4", "core", (), 0.1, "test")


@pytest.mark.parametrize("verified_later", [False, True])
def test_counts_by_source_and_licence(tmp_path: Path, verified_later: bool) -> None:
    corpus = open_corpus(tmp_path, create=True)
    unchecked = [proof_row(changed(PROOF, proof=proof)) | {"checked": "unchecked"} for proof in ("by trivial", "by decide")]
    rows = {
        "statements": [statement_row(ONE), statement_row(TWO)],
        "proofs": unchecked,
        "trajectories": [trajectory_row(Trajectory(TWO, 0, "rollout-1", ()))] * 3,
        "quarantine": [{"source": "b", "where": "b.jsonl:7", "reason": "no statement", "row": "{}"}],
    }
    corpus.commit({table: rows_to_table(found, TABLES[table]) for table, found in rows.items()}, {"command": "test"})
    expected = [Holding("a", "CC-BY-4.0", 1, 0, 0, 0, 3, 0), Holding("a", "MIT", 1, 0, 0, 2, 0, 0), Holding("b", "", 0, 0, 0, 0, 0, 1)]
    if verified_later:
        corpus.commit(
            {
                "proofs": rows_to_table([proof_row(PROOF)], TABLES["proofs"]),
                "statements": rows_to_table(rows["statements"], TABLES["statements"]),
            },
            {},
        )
        expected[1] = replace(expected[1], proved=1, accepted=1, unchecked=1)
    assert holdings(corpus) == expected
    out = StringIO()
    show(corpus, Console(file=out))
    assert "CC-BY-4.0" in out.getvalue() and "2 statements, 2 proofs, 3 trajectories, 1 quarantine" in out.getvalue()


def test_an_empty_corpus_is_shown(tmp_path: Path) -> None:
    corpus = open_corpus(tmp_path, create=True)
    assert holdings(corpus) == []
    show(corpus, Console(file=StringIO()))
