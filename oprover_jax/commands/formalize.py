"""`oprover corpus formalize`: run the formalization pipeline on mined texts and commit the results to a corpus."""

from dataclasses import dataclass
from pathlib import Path

import msgspec

from lean_worker.connect import open_lean
from oprover_jax.autoformalize.config import FormalizeConfig
from oprover_jax.autoformalize.enter import enter
from oprover_jax.autoformalize.mining.candidates import read_candidates
from oprover_jax.autoformalize.mining.funnel import Funnel, print_funnel, write_funnel
from oprover_jax.autoformalize.model import open_model
from oprover_jax.autoformalize.pipeline import Settings, Tools, formalize_texts
from oprover_jax.corpus.corpus import open_corpus
from oprover_jax.errors import InputError
from oprover_jax.progress import ProgressConsole
from oprover_jax.sharding import make_mesh
from oprover_jax.statements.benchmarks import load_benchmarks


@dataclass(frozen=True)
class Sources:
    """Inputs of a formalization.

    Attributes:
      candidates: Folder of mined candidates.
      formalizer: Run or model folder of the policy that writes theorems.
      critic: Run or model folder of the policy that scores them.
      data: Folder with the benchmarks, or None.
    """

    candidates: Path
    formalizer: Path
    critic: Path
    data: Path | None = None


def formalize_into(corpus: str, work: Path, sources: Sources, config: FormalizeConfig, console: ProgressConsole) -> Funnel:
    """Run the candidates through the stages, with intermediate results in `work`, and commit new statements to `corpus`.

    Raises:
      InputError: A folder does not have the expected content; the corpus is not changed.
    """
    texts = read_candidates(sources.candidates)
    for policy in (sources.formalizer, sources.critic):
        if not policy.is_dir():
            raise InputError(f"policy {policy} is not a directory; give a run folder or a Qwen3 model folder in Hugging Face format")
    opened = open_corpus(corpus, create=True)
    benchmarks = load_benchmarks(sources.data) if sources.data is not None else []
    if not benchmarks:
        console.line("warning: no benchmarks given (--data); statements are not decontaminated")
    mesh = make_mesh(config.mesh)
    settings = Settings(config, str(sources.formalizer.resolve()), str(sources.critic.resolve()))
    with open_lean(config.lean, trusted_headers=True, name="formalize") as workers:
        tools = Tools(
            lambda: open_model(sources.formalizer, config.engine, mesh), lambda: open_model(sources.critic, config.engine, mesh), workers
        )
        funnel = formalize_texts(texts, work, settings, tools, console)
    entered = enter(work, settings, opened, benchmarks, console)
    funnel = msgspec.structs.replace(funnel, steps=(*funnel.steps, entered))
    write_funnel(work / "funnel.json", funnel)
    print_funnel(funnel, console.rich)
    return funnel
