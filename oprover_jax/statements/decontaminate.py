"""Keep benchmarks out of what is trained on.

Benchmark statements are looked for in three ways, each blind to more than the one before: the same normal form, with or without its header
(`identical`); the same canonical form, whatever its shape (`reshaped`); and runs of tokens that both have (`overlap 0.83`: of the
benchmark's runs that share is there). Documents, proofs and informal text are searched for the benchmarks' own words (`text overlap`)
and for theorems in them.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeVar

import numpy as np
from jaxtyping import Int64, UInt64

from oprover_jax.errors import InputError
from oprover_jax.records import Statement
from oprover_jax.statements.canonical import Item, canonical, canonical_text, in_context
from oprover_jax.statements.normalize import statement_id, strip_comments
from oprover_jax.statements.shingles import Runs, statement_runs, text_runs

Thing = TypeVar("Thing")

_DECLARATION = re.compile(r"\b(?:theorem|lemma|example)\b")
_LONGEST = 4000  # characters of a theorem in a document
_FEWEST_WORDS = 5  # a canonical form with no more, such as `f = g`, says nothing by itself,
_TELLING = 6  # unless a word is as long as `Continuous`


@dataclass(frozen=True)
class DecontaminationConfig:
    """Which share of a benchmark statement's runs makes a statement or a document contaminated.

    Chosen by looking at all alarms on 5,949 real theorems, 687 real documents and between benchmarks.
    """

    share: float = 0.6
    many: int = 16
    """Runs from which on `share` holds."""
    few_share: float = 0.8
    few: int = 6
    """Statements of fewer runs are only found by their canonical form."""
    text_share: float = 0.4
    text_many: int = 8
    """Runs of a benchmark's text from which on `text_share` holds; of a shorter one all must be there."""
    text_few: int = 3

    def __post_init__(self) -> None:
        if not (0 < self.share <= 1 and 0 < self.few_share <= 1 and 0 < self.text_share <= 1):
            raise InputError(f"shares of runs lie above 0 and up to 1; got {self.share}, {self.few_share} and {self.text_share}")


@dataclass(frozen=True)
class Hit:
    """What a statement or document has of which benchmark: `benchmark` is the benchmark's and the statement's name."""

    benchmark: str
    reason: str


@dataclass(frozen=True)
class _Runs:
    """Runs of many benchmark statements, sorted by hash; `needed` is the share of each one's runs that is an overlap."""

    hashes: UInt64[np.ndarray, "n"]
    owners: Int64[np.ndarray, "n"]
    sizes: Int64[np.ndarray, "s"]
    needed: np.ndarray

    @cached_property
    def _present(self) -> np.ndarray:
        """Of each value of the upper bits, whether any hash has it: spares most lookups."""
        present = np.zeros(1 << 22, bool)
        present[self.hashes >> np.uint64(42)] = True
        return present

    def overlaps(self, hashes: UInt64[np.ndarray, "m"], documents: Int64[np.ndarray, "m"]) -> dict[int, tuple[int, float]]:
        """For each document with an overlap, the statement that is there most completely, and its share."""
        perhaps = self._present[hashes >> np.uint64(42)]
        hashes, documents = hashes[perhaps], documents[perhaps]
        low, high = np.searchsorted(self.hashes, hashes, "left"), np.searchsorted(self.hashes, hashes, "right")
        counts = high - low
        at = np.arange(counts.sum()) + np.repeat(low - (np.cumsum(counts) - counts), counts)
        there = np.unique(np.repeat(documents, counts) * len(self.hashes) + at)  # a run that is there twice counts once
        document_of, run = np.divmod(there, max(1, len(self.hashes)))
        pairs, shared = np.unique(document_of * len(self.sizes) + self.owners[run], return_counts=True)
        document_of, owner_of = np.divmod(pairs, max(1, len(self.sizes)))
        share = shared / self.sizes[owner_of]
        best: dict[int, tuple[int, float]] = {}
        for index in np.flatnonzero(share >= self.needed[owner_of]):
            document, owner = int(document_of[index]), int(owner_of[index])
            if document not in best or share[index] > best[document][1]:
                best[document] = (owner, float(share[index]))
        return best


def _runs(hashes: UInt64[np.ndarray, "n"], owners: Int64[np.ndarray, "n"], count: int, needed: Callable[[np.ndarray], np.ndarray]) -> _Runs:
    pairs = np.unique(np.stack([hashes, owners.astype(np.uint64)]), axis=1)
    sizes = np.bincount(pairs[1].astype(np.int64), minlength=count)
    return _Runs(pairs[0], pairs[1].astype(np.int64), sizes, needed(sizes))


@dataclass(frozen=True)
class BenchmarkIndex:
    """What is needed to know benchmark statements again; make it with `build_index`. It goes to other processes by pickle."""

    names: tuple[str, ...]
    identical: dict[str, int]
    canonical: dict[str, int]
    runs: _Runs
    texts: _Runs
    text_names: tuple[str, ...] = field(repr=False)


