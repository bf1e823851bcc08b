"""Refutation: is the negation of a statement provable, by a list of tactics, by small counterexamples, or by a given proof?

Lean writes the negation: the statement stands closed by `sorry` in a namespace of its own, and what is to be proved is `¬ type_of%` of it.
That mentions only the statement's type. A proof of the negation that uses the statement itself depends on `sorryAx` and is not accepted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

import msgspec

from lean_worker.protocol import NO_VERDICT, Check, Kind, Message, Verdict
from lean_worker.statement import StatementError
from lean_worker.toolbelt.asking import Lean, errors, plain, was_read
from lean_worker.toolbelt.context import Context, read_context
from lean_worker.toolbelt.counterexamples import CALCULATE, CLOSE, GOAL, Instance, instances
from lean_worker.toolbelt.probes import Subject, ask_probes, find_subjects, replace_lines

T = TypeVar("T")

Outcome = Literal["disproved", "not disproved", "unreadable"]

TACTICS = (
    "decide",
    "omega",
    "simp",
    "simp_all",
    "intro h; omega",
    "intro h; simp at h",
    "intro h; simp_all",
    "intro h; have h0 := @h 0; omega",
    "intro h; have h0 := h; simp at h0; omega",
    "intro h; cases h with | intro x hx => omega",
    "intro h; cases h with | intro x hx => simp_all",
    "norm_num",
    "push_neg; norm_num",
    "grind",
)
_PASSES = ((CALCULATE, 240, 30), (CLOSE, 96, 8))  # how to close a counterexample's goals, how many there are, and how many in a check
_AT_ONCE = 4  # checks of counterexamples before their answers are looked at
_LEVELS = [(level, count) for level in (0, 1) for count in range(1, 5)]  # universe levels: which, and how many
_SHOW = "intros\nsorry"


class Refutation(msgspec.Struct, frozen=True):
    """Result of `disprove`.

    `outcome` is None if Lean gave no verdict on any attempt. If "disproved", `proof` proves `¬ type_of% @NAME` at the universe levels
    `levels` (empty, or such as `.{0}`), `tactic` says how in short, and `axioms` are those of that proof. `tried` counts the attempts and
    `no_verdict` those without a verdict. `messages` are Lean's about the statement if it is "unreadable", or else about the given proof.
    """

    outcome: Outcome | None
    tactic: str = ""
    proof: str = ""
    levels: str = ""
    axioms: tuple[str, ...] = ()
    tried: int = 0
    no_verdict: int = 0
    kind: Kind | None = None
    messages: tuple[Message, ...] = ()
    seconds: float = 0.0


@dataclass(frozen=True)
class Negation:
    """The negation of a statement as a check: `statement` is to be proved after `header`. `context` holds what is negated."""

    header: str
    statement: str
    levels: str
    context: Context | None
    seconds: float

    def check(self, proof: str) -> Check:
        return Check("", self.statement, proof, self.header)


async def disprove(lean: Lean, statement: str, header: str = "", proof: str = "") -> Refutation:
    """Return whether the negation of a statement is provable.

    Args:
        lean: the Lean to ask.
        statement: commands, the last of which is a theorem; it ends in `:= by sorry` or the like, as in a check.
        header: what precedes it, imports included.
        proof: a candidate proof of the negation; if empty, tactics and small counterexamples are tried.
    """
    negation = await negate(lean, plain(statement), plain(header))
    if isinstance(negation, Refutation):
        return negation
    return await (_by_candidate(lean, negation, proof) if proof.strip() else _by_search(lean, negation))


async def negate(lean: Lean, statement: str, header: str) -> Negation | Refutation:
    """Return the negation of a statement, or the result that says why there is none."""
    text = f"{header.rstrip()}\n{statement}" if header.strip() else statement
    first, above = len(text) - len(statement), text.count("\n") - statement.count("\n")
    report = await lean.read(text)
    about = tuple(replace_lines(message, -above) for message in report.messages)
    if report.kind in NO_VERDICT and report.kind != "unreadable":
        return Refutation(None, kind=report.kind, messages=about, seconds=report.seconds)
    subject = find_subjects(text, report)[-1] if report.theorems else None
    if not isinstance(subject, Subject) or subject.begin < first:
        reason = str(subject) if isinstance(subject, StatementError) else "there is no theorem; write `theorem NAME : ... := by sorry`"
        return Refutation("unreadable", kind=report.kind, messages=errors(about) or (_note(reason),), seconds=report.seconds)
    probes = [subject.probe("as_is", _SHOW)]
    probes += [subject.probe(_id(level, count), _SHOW, levels=_levels(level, count)) for level, count in _LEVELS]
    second, (probed,) = await ask_probes(lean, text, [subject], [probes])
    seconds = report.seconds + second.seconds
    if not was_read(second.kind):
        return Refutation(None, kind=second.kind, messages=second.messages, seconds=seconds)
    wrong = tuple(replace_lines(message, -above) for message in probed.errors)
    if wrong or "as_is" not in probed.elaborated:
        reason = "Lean does not read the statement apart from its proof"
        return Refutation("unreadable", kind="statement", messages=wrong or errors(about) or (_note(reason),), seconds=seconds)
    # Lean accepts fewer levels than there are, but not more
    level = 1 if "Sort" in probed.goals["as_is"] else 0
    count = max((count for at, count in _LEVELS if at == level and _id(at, count) in probed.elaborated), default=0)
    levels = _levels(level, count) if count else ""
    commands = text[first : subject.begin].rstrip()
    negated = f"{subject.document.stub}theorem Refuted_{subject.document.nonce} : ¬ (type_of% {subject.known_as}{levels}) := by sorry"
    context = read_context(probed.goals[_id(level, count) if count else "as_is"])
    return Negation(header, f"{commands}\n{negated}" if commands else negated, levels, context, seconds)


async def _by_candidate(lean: Lean, negation: Negation, proof: str) -> Refutation:
    (verdict,) = await lean.verify([negation.check(proof)])
    result = _result(negation, [verdict])
    if not verdict.accepted:
        return msgspec.structs.replace(result, kind=verdict.kind, messages=verdict.messages)
    return _disproved(result, verdict, "the given proof", proof, negation)


async def _by_search(lean: Lean, negation: Negation) -> Refutation:
    verdicts: list[Verdict] = []
    proofs = [f"by {tactic}" for tactic in TACTICS]
    verdicts += await lean.verify([negation.check(proof) for proof in proofs])
    for tactic, proof, verdict in zip(TACTICS, proofs, verdicts, strict=True):
        if verdict.accepted:
            return _disproved(_result(negation, verdicts), verdict, tactic, proof, negation)
    hypotheses = negation.context.hypotheses if negation.context else ()
    if hypotheses:
        for close, most, size in _PASSES:
            for together in _pieces(_pieces(list(instances(hypotheses, most)), size), _AT_ONCE):
                answers = await lean.verify([negation.check(_any_of(chunk, close)) for chunk in together])
                verdicts += answers
                for chunk, verdict in zip(together, answers, strict=True):
                    if verdict.accepted:
                        return await _narrow(lean, negation, chunk, close, verdict, verdicts)
    return _result(negation, verdicts)


async def _narrow(
    lean: Lean, negation: Negation, chunk: Sequence[Instance], close: str, shown: Verdict, before: Sequence[Verdict]
) -> Refutation:
    """Return the result for a chunk of counterexamples of which one is right, with a proof that contains only that one if Lean agrees."""
    proofs = [_any_of([each], close) for each in chunk]
    verdicts = await lean.verify([negation.check(proof) for proof in proofs])
    result = _result(negation, [*before, *verdicts])
    for instance, proof, verdict in zip(chunk, proofs, verdicts, strict=True):
        if verdict.accepted and negation.context is not None:
            return _disproved(result, verdict, _described(negation.context, instance), proof, negation)
    return _disproved(result, shown, "a small counterexample", _any_of(chunk, close), negation)


def _pieces(items: list[T], size: int) -> list[list[T]]:
    return [items[at : at + size] for at in range(0, len(items), size)]


def _any_of(chunk: Sequence[Instance], close: str) -> str:
    if len(chunk) == 1:
        return f"by\n  intro h\n  {chunk[0].refute('h', close)}"
    return "by\n  intro h\n  first\n" + "\n".join(f"  | ({instance.refute('h', close)})" for instance in chunk)


def _described(context: Context, instance: Instance) -> str:
    pairs = zip(context.hypotheses, instance.arguments, strict=True)
    chosen = [f"{each.written} := {value}" for each, value in pairs if value not in (GOAL, "inferInstance")]
    return f"counterexample: {', '.join(chosen)}" if chosen else "its hypotheses hold, and its conclusion does not"


def _disproved(result: Refutation, verdict: Verdict, tactic: str, proof: str, negation: Negation) -> Refutation:
    replace = msgspec.structs.replace
    return replace(result, outcome="disproved", tactic=tactic, proof=proof, levels=negation.levels, axioms=verdict.axioms, kind="accepted")


def _result(negation: Negation, verdicts: Sequence[Verdict]) -> Refutation:
    """Return that nothing was found, or no outcome if no attempt got a verdict."""
    lost = [verdict for verdict in verdicts if verdict.accepted is None]
    seconds = negation.seconds + sum(verdict.seconds for verdict in verdicts)
    outcome: Outcome | None = None if len(lost) == len(verdicts) else "not disproved"
    kind, messages = (lost[0].kind, lost[0].messages) if outcome is None else (None, ())
    return Refutation(outcome, tried=len(verdicts), no_verdict=len(lost), kind=kind, messages=messages, seconds=seconds)


def _id(level: int, count: int) -> str:
    return f"at{level}_{count}"


def _levels(level: int, count: int) -> str:
    return ".{" + ", ".join([str(level)] * count) + "}"


def _note(text: str) -> Message:
    return Message("error", 1, 0, 1, 0, text)
