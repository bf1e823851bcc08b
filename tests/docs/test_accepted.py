"""The page on accepted verdicts names attack classes and test files that exist."""

import re
from pathlib import Path

from lean_worker.tools.attacks import attacks

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "accepted.md").read_text()


def test_every_assumption_says_what_covers_it() -> None:
    sections = PAGE.split("\n## One by one\n")[1].split("\n## ")[0].split("\n### ")[1:]
    uncovered = [section.split("\n")[0] for section in sections if "Covered: " not in section]
    assert len(sections) == 11 and uncovered == ["11. Machine and operating system are right"]


def test_what_it_names_exists() -> None:
    files = set(re.findall(r"`(test_\w+\.py)`", PAGE))
    assert len(files) > 8 and {name for name in files if not (ROOT / "tests" / "lean_worker" / name).is_file()} == set()
    listed = re.findall(r"[Aa]ttack class(?:es)?\s+((?:`\w+`,?\s*)+)", PAGE)
    named = {name for names in listed for name in re.findall(r"`(\w+)`", names)}
    assert len(named) > 15 and named <= {attack.category for attack in attacks()}
