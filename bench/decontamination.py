"""Decontamination on real data: benchmark statements are planted in disguise among real theorems, and hits and false alarms are counted.

Rows of the data folder that their collectors flagged as `contaminates` are an independent check; an alarm on another row is
printed for review. Text overlap is tested on the folder's documents.
"""

import json
import os
import random
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import tyro
from common import report, seconds

from oprover_jax.statements.benchmarks import load_benchmarks
from oprover_jax.statements.decontaminate import BenchmarkIndex, Hit, build_index, find_in_statements, find_in_texts
from oprover_jax.statements.normalize import closing_brackets, is_name, signature_words, strip_comments

DATA = Path(os.environ.get("OPROVER_DATA", "data"))

_NAME = re.compile(r"\b(theorem|lemma)\s+([^\s:({\[]+)")
_WORD = re.compile(r'"(?:\\.|[^"\\])*"|(?<![\w\'])(?<![\w)\]]\.)[^\W\d][\w₀-₉\'!?ₐ-ₜ]*')
_BINDERS = ("∀", "∃", "∑", "∏", "fun", "∫", "⋃", "⋂", "⨆", "⨅")
_ASCII = {"→": "->", "∧": "/\\", "∨": "\\/", "↔": "<->", "≤": "<=", "≥": ">="}
_TYPES = {"ℕ": "Nat", "ℝ": "Real", "ℤ": "Int"}

Disguise = Callable[[str, random.Random], str]


def renamed_theorem(formal: str, rng: random.Random) -> str:
    """Rename the theorem, or turn it into a `lemma` or `example`."""
    return _NAME.sub(rng.choice((f"theorem other_{rng.randrange(99)}", "lemma my.name'", "example")), formal, count=1)


def reformatted(formal: str, rng: random.Random) -> str:
    """Insert comments and line breaks between all words, and remove its own comments."""
    gaps = (" /- a /- nested := -/ remark -/ ", "\n  -- aside := by sorry\n   ", "\n\n\t", " ", " ")
    return "".join(rng.choice(gaps) if part.isspace() else part for part in re.split(r"(\s+)", strip_comments(formal)))


def respelled(formal: str, rng: random.Random) -> str:
    """Use ASCII for arrows and connectives, and words for types."""
    for symbol, spelling in _ASCII.items():
        formal = formal.replace(symbol, spelling)
    return re.sub(r"(?<!\w)[ℕℝℤ](?!\w)", lambda found: _TYPES[found[0]], formal)


def renamed_variables(formal: str, rng: random.Random) -> str:
    """Rename all variables bound in the signature or in a term."""
    names = {name: f"v{i}_{rng.randrange(9)}" for i, name in enumerate(sorted(_bound(formal)))}
    return _WORD.sub(lambda found: names.get(found[0], found[0]), formal)


def moved_hypotheses(formal: str, rng: random.Random) -> str:
    """Move hypotheses that nothing else mentions after the colon, in another order, and some variables under `∀`."""
    found = _NAME.search(formal)
    if not found:
        return formal
    groups, rest = [], formal[found.end() :].lstrip()
    while rest[:1] in ("(", "{", "[", "⦃"):
        depth, end = 0, 0
        while end < len(rest) and (depth or not end):
            depth += (rest[end] in "({[⦃⟨") - (rest[end] in ")}]⦄⟩")
            end += 1
        groups.append(rest[:end])
        rest = rest[end:].lstrip()
    if not rest.startswith(":"):
        return formal
    goal = re.sub(r":=\s*(by\s+)?sorry\s*$", "", rest[1:]).strip()
    moved, kept = [], []
    for group in groups:
        hypothesis = re.match(r"\(\s*(h\w*[₀-₉']*)\s*:", group)
        others = " ".join([*(other for other in groups if other is not group), goal])
        used = hypothesis and re.search(rf"(?<![\w.]){re.escape(hypothesis[1])}(?![\w₀-₉'])", others)
        (moved if hypothesis and not used else kept).append(group)
    antecedents = [f"({group[group.index(':') + 1 : -1]})" for group in moved]
    rng.shuffle(antecedents)
    cut = rng.randint(0, len(kept))
    cut = len(kept) if any(group[0] != "(" for group in kept[cut:]) else cut
    said = "".join(f"∀ {group}, " for group in kept[cut:]) + " → ".join([*antecedents, f"({goal})"])
    return f"{formal[: found.end()]} {' '.join(kept[:cut])} : {said} := by sorry"


