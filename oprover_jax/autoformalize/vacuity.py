"""Vacuity checks by Lean: statements with contradictory hypotheses, and trivial statements.

Hypotheses are contradictory if `intros; exfalso` and a short tactic prove the statement. Theorems that conclude False or an arbitrary
proposition are exempt, because that is what they state. A statement passes if no tactic proves it in time: the check may miss vacuous
statements, but rejects none that is not vacuous. A tactic without a verdict counts as not checked.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from lean_worker.errors import LeanWorkerError
from lean_worker.lexer import Token, tokens
from oprover_jax.autoformalize.config import VacuityConfig
from oprover_jax.records import Statement
from oprover_jax.verify.verifier import Verifier

_VARIABLE = re.compile(r"^variable\b[^\n]*(?:\n[ \t]+[^\n]*)*", re.M)
_OPENING, _CLOSING = frozenset("([{⟨⦃"), frozenset(")]}⟩⦄")


class Tried(msgspec.Struct, frozen=True):
    """Tactic of a check with Lean's verdict, a `Verdict.kind`."""

    check: str
    tactic: str
    verdict: str


@dataclass(frozen=True)
class Vacuity:
    """Result of the checks. `vacuous` and `trivial` hold the tactic that showed it, or ""; `tried` lists all tactics."""

    vacuous: str
    trivial: str
    tried: tuple[Tried, ...]

    @property
    def undecided(self) -> bool:
        """True if verification was unavailable for some tactic and no other showed that the statement is vacuous."""
        return not self.vacuous and any(attempt.verdict == "unavailable" for attempt in self.tried)


async def known_tactics(verifier: Verifier, tactics: Sequence[str], header: str) -> list[str]:
    """Return the tactics that this Lean can parse; an unknown tactic would always fail and look like a verdict.

    Raises:
      LeanWorkerError: A tactic got no verdict, so that it is unknown whether it can be used.
    """
    probe = Statement("probe", "probe", "theorem probe : True := by sorry", header)
    verdicts = await asyncio.gather(*(verifier.verify(probe, f"by first | trivial | ({tactic})") for tactic in tactics))
    for tactic, verdict in zip(tactics, verdicts, strict=True):
        if verdict.accepted is None:
            raise LeanWorkerError(
                f"no verdict on whether Lean knows the tactic {tactic!r} ({verdict.kind}); run the same command again later to resume"
            )
    return [tactic for tactic, verdict in zip(tactics, verdicts, strict=True) if verdict.accepted]


async def check_vacuity(verifier: Verifier, statement: Statement, config: VacuityConfig) -> Vacuity:
    """Try the tactics of `config` on a statement; a vacuous statement is not checked for triviality."""
    tried: list[Tried] = []
    vacuous = ""
    if not concludes_contradiction(statement.formal, statement.header):
        proofs = {tactic: f"by\n  intros\n  exfalso\n  {tactic}" for tactic in config.contradiction}
        vacuous = await _first(verifier, statement, "vacuous", proofs, tried)
    trivial = ""
    if not vacuous:
        proofs = {tactic: f"by first | {tactic} | (intros; {tactic})" for tactic in config.trivial}
        trivial = await _first(verifier, statement, "trivial", proofs, tried)
    return Vacuity(vacuous, trivial, tuple(tried))


async def _first(verifier: Verifier, statement: Statement, name: str, proofs: dict[str, str], tried: list[Tried]) -> str:
    """Return the first tactic whose proof Lean accepts, or ""; all are tried concurrently and added to `tried`."""
    verdicts = await asyncio.gather(*(verifier.verify(statement, proof) for proof in proofs.values()))
    tried += [Tried(name, tactic, verdict.kind) for tactic, verdict in zip(proofs, verdicts, strict=True)]
    return next((tactic for tactic, verdict in zip(proofs, verdicts, strict=True) if verdict.accepted), "")


def concludes_contradiction(formal: str, header: str = "") -> bool:
    """Return True if the conclusion is False or a variable of type Prop; contradictory hypotheses are then what the theorem states."""
    lexed = tokens(formal)[: -len([":=", "by", "sorry"])]
    depth, last = 0, -1
    for index, token in enumerate(lexed):
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth == 0 and (token.text in (":", ",", "→") or _arrow(lexed, index)):
            last = index
    conclusion = [token.text for token in lexed[last + 1 :]]
    return conclusion == ["False"] or (
        len(conclusion) == 1 and conclusion[0] in _propositions(lexed) | _propositions(tokens(" ".join(_VARIABLE.findall(header))))
    )


def _arrow(lexed: Sequence[Token], index: int) -> bool:
    """Return True if the token ends an ASCII `->`."""
    return lexed[index].text == ">" and index > 0 and lexed[index - 1].text == "-" and lexed[index - 1].end == lexed[index].start


def _propositions(lexed: Sequence[Token]) -> set[str]:
    """Return the names bound as `p q : Prop`."""
    names: set[str] = set()
    for index in range(len(lexed) - 1):
        if lexed[index].text == ":" and lexed[index + 1].text == "Prop":
            at = index - 1
            while at >= 0 and lexed[at].kind == "name":
                names.add(lexed[at].text)
                at -= 1
    return names
