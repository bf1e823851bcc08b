"""Lineage of a statement as a Parquet row: one formalization of one text, from its page to the last verdict."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from oprover_jax.autoformalize.mining.candidates import Candidate
from oprover_jax.autoformalize.vacuity import Tried
from oprover_jax.files import replacing

_TEXT = pa.string()
SCHEMA = pa.schema(
    [
        *[(name, _TEXT) for name in ("text_id", "informal", "kind", "url", "where")],
        ("place", pa.int32()),
        ("licence", _TEXT),
        ("classifier", pa.float64()),
        ("sample", pa.int32()),
        ("version", pa.int32()),
        *[(name, _TEXT) for name in ("answer", "name", "formal", "header", "lean", "library")],
        ("judgements", pa.list_(_TEXT)),
        ("critic", pa.float64()),
        ("tried", pa.list_(pa.struct([(name, _TEXT) for name in Tried.__struct_fields__]))),
        ("trivial", _TEXT),
        ("lost", _TEXT),
        ("detail", _TEXT),
    ]
)


class Formalization(msgspec.Struct, frozen=True):
    """One formalization. Each stage fills in its fields and skips rows with a reason in `lost`; `detail` holds Lean's message or similar.

    `where`, `place` and `url` are the file, the passage number and the address of the text. `classifier` and `critic` are scores.
    `version` is that of the policy that wrote `answer`; `lean` and `library` elaborated it; `tried` holds the vacuity checks by tactic.
    """

    text_id: str
    informal: str
    kind: str
    url: str
    where: str
    place: int
    licence: str
    classifier: float
    sample: int
    version: int = 0
    answer: str = ""
    name: str = ""
    formal: str = ""
    header: str = ""
    lean: str = ""
    library: str = ""
    judgements: tuple[str, ...] = ()
    critic: float | None = None
    tried: tuple[Tried, ...] = ()
    trivial: str = ""
    lost: str = ""
    detail: str = ""

    @property
    def lineage(self) -> str:
        """Origin of the statement in one line."""
        return f"{self.url or self.where}#passage-{self.place}/sample-{self.sample}"


def of_candidate(candidate: Candidate, sample: int) -> Formalization:
    """Return a new formalization of a candidate."""
    return Formalization(
        text_id=candidate.id,
        informal=candidate.text,
        kind=candidate.kind,
        url=candidate.url,
        where=candidate.where,
        place=candidate.place,
        licence=candidate.licence,
        classifier=candidate.score,
        sample=sample,
    )


def write_rows(path: Path, rows: Sequence[Formalization]) -> None:
    """Write rows atomically to a Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist([msgspec.to_builtins(row) for row in rows], schema=SCHEMA)
    with replacing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def read_rows(path: Path) -> list[Formalization]:
    """Read the rows of a Parquet file."""
    return msgspec.convert(pq.read_table(path, partitioning=None).to_pylist(), list[Formalization])


def read_lost(path: Path) -> list[str]:
    """Return the reason why each row is lost, "" for those that are not."""
    reasons: list[str] = pq.read_table(path, columns=["lost"], partitioning=None)["lost"].to_pylist()
    return reasons
