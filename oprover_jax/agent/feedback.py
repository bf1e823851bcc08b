"""Lean's feedback on an attempt: each error with its source line, message and goal, and the selection of lines under a token budget.

Under a budget, the source line and the goal of an error come first, then the first line of its message and the types that differ, then
other text. Hypotheses and notes are left out first. The first error stays whole as long as possible.
"""

import re
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import partial

from lean_worker.protocol import ALLOWED_AXIOMS, Message, Verdict
from lean_worker.statement import StatementError, attach
from oprover_jax.data.codec import Codec
from oprover_jax.statements.declarations import is_declaration

ERROR_OPEN, ERROR_CLOSE = "<error>", "</error>"
CUT = "-- (cut)"
NO_CODE = "The answer holds no complete code block."

_GOAL = "⊢"
_GAP = "…"
_SHORTEST = 8  # characters of a line that is worth showing in part
_HYPOTHESIS = re.compile(r"\S[^\n]*? : ")
_TYPES = re.compile(r"(?:but )?(?:is |this term )?(?:expected|has type)\b|of sort\b", re.IGNORECASE)
_ASIDE = re.compile(r"case |Note:|Hint:|Additional diagnostic")


class Rank(IntEnum):
    """Importance of a part of an error under a budget, most important first."""

    SOURCE = 0
    GOAL = 1
    HEADLINE = 2
    TYPES = 3
    TEXT = 4
    ASIDE = 5
    HYPOTHESIS = 6


@dataclass(frozen=True)
class Part:
    """Consecutive lines `start` to `end` (exclusive) of an error."""

    rank: Rank
    start: int
    end: int


def verdict_errors(formal: str, proof: str | None, verdict: Verdict | None) -> tuple[str, ...]:
    """Return the feedback on an attempt, one string per error; a failure without an error of Lean is explained."""
    if proof is None or verdict is None:
        return (NO_CODE,)
    errors = feedback_errors(formal, proof, verdict.messages)
    if errors or verdict.accepted:
        return errors
    if foreign := sorted(set(verdict.axioms) - ALLOWED_AXIOMS):
        return (f"The proof depends on axioms that are not allowed: {', '.join(foreign)}",)
    return (f"The proof was rejected ({verdict.kind}).",)


def feedback_errors(formal: str, proof: str, messages: Sequence[Message]) -> tuple[str, ...]:
    """Return Lean's errors in order, each as the source line with the span marked, Lean's message, and the goal if the message has none.

    For a span over several lines, the first line is shown. An error about the statement has no source line, because the prompt states it.
    """
    whole = attempted(formal, proof)
    begin = 0 if is_declaration(proof) else len(whole) - len(proof.lstrip())
    start = whole.count("\n", 0, begin), begin - (whole.rfind("\n", 0, begin) + 1)
    lines, errors = whole.split("\n"), []
    for message in messages:
        if message.severity == "error":
            text = message.text.strip()
            goal = message.goal.strip() if _GOAL not in text else ""
            shown = (_source_line(lines, start, message), text, goal)
            errors.append("\n".join(part for part in shown if part))
    return tuple(errors)


def attempted(formal: str, proof: str) -> str:
    """Return the text whose lines Lean's messages count: the prover's own declarations, or the statement with the proof."""
    try:
        return proof if is_declaration(proof) else attach(formal, proof)
    except StatementError:  # Lean was not asked
        return formal


def first_errors(errors: Sequence[str], room: int, codec: Codec) -> list[int]:
    """Return the token ids of the errors within `room` tokens, with a mark where text is left out and the number of errors left out."""
    encode = codec.encode_plain

    def fits(lines: Sequence[str]) -> bool:
        return len(encode("\n".join(lines))) <= room

    if fits(errors):
        return encode("\n".join(errors))
    briefs = [_brief(error) for error in errors]
    count = next((n for n in range(1, len(errors) + 1) if not fits(_shown(errors, briefs, n, 1))), len(errors) + 1) - 1
    if count == 0:
        return _first_lines(errors[0], room, _more(len(errors) - 1), codec)
    whole = 1
    while whole < count and fits(_shown(errors, briefs, count, whole + 1)):
        whole += 1
    return encode("\n".join(_shown(errors, briefs, count, whole)))


