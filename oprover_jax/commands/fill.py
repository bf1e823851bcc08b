"""Insertion of accepted proofs into a user's file: a proof takes the place of `sorry`, its helpers stand before the theorem."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lean_worker.pool import Pool
from lean_worker.source import Declaration, SourceError, open_declarations
from oprover_jax.statements.declarations import blanked, is_declaration, split_restated, without_imports

_OWN = re.compile(r"(?:@\[[^\n]*\]|\b(?:private|protected|noncomputable|nonrec|public))\s*\Z")
_SCOPE = re.compile(r"(?m)^(?:open|variable|universe|set_option|local|attribute)\b(?!.*\bin[ \t]*$)")


@dataclass(frozen=True)
class Filling:
    """Text for one theorem of a file: `before` stands above the theorem and its documentation, `proof` replaces its `sorry`."""

    before: str
    proof: str

    @property
    def has_scope(self) -> bool:
        """Return True if `before` changes how later text is read, so that it needs a section."""
        return _SCOPE.search(blanked(self.before)) is not None


def filling(statement: str, proof: str) -> Filling | None:
    """Return how an accepted proof is inserted; None if it states the theorem in other words, so that it cannot be taken apart."""
    if not is_declaration(proof):
        return Filling("", proof.strip())
    parts = split_restated(statement, proof)
    return Filling(_without_own_marks(without_imports(parts[0])), parts[1]) if parts else None


def filled(text: str, targets: Sequence[Declaration], fillings: Mapping[int, Filling]) -> str:
    """Return the text with `fillings`, by `Declaration.start`, in place."""
    out, at = [], 0
    for target in targets:
        if (made := fillings.get(target.start)) is None:
            continue
        opening, closing = ("section\n\n", "\n\nend") if made.has_scope else ("", "")
        before = f"{opening}{made.before}\n\n" if made.before else ""
        separator = "\n  " if made.proof.startswith("|") else "" if made.proof.startswith(":=") else ":= "
        out += [text[at : target.header_end], before, text[target.header_end : target.start], separator, made.proof, closing]
        at = target.end
    return "".join(out) + text[at:]


def fits(text: str, pool: Pool, name: str) -> bool:
    """Return True if Lean elaborates the filled text, in which helpers may meet names and notation that come later."""
    try:
        open_declarations(text, pool, name)
    except SourceError:
        return False
    return True


def _without_own_marks(before: str) -> str:
    """Return text before a theorem without the theorem's own documentation, attributes and modifiers: the file has its own."""
    before = before.rstrip()
    while True:
        clear = blanked(before)
        if match := _OWN.search(clear):
            before = before[: match.start()].rstrip()
        elif before.endswith("-/") and (start := before.rfind("/--")) >= 0 and not clear[start:].strip():
            before = before[:start].rstrip()
        else:
            return before.strip("\n")