def build_index(benchmarks: Sequence[Statement], config: DecontaminationConfig | None = None) -> BenchmarkIndex:
    """The index of benchmark statements, their names said as `family/name`, with their informal texts."""
    config = config or DecontaminationConfig()
    items = [canonical(statement.formal) for statement in benchmarks]
    names = tuple(f"{statement.family}/{statement.name}" for statement in benchmarks)
    identical = {key: number for number, statement in reversed(list(enumerate(benchmarks))) for key in _normal_forms(statement)}
    keys = [canonical_key(own, statement.formal, statement.header) for own, statement in zip(items, benchmarks, strict=True)]
    telling = {key: number for number, key in reversed(list(enumerate(keys))) if key}
    texts = [(name, text) for name, s in zip(names, benchmarks, strict=True) for text in (s.informal, s.formal.removesuffix(":= by sorry"))]

    def needed(sizes: np.ndarray) -> np.ndarray:
        return np.where(sizes >= config.many, config.share, np.where(sizes >= config.few, config.few_share, np.inf))

    def needed_of_texts(sizes: np.ndarray) -> np.ndarray:
        return np.where(sizes >= config.text_many, config.text_share, np.where(sizes >= config.text_few, 1.0, np.inf))

    return BenchmarkIndex(
        names=names,
        identical=identical,
        canonical=telling,
        runs=_runs(*statement_runs(items).contents, len(items), needed),
        texts=_runs(*text_runs([text for _, text in texts]), len(texts), needed_of_texts),
        text_names=tuple(name for name, _ in texts),
    )


def find_in_statements(index: BenchmarkIndex, formals: Sequence[str], headers: Sequence[str]) -> list[Hit | None]:
    """For each statement, what it has of a benchmark."""
    items = [canonical(formal) for formal in formals]
    return find_in_canonical(index, formals, headers, items, statement_runs(items))


def find_in_canonical(
    index: BenchmarkIndex, formals: Sequence[str], headers: Sequence[str], items: Sequence[Sequence[Item]], runs: Runs
) -> list[Hit | None]:
    """`find_in_statements` for statements whose canonical forms and runs are at hand."""
    overlaps = index.runs.overlaps(*runs.contents)
    found: list[Hit | None] = []
    for number, (formal, header, own) in enumerate(zip(formals, headers, items, strict=True)):
        key, hit = canonical_key(own, formal, header), None
        if not key or key in index.canonical:  # equal normal forms have equal canonical forms
            same = [index.identical[one] for one in (statement_id(formal, header), statement_id(formal)) if one in index.identical]
            hit = Hit(index.names[same[0]], "identical") if same else Hit(index.names[index.canonical[key]], "reshaped") if key else None
        if hit is None and number in overlaps:
            hit = Hit(index.names[overlaps[number][0]], f"overlap {overlaps[number][1]:.2f}")
        found.append(hit)
    return found


def find_in_texts(index: BenchmarkIndex, texts: Sequence[str]) -> list[Hit | None]:
    """For each document (prose, Lean or both), what it has of a benchmark: its informal text, its formal text, or a theorem like it."""
    overlaps = index.texts.overlaps(*text_runs(texts))
    declared = [(number, formal) for number, text in enumerate(texts) for formal in _declarations(text)]
    theorems = find_in_statements(index, [formal for _, formal in declared], [""] * len(declared))
    holds = {number: hit for (number, _), hit in zip(declared, theorems, strict=True) if hit}
    found: list[Hit | None] = [None] * len(texts)
    for number in range(len(texts)):
        if number in overlaps:
            found[number] = Hit(index.text_names[overlaps[number][0]], f"text overlap {overlaps[number][1]:.2f}")
        elif number in holds:
            found[number] = Hit(holds[number].benchmark, f"theorem, {holds[number].reason}")
    return found


def contains_benchmark(index: BenchmarkIndex, text: str) -> Hit | None:
    """What a document has of a benchmark, None for a clean one."""
    return find_in_texts(index, [text])[0]


def fingerprints(statements: Iterable[Statement]) -> set[str]:
    """Normal forms, with and without the header, and canonical forms, computed anew from the text: a stored id is not taken on trust."""
    found: set[str] = set()
    for statement in statements:
        found.update(_normal_forms(statement), [form(statement)])
    return found


def form(statement: Statement) -> str:
    """What two statements share that say the same in another shape: the canonical form, or the normal form where that says nothing."""
    return canonical_key(canonical(statement.formal), statement.formal, statement.header) or statement_id(statement.formal)


def _normal_forms(statement: Statement) -> tuple[str, str]:
    return statement_id(statement.formal, statement.header), statement_id(statement.formal)


def decontaminate(
    items: Sequence[Thing], benchmark: Iterable[Statement], statement_of: Callable[[Thing], Statement]
) -> tuple[list[Thing], list[Thing]]:
    """`items` whose statement has neither the normal nor the canonical form of one in `benchmark`, and those removed.

    For the demo's statements, of which held-out ones and others differ by a constant and overlap on purpose; a corpus is kept clean of
    real benchmarks by `BenchmarkIndex`, which looks for overlaps too.
    """
    held_out = fingerprints(benchmark)
    kept: list[Thing] = []
    removed: list[Thing] = []
    for item in items:
        (removed if fingerprints([statement_of(item)]) & held_out else kept).append(item)
    return kept, removed


def canonical_key(items: Sequence[Item], formal: str, header: str) -> str:
    """The canonical form as a key; with the definitions around it where it is short, and "" where it then says nothing."""
    words = [word for item in items for word in item.kind]
    around = in_context(formal, header) if len(words) <= _FEWEST_WORDS else []
    telling = len(words) > _FEWEST_WORDS or any(isinstance(word, str) and len(word) >= _TELLING for word in words)
    return canonical_text(around or items) if around or telling else ""


def _declarations(text: str) -> list[str]:
    """The theorems of a document, each up to its `:=`."""
    if ":=" not in text:
        return []
    starts = [strip_comments(text[found.start() : found.start() + _LONGEST]) for found in _DECLARATION.finditer(text)]
    return [start[: start.index(":=")] for start in starts if ":=" in start]
