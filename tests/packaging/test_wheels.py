"""The two wheels hold what they need, install into an empty environment, and say which extra is missing."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess, pytest.mark.slow]

ROOT = Path(__file__).parents[2]
UV = Path(sys.executable).with_name("uv")


def run(*words: str | Path, code: int = 0) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout + done.stderr


def built(source: Path, folder: Path) -> Path:
    run(UV, "build", "--wheel", "--no-build-isolation", "--python", sys.executable, "-o", folder, source)
    [wheel] = folder.glob("*.whl")
    return wheel


def environment(folder: Path, wheel: str) -> Path:
    """Install a wheel and what it depends on, in the pinned versions; return the folder of its commands."""
    run(UV, "venv", "--python", sys.executable, folder)
    run(UV, "pip", "install", "--python", folder / "bin" / "python", "-c", ROOT / "requirements.txt", wheel)
    return folder / "bin"


def test_the_lean_worker_stands_alone(tmp_path: Path) -> None:
    wheel = built(ROOT / "lean_worker", tmp_path / "wheel")
    names = zipfile.ZipFile(wheel).namelist()
    assert not any("oprover_jax" in name for name in names) and "lean_worker/py.typed" in names
    assert {name.rsplit(".", 1)[-1] for name in names if name.startswith("lean_worker/")} == {"py", "typed", "jsonl", "lean"}
    commands = environment(tmp_path / "env", str(wheel))
    assert run(commands / "python", "-c", "import importlib.util; print(importlib.util.find_spec('jax'))") == "None\n"
    (tmp_path / "file.lean").write_text("theorem right : 1 + 1 = 2 := rfl\n")
    assert "accepted" in run(commands / "lean-worker", "check", tmp_path / "file.lean")
    missing = run(commands / "lean-worker", "serve", code=2)
    assert "lean-service" in missing and missing.count("\n") == 1


def test_oprover_names_the_missing_extra(tmp_path: Path) -> None:
    wheel = built(ROOT, tmp_path / "wheel")
    names = zipfile.ZipFile(wheel).namelist()
    assert {"oprover_jax/py.typed", "oprover_jax/evaluation/report_page.html", "oprover_jax/synthetic/textbook/logic.lean"} <= set(names)
    assert any(name.endswith("licenses/LICENSE") for name in names) and not any(name.startswith(("tests/", "bench/")) for name in names)
    commands = environment(tmp_path / "env", f"{wheel}")
    assert "iterate" in run(commands / "oprover", "--help")
    iterate = ("iterate", "--config", ROOT / "configs" / "demo.py", "--run", tmp_path / "run")
    for words in (iterate, ("report", "--run", tmp_path), ("corpus", "show", tmp_path)):
        said = run(commands / "oprover", *words, code=2)
        assert said.count("\n") == 1 and "pip install 'oprover_jax[prover]'" in said, said
    served = run(commands / "oprover", "serve", "--model", tmp_path, code=2)
    assert served.count("\n") == 1 and "oprover_jax[serve]" in served, served
