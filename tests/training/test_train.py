"""Whole jobs through `oprover cpt`: what they leave, how they end, and that a kill changes nothing but the time."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest
from joined import joined
from rich.console import Console
from tiny import CONFIG, documents

from oprover_jax.configuration import load
from oprover_jax.data.dataset import folders_of, read_index, write_packed
from oprover_jax.data.loader import from_folders
from oprover_jax.data.rows import document
from oprover_jax.errors import InputError
from oprover_jax.files import locked
from oprover_jax.models.hf.load import load_hf
from oprover_jax.models.qwen3 import abstract_params, init_params
from oprover_jax.progress import ProgressConsole
from oprover_jax.sharding import MeshConfig, make_mesh
from oprover_jax.training.checkpoint import latest, restore
from oprover_jax.training.chips import peak_flops
from oprover_jax.training.job import TrainingJob, loss_function
from oprover_jax.training.metrics import Goodput, read_metrics
from oprover_jax.training.train import make_evaluation, read_rows, train

pytestmark = [pytest.mark.multiprocess, pytest.mark.slow]

JOB = Path(__file__).with_name("tiny_job.py")
ROOT = Path(__file__).parents[2]
ENVIRONMENT = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": f"{ROOT}:{JOB.parent}"}
ON_EIGHT = MeshConfig(fsdp=4, tensor=2)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "rows"
    write_packed(path, documents(60), 16, "continue")
    return path


def job(rows: Path, mesh: MeshConfig = ON_EIGHT) -> TrainingJob:
    return replace(load(JOB, TrainingJob, [f"data={rows}"]), mesh=mesh)


@pytest.fixture(scope="module")
def whole(rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An undisturbed run on 8 devices."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    held_out = replace(job(rows), held_out=str(rows), loop=replace(job(rows).loop, evaluate_every=20, loggers=("tensorboard",)))
    with (folder.parent / "log").open("w") as log:
        train(held_out, folder, ProgressConsole(Console(file=log, width=200)))
    return folder


def cpt(folder: Path, rows: Path) -> list[str]:
    """The command `oprover cpt`, over 8 devices in all."""
    options = ["--config", str(JOB), "--run", str(folder), "--set", f"data={rows}", "--set", "mesh.fsdp=4", "--set", "mesh.tensor=2"]
    return [sys.executable, "-m", "oprover_jax.cli", "cpt", *options]


def with_devices(count: int) -> dict[str, str]:
    return {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(count), "PYTHONPATH": f"{ROOT}:{JOB.parent}"}


def wait_for(folder: Path, step: int, process: subprocess.Popen[str]) -> None:
    while (latest(folder / "checkpoints") or 0) < step and process.poll() is None:
        time.sleep(0.01)


def curve(folder: Path) -> dict[str, np.ndarray]:
    records = read_metrics(folder / "metrics.jsonl")
    assert [record["step"] for record in records] == list(range(40))
    return {name: np.array([record[name] for record in records]) for name in ("loss", "gradient_norm", "learning_rate", "tokens")}


def final_weights(folder: Path) -> np.ndarray:
    params = restore(folder / "weights", 40, abstract_params(CONFIG, make_mesh(MeshConfig())))
    return np.asarray(params["embedding"])


def test_what_a_run_leaves(whole: Path, rows: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert json.loads((whole / "config.json").read_text())["optimizer"]["warmup_steps"] == 3
    assert "lambda" in (whole / "program" / "jaxpr.txt").read_text()
    assert "stablehlo." in (whole / "program" / "stablehlo.txt").read_text()
    assert "HloModule" in (whole / "program" / "hlo.txt").read_text()
    assert set(json.loads((whole / "goodput.json").read_text())) == set(Goodput.KINDS)
    records = read_metrics(whole / "metrics.jsonl")
    assert records[-1]["loss"] < records[0]["loss"] - 0.05
    assert {"objective", "gradient_norm", "learning_rate", "tokens_per_second", "skipped", "goodput"} <= records[-1].keys()
    assert [r["step"] for r in records if "held_out_loss" in r] == [19, 39]
    assert records[39]["held_out_loss"] == pytest.approx(records[39]["loss"], rel=0.05)
    assert len(list((whole / "tensorboard").glob("events.*"))) == 1
    log = (whole.parent / "log").read_text()
    assert "40/40 loss" in log and "held-out" in log and "compile" in log
    assert "MFU" not in log and peak_flops([jax.devices()[0].device_kind]) is None
    assert np.abs(final_weights(whole)).sum() > 0
    exported = load_hf(whole / "hf", make_mesh(MeshConfig()), CONFIG)[1]
    np.testing.assert_allclose(np.asarray(exported["embedding"]), final_weights(whole), rtol=2**-8)  # in bfloat16
    before = (whole / "metrics.jsonl").read_bytes()
    train(job(rows), whole, ProgressConsole())
    assert "is finished" in capsys.readouterr().out and (whole / "metrics.jsonl").read_bytes() == before


def test_killed_in_the_middle_and_resumed_on_the_same_and_on_half_as_many_devices(whole: Path, rows: Path, tmp_path: Path) -> None:
    killed = tmp_path / "killed"
    process = subprocess.Popen(
        cpt(killed, rows), env=os.environ | with_devices(8), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    wait_for(killed, 8, process)
    process.kill()
    said = process.communicate()
    assert process.returncode == -signal.SIGKILL, said
    resumed_from = latest(killed / "checkpoints")
    assert resumed_from is not None and 8 <= resumed_from < 40
    lost = sum(record["seconds"] for record in read_metrics(killed / "metrics.jsonl") if record["step"] >= resumed_from)
    half = tmp_path / "half"
    shutil.copytree(killed, half)
    train(job(rows), killed, ProgressConsole(Console(quiet=True)))
    train(job(rows, MeshConfig(fsdp=2, context=2)), half, ProgressConsole(Console(quiet=True)))
    for name, values in curve(whole).items():
        np.testing.assert_array_equal(curve(killed)[name], values, err_msg=name)
        np.testing.assert_allclose(curve(half)[name], values, rtol=2e-5, err_msg=name)
    np.testing.assert_array_equal(final_weights(killed), final_weights(whole))
    np.testing.assert_allclose(final_weights(half), final_weights(whole), atol=2e-5)
    assert json.loads((killed / "goodput.json").read_text())["lost"] == pytest.approx(lost)


SLOWLY = """
import sys, time
from oprover_jax.cli.main import main
from oprover_jax.data.loader import Batches
stream = Batches.stream
def slow(*arguments, **options):
    for batch in stream(*arguments, **options):
        time.sleep(0.5)
        yield batch