def _shown(errors: Sequence[str], briefs: Sequence[str], count: int, whole: int) -> list[str]:
    """Return the first `count` errors, of which `whole` in full and the others without hypotheses and notes, and what is left out."""
    is_cut = briefs[whole:count] != list(errors[whole:count])
    return [*errors[:whole], *briefs[whole:count], *([CUT] if is_cut else []), *_more(len(errors) - count)]


def _more(errors: int) -> list[str]:
    return [f"({errors} more {'error' if errors == 1 else 'errors'})"] if errors else []


def _brief(error: str) -> str:
    lines = error.split("\n")
    return "\n".join(line for part in parts(error) if part.rank <= Rank.TEXT for line in lines[part.start : part.end])


def _first_lines(error: str, room: int, ending: Sequence[str], codec: Codec) -> list[int]:
    """Return the most important lines of an error within `room` tokens, in order, then a mark and `ending` if these fit too."""
    lines = error.split("\n")
    found = sorted(parts(error), key=lambda part: (part.rank, part.start))
    texts = {part: "\n".join(lines[part.start : part.end]) for part in found}

    def ids(chosen: Mapping[Part, str], closing: Sequence[str]) -> list[int]:
        return codec.encode_plain("\n".join([*(chosen[part] for part in sorted(chosen, key=lambda part: part.start)), *closing]))

    def fits(chosen: Mapping[Part, str], closing: Sequence[str] = ()) -> bool:
        return len(ids(chosen, closing)) <= room

    def add(part: Part, closing: Sequence[str] = ()) -> bool:
        if is_fitting := fits({**kept, part: texts[part]}, closing):
            kept[part] = texts[part]
        return is_fitting

    def fits_as(part: Part, text: str) -> bool:
        return fits({**kept, part: text}, closing)

    kept: dict[Part, str] = {}
    closing: Sequence[str] = []
    essential = [part for part in found if part.rank <= Rank.HEADLINE]
    first = {part: texts[part] for part in essential if part.rank <= Rank.GOAL}
    if essential and (source := essential[0]).rank is Rank.SOURCE and not fits(first):
        pieces = [texts[source], *_around_the_mark(texts[source])]
        # next to a goal that is too long, the line may take half of the room
        alone = (piece for piece in pieces if len(codec.encode_plain(piece)) <= room // 2)
        texts[source] = next((piece for piece in pieces if fits({**first, source: piece})), next(alone, pieces[-1]))
    left = [part for part in essential if not add(part)]
    closing = next((marks for marks in ([CUT, *ending], list(ending), [CUT]) if fits(kept, marks)), []) if kept else []
    for part in left:
        if piece := _beginning(texts[part], partial(fits_as, part)):
            kept[part] = piece
    types = [part for part in found if part.rank is Rank.TYPES]
    rest = [part for part in found if part.rank > Rank.TYPES]
    for part in types:
        add(part, closing)
    count = _most(len(rest), lambda n: fits({**kept, **{part: texts[part] for part in rest[:n]}}, closing))
    kept.update({part: texts[part] for part in rest[:count]})
    return ids(kept, closing) if kept else head_of_line(lines[0], [CUT, *ending], room, codec)


def _beginning(text: str, is_fitting: Callable[[str], bool]) -> str:
    """Return as much of the beginning of a text as fits, with a mark, or "" if that is too little to be worth showing."""
    length = _most(len(text), lambda n: is_fitting(text[:n] + _GAP))
    return text[:length] + _GAP if length >= _SHORTEST else ""


def _most(limit: int, is_possible: Callable[[int], bool]) -> int:
    """Return the largest number up to `limit` that is possible, where smaller numbers are possible too; 0 if there is none."""
    return bisect_right(range(1, limit + 1), False, key=lambda number: not is_possible(number))


def head_of_line(line: str, ending: Sequence[str], room: int, codec: Codec) -> list[int]:
    """Return the beginning of a line that is too long, in whole characters, and the ending."""
    tail = codec.encode_plain("\n" + "\n".join(ending))
    head = codec.encode_plain(line)[: max(room - len(tail), 0)]
    while head and codec.decode(head).endswith("\ufffd"):  # half a character
        head.pop()
    return [*head, *tail][:room]


def _around_the_mark(source: str) -> Iterator[str]:
    """Yield ever shorter pieces of a source line, all of which contain the beginning of the marked span."""
    begin, end = source.index(ERROR_OPEN), source.find(ERROR_CLOSE)
    end = end + len(ERROR_CLOSE) if end >= 0 else len(source)
    for around in (80, 40, 20, 0):
        left, right = max(0, begin - around), min(len(source), end + around)
        yield f"{_GAP if left else ''}{source[left:right]}{_GAP if right < len(source) else ''}"
    for length in (80, 40, 20, 8):
        if begin + len(ERROR_OPEN) + length < end:
            yield f"{_GAP if begin else ''}{source[begin : begin + len(ERROR_OPEN) + length]}{_GAP}{ERROR_CLOSE}"


def parts(error: str) -> list[Part]:
    """Return the parts of an error, in order; together they are all its lines."""
    lines = error.split("\n")
    first = 1 if ERROR_OPEN in lines[0] else 0
    ranks: list[Rank | None] = [None] * len(lines)
    if first:
        ranks[0] = Rank.SOURCE
    for at in range(first, len(lines)):
        if lines[at].startswith(_GOAL):
            for below in range(at, _indented_end(lines, at)):
                ranks[below] = Rank.GOAL
            for above in _upwards(lines, at, first):
                ranks[above] = Rank.HYPOTHESIS
    has_goal = Rank.GOAL in ranks
    for at in range(first, len(lines)):
        if ranks[at] is None and _TYPES.match(lines[at]) and at > first:
            is_goal = not has_goal and "expected" in lines[at].lower()
            for below in range(at, _indented_end(lines, at)):
                ranks[below] = Rank.GOAL if is_goal else Rank.TYPES
    if first < len(lines) and ranks[first] is None:
        ranks[first] = Rank.HEADLINE
        for below in range(first + 1, _indented_end(lines, first)):
            ranks[below] = Rank.TYPES
    filled = [_rank_of_text(line) if rank is None else rank for rank, line in zip(ranks, lines, strict=True)]
    return list(_grouped(lines, filled))


def _upwards(lines: Sequence[str], goal: int, first: int) -> Iterator[int]:
    """Yield the lines of hypotheses above a goal with those that continue them; the first line of the message is none."""
    end = goal
    for at in range(goal - 1, first, -1):
        if _HYPOTHESIS.match(lines[at]):
            yield from range(at, end)
            end = at
        elif not lines[at].strip() or not lines[at][0].isspace():
            return


def _indented_end(lines: Sequence[str], at: int) -> int:
    """Return the end of the indented lines that continue line `at`."""
    end = at + 1
    while end < len(lines) and lines[end][:1].isspace() and lines[end].strip():
        end += 1
    return end


def _rank_of_text(line: str) -> Rank:
    if not line.strip():
        return Rank.HYPOTHESIS
    return Rank.ASIDE if _ASIDE.match(line) else Rank.TEXT


def _grouped(lines: Sequence[str], ranks: Sequence[Rank]) -> Iterator[Part]:
    """Yield a part for each line with those that continue it, except for hypotheses; the first goal outranks later ones."""
    at, seen_goal = 0, False
    while at < len(lines):
        rank, end = ranks[at], at + 1
        if rank in (Rank.GOAL, Rank.TYPES, Rank.TEXT, Rank.ASIDE):
            while end < len(lines) and ranks[end] is rank and lines[end][:1].isspace():
                end += 1
        if rank is Rank.GOAL:
            rank, seen_goal = (Rank.TYPES if seen_goal else Rank.GOAL), True
        yield Part(rank, at, end)
        at = end


def _source_line(lines: Sequence[str], start: tuple[int, int], message: Message) -> str:
    """Return the line of an error with its span marked, or "" for an error that is not in the prover's text.

    Args:
      lines: Text that the message is about.
      start: Line index and column at which the prover's text begins.
      message: The error.
    """
    at = message.line - 1
    shift = start[1] if at == start[0] else 0
    column, on_one_line = message.column - shift, message.end_line == message.line
    has_no_place = message.line == message.end_line == 1 and message.end_column == 0
    if not start[0] <= at < len(lines) or column < 0 or has_no_place:
        return ""
    line = lines[at][shift:]
    end = message.end_column - shift if on_one_line else len(line)
    return f"{line[:column]}{ERROR_OPEN}{line[column:end]}{ERROR_CLOSE}{line[end:]}".strip()
