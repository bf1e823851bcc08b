"""Proofs in the place of holes: several ways to write one, the most readable first, of which Lean decides which one works."""

import re
from collections.abc import Sequence

from lean_worker.files import Hole
from lean_worker.holes import without_comments

_BULLETS = re.compile(r"[ \t]*(?:[·.][ \t]+)*")
_CLOSING = re.compile(r"[ \t]*(?:--|/-|[)\]}⟩,]|$)")
_STEP = 2


def fill_whole(text: str, hole: Hole, proof_start: int, end: int, proof: str) -> list[str]:
    """Return texts in which a proof replaces all of `text[proof_start:end]`, the empty proof around a hole, or only the hole."""
    body = proof.strip()
    margin = " " * (len(line := text[text.rfind("\n", 0, proof_start) + 1 : proof_start]) - len(line.lstrip()))
    body = body.replace("\n", f"\n{margin}")
    if body.startswith("|"):
        body = f"\n{margin}  {body}" if not text[:proof_start].endswith("\n") else body
    elif not body.startswith(":="):
        body = f":= {body}"
    replaced = f"{text[:proof_start].rstrip() if body.startswith(chr(10)) else text[:proof_start]}{body}{text[end:]}"
    within = text[proof_start : hole.span.start] + text[hole.span.end : end]
    has_comment = without_comments(within).split() != within.split()
    others = fill_hole(text, hole, (), proof)
    return [*others, replaced] if has_comment else [replaced, *others]


def fill_hole(text: str, hole: Hole, opening: Sequence[str], proof: str) -> list[str]:
    """Return texts in which a proof, after the tactics `opening`, stands in the place of a hole."""
    lines = [*opening, *_tactics(proof)]
    start, end = hole.span.start, hole.span.end
    line_start = text.rfind("\n", 0, start) + 1
    before, column = text[line_start:start], start - line_start
    found = _BULLETS.match(before)
    step = (found.end() if found else 0) + _STEP
    rest = text[end : text.find("\n", end) if "\n" in text[end:] else len(text)]
    closed = _CLOSING.match(rest) is not None
    head = before.rstrip()
    last = lines[-1] if lines else ""

    def written(inserted: str, cut: int = start) -> str:
        ends_in_comment = "--" in last and not rest.lstrip().startswith("--") and rest.strip()
        return f"{text[:cut]}{inserted}{chr(10) + ' ' * column if ends_in_comment else ''}{text[end:]}"

    def at(margin: int) -> str:
        return f"\n{' ' * margin}".join(lines)

    made: list[str] = []
    cut = line_start + len(head)
    ends_line = not rest.strip() or rest.lstrip().startswith("--")
    if hole.kind == "tactic":
        begins = not head or head.endswith(("by", "=>", "·", "(")) or _BULLETS.fullmatch(before) is not None
        if begins and closed:
            if len(lines) > 1 and head.endswith(("by", "=>")) and ends_line:
                made.append(written(f"\n{' ' * step}{at(step)}", cut))
            made.append(written(at(column)))
        elif len(lines) == 1 and not re.search(r"<;>|;|<\|>", lines[0]):
            made.append(written(at(column)))
        made.append(written(f"({at(column + 1)})"))
    else:
        term = _term(proof) if not opening else None
        plain = head.endswith((":=", "=>", "exact", "(", "⟨", ",", "from", "<|")) and closed
        if term is not None:
            made += [written(term)] if plain else []
            made.append(written(f"({term})"))
        elif plain and len(lines) > 1 and head.endswith((":=", "=>")) and ends_line:
            made.append(written(f" by\n{' ' * step}{at(step)}", cut))
        elif plain and len(lines) == 1:
            made.append(written(f"by {at(column + 3)}"))
        made.append(written(f"(by {at(column + 4)})"))
    return list(dict.fromkeys(made))


def _term(proof: str) -> str | None:
    """Return a proof that is a term of one line, or None."""
    body = proof.strip().removeprefix(":=").strip()
    return None if re.match(r"by\b", body) or body.startswith("|") or "\n" in body or "--" in body else body


def _tactics(proof: str) -> list[str]:
    """Return a proof as lines of tactics that begin in the same column."""
    body = proof.strip().removeprefix(":=").strip("\n")
    if body.lstrip().startswith("|"):
        body = f"fun\n{body}"
    if not (found := re.match(r"\s*by\b[ \t]*", body)):
        first, *rest = body.strip().split("\n")
        return [f"exact {first}", *_dedented(rest, _STEP)]
    first, *rest = body[found.end() :].split("\n")
    return [first.rstrip(), *_dedented(rest, _STEP)] if first.strip() and not first.startswith("--") else _dedented(rest, 0)


def _dedented(lines: Sequence[str], margin: int) -> list[str]:
    """Return lines moved so that the first of them that is not a comment begins at a column; blank ends are dropped."""
    lines = list(lines)
    while lines and not lines[0].strip():
        del lines[0]
    while lines and not lines[-1].strip():
        del lines[-1]
    widths = [len(line) - len(line.lstrip()) for line in lines if line.strip() and not line.lstrip().startswith("--")]
    own = min(widths, default=0)
    return [" " * margin + line[min(own, len(line) - len(line.lstrip())) :].rstrip() if line.strip() else "" for line in lines]
