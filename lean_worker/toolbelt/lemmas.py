"""Holes, or the `have`s of tactic proofs, as lemmas that stand before the command that contains them.

Lean accepts each lemma, and that the lemma closes its hole, before it counts.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, Future
from functools import partial
from typing import TypeVar

import msgspec

from lean_worker.errors import LeanWorkerError
from lean_worker.extract import Extracted, NotStated
from lean_worker.files import FileReport, Hole, Span, TacticStep
from lean_worker.filling import OpenFile, open_file, state_hole
from lean_worker.holes import label
from lean_worker.lexer import LexError, tokens
from lean_worker.pool import Pool
from lean_worker.protocol import Check, Kind, Message
from lean_worker.toolbelt.asking import PoolLean, ToolError, plain, was_read

T = TypeVar("T")

_HAVE = "Lean.Parser.Tactic.tacticHave__"
_OPENING, _CLOSING = frozenset("([{⟨⦃"), frozenset(")]}⟩⦄")
_BINDERS = frozenset({"let", "let_fun", "have", "letI", "haveI"})  # in a type, each has a `:=` of its own
_HOLE = ":= sorry"


class Lemma(msgspec.Struct, frozen=True):
    """A hole or `have` at `line` and `column` as a lemma.

    `statement` ends in `:= by sorry` and stands before the command of the theorem `within`; the tactic `call` closes the hole by it.
    `proof` is that of the `have`, if it proves the lemma as it is. If there is no lemma, `problem` says why.
    """

    line: int
    column: int
    within: str
    name: str = ""
    statement: str = ""
    call: str = ""
    proof: str = ""
    problem: str = ""


class LemmasReport(msgspec.Struct, frozen=True):
    """Lemmas in the order of the file. `kind` and `messages` are Lean's result for the whole file, as in a file report."""

    kind: Kind
    lemmas: tuple[Lemma, ...] = ()
    messages: tuple[Message, ...] = ()
    seconds: float = 0.0


class _Reader:
    """Reader of files for functions that wait; `cancel` ends what they wait for."""

    def __init__(self, pool: Pool, client: str) -> None:
        self._pool, self._client = pool, client
        self._cancelled = False
        self._current: Future[FileReport] | None = None
        self.seconds = 0.0

    def read_file(self, text: str, *, tactics: bool = False) -> Future[FileReport]:
        if self._cancelled:
            raise CancelledError
        self._current = self._pool.read_file(text, client=self._client, tactics=tactics, lookup=True)
        self._current.add_done_callback(self._count)
        return self._current

    def cancel(self) -> None:
        self._cancelled = True
        if self._current is not None:
            self._current.cancel()

    def _count(self, done: Future[FileReport]) -> None:
        if not done.cancelled() and done.exception() is None:
            self.seconds += done.result().seconds


async def lemmas(lean: PoolLean, text: str, haves: bool = False, most: int | None = None) -> LemmasReport:
    """Return the holes of a file as lemmas.

    Args:
        lean: the pool to ask.
        text: the file.
        haves: instead of the holes, take each `have` of a tactic proof that states its type and has a proof.
        most: the largest number of lemmas.

    Raises:
        ToolError: the file has more than `most` holes or `have`s.
    """
    text = plain(text)
    reader = _Reader(lean.pool, lean.client)
    report = await _waiting(reader, lambda: reader.read_file(text, tactics=haves).result())
    if not was_read(report.kind):
        return LemmasReport(report.kind, messages=report.messages, seconds=reader.seconds)
    found = list(_haves(text, report.tactics)) if haves else [(hole.span, hole.span.start) for hole in report.holes]
    if most is not None and len(found) > most:
        raise ToolError(f"the file has {len(found)} {'`have`s' if haves else 'holes'}, more than {most}; split it")
    if haves:
        results = [await _have_lemma(lean, reader, text, span, value) for span, value in found]
    elif found:
        file = await _waiting(reader, lambda: open_file(reader, text))
        results = [(await _waiting(reader, partial(_lemma, reader, file, hole, hole.span)))[0] for hole in file.report.holes]
    else:
        results = []
    return LemmasReport(report.kind, tuple(results), report.messages, reader.seconds)


async def _waiting(reader: _Reader, work: Callable[[], T]) -> T:
    """Return the result of a function that waits for answers, in a thread; end it if the caller is cancelled."""
    try:
        return await asyncio.to_thread(work)
    except asyncio.CancelledError:
        reader.cancel()
        raise


def _lemma(reader: _Reader, file: OpenFile, hole: Hole, shown: Span) -> tuple[Lemma, Extracted | None]:
    within = label(file.report, hole, file.text)
    try:
        stated = state_hole(reader, file, hole)
    except NotStated as error:
        return Lemma(shown.line, shown.column, within, problem=str(error)), None
    call = "; ".join([*stated.opening, stated.call])
    return Lemma(shown.line, shown.column, within, stated.name, stated.statement, call), stated


async def _have_lemma(lean: PoolLean, reader: _Reader, text: str, span: Span, value: int) -> Lemma:
    """Return a `have` as a lemma: its value, which begins at an offset, becomes a hole."""
    opened = f"{text[:value]}{_HOLE}{text[span.end :]}"

    def state() -> tuple[Lemma, Extracted | None]:
        nothing = Lemma(span.line, span.column, "", problem="Lean does not find the place of its proof")
        try:
            file = open_file(reader, opened)
        except LeanWorkerError as error:
            return msgspec.structs.replace(nothing, problem=str(error)), None
        hole = next((hole for hole in file.report.holes if hole.span.start == value + len(_HOLE) - len("sorry")), None)
        return (nothing, None) if hole is None else _lemma(reader, file, hole, span)

    lemma, stated = await _waiting(reader, state)
    if stated is None:
        return lemma
    proof = text[value : span.end]
    (verdict,) = await lean.verify([Check("", stated.statement, proof, stated.header)])
    return msgspec.structs.replace(lemma, proof=proof) if verdict.accepted else lemma


def _haves(text: str, steps: Sequence[TacticStep]) -> Iterator[tuple[Span, int]]:
    """Yield each `have` that states its type, with the offset of the `:=` before its proof."""
    for step in steps:
        if step.kind == _HAVE and not step.synthetic and step.span is not None:
            value = _value_start(text[step.span.start : step.span.end])
            if value is not None:
                yield step.span, step.span.start + value
        yield from _haves(text, step.within)


def _value_start(have: str) -> int | None:
    """Return where the `:=` of a `have` stands, or None if it states no type or has no `:=`."""
    try:
        token_list = tokens(have)[1:]
    except LexError:
        return None
    depth, owed, typed = 0, 0, False
    for token in token_list:
        depth += (token.text in _OPENING) - (token.text in _CLOSING)
        if depth:
            continue
        typed |= token.text == ":"
        if token.kind == "name" and token.text in _BINDERS:
            owed += 1
        elif token.text == ":=":
            if not owed:
                return token.start if typed else None
            owed -= 1
    return None
