"""`oprover corpus mine`: extract candidate statements from a folder of pages, in parallel and resumable at any point.

OUT/settings.json       settings of the run; another classifier or other settings are rejected
OUT/shards/00000.txt    files of a shard, fixed on first sight; new files of a later start form new shards
OUT/parts/00000.parquet candidates of a shard; 00000.json, written last, holds counts and unreadable files
OUT/candidates.parquet  all parts, with one row per normal form of a text
OUT/report.json         the funnel
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import msgspec

from oprover_jax.autoformalize.mining.candidates import CANDIDATES, Candidate, merge, write_candidates
from oprover_jax.autoformalize.mining.classifier import Classifier, load_classifier
from oprover_jax.autoformalize.mining.funnel import Funnel, Step, write_funnel
from oprover_jax.autoformalize.mining.normal_text import text_id
from oprover_jax.autoformalize.mining.pages import SUFFIXES, Page, Unreadable, read_pages
from oprover_jax.autoformalize.mining.passages import passages
from oprover_jax.errors import InputError
from oprover_jax.files import claim, replacing
from oprover_jax.processes import in_processes
from oprover_jax.progress import ProgressConsole

Overlap = Callable[[Sequence[str]], Sequence[str]]
"""Picklable function that returns, for each text, the name of the benchmark statement that it overlaps with, or ""."""

_PAGES_AT_ONCE = 256


@dataclass(frozen=True)
class MineConfig:
    """Settings of a mining run.

    Attributes:
      threshold: Minimum score; 0 selects the classifier's threshold.
      shortest: Minimum length of a passage in characters.
      longest: Maximum length of a passage in characters.
      licence: Licence of pages that state none.
      shard: Files per shard.
    """

    threshold: float = 0.0
    shortest: int = 30
    longest: int = 2000
    licence: str = ""
    shard: int = 64

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold is {self.threshold}; it must be in [0, 1] (0 selects the classifier's threshold)")
        if not 1 <= self.shortest <= self.longest:
            raise ValueError(f"shortest is {self.shortest} and longest is {self.longest}; they must satisfy 1 <= shortest <= longest")
        if self.shard < 1:
            raise ValueError(f"shard is {self.shard}; it must be at least 1")


class _Settings(msgspec.Struct, frozen=True):
    """Everything except the files that determines the result of a mining run."""

    config: dict[str, Any]
    classifier: str
    text: str
    screened: bool  # whether candidates are compared with benchmarks


class Mined(msgspec.Struct, frozen=True):
    """Result of one shard. `pages` and `passages` are counts by outcome; `unreadable` and `contaminated` list each case."""

    pages: dict[str, int]
    passages: dict[str, int]
    unreadable: list[str]
    contaminated: list[str]


@dataclass(frozen=True)
class Mine:
    """Mining job: files below `text`, classifier file, output folder `out`, settings, and `overlap` with benchmarks."""

    text: Path
    classifier: Path
    out: Path
    config: MineConfig
    overlap: Overlap | None = None


def mine(job: Mine, workers: int, console: ProgressConsole) -> Funnel:
    """Process the remaining shards in `workers` processes, and write and return the funnel.

    Raises:
      InputError: The folder has no readable files, the classifier is invalid, or `out` was created with other settings.
    """
    text, out = job.text, job.out
    if not text.is_dir():
        raise InputError(f"--text: {text} is not a directory; give one with {', '.join(SUFFIXES)} files")
    sha256 = load_classifier(job.classifier).sha256
    settings = _Settings(asdict(job.config), sha256, str(text.resolve()), job.overlap is not None)
    claim(out, msgspec.json.format(msgspec.json.encode(settings)), "oprover corpus mine", "--out")
    shards = _shards(text, out, job.config.shard)
    if not shards:
        raise InputError(f"--text: {text} has no readable files; supported are {', '.join(SUFFIXES)}")
    (out / "parts").mkdir(exist_ok=True)
    missing = [number for number in range(len(shards)) if not _report(out, number).exists()]
    with console.bar("mine") as progress:
        progress.total(len(shards))
        done = len(shards) - len(missing)
        progress.update(done, "")
        for _, mined in in_processes(partial(mine_shard, job), [(number, shards[number]) for number in missing], workers):
            done += 1
            progress.update(done, f"{mined.passages.get('candidate', 0)} candidates of {sum(mined.passages.values())} passages")
    reports = [msgspec.json.decode(_report(out, number).read_bytes(), type=Mined) for number in range(len(shards))]
    kept, copies = merge([out / "parts" / f"{number:05d}.parquet" for number in range(len(shards))], out / CANDIDATES)
    funnel = _funnel(sum(len(shard) for shard in shards), reports, kept, copies)
    write_funnel(out / "report.json", funnel)
    return funnel


def mine_shard(job: Mine, shard: tuple[int, Sequence[str]]) -> Mined:
    """Process one shard (number, files); write its candidates first, then the report that marks it as done."""
    number, files = shard
    classifier = _loaded(job.classifier)
    candidates: list[Candidate] = []
    pages: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    unreadable: list[str] = []
    contaminated: list[str] = []
    for batch in _batched(page for name in files for page in read_pages(job.text / name, name)):
        taken: list[Candidate] = []
        for page in batch:
            if isinstance(page, Unreadable):
                pages["unreadable"] += 1
                unreadable.append(str(page))
            else:
                pages["read"] += 1
                taken += _passages(page, job.config, outcomes)
        above = _above(taken, classifier, job.config.threshold or classifier.threshold)
        outcomes["below the threshold"] += len(taken) - len(above)
        overlaps = job.overlap([candidate.text for candidate in above]) if job.overlap is not None and above else [""] * len(above)
        for candidate, benchmark in zip(above, overlaps, strict=True):
            if benchmark:
                contaminated.append(f"{candidate.where} passage {candidate.place}: {benchmark}")
            else:
                candidates.append(candidate)
    outcomes["overlaps a benchmark"], outcomes["candidate"] = len(contaminated), len(candidates)
    write_candidates(job.out / "parts" / f"{number:05d}.parquet", candidates)
    mined = Mined(dict(pages), dict(outcomes), unreadable, contaminated)
    with replacing(_report(job.out, number)) as temporary:
        temporary.write_bytes(msgspec.json.encode(mined))
    return mined


@lru_cache(maxsize=1)
def _loaded(classifier: Path) -> Classifier:
    return load_classifier(classifier)


def _passages(page: Page, config: MineConfig, outcomes: Counter[str]) -> list[Candidate]:
    """Return the passages of a page to be scored and count the others in `outcomes`."""
    taken = []
    for passage in passages(page.text, page.markup):
        if passage is None:
            outcomes["in a proof"] += 1
        elif len(passage.text) < config.shortest:
            outcomes["too short"] += 1
        elif len(passage.text) > config.longest:
            outcomes["too long"] += 1
        else:
            licence = page.licence or config.licence
            key = text_id(passage.text)
            taken.append(Candidate(key, passage.text, passage.kind, 0.0, page.url, page.where, passage.place, licence))
    return taken


def _above(taken: Sequence[Candidate], classifier: Classifier, threshold: float) -> list[Candidate]:
    scores = classifier.scores([candidate.text for candidate in taken])
    return [msgspec.structs.replace(c, score=float(s)) for c, s in zip(taken, scores, strict=True) if s >= threshold]


def _batched(pages: Iterator[Page | Unreadable]) -> Iterator[list[Page | Unreadable]]:
    batch = []
    for page in pages:
        batch.append(page)
        if len(batch) == _PAGES_AT_ONCE:
            yield batch
            batch = []
    yield batch


def _shards(text: Path, out: Path, size: int) -> list[list[str]]:
    """Return the files of each shard, relative to `text`; files that are in no shard yet form new, permanent shards."""
    folder = out / "shards"
    folder.mkdir(parents=True, exist_ok=True)
    shards = [path.read_text().splitlines() for path in sorted(folder.glob("*.txt"))]
    known = {name for shard in shards for name in shard}
    present = (path.relative_to(text) for path in text.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    fresh = sorted(str(name) for name in present if str(name) not in known and not any(part.startswith(".") for part in name.parts))
    for start in range(0, len(fresh), size):
        with replacing(folder / f"{len(shards):05d}.txt") as temporary:
            temporary.write_text("\n".join(fresh[start : start + size]) + "\n")
        shards.append(fresh[start : start + size])
    return shards


def _report(out: Path, number: int) -> Path:
    return out / "parts" / f"{number:05d}.json"


def _funnel(files: int, reports: Sequence[Mined], kept: int, copies: int) -> Funnel:
    pages: Counter[str] = Counter()
    outcomes: Counter[str] = Counter()
    for report in reports:
        pages.update(report.pages)
        outcomes.update(report.passages)
    read = pages.pop("read", 0)
    candidates = outcomes.pop("candidate", 0)
    return Funnel(
        (
            Step("pages", "pages", read + sum(pages.values()), read, dict(pages)),
            Step("passages", "passages", candidates + sum(outcomes.values()), candidates, dict(outcomes)),
            Step("distinct", "candidates", candidates, kept, {"said before": copies}),
        ),
        {"files": files},
    )
