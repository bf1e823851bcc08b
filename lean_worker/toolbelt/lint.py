"""Lint of statements: smells that suggest that a statement does not say what its author meant.

Lean reads the file, elaborates each statement and answers the probes; nothing is guessed from the text of a statement. A smell is a fact
about the statement, not an error: `CODES` says which there are.
"""

from collections.abc import Sequence

import msgspec

from lean_worker.files import FileReport
from lean_worker.protocol import Kind, Message
from lean_worker.statement import StatementError
from lean_worker.toolbelt.asking import Lean, ToolError, errors, plain, was_read
from lean_worker.toolbelt.binders import auto_bound, strict_probe
from lean_worker.toolbelt.codes import Places, Smell
from lean_worker.toolbelt.context import Context, read_context
from lean_worker.toolbelt.deep import Deep, deep_probe, read_deep, subtraction_probe, unproved_subtractions
from lean_worker.toolbelt.probes import Probe, Probed, Subject, ask_probes, find_subjects
from lean_worker.toolbelt.smells import concludes_anything, deep_smells, unused

CONTRADICTION = ("contradiction", "omega", "simp_all", "simp at *", "norm_num at *", "linarith", "nlinarith", "grind")
TRIVIAL = ("with_reducible rfl", "decide", "exact True.intro")
WITNESSES = ("⟨_, rfl⟩", "⟨_, trivial⟩", "⟨0, by trivial⟩", "⟨1, by trivial⟩", "⟨0, by simp⟩", "⟨1, by simp⟩", "⟨default, by trivial⟩")


class TheoremLint(msgspec.Struct, frozen=True):
    """The smells of a theorem, which begins at `line` and `column`. `problem` says what could not be examined, and why."""

    theorem: str
    line: int
    column: int
    smells: tuple[Smell, ...] = ()
    problem: str = ""


class LintReport(msgspec.Struct, frozen=True):
    """Result of lint: `clean` if every theorem was examined and none has a smell, or None if Lean gave no answer. `kind` and `messages` are
    Lean's result for the whole file, as in a file report."""

    clean: bool | None
    kind: Kind
    theorems: tuple[TheoremLint, ...] = ()
    messages: tuple[Message, ...] = ()
    seconds: float = 0.0


async def lint(lean: Lean, text: str, most: int | None = None) -> LintReport:
    """Return the smells of all theorems of a file, in order.

    Args:
        lean: the Lean to ask.
        text: the file; proofs may be `sorry`.
        most: the largest number of theorems.

    Raises:
        ToolError: The file has more than `most` theorems.
    """
    text = plain(text)
    report = await lean.read(text)
    if not was_read(report.kind):
        return LintReport(None, report.kind, messages=report.messages, seconds=report.seconds)
    if most is not None and len(report.theorems) > most:
        raise ToolError(f"the file has {len(report.theorems)} theorems, more than {most}; split it")
    found = find_subjects(text, report)
    subjects = [each for each in found if isinstance(each, Subject)]
    seconds, answered, lost = report.seconds, [], None
    if subjects:
        lints, seconds, lost = await _examine(lean, text, subjects)
        answered = lints
    if lost is not None:
        return LintReport(None, lost.kind, messages=lost.messages, seconds=report.seconds + seconds)
    theorems, left = [], iter(answered)
    for theorem, each in zip(report.theorems, found, strict=True):
        if isinstance(each, StatementError):
            problem = f"the statement was not examined: {each}"
            theorems.append(TheoremLint(theorem.name, theorem.span.line, theorem.span.column, problem=problem))
        else:
            theorems.append(next(left))
    clean = not any(theorem.smells or theorem.problem for theorem in theorems)
    return LintReport(clean, report.kind, tuple(theorems), report.messages, report.seconds + seconds)


