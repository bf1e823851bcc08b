"""Segmentation of pages into passages: theorem environments, labelled statements, single exercises and paragraphs.

A displayed formula stays with the sentence around it. Proofs and solutions are skipped, because they state nothing new.
"""

import re
from collections.abc import Iterator
from typing import Literal

import msgspec

Kind = Literal["theorem", "exercise", "paragraph"]

_THEOREM = r"theorem|lemma|proposition|corollary|claim|conjecture|fact|thm|lem|prop|cor"
_EXERCISE = r"exercise|problem|question|example|exer|ex|prob"
_ENVIRONMENT = re.compile(rf"\\begin\{{({_THEOREM}|{_EXERCISE})(\*?)\}}(?:\[[^\]]*\])?(.*?)\\end\{{\1\2\}}", re.S)
_PROOF_ENVIRONMENT = re.compile(r"\\begin\{(proof|solution|answer|hint)(\*?)\}.*?\\end\{\1\2\}", re.S)
_TEX_COMMENT = re.compile(r"(?<!\\)%.*")
_TEX_NOISE = re.compile(r"\\(?:label|index|vspace|hspace|includegraphics|bibliography\w*)\*?(?:\[[^\]]*\])?\{[^}]*\}")
_TEX_COMMAND_LINE = re.compile(r"^[ \t]*\\(?:chapter|part|(?:sub)*section|paragraph)\*?\{[^}]*\}[ \t]*$", re.M)

_LABEL = re.compile(
    r"^(?:#+\s*)?[*_(\[]*(?P<word>theorem|lemma|proposition|corollary|claim|conjecture|exercise|problem|question|example)"
    r"[ \t]*(?P<number>\d+(?:[.\-]\d+)*[a-z]?\b)?[*_)\]]*[ \t]*(?:\([^)\n]{1,80}\))?[*_)\]]*[ \t]*(?P<mark>[.:][*_]*|$|\n)",
    re.I | re.M,
)
_PROOF = re.compile(r"^(?:#+\s*)?[*_]*(?:(?:proof|solution|answer|remark|hint)\b[^\n]{0,60}?[.:*_\n]|(?:proof|solution)s?[*_]*$)", re.I)
_PROOF_END = re.compile(r"(?:□|∎|■|◻|\\qed|\\square|\\blacksquare|\bQ\.?E\.?D\.?)\W*$")
_HEADING = re.compile(r"^#{1,6}(?:\s|$)|^\\(?:chapter|(?:sub)*section)")
_ITEM = re.compile(r"^[ \t]*(?:[-*+•]|\(?(?:\d{1,3}|[a-h]|[ivx]{1,4})[.)])[ \t]+|\\item\b(?:\[[^\]]*\])?\s*", re.M)
_DISPLAY = re.compile(r"^(?:\$\$|\\\[|\\begin\{(?:equation|align|gather|multline)\*?\})")
_CONTINUATION = re.compile(r"^(?:[a-z]|\\\(|\$[^$])")


class Passage(msgspec.Struct, frozen=True):
    """Passage of a page; `place` numbers all passages of the page from 0, including those in proofs."""

    kind: Kind
    text: str
    place: int


def passages(text: str, markup: str) -> Iterator[Passage | None]:
    """Yield the passages of a page in order, and None for each in a proof or solution."""
    for place, passage in enumerate(_of_tex(text) if markup == "tex" else _of_text(text)):
        yield Passage(passage[0], passage[1], place) if passage is not None else None


def _of_tex(text: str) -> Iterator[tuple[Kind, str] | None]:
    """Yield environments and the paragraphs between them, in order."""
    _, begun, body = text.partition("\\begin{document}")
    text = _TEX_NOISE.sub("", _TEX_COMMENT.sub("", (body if begun else text).partition("\\end{document}")[0]))
    text, proofs = _PROOF_ENVIRONMENT.subn("\n\n", text)
    yield from [None] * proofs
    at = 0
    for environment in _ENVIRONMENT.finditer(text):
        yield from _of_text(_TEX_COMMAND_LINE.sub("\n\n#\n\n", text[at : environment.start()]))
        kind: Kind = "theorem" if re.fullmatch(_THEOREM, environment[1]) else "exercise"
        yield from ((kind, item) for item in _items(environment[3]))
        at = environment.end()
    yield from _of_text(_TEX_COMMAND_LINE.sub("\n\n#\n\n", text[at:]))


def _of_text(text: str) -> Iterator[tuple[Kind, str] | None]:
    in_proof = False
    kind: Kind = "paragraph"
    for block in _blocks(text):
        label, heading = _LABEL.match(block), bool(_HEADING.match(block))
        if _PROOF.match(block):
            in_proof = True
        elif label is not None and (label["number"] or label["mark"]):
            in_proof = False
            kind = "theorem" if re.fullmatch(_THEOREM, label["word"].lower()) else "exercise"
            block = block[label.end() :].strip()
            if not block:
                continue  # a heading such as "Exercise 3"; the statement is the next block
        elif heading:
            in_proof = False
            kind = "exercise" if re.search(r"\b(?:exercise|problem|question)s\b", block, re.I) else "paragraph"
            continue
        if in_proof:
            in_proof = not _PROOF_END.search(block)
            yield None
            continue
        yield from ((kind, item) for item in _items(block))
        if kind == "theorem" or (label is not None and label["number"]):
            kind = "paragraph"


def _blocks(text: str) -> Iterator[str]:
    """Yield paragraphs; a displayed formula joins the previous one, as does a continuation after it (lower case or a formula)."""
    held = ""
    for block in re.split(r"\n[ \t]*\n", text):
        block = block.strip()
        if not block:
            continue
        after_display = bool(re.search(r"(?:\$\$|\\\]|\\end\{(?:equation|align|gather|multline)\*?\})[.,;]?$", held))
        if held and (_DISPLAY.match(block) or (after_display and _CONTINUATION.match(block))):
            held = f"{held}\n{block}"
            continue
        if held:
            yield held
        held = block
    if held:
        yield held


def _items(block: str) -> Iterator[str]:
    """Yield the items of a list, each prefixed with the text before the first item; yield a block without a list unchanged."""
    block = re.sub(r"\\(?:begin|end)\{(?:enumerate|itemize|description|parts)\}(?:\[[^\]]*\])?", "", block).strip()
    starts = list(_ITEM.finditer(block))
    if not starts or (starts[0].start() == 0 and len(starts) == 1):
        text = block[starts[0].end() :] if starts else block
        yield " ".join(text.split())
        return
    opening = " ".join(block[: starts[0].start()].split())
    for item, following in zip(starts, [*(s.start() for s in starts[1:]), len(block)], strict=True):
        yield " ".join(f"{opening} {block[item.end() : following]}".split())
