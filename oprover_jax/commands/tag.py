"""`oprover corpus tag`: tag the statements of a corpus with a policy or with rules."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from oprover_jax.commands.add_run import run_id
from oprover_jax.corpus.corpus import open_corpus
from oprover_jax.corpus.tagging import Tag, Tagger, read_tag, tag_corpus, tag_prompt, tags_by_rules
from oprover_jax.data.codec import Codec
from oprover_jax.posttraining.run_folder import open_run
from oprover_jax.posttraining.workbench import Workbench
from oprover_jax.progress import ProgressConsole
from oprover_jax.records import Statement
from oprover_jax.rollout.engine import Engine, Request, Sampling

ANSWER_TOKENS = 64
BATCH_BY_ENGINE = 2048  # statements for one commit
BATCH_BY_RULES = 16_384


def tag(where: str | Path, run: Path | None, limit: int | None, console: ProgressConsole) -> Counter[str]:
    """Tag the untagged statements of a corpus with the latest policy of `run`, or with the rules if `run` is None.

    Args:
      where: Corpus folder or URL.
      run: Run folder, or None.
      limit: Maximum number of statements; None for all.
      console: Receives progress and results.

    Returns:
      The number of statements by tag.

    Raises:
      InputError: The corpus or the run does not exist, or the run has no trained policy.
    """
    corpus = open_corpus(where)
    if run is None:
        return tag_corpus(corpus, tags_by_rules, "", BATCH_BY_RULES, limit, console)
    folder, experiment = open_run(run)
    with Workbench(experiment, folder) as bench:
        bench.require_policy()
        name = f"engine:{run_id(folder)}/{bench.policy().stage}"
        return tag_corpus(corpus, engine_tagger(bench.engine, bench.codec, name), name, BATCH_BY_ENGINE, limit, console)


def engine_tagger(engine: Engine, codec: Codec, name: str) -> Tagger:
    """Return a tagger that decodes greedily with `engine`; the rules tag statements that are too long or get no readable answer."""
    sampling = Sampling(ANSWER_TOKENS, temperature=0.0, stop_ids=codec.end_ids)

    async def ask(statement: Statement) -> Tag | None:
        try:
            [completion] = await engine.generate(Request(tuple(codec.encode_plain(tag_prompt(statement))), sampling))
        except ValueError:  # longer than the engine's limit
            return None
        parsed = read_tag(codec.decode(completion.token_ids))
        return Tag(*parsed, tagged_by=name, asked=name) if parsed else None

    async def ask_all(statements: Sequence[Statement]) -> list[Tag | None]:
        return await asyncio.gather(*map(ask, statements))

    def tagger(statements: Sequence[Statement]) -> list[Tag]:
        answers = asyncio.run(ask_all(statements))
        return [answer or replace(tags_by_rules([s])[0], asked=name) for s, answer in zip(statements, answers, strict=True)]

    return tagger
