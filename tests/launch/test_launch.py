"""The launch scripts: bash accepts them, and a dry run prints the one command that would start, quoted so that it survives shells."""

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.multiprocess

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "launch").glob("*.sh"))
OPTIONS = ["--run", "runs/a b's", "--dry-run", "--", "--set", "seed=1"]
JOB = ["--verb", "cpt", "--config", "configs/cpt_8b_h100.py"]
ITERATE = ["iterate", "--config", "configs/demo.py", "--run", "runs/a b's", "--set", "seed=1"]
CPT = ["cpt", "--config", "configs/cpt_8b_h100.py", "--run", "runs/a b's", "--set", "seed=1"]


def launch(script: str, *options: str) -> subprocess.CompletedProcess[str]:
    # From another folder and with no PATH to gcloud or sbatch: a dry run needs neither.
    return subprocess.run([ROOT / "launch" / script, *options], cwd="/", capture_output=True, text=True, timeout=20)


def dry_run(script: str, *options: str) -> list[str]:
    done = launch(script, *options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 1
    return shlex.split(done.stdout)


def test_one_machine() -> None:
    words = dry_run("one_machine.sh", *OPTIONS)
    assert words[0].endswith("oprover") and words[1:] == ITERATE


@pytest.mark.parametrize("verb", ["cpt", "sft", "rl"])
def test_every_script_starts_any_verb(verb: str) -> None:
    for script, options in (("one_machine.sh", []), ("tpu_pod.sh", ["--name", "pod", "--zone", "z"]), ("slurm.sh", [])):
        words = dry_run(script, *options, *JOB, "--verb", verb, *OPTIONS)
        started = words if script == "one_machine.sh" else shlex.split(words[-1])
        assert started[-len(CPT) :] == [verb, *CPT[1:]]


def test_tpu_pod() -> None:
    words = dry_run("tpu_pod.sh", "--name", "pod", "--zone", "us-east5-b", "--project", "p", *JOB, *OPTIONS)
    assert words[:6] == ["gcloud", "compute", "tpus", "tpu-vm", "ssh", "pod"]
    assert words[6:-1] == ["--zone", "us-east5-b", "--project", "p", "--worker=all", "--command"]
    assert shlex.split(words[-1]) == ["cd", "oprover_jax", "&&", "OPROVER_DISTRIBUTED=tpu", ".venv/bin/oprover", *CPT]


def test_slurm() -> None:
    words = dry_run("slurm.sh", "--nodes", "4", "--gpus", "8", "--partition", "gpu", *JOB, *OPTIONS)
    assert words[0] == "sbatch" and {"--nodes=4", "--ntasks-per-node=8", "--gpus-per-node=8", "--partition=gpu", "--requeue"} <= set(words)
    assert words[-2] == "--wrap"
    assert shlex.split(words[-1]) == [
        "OPROVER_DISTRIBUTED=slurm",
        "srun",
        "--kill-on-bad-exit",
        "--cpus-per-task=8",
        ".venv/bin/oprover",
        *CPT,
    ]


@pytest.mark.parametrize(
    ("script", "options", "word"),
    [
        ("one_machine.sh", ["--config"], "--config needs a value"),
        ("one_machine.sh", ["--config", "configs/absent.py"], "--config: configs/absent.py does not exist"),
        ("one_machine.sh", ["--verb", "report"], "unknown verb 'report'"),
        ("slurm.sh", ["--verb"], "--verb needs a value"),
        ("one_machine.sh", ["--rnu", "x"], "unknown option --rnu"),
        ("tpu_pod.sh", ["--zone", "z", "--dry-run"], "--name"),
        ("tpu_pod.sh", ["--name", "n", "--dry-run"], "--zone"),
        ("slurm.sh", [*JOB, "--run", "r", "--nodes", "many"], "--nodes is 'many'"),
        ("slurm.sh", [], "--verb is required"),
        ("slurm.sh", JOB, "--run is required"),
        ("slurm.sh", ["--verb", "iterate"], "unknown verb 'iterate'; expected one of: cpt, sft, rl"),
        ("tpu_pod.sh", ["--name", "n", "--zone", "z", "--verb", "cpt"], "--config is required"),
        ("slurm.sh", ["--account"], "--account needs a value"),
    ],
)
def test_bad_options_end_with_one_sentence_and_2(script: str, options: list[str], word: str) -> None:
    done = launch(script, *options)
    assert done.returncode == 2 and done.stdout == ""
    assert word in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_scripts_are_sound(script: Path) -> None:
    subprocess.run(["bash", "-n", script], check=True)
    if script.name != "common.sh":
        assert "\nset -euo pipefail\n" in script.read_text()
        shown = launch(script.name, "--help")
        assert shown.returncode == 0 and "--dry-run" in shown.stdout and "set -" not in shown.stdout


def test_shellcheck_has_nothing_to_say() -> None:
    done = subprocess.run([Path(sys.executable).with_name("shellcheck"), "-x", *SCRIPTS], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
