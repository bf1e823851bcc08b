"""What is in which column of each set that we read. Data, not code: a new set is a new row of `LAYOUTS`.

Where the names were learned stands with each layout; what could not be confirmed is said. A column that is named here and not in the
file is an error that names it (`files`), unless it is listed as one that some copies lack.
"""

from dataclasses import dataclass, field
from typing import Literal

Format = Literal["parquet", "jsonl", "json", "lean"]

MATHLIB_HEADER = "import Mathlib\nimport Aesop\n\nset_option maxHeartbeats 400000\n\nopen BigOperators Real Nat Topology Rat"
"""What published provers put before the statements of sets without headers; which one a set was written for its card does not say."""


@dataclass(frozen=True)
class Columns:
    """Columns by what they mean; an empty name means that the set has no such column.

    `formal` holds a statement, alone or as a whole text; each of `proofs` a proof, alone or as a whole text that proves the statement
    (helper lemmas and all). A row whose `contaminates` says anything is part of a benchmark. `lacking` may be missing from a file.
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
    lacking: frozenset[str] = frozenset()

    @property
    def read(self) -> tuple[str, ...]:
        """All that are read, each once, in a fixed order."""
        text = (self.formal, *self.proofs, self.name, self.header, self.informal, self.domain, self.difficulty)
        about = (self.lean, self.needs, self.licence, self.source, self.contaminates)
        return tuple(dict.fromkeys(column for column in (*text, *about) if column))


@dataclass(frozen=True)
class Layout:
    """A set: the format and columns of its files, and what holds for rows that say nothing of their own.

    `upstream` says who has checked the proofs, and how; empty where nobody says so. What our Lean cannot follow of a set that somebody
    has checked stays unchecked; of any other set it is taken for wrong.
    """

    format: Format
    columns: Columns = field(default_factory=Columns)
    header: str = ""
    source: str = ""
    licence: str = ""
    lean: str = ""
    upstream: str = ""


LAYOUTS: dict[str, Layout] = {
    # 73 Parquet shards of four text columns, on its card; `cot_proof` and `prompt` are whole texts of the round that found the proof and
    # are not read: trajectories hold token ids. Neither Lean nor Mathlib version is given (the published verifier ran Lean 4.15.0).
    "oproofs": Layout(
        format="parquet",
        columns=Columns(proofs=("formal_proof",)),
        source="m-a-p/OProofs",
        licence="Apache-2.0",
        upstream="its own Lean workers, version not published",
    ),
    # Columns, licence and the shard names data/train-*.parquet from its dataset card; Lean 4.15.0 from cards of sets made from it.
    # `formal_ground_truth` is a person's proof where there is one, `formal_proof` one found by a prover.
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
    # 140K statements. That statements stand in `formal_statement` is what a program reads that OProver's authors published; the names
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
    # Pairs collected from public repositories, each row with its own licence, source and what it needs besides core Lean.
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
    # Anybody's own file: the source's own `columns` say what is where.
    "jsonl": Layout(format="jsonl"),
    "parquet": Layout(format="parquet"),
    # Every theorem of each file, with what stands before it as its header.
    "lean": Layout(format="lean", columns=Columns(formal="")),
}
