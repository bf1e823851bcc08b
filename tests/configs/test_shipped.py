"""Every shipped configuration loads, and what is published is the default."""

from pathlib import Path

import pytest

from oprover_jax.autoformalize.config import FormalizeConfig
from oprover_jax.configuration import load
from oprover_jax.data.pack_config import PackConfig
from oprover_jax.ingest.config import BuildConfig
from oprover_jax.models.sizes import PUBLISHED
from oprover_jax.posttraining.experiment import Experiment
from oprover_jax.training.job import TrainingJob
from oprover_jax.training.optimizer import learning_rate
from oprover_jax.training.recipes import PUBLISHED_CPT

FOLDER = Path(__file__).parents[2] / "configs"
KINDS = {
    "cpt": TrainingJob,
    "sft": TrainingJob,
    "rl": TrainingJob,
    "pack": PackConfig,
    "corpus": BuildConfig,
    "formalize": FormalizeConfig,
    "demo": Experiment,
    "iterate": Experiment,
}


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_it_loads(path: Path) -> None:
    load(path, KINDS[path.stem.partition("_")[0]])
    assert path.read_text(encoding="utf-8").startswith('"""')


def test_sizes_and_chips_are_complete() -> None:
    stems = {path.stem for path in FOLDER.glob("*.py")}
    expected = {f"{stage}_{size}_{chip}" for stage in ("cpt", "sft") for size in ("8b", "32b") for chip in ("v5p", "v6e", "h100")}
    assert expected <= stems


@pytest.mark.parametrize("path", sorted(FOLDER.glob("cpt_*.py")), ids=lambda path: path.stem)
def test_cpt_is_the_published_one(path: Path) -> None:
    """65B tokens, 512 rows of 8,192, AdamW with a peak of 5e-5, cosine, 3% warm-up (OProver, section on continued pretraining)."""
    job = load(path, TrainingJob)
    assert (job.batch_size, job.seq_len, job.tokens_per_step) == (512, 8192, 4_194_304)
    assert 65e9 <= job.loop.steps * job.tokens_per_step < 65e9 + job.tokens_per_step
    optimizer = job.optimizer
    assert (optimizer.name, optimizer.peak_lr, optimizer.schedule) == ("adamw", 5e-5, "cosine")
    assert optimizer.warmup_steps / job.loop.steps == pytest.approx(0.03, abs=1e-4)
    assert max(learning_rate(optimizer, step, job.loop.steps) for step in range(0, job.loop.steps, 5)) == pytest.approx(5e-5, rel=1e-3)
    assert job.batch_size // job.grad_accum_steps == job.mesh.dcn * job.mesh.fsdp, "one row in flight per shard"
    size = path.stem.split("_")[1].upper()
    assert job.model.parameters == {"8B": 8_190_735_360, "32B": 32_762_123_264}[size] == PUBLISHED[size].parameters


def test_the_mixture_is_the_published_one() -> None:
    config = load(FOLDER / "pack_cpt.py", PackConfig)
    shares: dict[str, float] = {}
    for name, source in config.sources.items():
        part = "long_cot" if name == "long-cot" else name.partition("-")[0]
        shares[part] = shares.get(part, 0) + source.weight
    assert shares == pytest.approx({"lean": 0.3, "code": 0.2, "math": 0.4, "long_cot": 0.1}) == PUBLISHED_CPT.mixture
    assert config.seq_len == 8192
    with_loss = config.sources["lean-conversations"]
    assert with_loss.loss == "all" and with_loss.too_long == "continue"
