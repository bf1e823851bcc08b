"""`oprover corpus formalize`: candidates through all stages, part by part, killed and taken up again at any moment.

WORK/settings.json               what the work was started with; other settings are refused
WORK/candidates/00000.parquet    the texts of a part, fixed when they were first seen; texts of a later start make new parts
WORK/formalize/, elaborate/,     what a stage made of each part: all rows that entered, those that are lost with the reason;
     critic/, vacuity/, choose/   a part is there whole or not at all, and is never done twice
WORK/funnel.json                 in, out and losses of every stage
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from oprover_jax.autoformalize.config import FormalizeConfig, VacuityConfig
from oprover_jax.autoformalize.lineage import Formalization, read_lost, read_rows, write_rows
from oprover_jax.autoformalize.mining.candidates import Candidate, read_part, write_candidates
from oprover_jax.autoformalize.mining.funnel import Funnel, Step, write_funnel
from oprover_jax.autoformalize.model import Model
from oprover_jax.autoformalize.stages import check_rows, choose, criticise, elaborate, formalize
from oprover_jax.autoformalize.vacuity import known_tactics
from oprover_jax.errors import InputError
from oprover_jax.files import claim
from oprover_jax.posttraining.experiment import EngineConfig, LeanConfig
from oprover_jax.progress import ProgressConsole, StageProgress
from oprover_jax.sharding import MeshConfig
from oprover_jax.verify.verifier import Verifier, Workers

CANDIDATES = "candidates"
STAGES = ("formalize", "elaborate", "critic", "vacuity", "choose")

Work = Callable[[Path], Awaitable[list[Formalization]]]
"""A part of the stage before, by its file, to this stage's rows."""


@dataclass(frozen=True)
class Tools:
    """What the stages work with. Models are opened for the stage that needs them and closed behind it: two need not fit at once."""

    formalizer: Callable[[], AbstractContextManager[Model]]
    critic: Callable[[], AbstractContextManager[Model]]
    workers: Workers


class Settings(msgspec.Struct, frozen=True):
    """What the rows of a work folder are a function of, besides the texts; `formalizer` and `critic` name the policies."""

    config: FormalizeConfig
    formalizer: str
    critic: str

    @property
    def deciding(self) -> "Settings":
        """Without what only says where and how fast the work is done: that may change between two starts."""
        config = replace(self.config, in_flight=1, lean=LeanConfig(), engine=EngineConfig(), mesh=MeshConfig())
        return msgspec.structs.replace(self, config=config)


def formalize_texts(texts: Sequence[Candidate], work: Path, settings: Settings, tools: Tools, console: ProgressConsole) -> Funnel:
    """Takes `texts` through all stages in the folder `work`; what is done there is kept. Returns the funnel, which is written too.

    Raises:
      InputError: where `work` was started with other settings.
    """
    config = settings.config
    claim(work, msgspec.json.format(msgspec.json.encode(settings.deciding)), "oprover corpus formalize", "--work")
    folder = _Folder(work, _parts(texts, work, config.part), config.in_flight, console)
    if folder.waiting("formalize"):
        with tools.formalizer() as model:
            folder.run("formalize", lambda path: formalize(read_part(path), model, config))
    folder.run("elaborate", lambda path: elaborate(_left(path), Verifier(tools.workers)))
    if folder.waiting("critic"):
        with tools.critic() as model:
            folder.run("critic", lambda path: criticise(_left(path), model, config))
    vacuity, unknown = asyncio.run(_known(config, Verifier(tools.workers)))
    folder.run("vacuity", lambda path: check_rows(_left(path), Verifier(tools.workers), vacuity))
    folder.run("choose", lambda path: _chosen(path, config.per_text))
    notes = {"tactics that this Lean does not know, and so not tried": ", ".join(unknown)} if unknown else {}
    funnel = Funnel(tuple(map(folder.step, STAGES)), notes)
    write_funnel(work / "funnel.json", funnel)
    return funnel


