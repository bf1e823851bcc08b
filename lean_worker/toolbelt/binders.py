"""Identifiers that a statement uses without declaring them, so that Lean makes them variables (`autoImplicit`)."""

import re
from collections.abc import Sequence
from dataclasses import replace

from lean_worker.document import write_document
from lean_worker.protocol import Message
from lean_worker.toolbelt.asking import Lean
from lean_worker.toolbelt.codes import Places, Smell
from lean_worker.toolbelt.context import Context
from lean_worker.toolbelt.probes import Probe, Probed, Subject, ask_probes

_UNKNOWN = re.compile(r"unknown identifier ['`]([^'`]+)['`]", re.IGNORECASE)
_ROUNDS = 12  # Lean reports the undeclared identifiers of one binder at a time


def strict_probe(subject: Subject, declared: Sequence[str] = ()) -> Probe:
    """Return the statement with `autoImplicit` off and some identifiers declared."""
    statement, added = subject.statement, "".join(f" {{{name}}}" for name in declared)
    text = statement.text[: statement.name_end] + added + statement.text[statement.name_end :]
    nonce = f"{subject.document.nonce}s{len(declared)}"
    document = write_document("", "", replace(statement, text=text, context=""), None, nonce)
    return Probe("strict", document.stub_name, f"section\nset_option autoImplicit false\n{document.stub}end\n")


async def auto_bound(
    lean: Lean, text: str, subjects: Sequence[Subject], contexts: Sequence[Context | None], first: Sequence[Probed]
) -> list[list[Smell]]:
    """Return the variables of each subject that it does not declare, except types.

    Args:
        lean: the Lean to ask.
        text: the file.
        subjects: its theorems.
        contexts: the printed hypotheses of each, or None for one that is skipped.
        first: the results of probes among which was `strict_probe`. While Lean reports unknown identifiers, it is asked again with these
            declared.
    """
    bound: list[dict[str, None]] = [{} for _ in subjects]
    waiting = [number for number, context in enumerate(contexts) if context is not None]
    probed = [first[number] for number in waiting]
    for _ in range(_ROUNDS):
        more = []
        for number, each in zip(waiting, probed, strict=True):
            new = [name for name in _unknown(each.messages.get("strict", ())) if name not in bound[number]]
            bound[number] |= dict.fromkeys(new)
            more += [number] if new else []
        if not more:
            break
        waiting, chosen = more, [subjects[number] for number in more]
        asked = [[strict_probe(subject, list(bound[number]))] for subject, number in zip(chosen, waiting, strict=True)]
        _, probed = await ask_probes(lean, text, chosen, asked)
    return [_smells(*each) for each in zip(subjects, contexts, bound, strict=True)]


def _unknown(messages: Sequence[Message]) -> list[str]:
    return [name for message in messages if message.severity == "error" for name in _UNKNOWN.findall(message.text)]


def _smells(subject: Subject, context: Context | None, bound: dict[str, None]) -> list[Smell]:
    types = {each.written: each.type for each in context.hypotheses} if context else {}
    places, found = Places(subject), []
    for name in bound:
        if not types.get(name, "").startswith(("Type", "Sort")):
            text = f"`{name}` is not declared, so Lean made it a variable" + (f" of type `{types[name]}`" if name in types else "")
            found.append(Smell("auto-bound", text, *places.of_name(name)))
    return found
