"""What the proof filter lets through holds no second command for Lean itself, whatever symbols its header adds."""

import json
import random
import subprocess
from pathlib import Path

import pytest

from lean_worker.embedded import build
from lean_worker.proof_filter import filter_proof

pytestmark = [pytest.mark.lean, pytest.mark.slow]

# Symbols that swallow letters, quotes and halves of comment marks, as those of Mathlib do.
HEADER = """
notation:80 f " →o " g => f
notation:80 f " ≃ₗ " g => f
notation:80 f " '' " x => f x
notation:80 f " ⁻¹' " x => f x
notation:80 f " +- " x => f x
notation:max "|" z "|" => z
"""
CANARY = "theorem t : True := canary"
PIECES = [
    *(
        "/-",
        "-/",
        "--",
        "\n",
        "\r\n",
        " ",
        '"',
        "'",
        "''",
        "⁻¹'",
        '"\\""',
        "'\"'",
        'r"',
        'r#"',
        '"#',
        "\\",
        "«",
        "»",
        "`",
        "x",
        "0x",
        "1e",
        "1.",
    ),
    *(
        "//",
        "<-",
        "→o",
        "≃ₗ",
        "+-",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "s!",
        "|",
        "/--",
        "/-!",
        ".",
        "2",
        "文",
        "\x0b",
        "\u2028",
        ";",
        "by",
        "exact",
    ),
]


def elaborated(folder: Path, number: int, text: str) -> bool:
    """Return whether Lean elaborates the canary as a command, though it stands in a term."""
    core = build.ensure_core()
    source = folder / f"case{number}.lean"
    source.write_text(f"{build.OPENING}{HEADER}example : True := {text}\n", encoding="utf-8", newline="")
    done = subprocess.run(
        build.lean_command(core.library, "--json", source),
        env=build.lean_environment(core.path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    said = [json.loads(line)["data"] for line in done.stdout.split("\n") if line.startswith("{")]
    assert said or done.returncode == 0, done.stderr
    return any("Unknown identifier `canary`" in message for message in said)


def soup(draw: random.Random) -> str:
    before = "".join(draw.choices(PIECES, k=draw.randint(1, 6)))
    after = "".join(draw.choices(PIECES, k=draw.randint(0, 5)))
    return f"trivial {before}{CANARY} {after}"


def test_lean_elaborates_the_canary_as_a_command(tmp_path: Path) -> None:
    assert elaborated(tmp_path, 0, f"trivial {CANARY}") and not elaborated(tmp_path, 1, f"trivial -- {CANARY}")
    assert elaborated(tmp_path, 2, f"trivial →o{CANARY}")


def test_what_passes_holds_no_second_command(tmp_path: Path) -> None:
    draw = random.Random(14)
    texts = {text for text in (soup(draw) for _ in range(60_000)) if filter_proof(text) is None}
    tried = sorted(texts)[:: max(1, len(texts) // 30)]
    assert len(tried) >= 30
    assert [text for number, text in enumerate(tried) if elaborated(tmp_path, number, text)] == []
