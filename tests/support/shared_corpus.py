"""A small corpus of several sources and licences, with all kinds of rows, for what counts it and passes it on."""

from pathlib import Path

from lean_worker.protocol import Kind, Verdict
from oprover_jax.corpus.corpus import Corpus, open_corpus
from oprover_jax.corpus.tables import TABLES, proof_row, rows_to_table, statement_row, trajectory_row
from oprover_jax.records import ProofRecord, Round, Statement, Trajectory

SOURCES = (("a/b c=d", "MIT"), ("mini", "Apache-2.0"), ("secret", "unknown"))


def statement(number: int) -> Statement:
    """Every third one is of another source; every fifth has a domain and a difficulty of its own."""
    source, licence = SOURCES[number % 3]
    own = ("Order", 7) if number % 5 == 0 else ("", 0)
    formal = f'theorem t{number} (n : ℕ) : n + {number} = {number} + n ∧ "|" = "|" := by sorry'
    return Statement(f"{number:016x}", f"t{number}", formal, "open Nat\n", "", own[1], source, licence, "In words.", own[0], "4.9")


def proof(number: int, code: str) -> ProofRecord:
    return ProofRecord(
        statement(number), code, "4.35.0", "core", ("propext", "Quot.sound"), 0.1, "repo@1:file", "2026-01-02T03:04:05+00:00"
    )


def trajectory(number: int, verdicts: list[bool | None], retrieved: bool) -> Trajectory:
    kinds: dict[bool | None, Kind] = {True: "accepted", False: "error", None: "unavailable"}
    rounds = [
        Round(
            (1, 2),
            (3,),
            (-1 / 3,),
            7,
            "stop",
            ("x",) if retrieved else (),
            "by rfl",
            True,
            Verdict("v", verdict, kinds[verdict]),
            "why",
            None,
        )
        for verdict in verdicts
    ]
    return Trajectory(statement(number), 0, "rollout-1", tuple(rounds))


def small_corpus(where: str | Path, statements: int = 30) -> Corpus:
    """Statement n has n % 4 accepted proofs, and an unchecked one where n % 6 == 0; trajectories on the first four."""
    corpus = open_corpus(where, create=True)
    accepted = [proof_row(proof(n, f"by\n  omega -- {'x' * n}\n  done{i}")) for n in range(statements) for i in range(n % 4)]
    unchecked = [
        {**proof_row(proof(n, "exact foo")), "checked": "unchecked", "verified_at": "", "lean": "4.9", "axioms": []}
        for n in range(0, statements, 6)
    ]
    played = [
        trajectory(0, [True], True),
        trajectory(1, [False, True], True),
        trajectory(2, [False, False], False),
        trajectory(3, [None], True),
    ]
    corpus.commit(
        {
            "statements": rows_to_table([statement_row(statement(n), "near" * (n == 1)) for n in range(statements)], TABLES["statements"]),
            "proofs": rows_to_table(accepted, TABLES["proofs"]),
            "quarantine": rows_to_table([{"source": "mini", "where": "f:1", "reason": "no", "row": "{}"}], TABLES["quarantine"]),
        },
        {"command": "build"},
    )
    corpus.commit({"proofs": rows_to_table(unchecked, TABLES["proofs"])}, {"command": "build"})
    corpus.commit({"trajectories": rows_to_table([trajectory_row(t, "demo") for t in played], TABLES["trajectories"])}, {"command": "add"})
    return corpus
