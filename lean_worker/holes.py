"""Where the holes of a file stand: their command, its name and prefixes, and whether a hole is a theorem's whole proof."""

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable

from lean_worker.files import FileReport, Hole, line_starts

_LITERAL_OR_COMMENT = re.compile(r'--[^\n]*|/-|r?"(?:\\.|[^"\\])*"|«[^»\n]*»', re.S)
_NESTING = re.compile(r"/-|-/")
_SCOPED = r"(?:open|set_option|variable|universe|include|omit|attribute|local|scoped|unseal|seal)"
_DECLARES = r"(?<![\w'.])(?:theorem|lemma|def|example|instance|abbrev)(?![\w'])"
_PREFIX = re.compile(rf"\s*{_SCOPED}(?![\w'.])(?:(?!{_DECLARES}).)*?(?<![\w'.])in(?![\w'])", re.S)
_DECLARER = re.compile(
    r"(?<![\w'.])(theorem|lemma|example|def|abbrev|instance|structure|class|inductive|opaque|axiom)(?![\w'])"
    r"[ \t\n]*((?:«[^»]*»|[^\s«»:({\[⦃|=])*)"
)
_EMPTY_PROOF = re.compile(r"(?::=|by|exact|\(|\)|\s|(?:·|\.)(?=\s))*")
_MOST_READS = 8  # times that a file with errors is read again, each with more of what has errors left out


def without_comments(text: str) -> str:
    """Return a text with spaces in place of its comments, and its line breaks."""
    out, at = [], 0
    while found := _LITERAL_OR_COMMENT.search(text, at):
        out.append(text[at : found.start()])
        end = found.end()
        if found[0] == "/-":
            depth = 1
            while depth and (edge := _NESTING.search(text, end)):
                depth, end = depth + (1 if edge[0] == "/-" else -1), edge.end()
            end = len(text) if depth else end
        comment = found[0].startswith(("--", "/-"))
        out.append(re.sub(r"[^\n]", " ", text[found.start() : end]) if comment else found[0])
        at = end
    return "".join([*out, text[at:]])


def command_of(report: FileReport, hole: Hole, text: str) -> tuple[int, int]:
    """Return start and end of the command that contains a hole."""
    start = hole.span.start
    if (found := next((each for each in report.commands if each.start <= start < each.end), None)) is not None:
        return found.start, found.end
    if hole.theorem is not None:
        span = report.theorems[hole.theorem].span
        return text.rfind("\n", 0, span.start) + 1, span.end
    margins = [found.start() for found in re.finditer(r"^\S", text[:start], re.M)]
    return margins[-1] if margins else 0, hole.span.end


def prefix_of(command: str) -> str:
    """Return the prefixes of a command, such as `open A in`, each on lines of its own, or an empty text."""
    clear, at = without_comments(command), 0
    while found := _PREFIX.match(clear, at):
        at = found.end()
    return f"{command[:at].strip()}\n" if at else ""


def label(report: FileReport, hole: Hole, text: str) -> str:
    """Return how users call the declaration that contains a hole: its name, or its keyword."""
    if hole.theorem is not None and report.theorems[hole.theorem].name:
        return report.theorems[hole.theorem].name
    start, _ = command_of(report, hole, text)
    found = list(_DECLARER.finditer(without_comments(text[start : hole.span.start])))
    if not found:
        return text[start : hole.span.start].split(maxsplit=1)[0] if text[start : hole.span.start].strip() else "the file"
    return found[0][2] or found[0][1]


def is_whole(report: FileReport, hole: Hole, text: str) -> bool:
    """Return whether a hole is the whole proof of a theorem that is a command of its own, whatever brackets and comments surround it."""
    if hole.theorem is None:
        return False
    theorem = report.theorems[hole.theorem]
    if hole.span.start < theorem.proof:
        return False
    start, _ = command_of(report, hole, text)
    around = f"{text[theorem.proof : hole.span.start]} {text[hole.span.end : theorem.span.end]}"
    alone = "mutual" not in without_comments(text[start : theorem.span.start]).split()
    return alone and text.startswith(":=", theorem.proof) and _EMPTY_PROOF.fullmatch(without_comments(around)) is not None


def whole_statement(report: FileReport, hole: Hole, text: str) -> str:
    """Return the declaration whose whole proof is a hole, without comments before its keyword, ending in `:= by sorry`."""
    assert hole.theorem is not None
    theorem = report.theorems[hole.theorem]
    start, _ = command_of(report, hole, text)
    lead = re.sub(r"[ \t]*\n\s*", "\n", without_comments(text[start : theorem.span.start])).lstrip()
    return f"{lead}{text[theorem.span.start : theorem.proof].rstrip()} := by sorry"


Edit = tuple[int, int, str]  # start and end of what is replaced, and the text that replaces it


def edited(text: str, edits: list[Edit], end: int | None = None) -> str:
    """Return a text, or what is before `end`, with replacements that do not overlap."""
    end, parts, at = len(text) if end is None else end, [], 0
    for start, stop, new in sorted(edits):
        if stop <= end:
            parts += [text[at:start], new]
            at = stop
    return "".join([*parts, text[at:end]])


def mending(report: FileReport, text: str, read: Callable[[str], FileReport]) -> list[Edit]:
    """Return edits after which a file has no errors: wrong proofs become `sorry`, what remains wrong is left out.

    `read` lets Lean read a text.
    """
    first, levels = report, Counter[int]()
    starts = [command.start for command in first.commands]
    edits: list[Edit] = []
    for _ in range(_MOST_READS):
        wrong = {bisect_right(starts, place) - 1 for place in _error_places(report, edited(text, edits), edits)}
        if not wrong:
            break
        levels.update(wrong)
        edits = [edit for index, level in levels.items() for edit in _removal(first, text, index, level)]
        report = read(edited(text, edits))
    return edits


def _removal(report: FileReport, text: str, index: int, level: int) -> list[Edit]:
    """Return edits of a command that has errors, -1 for what stands before the first: at level 1 of its proofs and of what follows it."""
    following = report.commands[index + 1].start if index + 1 < len(report.commands) else len(text)
    if index < 0:
        return [(0, following, "")]
    command = report.commands[index]
    proofs = [each for each in report.theorems if command.start <= each.proof < min(each.span.end, command.end)]
    rest = text[command.end : following]
    if level > 1 or not (proofs or without_comments(rest).strip()):
        return [(command.start, following, "")]
    return [*((each.proof, each.span.end, ":= sorry") for each in proofs), (command.end, following, "\n")]


def _error_places(report: FileReport, text: str, edits: list[Edit]) -> list[int]:
    """Return where the errors of an edited text are, as offsets in the original."""
    starts = line_starts(text)
    places = []
    for message in report.messages:
        if message.severity != "error":
            continue
        at = starts[min(message.line, len(starts)) - 1] + message.column
        for start, stop, new in sorted(edits):
            if start + len(new) <= at:
                at += stop - start - len(new)
            elif start < at:
                at = start
        places.append(at)
    return places