Batches.stream = slow
main()
"""


def test_two_hosts_save_by_time_and_one_that_is_told_to_stop_stops_both_at_once(whole: Path, rows: Path, tmp_path: Path) -> None:
    """With steps of half a second, far fewer than 16 of them pass between the signal and the last checkpoint."""
    command = [sys.executable, "-c", SLOWLY, *cpt(tmp_path / "run", rows)[3:], "--set", "loop.keep_every=0"]
    with joined([*command, "--set", "loop.save_every_seconds=1.0"], with_devices(4)) as hosts:
        wait_for(tmp_path / "run", 1, hosts[0])  # saved by time alone
        told_at = len(read_metrics(tmp_path / "run" / "metrics.jsonl"))
        hosts[1].send_signal(signal.SIGTERM)  # told to one, agreed by both
        said = [host.communicate(timeout=120) for host in hosts]
    assert [host.returncode for host in hosts] == [130, 130], said
    assert all("interrupted; run the same command again" in err for _, err in said)
    stopped_at = latest(tmp_path / "run" / "checkpoints")
    assert stopped_at is not None and told_at <= stopped_at < told_at + 16
    train(job(rows), tmp_path / "run", ProgressConsole(Console(quiet=True)))
    for name, values in curve(whole).items():
        np.testing.assert_allclose(curve(tmp_path / "run")[name], values, rtol=2e-5, err_msg=name)


def test_a_second_run_in_the_same_folder_is_refused_and_changes_nothing(rows: Path, tmp_path: Path) -> None:
    with locked(tmp_path / "run"):
        done = subprocess.run(
            cpt(tmp_path / "run", rows), env=os.environ | with_devices(8), cwd=ROOT, capture_output=True, text=True, timeout=120
        )
    assert done.returncode == 2 and f"is in use by process {os.getpid()} on {socket.gethostname()}" in done.stderr, done.stderr
    assert done.stderr.count("\n") == 1 and [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]


def test_what_does_not_fit_is_said_before_anything_is_touched(rows: Path, whole: Path, tmp_path: Path) -> None:
    def refused(changed: TrainingJob, said: str, folder: Path = tmp_path / "run") -> None:
        with pytest.raises(InputError, match=said) as caught:
            train(changed, folder, ProgressConsole(Console(quiet=True)))
        assert "\n" not in str(caught.value)

    refused(replace(job(rows), data=""), "data is empty")
    refused(replace(job(rows), data=str(tmp_path / "none")), "is not a rows dataset")
    refused(replace(job(rows), loop=replace(job(rows).loop, evaluate_every=5)), "held_out is empty")
    refused(job(rows, MeshConfig(tensor=8)), "does not divide over mesh axes tensor 8")
    refused(job(rows, MeshConfig(fsdp=8, tensor=2)), "needs 16 devices but 8 are present")
    refused(replace(job(rows), init_from=str(tmp_path / "none")), "contains neither model.safetensors")
    refused(replace(job(rows), seq_len=32), "rows of 16 tokens, but seq_len is 32")
    refused(replace(job(rows), model=replace(CONFIG, vocab_size=40)), "vocabulary ends at 39")
    assert not (tmp_path / "run").exists()
    before = {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()}
    refused(replace(job(rows), seed=6), "another configuration", whole)
    assert {path: path.read_bytes() for path in whole.rglob("*") if path.is_file()} == before


def test_the_command_says_what_is_wrong_in_one_sentence(rows: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "oprover_jax.cli", "sft", "--config", str(JOB), "--run", str(tmp_path / "run")]
    done = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 2 and "has the objective 'cpt'" in done.stderr and done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_held_out_rows_are_scored_in_micro_batches_and_each_once(rows: Path) -> None:
    mesh = make_mesh(MeshConfig(fsdp=2))
    params, loss = init_params(CONFIG, 1, mesh), loss_function(job(rows))
    one, four = (make_evaluation(loss, from_folders({str(rows): 1.0}, 8, 0), mesh, parts)(params)["held_out_loss"] for parts in (1, 4))
    assert one == pytest.approx(four, rel=1e-6)
    count = read_index(rows).rows
    with pytest.raises(InputError, match=f"held_out has {count} rows, but a batch takes {count + 1}"):
        make_evaluation(loss, from_folders({str(rows): 1.0}, count + 1, 0), mesh)


def test_data_may_be_a_mixture(rows: Path, tmp_path: Path) -> None:
    write_packed(tmp_path / "other", [document([47, 46, 45])] * 20, 16, "continue")
    given = load(JOB, TrainingJob, [f'data={{"{rows}": 3.0, "{tmp_path / "other"}": 1.0}}'])
    assert given.data == {str(rows): 3.0, str(tmp_path / "other"): 1.0}
    batches = read_rows(given, folders_of(given.data))
    tokens = np.concatenate([batches.at(step)["tokens"][:, 0] for step in range(10)])
    assert abs((tokens == 47).mean() - 0.25) < 0.05
    with pytest.raises(ValueError, match="rl takes one folder"):
        replace(given, objective="rl")


def test_what_decides_the_curve_is_its_identity(rows: Path) -> None:
    one = job(rows)
    same = replace(
        one,
        mesh=MeshConfig(fsdp=2),
        grad_accum_steps=2,
        head_chunk=16,
        model=replace(CONFIG, remat="full", mlp_parts=2),
        topology="v5e:2x2",
    )
    assert one.identity(7, "w") == replace(same, loop=replace(one.loop, keep=9), data="moved", init_from="moved").identity(7, "w")
    others = [replace(one, seed=1), replace(one, batch_size=16), replace(one, z_loss=1e-4)]
    assert len({one.identity(7, "w"), one.identity(8, "w"), one.identity(7, "x"), *(other.identity(7, "w") for other in others)}) == 6


def test_peaks_are_known_by_the_kind_of_device() -> None:
    kinds = {"TPU v5 lite": 197, "TPU v5": 459, "TPU v6 lite": 918, "NVIDIA H100 80GB HBM3": 989, "NVIDIA H100 PCIe": 756}
    for kind, teraflops in kinds.items():
        assert peak_flops([kind] * 4) == 4e12 * teraflops
    assert peak_flops(["TPU7x"] * 2) == 2307e12  # one chip
    assert peak_flops(["TPU v5", "abacus"]) is None