def everything(formal: str, rng: random.Random) -> str:
    """Apply all disguises, one after another."""
    for disguise in (moved_hypotheses, renamed_variables, respelled, renamed_theorem, reformatted):
        formal = disguise(formal, rng)
    return formal


DISGUISES: tuple[Disguise, ...] = (renamed_theorem, reformatted, respelled, renamed_variables, moved_hypotheses, everything)


def main(data: Path = DATA) -> None:
    """Print hits, misses and figures.

    Args:
      data: Data folder, with benchmarks/, proofs/ and cpt/; defaults to OPROVER_DATA.
    """
    benchmarks = load_benchmarks(data)
    index = build_index(benchmarks)
    figures: dict[str, float] = {}
    for disguise in DISGUISES:
        rng = random.Random(disguise.__name__)
        planted = [disguise(statement.formal, rng) for statement in benchmarks]
        hits = find_in_statements(index, planted, [rng.choice((s.header, "import Mathlib\nopen Nat Real", "")) for s in benchmarks])
        found = sum(hit is not None for hit in hits)
        figures[f"found_{disguise.__name__}"] = found
        for statement, hit in zip(benchmarks, hits, strict=True):
            if hit is None:
                print(f"not found: {disguise.__name__} {statement.family}/{statement.name}")
    rows = [json.loads(line) for path in sorted((data / "proofs").glob("*.jsonl")) for line in path.open(encoding="utf-8")]
    every: list[Hit | None] = []
    took = seconds(lambda: every.extend(_hits(rows, index)))
    flagged = [bool(row.get("contaminates")) for row in rows]
    for row, hit, flag in zip(rows, every, flagged, strict=True):
        if flag and hit is None:
            print(f"flagged, not found: {row['name']}: {' '.join(row['formal_statement'].split())[:160]}")
        if hit and not flag:
            print(f"alarm: {row['name']}: {hit.reason} of {hit.benchmark}: {' '.join(row['formal_statement'].split())[:120]}")
    for path in sorted((data / "cpt").glob("*.jsonl")):
        texts = [json.loads(line) for line in path.open(encoding="utf-8")]
        found_texts = find_in_texts(index, [text["text"] for text in texts])
        print(f"documents of {path.stem}: {sum(map(bool, found_texts))} of {len(texts)}")
    report(
        "decontamination",
        planted=len(benchmarks),
        **figures,
        rows=len(rows),
        flagged=sum(flagged),
        flagged_found=sum(flag and hit is not None for flag, hit in zip(flagged, every, strict=True)),
        alarms_on_others=sum(not flag and hit is not None for flag, hit in zip(flagged, every, strict=True)),
        reasons=dict(Counter(re.sub(r" [0-9.]+$", "", hit.reason) for hit in every if hit)),
        rows_per_second=len(rows) / took,
        ratio_found=min(figures.values()) / len(benchmarks),
    )


def _hits(rows: list[dict[str, str]], index: BenchmarkIndex) -> list[Hit | None]:
    """Return each row's benchmark hit: of its statement first, then of header, informal text and proof."""
    headers = [row.get("header") or "" for row in rows]
    texts = [f"{header}\n{row.get('informal') or ''}\n{row['proof']}" for header, row in zip(headers, rows, strict=True)]
    stated = find_in_statements(index, [row["formal_statement"] for row in rows], headers)
    return [hit or other for hit, other in zip(stated, find_in_texts(index, texts), strict=True)]


def _bound(formal: str) -> set[str]:
    words = signature_words(formal)
    closes, found, index = closing_brackets(words), set[str](), 0
    while index < len(words) and words[index] in "({[⦃" and index in closes:
        inner = words[index + 1 : closes[index]]
        names = inner[: inner.index(":")] if ":" in inner else []
        found |= set(names) if all(map(is_name, names)) else set()
        index = closes[index] + 1
    for index, word in enumerate(words):
        if word in _BINDERS:
            after = index + 1 + (words[index + 1 : index + 2] == ["!"])
            after += words[after : after + 1] == ["("]
            while after < len(words) and is_name(words[after]):
                found.add(words[after])
                after += 1
    return found - {"_"}


if __name__ == "__main__":
    tyro.cli(main)
