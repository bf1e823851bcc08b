"""The shipped training jobs in full, as text: a changed default, recipe or size shows as a diff here.

UPDATE_GOLDEN=1 pytest tests/configs writes the files anew.
"""

import dataclasses
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from oprover_jax.configuration import load
from oprover_jax.training.job import TrainingJob

GOLDEN = Path(__file__).parent / "golden"
CONFIGS = sorted(path for path in (Path(__file__).parents[2] / "configs").glob("*.py") if path.name.startswith(("cpt_", "sft_", "rl_")))


def flat(node: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for field in dataclasses.fields(node):
        value = getattr(node, field.name)
        if dataclasses.is_dataclass(value):
            yield from flat(value, f"{prefix}{field.name}.")
        else:
            yield prefix + field.name, value


def text(job: TrainingJob) -> str:
    """Every field, and what follows from them: weights, what of them and their moments lies on a chip, tokens and FLOPs of an update."""
    weights = job.model.parameters
    derived = {
        "weights": f"{weights:,}",
        "bytes of weights and moments a chip": f"{12 * weights // (job.mesh.fsdp * job.mesh.tensor):,}",
        "tokens of an update": f"{job.tokens_per_step:,}",
        "FLOPs of an update": f"{job.flops_per_step:.4g}",
    }
    lines = [f"{name} = {value!r}" for name, value in flat(job)] + [f"# {name}: {value}" for name, value in derived.items()]
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_shipped_job_is_what_it_was(path: Path) -> None:
    job = load(path, TrainingJob)
    golden = GOLDEN / f"{path.stem}.txt"
    if os.environ.get("UPDATE_GOLDEN"):
        golden.write_text(text(job), encoding="utf-8")
    assert text(job) == golden.read_text(encoding="utf-8"), f"{path.name} has changed; if that was meant, run with UPDATE_GOLDEN=1"
    assert path.stem.startswith(job.objective) and job.model.dtype == "bfloat16"
    cheaper = replace(job, model=replace(job.model, remat="none", mlp_parts=1))
    assert job.identity(0, "") == cheaper.identity(0, ""), "its run can be resumed"


def test_each_golden_text_has_its_configuration() -> None:
    assert {path.stem for path in GOLDEN.glob("*.txt")} == {path.stem for path in CONFIGS} and len(CONFIGS) >= 9
