"""Configurations: the shipped ones load, changes apply, and everything impossible is one sentence."""

import dataclasses
from pathlib import Path

import msgspec
import pytest

from lean_worker.lean_config import LeanConfig
from lean_worker.protocol import LeanDescription
from oprover_jax.configuration import apply_override, apply_overrides, load
from oprover_jax.errors import InputError
from oprover_jax.losses.gspo import GSPOConfig
from oprover_jax.models.qwen3 import Qwen3Config
from oprover_jax.posttraining.experiment import Experiment, PolicyConfig
from oprover_jax.posttraining.plan import plan, policy_version
from oprover_jax.posttraining.run_folder import begin_run, open_run

DEMO = Path(__file__).parents[2] / "configs" / "demo.py"


@pytest.fixture(scope="module")
def demo() -> Experiment:
    return load(DEMO, Experiment)


def test_changes_reach_nested_keys(demo: Experiment) -> None:
    changed = load(DEMO, Experiment, ["gspo.steps=3", "seed=7", "cpt.optimizer.peak_lr=0.5", "refine.feedback=none"])
    assert (changed.gspo.steps, changed.seed, changed.cpt.optimizer.peak_lr, changed.refine.feedback) == (3, 7, 0.5, "none")
    assert changed.sft == demo.sft
    changed = load(
        DEMO, Experiment, ["gspo.loss.kl=k2_loss", "gspo.loss.kl_weight=0.01", "gspo.loss.sampler_cap=2", "gspo.loss.filter_groups=true"]
    )
    assert changed.gspo.loss == GSPOConfig(kl="k2_loss", kl_weight=0.01, sampler_cap=2.0, filter_groups=True)
    assert demo.gspo.loss == GSPOConfig(), "the demo keeps what is published"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("gspo.stepz=3", "did you mean 'steps'"),
        ("sede=3", "did you mean 'seed'"),
        ("seed.x=3", "no field 'x'"),
        ("seed=abc", "'seed' has the invalid value 'abc'"),
        ("seed=1.5", "'seed' has the invalid value 1.5"),
        ("seed", "has no '='"),
        ("mesh.fsdp=3", "does not divide over the mesh"),
        ("gspo.group_size=1", "at least 2 attempts"),
        ("engine.max_len=64", "may take"),
        ("gspo.loss.clip_high=0.2", "clip"),
        ("gspo.loss.kl=k1_loss", "'k2_loss' or 'k1_reward'"),
        ("gspo.loss.kl_weight=0.1", "set kl to"),
        ("gspo.loss.sampler_cap=1", "above 1"),
        ("gspo.loss.staleness=-1", "0 \\(on policy\\)"),
        ("refine.feedback=maybe", "'lean' or 'none'"),
        ("memory.encoder=bert", "memory.encoder is 'bert'"),
    ],
)
def test_impossible_changes_are_one_sentence(demo: Experiment, change: str, said: str) -> None:
    with pytest.raises(InputError, match=said) as caught:
        apply_override(demo, change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["def experiment(:", "x = 1", "import no_such_module\n", "def experiment():\n    return 1 + ''"])
def test_broken_configuration_files_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken.py"
    path.write_text(text)
    with pytest.raises(InputError, match=r"broken\.py"):
        load(path, Experiment)
    with pytest.raises(InputError, match="does not exist"):
        load(tmp_path / "missing.py", Experiment)


def test_a_file_that_describes_something_else_is_named() -> None:
    with pytest.raises(InputError, match=r"demo\.py returns Experiment, .* Qwen3Config"):
        load(DEMO, Qwen3Config)


def test_plan_repeats_the_iteration_and_versions_grow(demo: Experiment) -> None:
    names = [stage.name for stage in plan(demo, external=False)]
    assert len(names) == len(set(names))
    per_iteration = [n.removesuffix("-2") for n in names if n.endswith("-2")]
    assert per_iteration == ["rollout", "sft", "gspo", "evaluate"]
    steps = [("init", 0), ("cpt", 130), ("sft", 360), ("sft-1", 280), *(("gspo-1", step) for step in range(1, 5)), ("sft-2", 280)]
    versions = [policy_version(demo, *at) for at in steps]
    assert versions == sorted(set(versions)), "one version per set of weights"
    with pytest.raises(ValueError, match="the version of the stage before"):
        policy_version(demo, "gspo-1", 0)


def test_a_run_may_begin_with_a_model_s_weights(demo: Experiment) -> None:
    given = dataclasses.replace(demo, policy=PolicyConfig(init_from="weights/Qwen3-8B"), cpt=None, sft=None, iterations=1)
    names = [stage.name for stage in plan(given, external=False)]
    assert names[:4] == ["corpus", "warmup", "tokenizer", "evaluate-init"] and names[4:8] == ["rollout-1", "sft-1", "gspo-1", "evaluate-1"]
    with pytest.raises(ValueError, match="neither model nor init_from"):
        PolicyConfig()
    with pytest.raises(ValueError, match="a fresh policy without cpt and sft"):
        dataclasses.replace(demo, cpt=None, sft=None)


