"""Classification of Lean's answers, refusals and limits into the kinds of verdict."""

import re
from collections.abc import Sequence

from lean_worker.candidate import MAX_CANDIDATE_LENGTH
from lean_worker.document import Answer
from lean_worker.header import MAX_HEADER_LENGTH
from lean_worker.protocol import ALLOWED_AXIOMS, Check, Kind, Message
from lean_worker.statement import MAX_STATEMENT_LENGTH

# elaborator: "(deterministic) timeout at `whnf`, maximum number of heartbeats (4000) has been reached", also nested in a tactic's error;
# kernel: "(kernel) deterministic timeout"
_RAN_OUT = re.compile(
    r"\(deterministic\) timeout at\s.*?,\s+maximum number of heartbeats \(\d+\)|\(kernel\) deterministic timeout", re.DOTALL
)
_HOLE_AXIOM = "sorryAx"


def kind_of(answer: Answer, finished: bool = True, has_candidate: bool = True) -> Kind | None:
    """Return the kind of verdict of a fast tier's answer, or None if Lean did not finish the check.

    Args:
        answer: Lean's answer, as far as it got.
        finished: whether Lean ended by itself.
        has_candidate: whether a candidate was checked; without one, the answer is about the statement alone.
    """
    if answer.statement_errors:
        return "statement"
    if not finished:
        return None
    if answer.unclear:
        return "unreadable"
    if answer.refused:
        return "forbidden"
    if answer.failed:
        return "heartbeats" if ran_out(answer.messages) else "error"
    if answer.mismatch:
        return "mismatch"
    if answer.axioms is None:
        return None
    return kind_of_axioms(answer.axioms) if has_candidate else "accepted"


def kind_of_axioms(axioms: Sequence[str]) -> Kind:
    """Return the kind of verdict of a proof without errors that depends on `axioms`."""
    if _HOLE_AXIOM in axioms:
        return "hole"
    return "accepted" if ALLOWED_AXIOMS.issuperset(axioms) else "axiom"


def ran_out(messages: Sequence[Message]) -> bool:
    """Return whether Lean's heartbeats are all that the candidate failed by: every error is Lean's message that they ran out.

    With another error the proof is wrong whatever the limit. A candidate can imitate the message, which turns one rejection into another.
    """
    errors = [message.text for message in messages if message.severity == "error"]
    return bool(errors) and all(_RAN_OUT.search(text) for text in errors)


def refused_unread(check: Check) -> tuple[Kind, str] | None:
    """Return kind and reason, with the remedy, of a check that no pool reads, local or remote; None if it is to be read.

    A text longer than our own limits has no verdict. A text that is not valid Unicode is one that no Lean reads.
    """
    for name, text, most in (
        ("statement", check.statement, MAX_STATEMENT_LENGTH),
        ("header", check.header, MAX_HEADER_LENGTH),
        ("proof", check.proof, MAX_CANDIDATE_LENGTH),
    ):
        if len(text) > most:
            return "unreadable", f"the {name} has {len(text)} characters, more than {most}; shorten it"
        try:
            text.encode()
        except UnicodeEncodeError as error:
            torn = f"character {error.start} of the {name} is half of a surrogate pair; send valid Unicode"
            return "forbidden" if name == "proof" else "statement", torn
    return None
