"""`report.json`: what a run showed, put together from what its stages reported."""

from collections import Counter
from pathlib import Path
from typing import Any

import msgspec

from oprover_jax.errors import InputError
from oprover_jax.evaluation.evaluate import FamilyScore, Score


class Growth(msgspec.Struct, frozen=True):
    """Verified proofs in corpus and memory after a stage, and how many statements they prove."""

    stage: str
    proofs: int
    statements: int


class Report(msgspec.Struct, frozen=True):
    """The figures of a run. `seconds` is wall-clock over all its starts; `verdicts` counts every verdict by kind."""

    seed: int
    seconds: float
    stages: list[Score]
    ablations: list[Score]
    external: list[Score]
    families: list[FamilyScore]
    corpus: dict[str, Any]
    verdicts: dict[str, int]


def build_report(seed: int, summaries: dict[str, tuple[float, dict[str, Any]]]) -> Report:
    """From stage name -> (seconds, summary), in order of the run. Summaries may hold `score`, `ablation`, `external`, `families`,
    `growth`, `corpus` and `verdicts`; a stage that holds none of them only adds its seconds."""
    verdicts: Counter[str] = Counter()
    corpus: dict[str, Any] = {}
    found: dict[str, list[Any]] = {"score": [], "ablation": [], "external": [], "families": [], "growth": []}
    for _, summary in summaries.values():
        verdicts.update(summary.get("verdicts", {}))
        corpus.update(summary.get("corpus", {}))
        for key in ("score", "ablation", "external", "growth"):
            if key in summary:
                found[key].append(summary[key])
        found["families"] += summary.get("families", [])
    scores = {key: msgspec.convert(found[key], list[Score]) for key in ("score", "ablation", "external")}
    return Report(
        seed=seed,
        seconds=sum(seconds for seconds, _ in summaries.values()),
        stages=scores["score"],
        ablations=scores["ablation"],
        external=scores["external"],
        families=msgspec.convert(found["families"], list[FamilyScore]),
        corpus=corpus | {"growth": msgspec.to_builtins(msgspec.convert(found["growth"], list[Growth]))},
        verdicts=dict(verdicts.most_common()),
    )


def read_report(run: Path) -> Report:
    """The report of a run that has finished at least once.

    Raises:
      InputError: where there is none, or it is of another version.
    """
    path = run / "report.json"
    if not path.is_file():
        raise InputError(f"{path} does not exist; let `oprover iterate --run {run}` come to its end")
    try:
        return msgspec.json.decode(path.read_bytes(), type=Report)
    except msgspec.DecodeError as error:
        raise InputError(f"{path} cannot be read ({error}); run `oprover iterate` again to write it anew") from error
