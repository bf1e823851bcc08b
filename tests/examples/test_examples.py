"""The programs under examples/ run as they are, and do what their first lines say."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import lean_worker
import oprover_jax

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess]

ROOT = Path(__file__).parents[2]


def run(program: str, *arguments: str) -> str:
    environment = os.environ | {"JAX_PLATFORMS": "cpu", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, str(ROOT / "examples" / program), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_verify_proof() -> None:
    lines = run("verify_proof.py").splitlines()
    assert [line for line in lines if not line.startswith(" ")] == [
        "right: accepted=True kind=accepted",
        "wrong: accepted=False kind=error",
        "empty: accepted=False kind=hole",
    ]


def test_generate_with_fresh_weights() -> None:
    lines = run("generate.py").splitlines()
    assert len(lines) == 2 and all(line.startswith("length: [") for line in lines) and len(set(lines)) == 2


def test_refinement_loop() -> None:
    first, *feedback, last = run("refinement_loop.py").splitlines()
    assert first.startswith("round 1: 'by rfl' accepted=False reward=") and "rfl" in "".join(feedback)
    assert last == "round 2: 'by omega' accepted=True reward=1.0"


@pytest.mark.parametrize("package", [lean_worker, oprover_jax])
def test_every_public_name_is_there(package) -> None:
    assert package.__version__ and [name for name in package.__all__ if getattr(package, name, None) is None] == []
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        package.nothing  # noqa: B018
