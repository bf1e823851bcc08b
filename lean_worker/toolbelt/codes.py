"""Codes of smells, and the positions in the file of what they are about."""

from functools import cached_property

import msgspec

from lean_worker.lexer import LexError, Token, tokens
from lean_worker.toolbelt.probes import Subject

CODES: dict[str, str] = {
    "does-not-elaborate": "Lean does not accept the statement",
    "contradictory-hypotheses": "cheap tactics prove False from the hypotheses, so the statement says nothing",
    "empty-domain": "a variable ranges over a type without elements, such as `Fin 0` or `Empty`",
    "assumes-conclusion": "a hypothesis is the conclusion",
    "trivial-conclusion": "`with_reducible rfl` or `decide` proves the statement, so its hypotheses do not matter",
    "trivial-witness": "a witness such as 0 or 1 proves an existence statement",
    "unused-variable": "neither a hypothesis nor the conclusion mentions the variable",
    "unused-hypothesis": "the hypothesis is about variables that have nothing to do with the conclusion",
    "auto-bound": "an identifier that was never declared became a variable",
    "truncated-subtraction": "a subtraction in ℕ, which is 0 where the result would be negative, without a hypothesis that excludes it",
    "literal-division": "a division of a numeral in ℕ or ℤ, which drops the remainder: `5 / 2` is 2, `1 / n` is 0",
    "division-by-zero": "a division by the numeral 0, which is 0 by convention",
}


class Smell(msgspec.Struct, frozen=True):
    """A smell: its code, one sentence, and where it stands, if that is known. Lines count from 1, columns from 0."""

    code: str
    message: str
    line: int | None = None
    column: int | None = None


class Places:
    """Positions in a theorem's own text."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject

    @cached_property
    def _tokens(self) -> list[Token]:
        statement = self._subject.statement
        try:
            return [token for token in tokens(statement.text) if token.start >= statement.name_end]
        except LexError:
            return []

    def of_name(self, name: str) -> tuple[int | None, int | None]:
        """Return line and column of the first use of a name, or None twice if it is not written in the theorem."""
        found = next((token for token in self._tokens if token.text == name), None)
        return self._subject.place(found.start) if found else (None, None)

    def of_symbol(self, symbol: str, number: int, total: int) -> tuple[int | None, int | None]:
        """Return where a symbol is written for the time `number`, from 0, or None twice unless it is written `total` times."""
        found = [
            token
            for token, after in zip(self._tokens, [*self._tokens[1:], None], strict=True)
            if token.text == symbol and not (after is not None and after.text in (">", symbol) and after.start == token.end)
        ]
        return self._subject.place(found[number].start) if len(found) == total else (None, None)
