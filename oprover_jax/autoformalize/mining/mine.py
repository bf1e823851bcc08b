"""`oprover corpus mine`: a folder of pages to candidate statements, many files at once, killed and taken up again at any moment.

OUT/settings.json       what the mine was started with; another classifier or another setting is refused
OUT/shards/00000.txt    the files of a shard, fixed when the mine first saw them; new files of a later start make new shards
OUT/parts/00000.parquet its candidates; 00000.json, written last, counts what came of them, and names what could not be read
OUT/candidates.parquet  all parts, one row for each normal form of a text
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
"""For each text the name of the benchmark statement that it overlaps with, or ""; crosses to other processes, so it must pickle."""

_PAGES_AT_ONCE = 256


@dataclass(frozen=True)
class MineConfig:
    """`threshold` 0 is the classifier's own. `licence` is that of pages that do not state theirs. Lengths are in characters."""

    threshold: float = 0.0
    shortest: int = 30
    longest: int = 2000
    licence: str = ""
    shard: int = 64

    def __post_init__(self) -> None:
        if not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold is {self.threshold}; it must be in [0, 1], 0 for the classifier's own")
        if not 1 <= self.shortest <= self.longest:
            raise ValueError(f"shortest is {self.shortest} and longest {self.longest}; give 1 <= shortest <= longest")
        if self.shard < 1:
            raise ValueError(f"shard is {self.shard}; it must be at least 1 file")


class _Settings(msgspec.Struct, frozen=True):
    """What a mine is a function of, besides its files."""

    config: dict[str, Any]
    classifier: str
    text: str
    screened: bool  # whether candidates are held against benchmarks


class Mined(msgspec.Struct, frozen=True):
    """What came of one shard. `pages` and `passages` count by fate; `unreadable` and `contaminated` name each case."""

    pages: dict[str, int]
    passages: dict[str, int]
    unreadable: list[str]
    contaminated: list[str]


@dataclass(frozen=True)
class Mine:
    """All files below `text`, judged by the classifier in a file, held against benchmarks by `overlap`; candidates go to `out`."""

    text: Path
    classifier: Path
    out: Path
    config: MineConfig
    overlap: Overlap | None = None


def mine(job: Mine, workers: int, console: ProgressConsole) -> Funnel:
    """Does what is not yet done, in `workers` processes. Returns the funnel, which is written too.

    Raises:
      InputError: for a folder without files to read, a file that is no classifier, an `out` that was started with other settings.
    """
    text, out = job.text, job.out
    if not text.is_dir():
        raise InputError(f"{text} is no folder; give one with {', '.join(SUFFIXES)} files")
    sha256 = load_classifier(job.classifier).sha256
    settings = _Settings(asdict(job.config), sha256, str(text.resolve()), job.overlap is not None)
    claim(out, msgspec.json.format(msgspec.json.encode(settings)), "oprover corpus mine", "--out")
    shards = _shards(text, out, job.config.shard)
    if not shards:
        raise InputError(f"{text} holds no file that can be read; known are {', '.join(SUFFIXES)}")
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
    """One shard, its number and its files: its candidates first, then what marks it as done."""
    number, files = shard
    judge = _loaded(job.classifier)
    candidates: list[Candidate] = []
    pages: Counter[str] = Counter()
    found: Counter[str] = Counter()
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
                taken += _passages(page, job.config, found)
        above = _above(taken, judge, job.config.threshold or judge.threshold)
        found["below the threshold"] += len(taken) - len(above)
        overlaps = job.overlap([candidate.text for candidate in above]) if job.overlap is not None and above else [""] * len(above)
        for candidate, benchmark in zip(above, overlaps, strict=True):
            if benchmark:
                contaminated.append(f"{candidate.where} passage {candidate.place}: {benchmark}")
            else:
                candidates.append(candidate)
    found["overlaps a benchmark"], found["candidate"] = len(contaminated), len(candidates)
    write_candidates(job.out / "parts" / f"{number:05d}.parquet", candidates)
    mined = Mined(dict(pages), dict(found), unreadable, contaminated)
    with replacing(_report(job.out, number)) as temporary:
        temporary.write_bytes(msgspec.json.encode(mined))
    return mined


@lru_cache(maxsize=1)
def _loaded(classifier: Path) -> Classifier:
    return load_classifier(classifier)


def _passages(page: Page, config: MineConfig, found: Counter[str]) -> list[Candidate]:
    """The passages of a page that are worth scoring; the others are counted."""
    taken = []
    for passage in passages(page.text, page.markup):
        if passage is None:
            found["in a proof"] += 1
        elif len(passage.text) < config.shortest:
            found["too short"] += 1
        elif len(passage.text) > config.longest:
            found["too long"] += 1
        else:
            licence = page.licence or config.licence
            key = text_id(passage.text)
            taken.append(Candidate(key, passage.text, passage.kind, 0.0, page.url, page.where, passage.place, licence))
    return taken


def _above(taken: Sequence[Candidate], judge: Classifier, threshold: float) -> list[Candidate]:
    scores = judge.scores([candidate.text for candidate in taken])
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
    """The files of each shard, by their names below `text`. Files that no shard names yet make new shards, fixed from now on."""
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
    found: Counter[str] = Counter()
    for report in reports:
        pages.update(report.pages)
        found.update(report.passages)
    read = pages.pop("read", 0)
    candidates = found.pop("candidate", 0)
    return Funnel(
        (
            Step("pages", "pages", read + sum(pages.values()), read, dict(pages)),
            Step("passages", "passages", candidates + sum(found.values()), candidates, dict(found)),
            Step("distinct", "candidates", candidates, kept, {"said before": copies}),
        ),
        {"files": files},
    )
