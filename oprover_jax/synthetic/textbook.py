"""The textbook: theorems of core Lean with proofs, written for this project, one file a chapter."""

import itertools
import re
from dataclasses import dataclass
from pathlib import Path

from oprover_jax.records import Statement
from oprover_jax.statements.normalize import statement_id, strip_comments

FOLDER = Path(__file__).parent / "textbook"
LICENCE = "Apache-2.0"

_START = re.compile(r"^theorem\s+(\S+)", re.MULTILINE)
_PROOF = re.compile(r":=\s+by\b")


class TextbookError(ValueError):
    """A chapter that is not a sequence of theorems with tactic proofs."""


@dataclass(frozen=True)
class Provable:
    """A statement and a proof of it that the kernel has yet to see."""

    statement: Statement
    proof: str


def chapter(path: Path) -> list[Provable]:
    """The theorems of one chapter file, in order. Each stands alone: `theorem name .. := by ..`, no other commands.

    Raises TextbookError naming file and line of what is not such a theorem.
    """
    text = strip_comments(path.read_text(encoding="utf-8"))
    starts = [*(found.start() for found in _START.finditer(text)), len(text)]
    if text[: starts[0]].strip():
        raise TextbookError(f"{path}, line 1: text before the first theorem; a chapter holds only theorems and comments")
    found = []
    for start, end in itertools.pairwise(starts):
        block = text[start:end].strip()
        split = _PROOF.search(block)
        named = _START.match(block)
        if split is None or named is None:
            raise TextbookError(f"{path}, line {text.count(chr(10), 0, start) + 1}: a theorem without `:= by`; write a tactic proof")
        formal = f"{' '.join(block[: split.start()].split())} := by sorry"
        proof = "by" + block[split.end() :]
        if "\n" not in proof:
            proof = f"by\n  {proof.removeprefix('by').strip()}"
        statement = Statement(
            id=statement_id(formal),
            name=named[1],
            formal=formal,
            family=f"textbook/{path.stem}",
            difficulty=1,
            source="textbook",
            licence=LICENCE,
        )
        found.append(Provable(statement, proof))
    return found


def textbook(folder: Path = FOLDER) -> list[Provable]:
    """All chapters, by file name."""
    files = sorted(folder.glob("*.lean"))
    if not files:
        raise TextbookError(f"{folder} holds no .lean file; install the package with its textbook")
    return [theorem for path in files for theorem in chapter(path)]
