"""Arrow schemas of the tables of a corpus, and conversion of records to and from their rows.

Token ids and log-probabilities are list columns; other nested values are JSON text in a column. What decides whether a round is trained
on stands in small columns as well (`ROUND_FIELDS`), so that rollouts are chosen without their texts and ids being read.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
import pyarrow as pa

from oprover_jax.records import ProofRecord, Provenance, Round, Statement, Trajectory
from oprover_jax.statements.declarations import bare_proof, own_proof
from oprover_jax.statements.normalize import proof_id

_TEXT = pa.string()
_IDS = pa.list_(pa.list_(pa.int32()))
_LISTS_OF_ROUNDS = ("prompt_ids", "attempt_ids", "logprobs")
_STATEMENT_NAMES = Statement.__struct_fields__
_UNKNOWN = Provenance("", 0.0, 0.0, 0)
_PROOF_NAMES = tuple(name for name in ProofRecord.__struct_fields__ if name not in ("statement", "axioms"))

ROUND_FIELDS = [("kinds", pa.list_(_TEXT)), ("well_formed", pa.list_(pa.bool_())), ("proof_keys", pa.list_(pa.int64()))]
"""Of each round: kind of its verdict ("" for none), whether it is well-formed, and of an accepted one a hash of its proof, equal for proofs
that differ only in a restated theorem around them."""
STATEMENT_FIELDS = [(name, pa.int32() if name == "difficulty" else _TEXT) for name in _STATEMENT_NAMES]
TRAJECTORY_FIELDS = [
    ("sample", pa.int32()),
    ("stage", _TEXT),
    ("version", pa.int32()),
    ("accepted", pa.bool_()),
    ("prompt_ids", _IDS),
    ("attempt_ids", _IDS),
    ("logprobs", pa.list_(pa.list_(pa.float64()))),
    ("rounds", pa.list_(_TEXT)),
    ("tokenizer", _TEXT),
    ("temperature", pa.float64()),
    ("top_p", pa.float64()),
    ("max_new_tokens", pa.int32()),
    *ROUND_FIELDS,
]
"""Version 3 added `tokenizer` ("" if unknown), the sampling parameters and ROUND_FIELDS."""
PROOF_FIELDS = [
    ("proof", _TEXT),
    ("lean", _TEXT),
    ("library", _TEXT),
    ("axioms", pa.list_(_TEXT)),
    ("seconds", pa.float64()),
    ("origin", _TEXT),
    ("verified_at", _TEXT),
]

STATEMENTS = pa.schema([*STATEMENT_FIELDS, ("near", _TEXT)])
"""`near`: id of the first statement of its group of near duplicates, "" if it has none."""

PROOFS = pa.schema(
    [
        ("id", _TEXT),
        ("statement_id", _TEXT),
        ("proof", _TEXT),
        ("kind", _TEXT),
        *PROOF_FIELDS[1:],
        ("checked", _TEXT),
        ("source", _TEXT),
        ("licence", _TEXT),
    ]
)
"""`kind`: tactic, term, match or ""; `checked`: "accepted" by Lean here, or "unchecked" if the required Lean is unavailable."""

TRAJECTORIES = pa.schema([("statement_id", _TEXT), ("run", _TEXT), *TRAJECTORY_FIELDS, ("source", _TEXT)])
"""`run` identifies the policy: policy versions count within one run."""

QUARANTINE = pa.schema([(name, _TEXT) for name in ("source", "where", "reason", "row")])
"""Rejected input rows: `where` is file:line or row, `row` the row as JSON text."""

INCOMING = pa.schema(
    [
        ("name", _TEXT),
        ("formal", _TEXT),
        ("header", _TEXT),
        ("proof", _TEXT),
        ("kind", _TEXT),
        ("informal", _TEXT),
        ("domain", _TEXT),
        ("difficulty", pa.int32()),
        *[(name, _TEXT) for name in ("lean", "source", "licence", "origin", "where")],
        ("prompt", _TEXT),
        ("answer", _TEXT),
    ]
)
"""Rows from a source, before they have ids; `proof`, `prompt` and `answer` are null if there is none."""

CONVERSATIONS = pa.schema([(name, _TEXT) for name in ("id", "statement_id", "prompt", "answer", "source", "licence")])
"""What a prover read and wrote when it found a proof, as text; `id` is the id of the proof."""

FORMALIZATIONS = pa.schema(
    [
        *[(name, _TEXT) for name in ("statement_id", "text_id", "url", "where")],
        ("place", pa.int32()),
        ("classifier", pa.float64()),
        ("formalizer", _TEXT),
        ("version", pa.int32()),
        ("sample", pa.int32()),
        *[(name, _TEXT) for name in ("answer", "lean", "library", "critic")],
        ("faithful", pa.float64()),
        ("judgements", pa.list_(_TEXT)),
        ("tried", pa.list_(_TEXT)),
        *[(name, _TEXT) for name in ("trivial", "source", "licence")],
    ]
)
"""Origin of a statement that was formalized from a text: page, passage and its classifier's score, the policy that answered, the Lean that
elaborated it, the critic's mean score `faithful` in [0, 1] and its answers, and the tactics of the vacuity checks with Lean's verdicts."""

TAGS = pa.schema(
    [
        ("statement_id", _TEXT),
        ("domain", _TEXT),
        ("difficulty", pa.int32()),
        ("tagged_by", _TEXT),
        ("asked", _TEXT),
        ("tagged_at", _TEXT),
        ("source", _TEXT),
    ]
)
"""Domain and difficulty for statements whose source gives none; the last tag counts, an engine's before the rules'. `tagged_by`:
"rules" or "engine:..."; `asked`: the engine that was queried, which differs from `tagged_by` if its answer could not be parsed."""

TABLES = {
    "statements": STATEMENTS,
    "proofs": PROOFS,
    "trajectories": TRAJECTORIES,
    "quarantine": QUARANTINE,
    "formalizations": FORMALIZATIONS,
    "tags": TAGS,
    "conversations": CONVERSATIONS,
}


def proof_kind(proof: str) -> str:
    """Return how a proof starts: "tactic" (`by`), "match" (`|`), "term" (anything else), "" for none."""
    words = proof.split(maxsplit=1)
    if not words:
        return ""
    return "tactic" if words[0] == "by" else "match" if words[0].startswith("|") else "term"


def rows_to_table(rows: Iterable[Mapping[str, Any]], schema: pa.Schema) -> pa.Table:
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)


def statement_row(statement: Statement, near: str = "") -> dict[str, Any]:
    return {**statement_columns(statement), "near": near}


def statement_columns(statement: Statement) -> dict[str, Any]:
    """Return the fields of a statement by name."""
    return {name: getattr(statement, name) for name in _STATEMENT_NAMES}


def statement_of(row: Mapping[str, Any]) -> Statement:
    """Return the statement in `row`; fields missing in old rows keep their defaults."""
    return Statement(**{name: row[name] for name in _STATEMENT_NAMES if name in row})


def proof_row(record: ProofRecord) -> dict[str, Any]:
    """Return a row of PROOFS for a proof that Lean accepted; source and licence are those of its statement."""
    statement = record.statement
    return {
        **proof_columns(record),
        "id": proof_id(statement.id, record.proof),
        "statement_id": statement.id,
        "kind": proof_kind(own_proof(statement.formal, record.proof)),
        "checked": "accepted",
        "source": statement.source,
        "licence": statement.licence,
    }


def proof_columns(record: ProofRecord) -> dict[str, Any]:
    """Return the fields of a proof by name, without its statement."""
    return {name: getattr(record, name) for name in _PROOF_NAMES} | {"axioms": list(record.axioms)}


def proof_of(row: Mapping[str, Any], statement: Statement) -> ProofRecord:
    own = {name: row[name] for name in _PROOF_NAMES if name in row}
    return ProofRecord(statement=statement, axioms=tuple(row["axioms"]), **own)


def trajectory_row(trajectory: Trajectory, run: str = "") -> dict[str, Any]:
    statement = trajectory.statement
    return {**trajectory_columns(trajectory), "statement_id": statement.id, "run": run, "source": statement.source}


def trajectory_columns(trajectory: Trajectory) -> dict[str, Any]:
    """Return the fields of a trajectory by name, without its statement, and whether it was accepted."""
    rest = [{name: getattr(r, name) for name in Round.__struct_fields__ if name not in _LISTS_OF_ROUNDS} for r in trajectory.rounds]
    formal, drawn = trajectory.statement.formal, trajectory.provenance or _UNKNOWN
    return {
        **{name: getattr(trajectory, name) for name in ("sample", "stage", "version", "accepted")},
        **{name: [getattr(r, name) for r in trajectory.rounds] for name in _LISTS_OF_ROUNDS},
        "rounds": [msgspec.json.encode(entry).decode() for entry in rest],
        **{name: getattr(drawn, name) for name in Provenance.__struct_fields__},
        "kinds": ["" if r.verdict is None else r.verdict.kind for r in trajectory.rounds],
        "well_formed": [r.well_formed for r in trajectory.rounds],
        "proof_keys": [proof_key(bare_proof(formal, r.proof)) if r.accepted and r.proof is not None else None for r in trajectory.rounds],
    }


def trajectory_of(row: Mapping[str, Any], statement: Statement) -> Trajectory:
    rounds = []
    for index, text in enumerate(row["rounds"]):
        lists = {name: row[name][index] for name in _LISTS_OF_ROUNDS}
        rounds.append(msgspec.convert({**msgspec.json.decode(text), **lists}, Round))
    drawn = Provenance(**{name: row[name] for name in Provenance.__struct_fields__}) if row.get("tokenizer") else None
    return Trajectory(statement, row["sample"], row["stage"], tuple(rounds), row["version"], drawn)


def with_round_fields(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Return rows of TRAJECTORIES with the columns that rows before version 3 lack, or have as nulls."""
    columns = dict(zip(batch.schema.names, batch.columns, strict=True))
    for name, unknown in zip(Provenance.__struct_fields__, (_UNKNOWN.tokenizer, 0.0, 0.0, 0), strict=True):
        known = columns.get(name, pa.nulls(len(batch)))
        columns[name] = known.cast(TRAJECTORIES.field(name).type).fill_null(unknown)
    if batch.num_rows and (not {name for name, _ in ROUND_FIELDS} <= columns.keys() or columns["kinds"].null_count):
        fields = zip(*map(round_fields, columns["rounds"].to_pylist()), strict=True)
        columns |= {name: pa.array(values, kind) for (name, kind), values in zip(ROUND_FIELDS, fields, strict=True)}
    return pa.RecordBatch.from_pydict(columns)


def proof_key(proof: str) -> int:
    """Return a 64-bit hash that distinguishes the proofs of millions of rounds."""
    return int.from_bytes(hashlib.blake2b(proof.encode(errors="surrogatepass"), digest_size=8).digest(), signed=True)


class _StoredVerdict(msgspec.Struct):
    kind: str = ""


class _StoredRound(msgspec.Struct):
    """The parts of a stored round that ROUND_FIELDS repeat."""

    proof: str | None
    well_formed: bool
    verdict: _StoredVerdict | None


_stored_round = msgspec.json.Decoder(_StoredRound)


def round_fields(rounds: Sequence[str]) -> tuple[list[str], list[bool], list[int | None]]:
    """Return the values of ROUND_FIELDS for the `rounds` of a row that was written before they existed."""
    stored = [_stored_round.decode(text) for text in rounds]
    kinds = ["" if each.verdict is None else each.verdict.kind for each in stored]
    proofs = [each.proof if kind == "accepted" else None for kind, each in zip(kinds, stored, strict=True)]
    return kinds, [each.well_formed for each in stored], [None if proof is None else proof_key(proof) for proof in proofs]