async def _examine(lean: Lean, text: str, subjects: Sequence[Subject]) -> tuple[list[TheoremLint], float, FileReport | None]:
    """Return the result for each subject, the seconds, and the report of a reading that gave no answer."""
    report, first = await ask_probes(lean, text, subjects, [_first_probes(subject) for subject in subjects])
    seconds = report.seconds
    if not was_read(report.kind):
        return [], seconds, report
    contexts = [None if probed.errors else read_context(probed.goals["plain"]) for probed in first]
    deep = [
        [deep_probe(subject, context), *_witness_probes(subject, context)] if context is not None else []
        for subject, context in zip(subjects, contexts, strict=True)
    ]
    report, second = await ask_probes(lean, text, subjects, deep)
    seconds += report.seconds
    if not was_read(report.kind):
        return [], seconds, report
    facts = [
        read_deep(context, subject, probed.goals["deep"]) if context is not None and "deep" in probed.elaborated else None
        for context, subject, probed in zip(contexts, subjects, second, strict=True)
    ]
    guarded = await _subtractions(lean, text, subjects, facts)
    bound = await auto_bound(lean, text, subjects, contexts, first)
    lints = []
    for number, subject in enumerate(subjects):
        context, known = contexts[number], facts[number]
        span = subject.theorem.span
        if context is None:
            lints.append(TheoremLint(subject.theorem.name, span.line, span.column, *_unelaborated(subject, first[number])))
            continue
        places = Places(subject)
        smells = _proved(context, known, first[number], second[number])
        problem = ""
        if known is None:
            problem = "the statement's terms could not be examined: Lean introduces other hypotheses than it shows"
        else:
            vacuous = any(smell.code == "contradictory-hypotheses" for smell in smells)
            smells += deep_smells(context, known, places, guarded[number])
            if not vacuous:
                smells += unused(context, known, places)
        smells += bound[number]
        lints.append(TheoremLint(subject.theorem.name, span.line, span.column, tuple(_ordered(smells)), problem))
    return lints, seconds, None


def _first_probes(subject: Subject) -> list[Probe]:
    return [
        subject.probe("plain", "intros\nsorry"),
        *(subject.probe(f"false{i}", f"intros\nexfalso\n{tactic}") for i, tactic in enumerate(CONTRADICTION)),
        strict_probe(subject),
        subject.probe("assumed", "intros\nwith_reducible assumption"),
        *(subject.probe(f"trivial{i}", f"intros\n{tactic}") for i, tactic in enumerate(TRIVIAL)),
    ]


def _witness_probes(subject: Subject, context: Context) -> list[Probe]:
    if not context.conclusion.startswith("∃"):
        return []
    return [subject.probe(f"witness{i}", f"intros\nexact {witness}") for i, witness in enumerate(WITNESSES)]


async def _subtractions(lean: Lean, text: str, subjects: Sequence[Subject], facts: Sequence[Deep | None]) -> list[dict[int, str]]:
    """Return for each subject the subtractions in ℕ that may be truncated: their numbers, each with the inequality that is missing."""
    asked = [subtraction_probe(subject, known) if known is not None else None for subject, known in zip(subjects, facts, strict=True)]
    if not any(asked):
        return [{} for _ in subjects]
    _, probed = await ask_probes(lean, text, subjects, [[probe] if probe else [] for probe in asked])
    return [
        unproved_subtractions(known, each.goals["subtractions"] if probe.id in each.elaborated else "") if probe and known else {}
        for probe, known, each in zip(asked, facts, probed, strict=True)
    ]


def _unelaborated(subject: Subject, probed: Probed) -> tuple[tuple[Smell, ...], str]:
    own = probed.errors or errors(subject.theorem.messages)
    if not own:
        return (), "Lean does not read the statement apart from its proof, so it was not examined"
    first = own[0]
    return (Smell("does-not-elaborate", first.text.partition("\n")[0], first.line, first.column),), ""


def _proved(context: Context, deep: Deep | None, first: Probed, second: Probed) -> list[Smell]:
    """Return the smells that a proof shows."""
    shown = next((tactic for i, tactic in enumerate(CONTRADICTION) if f"false{i}" in first.proved), "")
    if shown and not concludes_anything(context, deep):
        return [Smell("contradictory-hypotheses", f"the hypotheses contradict each other: `exfalso; {shown}` proves the statement")]
    if "assumed" in first.proved and context.conclusion not in context.types:
        same = next((each.written for each in context.hypotheses if each.type == context.conclusion), "")
        which = f"the hypothesis `{same}`" if same else "one of the hypotheses"
        return [Smell("assumes-conclusion", f"{which} is the conclusion: `assumption` proves the statement")]
    witness = next((one for i, one in enumerate(WITNESSES) if f"witness{i}" in second.proved), "")
    if witness:
        return [Smell("trivial-witness", f"a trivial witness proves that something exists: `exact {witness}`")]
    trivial = next((tactic for i, tactic in enumerate(TRIVIAL) if f"trivial{i}" in first.proved), "")
    return [Smell("trivial-conclusion", f"the tactic `{trivial}` proves the statement without its hypotheses")] if trivial else []


def _ordered(smells: Sequence[Smell]) -> list[Smell]:
    return sorted(smells, key=lambda smell: (smell.line or 0, smell.column or 0))
