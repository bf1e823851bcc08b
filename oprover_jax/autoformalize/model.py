"""Text interface to a policy: an engine with its codec."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from jax.sharding import Mesh

from oprover_jax.autoformalize.config import PromptConfig
from oprover_jax.data.codec import Codec
from oprover_jax.posttraining.experiment import EngineConfig
from oprover_jax.posttraining.policy import engine_of, open_policy
from oprover_jax.rollout.engine import Completion, Engine, Request, Sampling


@dataclass(frozen=True)
class Model:
    """Policy with a text interface; `name` identifies it in the results."""

    name: str
    engine: Engine
    codec: Codec

    async def generate(self, text: str, config: PromptConfig, seed: int) -> list[tuple[str, Completion]]:
        """Return `config.num_samples` answers to a text; raise ValueError if the text is too long for the policy."""
        sampling = Sampling(config.max_new_tokens, config.temperature, self.codec.end_ids)
        completions = await self.engine.generate(Request(self.codec.said(text), sampling, config.num_samples, seed))
        return [(self.codec.decode(completion.token_ids), completion) for completion in completions]


@contextmanager
def open_model(path: Path, settings: EngineConfig, mesh: Mesh) -> Iterator[Model]:
    """Open the latest policy of a run, or a Qwen3 model folder in Hugging Face format, in an in-process engine.

    Args:
      path: Run folder or model folder.
      settings: Engine settings.
      mesh: Device mesh.

    Raises:
      InputError: The folder is neither, or has no policy or tokenizer.
    """
    policy = open_policy(path, mesh)
    with engine_of(policy.config, policy.params, mesh, settings, policy.version) as engine:
        yield Model(str(path), engine, policy.codec)
