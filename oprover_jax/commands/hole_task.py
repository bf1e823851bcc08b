"""One hole of a file as a task for the agent: its statement, and the texts in which an accepted proof could stand in its place."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from lean_worker.candidate import split_candidate
from lean_worker.extract import NotStated
from lean_worker.files import Hole
from lean_worker.filling import OpenFile, Reader, is_reached, short, state_hole
from lean_worker.holes import command_of, is_whole, label, whole_statement
from lean_worker.lexer import LexError
from lean_worker.splice import fill_hole, fill_whole
from lean_worker.statement import StatementError, split_imports, split_statement
from oprover_jax.records import Statement, Trajectory
from oprover_jax.statements.normalize import statement_id

_SCOPE = re.compile(r"^(?:open|variable|universe|set_option|local|attribute|namespace|section)\b(?!.*\bin[ \t]*$)", re.M)


@dataclass(frozen=True)
class HoleTask:
    """A hole of a file.

    `name` is that of its declaration; `whole` says that the hole is all of a theorem's proof. Once stated, `formal` is the theorem that
    the agent proves, `header` the text before it, and `opening` the tactics that precede a proof in the hole's place.
    """

    file: OpenFile
    hole: Hole
    name: str
    whole: bool
    formal: str = ""
    header: str = ""
    opening: tuple[str, ...] = ()

    @property
    def statement(self) -> Statement:
        return Statement(id=statement_id(self.formal, self.header), name=self.name, formal=self.formal, header=self.header)

    def stated(self, reader: Reader) -> "HoleTask":
        """Return the task with a statement. Raises NotStated if there is none."""
        file, hole = self.file, self.hole
        if not is_reached(reader, file, hole):
            raise NotStated("an error in the same declaration keeps Lean from it; correct that first")
        if self.whole and (errors := file.errors(hole)):
            raise NotStated(f"its declaration has an error: {short(errors[0])}")
        if self.whole:
            return replace(self, formal=whole_statement(file.report, hole, file.text), header=file.header(hole))
        found = state_hole(reader, file, hole)
        return replace(self, formal=found.statement, header=found.header, opening=found.opening)


def task_of(file: OpenFile, index: int) -> HoleTask:
    """Return the task of one hole of a file."""
    hole = file.report.holes[index]
    return HoleTask(file, hole, label(file.report, hole, file.text), is_whole(file.report, hole, file.text))


def candidates(trajectories: Sequence[Trajectory]) -> list[str]:
    """Return the distinct proofs that were accepted, shortest first."""
    accepted = {r.proof for t in trajectories for r in t.rounds if r.proof is not None and r.verdict is not None and r.verdict.accepted}
    return sorted(accepted, key=lambda proof: (len(proof), proof))


def insertions(task: HoleTask, proof: str) -> Iterator[str]:
    """Yield texts of the file with an accepted proof in the place of the hole, and its helpers before the command, best first."""
    file, hole = task.file, task.hole
    helpers, body = _taken_apart(task, proof)
    if task.whole and hole.theorem is not None:
        theorem = file.report.theorems[hole.theorem]
        texts = fill_whole(file.text, hole, theorem.proof, theorem.span.end, body)
    else:
        texts = fill_hole(file.text, hole, task.opening, body)
        if task.opening and not task.opening[-1].startswith("revert"):
            texts = [*fill_hole(file.text, hole, (), body), *texts] if _is_free(task, body) else texts
    start, end = command_of(file.report, hole, file.text)
    at = file.text.rfind("\n", 0, start) + 1
    at = at if not file.text[at:start].strip() else start
    for text in texts:
        if not helpers:
            yield text
        elif _SCOPE.search(helpers):
            until = end + len(text) - len(file.text)
            yield f"{text[:at]}section\n\n{helpers}\n\n{text[at:until]}\n\nend{text[until:]}"
        else:
            yield f"{text[:at]}{helpers}\n\n{text[at:]}"


def _is_free(task: HoleTask, body: str) -> bool:
    """Return whether a proof mentions none of the names that the opening tactics introduce."""
    names = [name for line in task.opening for name in line.split()[1:] if name != "_"]
    return not any(re.search(rf"(?<![\w.]){re.escape(name)}(?![\w'])", body) for name in names)


def _taken_apart(task: HoleTask, proof: str) -> tuple[str, str]:
    """Return the declarations before the theorem in an accepted answer, and the proof itself."""
    try:
        found = split_candidate(proof, split_statement(task.formal), task.header)
    except (LexError, StatementError):
        return "", proof
    if not found.line or not found.body:
        return "", proof
    return split_imports(found.helpers)[1].strip(), found.body
