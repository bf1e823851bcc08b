"""Stands in for a policy that can formalize and judge, which no policy of a test's size can: it says what a script says."""

from collections.abc import Callable, Sequence

from oprover_jax.posttraining.formalize.model import Model
from oprover_jax.rollout.engine import Completion, Request

Script = Callable[[str], Sequence[str]]
"""From a prompt to the answers, one for each sample."""


class CodePoints:
    """A tokenizer whose tokens are characters."""

    end_ids: tuple[int, ...] = (0,)

    def prompt(self, text: str) -> tuple[int, ...]:
        return tuple(map(ord, text))

    def text(self, ids: tuple[int, ...]) -> str:
        return "".join(map(chr, ids)).removesuffix("\0")


class ScriptedEngine:
    """An `Engine` that answers out of a script; counts what it was asked, and refuses prompts over `longest`."""

    def __init__(self, script: Script, longest: int = 100_000) -> None:
        self._script, self._longest = script, longest
        self.asked = 0

    async def generate(self, request: Request) -> list[Completion]:
        if len(request.prompt_ids) > self._longest:
            raise ValueError("the prompt is too long")
        self.asked += 1
        answers = self._script(CodePoints().text(request.prompt_ids))
        assert len(answers) == request.samples
        return [Completion((*map(ord, answer), 0), (0.0,) * (len(answer) + 1), "stop", 3) for answer in answers]


def scripted_model(engine: ScriptedEngine, name: str = "scripted") -> Model:
    return Model(name, engine, CodePoints())