def test_run_folders_refuse_what_is_not_theirs(demo: Experiment, tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin_run(run, demo.name, demo).finish("corpus", 1.5, {"public": 3})
    assert begin_run(run, demo.name, demo).done("corpus") is not None
    assert open_run(run)[1] == demo
    before = {p: p.read_bytes() for p in run.rglob("*") if p.is_file()}
    with pytest.raises(InputError, match=r"another configuration \(seed was 0 and is 1\)"):
        begin_run(run, demo.name, apply_override(demo, "seed=1"))
    (run / "run.json").write_bytes(before[run / "run.json"].replace(b'"format":4', b'"format":1'))
    with pytest.raises(InputError, match="run format 1 "):
        begin_run(run, demo.name, demo)
    (run / "run.json").write_bytes(b"{")
    with pytest.raises(InputError, match="cannot be read"):
        begin_run(run, demo.name, demo)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="is not a run folder"):
        begin_run(other, demo.name, demo)
    (run / "run.json").write_bytes(before[run / "run.json"])
    assert {p: p.read_bytes() for p in run.rglob("*") if p.is_file()} == before and [p.name for p in other.iterdir()] == ["thesis.txt"]


def test_practice_has_a_temperature_of_its_own() -> None:
    experiment = load(DEMO, Experiment, ["rollout.temperature=1.3", "refine.temperature=0.5"])
    temperatures = {stage.kind: stage.refine.temperature for stage in plan(experiment, external=True) if stage.refine}
    assert temperatures == {"rollout": 1.3, "gspo": 1.3, "evaluate": 0.5, "ablation": 0.5, "external": 0.5}


LEAN = LeanDescription("embedded-fork", "4.35.0", "core", ("OProverCore.All",), (), 20_000, ("fast", "slow"))


def test_a_run_moves_to_other_workers_but_not_to_another_lean(demo: Experiment, tmp_path: Path) -> None:
    run = tmp_path / "run"
    begin_run(run, demo.name, demo).claim_lean(demo.lean, LEAN)
    config = (run / "config.json").read_bytes()
    remote = LeanConfig("remote", urls=("http://a:8000", "http://b:8000"), key_file=tmp_path / "key")
    moved = dataclasses.replace(demo, lean=remote, engine=dataclasses.replace(demo.engine, urls=("http://a:1",), slots=3))
    begin_run(run, demo.name, moved).claim_lean(remote, msgspec.structs.replace(LEAN, backend="embedded-server"))
    assert (run / "config.json").read_bytes() == config  # it names the run in a corpus
    assert open_run(run)[1] == dataclasses.replace(moved, engine=dataclasses.replace(moved.engine, urls=())), "it may be read elsewhere"
    for name, value in (("lean", "4.36.0"), ("library", "mathlib"), ("imports", ("Mathlib",)), ("heartbeats", 200_000)):
        with pytest.raises(InputError, match=f"lean: {name} is .* verdicts of .* come from"):
            begin_run(run, demo.name, moved).claim_lean(remote, msgspec.structs.replace(LEAN, **{name: value}))
    with pytest.raises(InputError, match=r"another configuration \(lean.tier was slow and is fast\)"):
        begin_run(run, demo.name, dataclasses.replace(demo, lean=LeanConfig(tier="fast")))
    (run / "cluster.json").write_text("{")
    with pytest.raises(InputError, match=r"cluster\.json cannot be read"):
        open_run(run)


def test_changes_are_applied_together(demo: Experiment) -> None:
    changes = ["lean.backend=remote", 'lean.urls=["http://a:1"]', "lean.key_file=/k", "lean.workers=1", "lean.workers=3"]
    assert apply_overrides(demo, changes).lean == LeanConfig("remote", urls=("http://a:1",), key_file=Path("/k"), workers=3)
    assert apply_overrides(demo, ["lean.backend=language-server", "lean.project=/p"]).lean.project == Path("/p")
    with pytest.raises(InputError, match=r"--set lean\.backend=remote: urls"):
        apply_overrides(demo, ["lean.backend=remote"])
    mixed = apply_overrides(demo, ["seed=4", "cpt.optimizer.peak_lr=0.5", "cpt.steps=9"])
    assert (mixed.seed, mixed.cpt.optimizer.peak_lr, mixed.cpt.steps) == (4, 0.5, 9)


def test_practice_without_randomness_is_refused_before_anything_runs() -> None:
    tiny = load(DEMO, Experiment)
    with pytest.raises(InputError, match=r"rollout\.temperature is 0, so the \d+ rollouts on a statement"):
        apply_override(tiny, "rollout.temperature=0")
    with pytest.raises(InputError, match="temperature is 0"):
        apply_override(apply_override(tiny, "rollout.num_samples=1"), "rollout.temperature=0")
    greedy = apply_override(apply_override(apply_override(tiny, "rollout.num_samples=1"), "gspo.steps=0"), "rollout.temperature=0")
    assert greedy.rollout.temperature == 0
