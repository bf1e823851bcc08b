"""Stands in for a policy that can formalize and judge, which no policy of a test's size can: it says what a script says."""

from collections.abc import Callable, Sequence

from oprover_jax.autoformalize.model import Model
from oprover_jax.data.codec import Codec
from oprover_jax.rollout.engine import Completion, Request

Script = Callable[[str], Sequence[str]]
"""From a prompt to the answers, one for each sample."""


def _encode(text: str) -> list[int]:
    return [ord(character) for character in text]


def _decode(ids: Sequence[int]) -> str:
    return "".join(map(chr, ids)).removesuffix("\0")


CODE_POINTS = Codec(_encode, _encode, _decode, chr, end_ids=(0,), hash="code points")
"""A tokenizer whose tokens are characters."""


class ScriptedEngine:
    """An `Engine` that answers out of a script; counts what it was asked, and refuses prompts over `longest`."""

    def __init__(self, script: Script, longest: int = 100_000) -> None:
        self._script, self._longest = script, longest
        self.asked = 0

    async def generate(self, request: Request) -> list[Completion]:
        if len(request.prompt_ids) > self._longest:
            raise ValueError("the prompt is too long")
        self.asked += 1
        answers = self._script(_decode(request.prompt_ids))
        assert len(answers) == request.num_samples
        return [Completion((*map(ord, answer), 0), (0.0,) * (len(answer) + 1), "stop", 3) for answer in answers]


def scripted_model(engine: ScriptedEngine, name: str = "scripted") -> Model:
    return Model(name, engine, CODE_POINTS)
