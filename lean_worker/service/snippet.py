"""Answers of the Kimina protocol made from what Lean says about a whole file.

A snippet carries its own statements, so a verdict can only cover what Lean reports about that text: that it contains theorems, that each
is proved, and from which axioms. `file_filter` restricts what Lean may see of it.
"""

from collections.abc import Iterator, Sequence

from lean_worker.files import FileReport, Span, TacticStep
from lean_worker.protocol import NO_VERDICT, Message
from lean_worker.service.kimina_wire import (
    CheckResult,
    CommandResponse,
    Infotree,
    InfotreeNode,
    Position,
    Range,
    ReplMessage,
    Sorry,
    Syntax,
    Tactic,
)

# the text that clients look for, with the quotes of the Lean version they were written for
_SORRY, _LEAN_SORRY = "declaration uses 'sorry'", "declaration uses `sorry`"
_UNPRINTED = "<failed to pretty print>"  # as the REPL says it


def result(name: str, code: str, report: FileReport, infotree: Infotree | None = None) -> CheckResult:
    """Return the result of a snippet: its messages, or `error` if there is no verdict.

    Args:
        name: the snippet's id.
        code: the snippet.
        report: what Lean says about it.
        infotree: which tactics the client wants.
    """
    if report.kind in NO_VERDICT:
        how = "the check timed out" if report.kind == "timeout" else "no verdict"
        return CheckResult(name, report.seconds, error=": ".join([how, *(message.text for message in report.messages[:1])]))
    messages = [*map(_message, report.messages), *_own_messages(report)]
    sorries = tuple(Sorry(*_places(hole.span), hole.goal) for hole in report.holes)
    nodes = _nodes(report.tactics, infotree, code.replace("\r\n", "\n").removeprefix("\ufeff")) if infotree else ()
    return CheckResult(name, report.seconds, response=CommandResponse(0, tuple(messages), sorries, tuple(nodes)))


def _own_messages(report: FileReport) -> Iterator[ReplMessage]:
    """Yield an error for all that keeps a file from being accepted though Lean reports no error there."""
    if report.kind == "forbidden":
        return
    for piece in report.unread:
        yield ReplMessage("error", *_places(piece), "Lean does not read this piece of text, which contains a theorem")
    for theorem in report.theorems:
        # a hole is in `sorries` already
        known = report.holes and set(theorem.axioms) <= {"sorryAx", "propext", "Classical.choice", "Quot.sound"}
        if theorem.kind == "axiom" and not known:
            axioms = ", ".join(theorem.axioms)
            yield ReplMessage("error", *_places(theorem.span), f"`{theorem.name or theorem.keyword}` depends on axioms: {axioms}")
    if not report.theorems and not any(message.severity == "error" for message in report.messages):
        place = Position(1, 0)
        yield ReplMessage("error", place, place, "the snippet proves nothing: it contains no theorem, lemma or example")


def _message(message: Message) -> ReplMessage:
    severity = message.severity if message.severity != "information" else "info"
    begin, end = Position(message.line, message.column), Position(message.end_line, message.end_column)
    return ReplMessage(severity, begin, end, message.text.replace(_LEAN_SORRY, _SORRY))


def _places(span: Span) -> tuple[Position, Position]:
    return Position(span.line, span.column), Position(span.end_line, span.end_column)


def _nodes(tactics: Sequence[TacticStep], infotree: Infotree, code: str) -> Iterator[InfotreeNode]:
    """Yield the wanted tactics as the REPL prints them; in place of one that is not wanted, those inside."""
    for tactic in tactics:
        within = tuple(_nodes(tactic.within, infotree, code))
        if (infotree == "original" and tactic.synthetic) or (infotree == "substantive" and tactic.grouping):
            yield from within
            continue
        begin, end = _places(tactic.span) if tactic.span else (Position(1, 0), Position(1, 0))
        text = code[tactic.span.start : tactic.span.end] if tactic.span else _UNPRINTED
        syntax = Syntax(Range(tactic.synthetic, begin, end), text, tactic.kind)
        yield InfotreeNode(Tactic(syntax, tactic.kind or None, tactic.before, tactic.after), within)
