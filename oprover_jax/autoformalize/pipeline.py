"""`oprover corpus formalize`: run candidates through all stages, part by part and resumable at any point.

WORK/settings.json               settings of the run; other settings are rejected
WORK/candidates/00000.parquet    texts of a part, fixed on first sight; new texts of a later start form new parts
WORK/formalize/, elaborate/,     results of a stage for each part: all input rows, lost ones with the reason; parts are written
     critic/, vacuity/, choose/   atomically and never processed twice
WORK/funnel.json                 inputs, outputs and losses of every stage
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from lean_worker.lean_config import LeanConfig
from oprover_jax.autoformalize.config import FormalizeConfig, VacuityConfig
from oprover_jax.autoformalize.lineage import Formalization, read_lost, read_rows, write_rows
from oprover_jax.autoformalize.mining.candidates import Candidate, read_part, write_candidates
from oprover_jax.autoformalize.mining.funnel import Funnel, Step, write_funnel
from oprover_jax.autoformalize.model import Model
from oprover_jax.autoformalize.stages import check_rows, choose, criticise, elaborate, formalize
from oprover_jax.autoformalize.vacuity import known_tactics
from oprover_jax.errors import InputError
from oprover_jax.files import claim
from oprover_jax.posttraining.experiment import EngineConfig
from oprover_jax.progress import ProgressConsole, StageProgress
from oprover_jax.sharding import MeshConfig
from oprover_jax.verify.verifier import Verifier, Workers

CANDIDATES = "candidates"
STAGES = ("formalize", "elaborate", "critic", "vacuity", "choose")

Work = Callable[[Path], Awaitable[list[Formalization]]]
"""Function from the file of a part of the previous stage to the rows of this stage."""


@dataclass(frozen=True)
class Tools:
    """Resources of the stages; a model is open only during the stage that uses it, so that two need not fit in memory."""

    formalizer: Callable[[], AbstractContextManager[Model]]
    critic: Callable[[], AbstractContextManager[Model]]
    workers: Workers


class Settings(msgspec.Struct, frozen=True):
    """Everything except the texts that determines the rows of a work folder; `formalizer` and `critic` name the policies."""

    config: FormalizeConfig
    formalizer: str
    critic: str

    @property
    def deciding(self) -> "Settings":
        """Settings without those that affect only speed and location, which may change between two starts."""
        config = replace(self.config, in_flight=1, lean=LeanConfig(), engine=EngineConfig(), mesh=MeshConfig())
        return msgspec.structs.replace(self, config=config)


def formalize_texts(texts: Sequence[Candidate], work: Path, settings: Settings, tools: Tools, console: ProgressConsole) -> Funnel:
    """Run texts through all stages, skipping finished parts, and write and return the funnel.

    Args:
      texts: Candidates.
      work: Work folder.
      settings: Settings and names of the policies.
      tools: Models and Lean workers.
      console: Receives progress.

    Raises:
      InputError: `work` was created with other settings.
    """
    config = settings.config
    claim(work, msgspec.json.format(msgspec.json.encode(settings.deciding)), "oprover corpus formalize", "--work")
    folder = _Folder(work, _parts(texts, work, config.part), config.in_flight, console)
    if folder.waiting("formalize"):
        with tools.formalizer() as model:
            folder.run("formalize", lambda path: formalize(read_part(path), model, config))
    folder.run("elaborate", lambda path: elaborate(_left(path), Verifier(tools.workers, config.lean.patience)))
    if folder.waiting("critic"):
        with tools.critic() as model:
            folder.run("critic", lambda path: criticise(_left(path), model, config))
    vacuity, unknown = asyncio.run(_known(config, Verifier(tools.workers, config.lean.patience)))
    folder.run("vacuity", lambda path: check_rows(_left(path), Verifier(tools.workers, config.lean.patience), vacuity))
    folder.run("choose", lambda path: _chosen(path, config.per_text))
    notes = {"tactics that this Lean does not know, and so not tried": ", ".join(unknown)} if unknown else {}
    funnel = Funnel(tuple(map(folder.step, STAGES)), notes)
    write_funnel(work / "funnel.json", funnel)
    return funnel


def chosen(work: Path) -> Iterator[Formalization]:
    """Yield the rows of a work folder that passed all stages."""
    for path in sorted((work / STAGES[-1]).glob("*.parquet")):
        yield from _left(path)


@dataclass(frozen=True)
class _Folder:
    """Parts of a work folder by stage."""

    work: Path
    parts: Sequence[str]
    in_flight: int
    console: ProgressConsole

    def waiting(self, stage: str) -> list[str]:
        """Return the parts that `stage` has to process; parts without remaining rows are recorded as done immediately."""
        waiting = []
        for part in self.parts:
            if not (self.work / stage / part).exists():
                if stage != STAGES[0] and "" not in read_lost(self._before(stage) / part):
                    write_rows(self.work / stage / part, [])
                else:
                    waiting.append(part)
        return waiting

    def run(self, stage: str, work: Work) -> None:
        """Process the missing parts of `stage` concurrently."""
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

        async def process(part: str) -> None:
            async with room:
                rows = await work(self._before(stage) / part)
            write_rows(self.work / stage / part, rows)
            counted.update(parts=1, rows=len(rows), left=sum(not row.lost for row in rows))
            progress.update(counted["parts"], f"{counted['left']} of {counted['rows']} left")

        await asyncio.gather(*(process(part) for part in waiting))

    def step(self, stage: str) -> Step:
        """Return the funnel step of a stage."""
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
    """Return the checks without tactics that this Lean cannot parse, and those tactics.

    Raises:
      InputError: A check has no tactics left.
    """
    checks = config.vacuity
    contradiction = await known_tactics(verifier, checks.contradiction, config.header)
    trivial = await known_tactics(verifier, checks.trivial, config.header)
    if (checks.contradiction and not contradiction) or (checks.trivial and not trivial):
        raise InputError(
            f"vacuity: Lean knows no tactic of a check, or does not elaborate the header {config.header!r}; correct header or vacuity"
        )
    unknown = {*checks.contradiction, *checks.trivial} - {*contradiction, *trivial}
    return replace(checks, contradiction=tuple(contradiction), trivial=tuple(trivial)), sorted(unknown)


def _parts(texts: Sequence[Candidate], work: Path, size: int) -> list[str]:
    """Return the names of the parts, in order; texts that are in no part yet form new, permanent parts."""
    folder = work / CANDIDATES
    folder.mkdir(parents=True, exist_ok=True)
    parts = sorted(path.name for path in folder.glob("*.parquet"))
    known = {candidate.id for part in parts for candidate in read_part(folder / part)}
    fresh = [candidate for candidate in texts if candidate.id not in known]
    for start in range(0, len(fresh), size):
        parts.append(f"{len(parts):05d}.parquet")
        write_candidates(folder / parts[-1], fresh[start : start + size])
    return parts