def chosen(work: Path) -> Iterator[Formalization]:
    """The rows of a work folder that no stage has lost."""
    for path in sorted((work / STAGES[-1]).glob("*.parquet")):
        yield from _left(path)


@dataclass(frozen=True)
class _Folder:
    """The parts of a work folder, stage by stage."""

    work: Path
    parts: Sequence[str]
    in_flight: int
    console: ProgressConsole

    def waiting(self, stage: str) -> list[str]:
        """The parts that `stage` has to do. Of one that has nothing left from the stage before, this is written down at once."""
        waiting = []
        for part in self.parts:
            if not (self.work / stage / part).exists():
                if stage != STAGES[0] and "" not in read_lost(self._before(stage) / part):
                    write_rows(self.work / stage / part, [])
                else:
                    waiting.append(part)
        return waiting

    def run(self, stage: str, work: Work) -> None:
        """Makes the missing parts of `stage` out of those of the stage before, several at once."""
        waiting = self.waiting(stage)
        if waiting:
            with self.console.bar(stage) as progress:
                progress.total(len(waiting))
                asyncio.run(self._run(stage, work, waiting, progress))

    def _before(self, stage: str) -> Path:
        return self.work / (CANDIDATES, *STAGES)[STAGES.index(stage)]

    async def _run(self, stage: str, work: Work, waiting: Sequence[str], progress: StageProgress) -> None:
        room = asyncio.Semaphore(self.in_flight)
        counted: Counter[str] = Counter()

        async def one(part: str) -> None:
            async with room:
                rows = await work(self._before(stage) / part)
            write_rows(self.work / stage / part, rows)
            counted.update(parts=1, rows=len(rows), left=sum(not row.lost for row in rows))
            progress.update(counted["parts"], f"{counted['left']} of {counted['rows']} left")

        await asyncio.gather(*(one(part) for part in waiting))

    def step(self, stage: str) -> Step:
        lost: Counter[str] = Counter()
        entered = left = 0
        for part in self.parts:
            for reason in read_lost(self.work / stage / part):
                entered += 1
                left += not reason
                lost[reason] += 1
        del lost[""]
        return Step(stage, "formalizations", entered, left, dict(lost))


def _left(path: Path) -> list[Formalization]:
    return [row for row in read_rows(path) if not row.lost]


async def _chosen(path: Path, per_text: int) -> list[Formalization]:
    return choose(_left(path), per_text)


async def _known(config: FormalizeConfig, verifier: Verifier) -> tuple[VacuityConfig, list[str]]:
    """The checks without the tactics that this Lean cannot parse, and these. Raises InputError where no tactic of a check is left."""
    wanted = config.vacuity
    contradiction = await known_tactics(verifier, wanted.contradiction, config.header)
    trivial = await known_tactics(verifier, wanted.trivial, config.header)
    if (wanted.contradiction and not contradiction) or (wanted.trivial and not trivial):
        raise InputError(
            f"Lean knows no tactic of a console, or does not elaborate the header {config.header!r}; correct header or vacuity"
        )
    unknown = {*wanted.contradiction, *wanted.trivial} - {*contradiction, *trivial}
    return replace(wanted, contradiction=tuple(contradiction), trivial=tuple(trivial)), sorted(unknown)


def _parts(texts: Sequence[Candidate], work: Path, size: int) -> list[str]:
    """The names of the parts, in order. Texts that no part holds yet make new ones, fixed from now on."""
    folder = work / CANDIDATES
    folder.mkdir(parents=True, exist_ok=True)
    parts = sorted(path.name for path in folder.glob("*.parquet"))
    known = {candidate.id for part in parts for candidate in read_part(folder / part)}
    fresh = [candidate for candidate in texts if candidate.id not in known]
    for start in range(0, len(fresh), size):
        parts.append(f"{len(parts):05d}.parquet")
        write_candidates(folder / parts[-1], fresh[start : start + size])
    return parts
