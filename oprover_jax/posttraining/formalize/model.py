"""A policy that is asked in words: an engine, and how words become its tokens and come back."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol, runtime_checkable

import tokenizers
from jax.sharding import Mesh

from oprover_jax.data.tokenizer import END, Tokenizer, load_tokenizer
from oprover_jax.errors import InputError
from oprover_jax.models.hf.load import load_hf
from oprover_jax.models.qwen3 import Params, Qwen3Config
from oprover_jax.posttraining.experiment import EngineConfig, Experiment
from oprover_jax.posttraining.formalize.config import Asking
from oprover_jax.posttraining.plan import policy_version
from oprover_jax.posttraining.policy import load_policy
from oprover_jax.posttraining.run_folder import open_run
from oprover_jax.rollout.engine import Completion, Engine, Request, Sampling
from oprover_jax.rollout.jax_engine import JaxEngine

_TURN, _TURN_END = "<|im_start|>", "<|im_end|>"


@runtime_checkable
class Words(Protocol):
    """Text to a prompt's tokens, and an answer's tokens to text."""

    end_ids: tuple[int, ...]

    def prompt(self, text: str) -> tuple[int, ...]: ...

    def text(self, ids: tuple[int, ...]) -> str: ...


class PlainWords:
    """The tokenizer of a run: the prompt is the text."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer
        self.end_ids: tuple[int, ...] = (tokenizer.end_id,)

    def prompt(self, text: str) -> tuple[int, ...]:
        return tuple(self._tokenizer.encode(text))

    def text(self, ids: tuple[int, ...]) -> str:
        return self._tokenizer.decode(ids)


class ChatWords:
    """The tokenizer of a published Qwen3: one turn of the user, then the assistant's. Turn marks inside the text are plain characters."""

    def __init__(self, inner: tokenizers.Tokenizer) -> None:
        inner.encode_special_tokens = True
        self._inner = inner
        self._turn, self._turn_end = ([i for i in [inner.token_to_id(mark)] if i is not None] for mark in (_TURN, _TURN_END))
        self.end_ids: tuple[int, ...] = tuple(i for i in (*self._turn_end, inner.token_to_id("<|endoftext|>")) if i is not None)

    def prompt(self, text: str) -> tuple[int, ...]:
        return (*self._turn, *self._ids(f"user\n{text}"), *self._turn_end, *self._ids("\n"), *self._turn, *self._ids("assistant\n"))

    def text(self, ids: tuple[int, ...]) -> str:
        return self._inner.decode(list(ids), skip_special_tokens=True)

    def _ids(self, text: str) -> list[int]:
        return self._inner.encode(text, add_special_tokens=False).ids


@dataclass(frozen=True)
class Model:
    """`name` says whose answers these are."""

    name: str
    engine: Engine
    words: Words

    async def ask(self, text: str, asking: Asking, seed: int) -> list[tuple[str, Completion]]:
        """`asking.samples` answers. Raises ValueError for a text that is too long for the policy."""
        sampling = Sampling(asking.max_new_tokens, asking.temperature, self.words.end_ids)
        completions = await self.engine.generate(Request(self.words.prompt(text), sampling, asking.samples, seed))
        return [(self.words.text(completion.token_ids), completion) for completion in completions]


@contextmanager
def open_model(path: Path, settings: EngineConfig, mesh: Mesh) -> Iterator[Model]:
    """The last policy of a run, or a Qwen3 in a Hugging Face folder, in the in-process engine on `mesh`.

    Raises:
      InputError: for a folder that is neither, or holds no policy or tokenizer.
    """
    opened = read_run(path, mesh) if (path / "run.json").is_file() else read_hugging_face(path, mesh)
    with JaxEngine(
        opened.config,
        opened.params,
        mesh,
        slots=settings.slots,
        max_len=settings.max_len,
        decode_chunk=settings.decode_chunk,
        prefill_batches=(settings.prefill_batch,),
        version=opened.version,
    ) as engine:
        yield Model(str(path), engine, opened.words)


class Opened(NamedTuple):
    """A policy and its words, before there is an engine."""

    config: Qwen3Config
    params: Params
    words: Words
    version: int


def read_run(path: Path, mesh: Mesh) -> Opened:
    """The last policy of a run. Raises InputError for a folder that is none, or has none yet."""
    folder, experiment = open_run(path, Experiment)
    policy = load_policy(folder, experiment, mesh)
    if policy is None:
        raise InputError(f"{path} holds no trained policy yet; let `oprover iterate` finish its first training stage")
    stage, params = policy
    words = PlainWords(load_tokenizer(folder.stage("tokenizer") / "tokenizer.json"))
    return Opened(experiment.model, params, words, policy_version(experiment, stage))


def read_hugging_face(path: Path, mesh: Mesh) -> Opened:
    """A Qwen3: a chat model, or a run's export. Raises InputError for a folder without tokenizer, and one that `load_hf` refuses."""
    file = path / "tokenizer.json"
    if not file.is_file():
        raise InputError(f"{path} is neither a run nor a Hugging Face folder with tokenizer.json; give one of the two")
    inner = tokenizers.Tokenizer.from_file(str(file))
    if inner.token_to_id(_TURN) is not None and inner.token_to_id(_TURN_END) is not None:
        words: Words = ChatWords(inner)
    elif inner.token_to_id(END) is not None:
        words = PlainWords(load_tokenizer(file))
    else:
        raise InputError(f"{file} has neither the turns of a chat ({_TURN}) nor {END}; give a Qwen3 chat model or an exported run")
    return Opened(*load_hf(path, mesh), words, 0)
