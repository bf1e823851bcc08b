"""Memory of a whole train step on absent TPU chips, compared with MaxText's; both are compiled by MaxText's jax and libtpu."""

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import tyro
from common import report

ROOT = Path(__file__).parents[1]
ENVIRONMENT = {"JAX_PLATFORMS": "cpu", "TPU_SKIP_MDS_QUERY": "1", "ALLOW_MULTIPLE_LIBTPU_LOAD": "1", "HF_HUB_OFFLINE": "1"}


def run(python: Path, out: Path, *words: str) -> dict[str, Any]:
    """Run a command in MaxText's environment and return the figures that it writes to `out`."""
    environment = os.environ | ENVIRONMENT | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run([str(python), "-W", "ignore", *words], capture_output=True, text=True, env=environment)
    if not out.exists():
        raise SystemExit(f"{words[0]} {words[1]} failed: {(done.stderr or done.stdout).strip().splitlines()[-1]}")
    figures: dict[str, Any] = json.loads(out.read_text())
    return figures


def main(
    config: Path = ROOT / "configs" / "cpt_8b_v6e.py",
    model: str = "qwen3-8b",
    topology: str = "v6e-16",
    length: int = 8192,
    maxtext: Path = ROOT / ".venv-maxtext" / "bin" / "python",
) -> None:
    """Compile both (minutes each) and print GiB per chip and the ratio of MaxText's to ours.

    Both have one full row per chip, fp32 weights and moments, bf16 compute, full remat, flash attention and 1-D FSDP.

    Args:
      config: Our training job.
      model: MaxText's name of the same model.
      topology: MaxText's name of the same chips: v6e-16 is v6e:4x4, v6e-64 is v6e:8x8, v5p-128 is v5p:4x4x4.
      length: Tokens per row.
      maxtext: Python of an environment with MaxText (`make peers`).
    """
    if not maxtext.exists():
        raise SystemExit(f"{maxtext} does not exist; run `make peers` to create MaxText's environment (it needs Python 3.12)")
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "figures.json"
        ours = run(
            maxtext, out, "-m", "oprover_jax.cli", "compile", "--config", str(config), "--out", str(out), "--set", f"seq_len={length}"
        )
        out.unlink()
        theirs = run(maxtext, out, str(Path(__file__).parent / "peers" / "maxtext_compile.py"), model, topology, str(length), str(out))
    if ours["devices"] != theirs["devices"]:
        raise SystemExit(
            f"--topology: {config} is for {ours['devices']} chips but {topology} has {theirs['devices']}; give the same number"
        )
    report(
        "compile",
        model=model,
        topology=topology,
        chips=ours["devices"],
        gib_ours=ours["allocated"] / 2**30,
        gib_maxtext=theirs["allocated"] / 2**30,
        ratio_memory_vs_maxtext=theirs["allocated"] / ours["allocated"],
        busiest_gib_ours=ours["peak"] / 2**30,
        busiest_gib_maxtext=theirs["peak"] / 2**30,
        tflop_ours=ours["flops"] / 1e12,
        tflop_maxtext=theirs["flops"] / 1e12,
        ratio_flops_vs_maxtext=theirs["flops"] / ours["flops"],
    )


if __name__ == "__main__":
    tyro.cli(main)
