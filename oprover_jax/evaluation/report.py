"""`report.json`: results of a run, assembled from the summaries of its stages."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from oprover_jax.errors import InputError
from oprover_jax.evaluation.evaluate import FamilyScore, Score


class Growth(msgspec.Struct, frozen=True):
    """Number of verified proofs in corpus and memory after a stage, and of the statements they prove."""

    stage: str
    proofs: int
    statements: int


class Report(msgspec.Struct, frozen=True):
    """Results of a run. `seconds` is the wall-clock time over all starts; `verdicts` counts all verdicts by kind."""

    seed: int
    seconds: float
    stages: list[Score]
    ablations: list[Score]
    external: list[Score]
    families: list[FamilyScore]
    corpus: dict[str, Any]
    verdicts: dict[str, int]


def build_report(seed: int, summaries: dict[str, tuple[float, dict[str, Any]]]) -> Report:
    """Return the report of a run.

    Args:
      seed: Seed of the run.
      summaries: Stage name -> (seconds, summary), in order of the run. A summary may contain `score`, `ablation`, `external`, `families`,
        `growth`, `corpus` and `verdicts`; otherwise only its seconds count.
    """
    verdicts: Counter[str] = Counter()
    corpus: dict[str, Any] = {}
    collected: dict[str, list[Any]] = {"score": [], "ablation": [], "external": [], "families": [], "growth": []}
    for _, summary in summaries.values():
        verdicts.update(summary.get("verdicts", {}))
        corpus.update(summary.get("corpus", {}))
        for key in ("score", "ablation", "external", "growth"):
            if key in summary:
                collected[key].append(summary[key])
        collected["families"] += summary.get("families", [])
    scores = {key: msgspec.convert(collected[key], list[Score]) for key in ("score", "ablation", "external")}
    return Report(
        seed=seed,
        seconds=sum(seconds for seconds, _ in summaries.values()),
        stages=scores["score"],
        ablations=scores["ablation"],
        external=scores["external"],
        families=msgspec.convert(collected["families"], list[FamilyScore]),
        corpus=corpus | {"growth": msgspec.to_builtins(msgspec.convert(collected["growth"], list[Growth]))},
        verdicts=dict(verdicts.most_common()),
    )


def read_report(run: Path) -> Report:
    """Read the report of a run that has finished at least once.

    Raises:
      InputError: The report does not exist or has another format.
    """
    path = run / "report.json"
    if not path.is_file():
        raise InputError(f"{path} does not exist; finish `oprover iterate --run {run}` first")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except msgspec.DecodeError as error:
        raise InputError(f"{path} cannot be read ({error}); run `oprover iterate` again to rewrite it") from error
