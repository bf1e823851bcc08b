"""Statements that say nothing: hypotheses that contradict each other, and goals that hold by themselves. Lean alone decides.

The hypotheses are contradictory where `intros; exfalso` and a short tactic prove the statement: False from the hypotheses, whatever the
goal is. A theorem that concludes False, or an arbitrary proposition, says just that, and is not held to it. What no tactic proves in its
time passes: a check like this one misses some, and refuses none that says something. A tactic that no Lean could try checks nothing.
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
    """One tactic of a check and Lean's verdict on it: a `Verdict.kind`."""

    check: str
    tactic: str
    verdict: str


@dataclass(frozen=True)
class Vacuity:
    """`vacuous` and `trivial` are the tactic that showed it, or empty; `tried` is all that Lean was asked."""

    vacuous: str
    trivial: str
    tried: tuple[Tried, ...]

    @property
    def undecided(self) -> bool:
        """Whether a tactic found no Lean to try it, and none of the others showed that the statement is vacuous."""
        return not self.vacuous and any(one.verdict == "unavailable" for one in self.tried)


async def known_tactics(verifier: Verifier, wanted: Sequence[str], header: str) -> list[str]:
    """Those of `wanted` that this Lean can parse: a tactic that it does not know would fail for ever and look like a verdict.

    Raises LeanWorkerError where there is no verdict on one: it would be left out of the check, known or not.
    """
    probe = Statement("probe", "probe", "theorem probe : True := by sorry", header)
    verdicts = await asyncio.gather(*(verifier.verify(probe, f"by first | trivial | ({tactic})") for tactic in wanted))
    for tactic, verdict in zip(wanted, verdicts, strict=True):
        if verdict.accepted is None:
            raise LeanWorkerError(
                f"Lean does not say whether it knows the tactic {tactic!r} ({verdict.kind}); the same command goes on when it does"
            )
    return [tactic for tactic, verdict in zip(wanted, verdicts, strict=True) if verdict.accepted]


async def check_vacuity(verifier: Verifier, statement: Statement, config: VacuityConfig) -> Vacuity:
    """Tries the tactics of `config`, the contradictions first: a vacuous statement is not asked whether it is trivial."""
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
    """The first tactic whose proof Lean accepts, "" for none; all are tried at once and noted."""
    verdicts = await asyncio.gather(*(verifier.verify(statement, proof) for proof in proofs.values()))
    tried += [Tried(name, tactic, verdict.kind) for tactic, verdict in zip(proofs, verdicts, strict=True)]
    return next((tactic for tactic, verdict in zip(proofs, verdicts, strict=True) if verdict.accepted), "")


def concludes_contradiction(formal: str, header: str = "") -> bool:
    """Whether the conclusion is False, or a variable of type Prop: then that the hypotheses contradict each other is the theorem."""
    found = tokens(formal)[: -len([":=", "by", "sorry"])]
    depth, last = 0, -1
    for index, token in enumerate(found):
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth == 0 and (token.text in (":", ",", "→") or _arrow(found, index)):
            last = index
    conclusion = [token.text for token in found[last + 1 :]]
    return conclusion == ["False"] or (
        len(conclusion) == 1 and conclusion[0] in _propositions(found) | _propositions(tokens(" ".join(_VARIABLE.findall(header))))
    )


def _arrow(found: Sequence[Token], index: int) -> bool:
    """Whether the token ends an ASCII `->`."""
    return found[index].text == ">" and index > 0 and found[index - 1].text == "-" and found[index - 1].end == found[index].start


def _propositions(found: Sequence[Token]) -> set[str]:
    """The names bound as `p q : Prop`."""
    names: set[str] = set()
    for index in range(len(found) - 1):
        if found[index].text == ":" and found[index + 1].text == "Prop":
            at = index - 1
            while at >= 0 and found[at].kind == "name":
                names.add(found[at].text)
                at -= 1
    return names
