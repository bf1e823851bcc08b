"""Column layouts of all supported sets. Data, not code: a new set is a new row of `LAYOUTS`.

Each layout cites where its names were found, and what could not be confirmed. A listed column that is missing from the
file is an error that names it (`files`), unless it is listed as one that some copies lack.
"""

from dataclasses import dataclass, field
from typing import Literal

Format = Literal["parquet", "jsonl", "json", "lean"]

MATHLIB_HEADER = "import Mathlib\nimport Aesop\n\nset_option maxHeartbeats 400000\n\nopen BigOperators Real Nat Topology Rat"
"""Header that published provers use for sets without headers; the cards do not say which header a set was written for."""


@dataclass(frozen=True)
class Columns:
    """Columns by meaning; an empty name means that the set has no such column.

    `formal` contains a statement, alone or as a whole text; each of `proofs` a proof, alone or as a whole text that proves the statement
    (including helper lemmas). `prompt` and `answer` are what a prover read and wrote when it found the proof.
    A row with a non-empty `contaminates` is part of a benchmark. `lacking` may be missing from a file.
    """

    formal: str = "formal_statement"
    proofs: tuple[str, ...] = ()
    name: str = ""
    header: str = ""
    informal: str = ""
    domain: str = ""
    difficulty: str = ""
    lean: str = ""
    needs: str = ""
    licence: str = ""
    source: str = ""
    contaminates: str = ""
    prompt: str = ""
    answer: str = ""
    lacking: frozenset[str] = frozenset()

    @property
    def read(self) -> tuple[str, ...]:
        """All columns to read, each once, in a fixed order."""
        text = (self.formal, *self.proofs, self.name, self.header, self.informal, self.domain, self.difficulty)
        about = (self.lean, self.needs, self.licence, self.source, self.contaminates, self.prompt, self.answer)
        return tuple(dict.fromkeys(column for column in (*text, *about) if column))


@dataclass(frozen=True)
class Layout:
    """A set: the format and columns of its files, and defaults for rows without values of their own.

    `upstream` says who has checked the proofs, and how; empty if unknown. Proofs of a set that was checked upstream stay unchecked if our
    Lean cannot follow them; those of any other set count as wrong.
    """

    format: Format
    columns: Columns = field(default_factory=Columns)
    header: str = ""
    source: str = ""
    licence: str = ""
    lean: str = ""
    upstream: str = ""


LAYOUTS: dict[str, Layout] = {
    # 73 Parquet shards of four text columns, on its card; `prompt` and `cot_proof` are what the prover read and wrote in the round that
    # found the proof. Neither Lean nor Mathlib version is given (the published verifier ran Lean 4.15.0).
    "oproofs": Layout(
        format="parquet",
        columns=Columns(proofs=("formal_proof",), prompt="prompt", answer="cot_proof", lacking=frozenset({"prompt", "cot_proof"})),
        source="m-a-p/OProofs",
        licence="Apache-2.0",
        upstream="its own Lean workers, version not published",
    ),
    # Columns, licence and the shard names data/train-*.parquet from its dataset card; Lean 4.15.0 from cards of sets made from it.
    # `formal_ground_truth` is a person's proof if there is one, `formal_proof` one found by a prover.
    "numina-math-lean": Layout(
        format="parquet",
        columns=Columns(proofs=("formal_ground_truth", "formal_proof"), name="uuid", informal="problem", domain="problem_type"),
        source="AI-MO/NuminaMath-LEAN",
        licence="Apache-2.0",
        lean="4.15.0 with mathlib",
        upstream="Kimina Lean Server, Lean 4.15.0",
    ),
    # One JSON array, lean_workbook.json. Names from programs that read it; its proofs (a column that these do not use) could not be
    # confirmed and are not read. Statements end in `:=  by sorry` and have no header.
    "lean-workbook": Layout(
        format="json",
        columns=Columns(name="id", informal="natural_language_statement"),
        header=MATHLIB_HEADER,
        source="internlm/Lean-Workbook",
        licence="Apache-2.0",
        lean="mathlib",
    ),
    # 140K statements. The column `formal_statement` is taken from a program published by OProver's authors; the names
    # of other columns and the licence could not be confirmed.
    "leanabell": Layout(
        format="parquet",
        header=MATHLIB_HEADER,
        source="stoney0062/Leanabell-Prover-Formal-Statement",
        lean="mathlib",
    ),
    # `formal_statement` and `informal_statement` from two programs that read it; the licence could not be confirmed.
    "goedel-pset": Layout(
        format="parquet",
        columns=Columns(informal="informal_statement"),
        header=MATHLIB_HEADER,
        source="Goedel-LM/Goedel-Pset-v1",
        lean="mathlib",
    ),
    # Pairs collected from public repositories, each row with its own licence, source and requirements beyond core Lean.
    "pairs": Layout(
        format="jsonl",
        columns=Columns(
            proofs=("proof",),
            name="name",
            header="header",
            informal="informal",
            lean="lean",
            needs="needs",
            licence="licence",
            source="source",
            contaminates="contaminates",
            lacking=frozenset({"informal", "contaminates"}),
        ),
        upstream="the project that it was taken from, on its own Lean",
    ),
    # A user's own file: the source's `columns` say what is where.
    "jsonl": Layout(format="jsonl"),
    "parquet": Layout(format="parquet"),
    # Every theorem of each file, with the text before it as its header.
    "lean": Layout(format="lean", columns=Columns(formal="")),
}
