"""The textbook: every theorem stands alone and the kernel accepts it; a broken chapter is named with its line."""

import re
from collections import Counter
from pathlib import Path

import pytest

from lean_worker.pool import Pool
from lean_worker.protocol import ALLOWED_AXIOMS, Check
from oprover_jax.synthetic.textbook import TextbookError, chapter, textbook

pytestmark = pytest.mark.lean


def test_the_kernel_accepts_the_whole_textbook(lean: Pool) -> None:
    book = textbook()
    assert len(book) >= 250
    verdicts = lean.check_many([Check(id=t.statement.name, statement=t.statement.formal, proof=t.proof) for t in book])
    refused = [(verdict.id, verdict.messages) for verdict in verdicts if verdict.accepted is not True]
    assert not refused
    assert all(set(verdict.axioms) <= ALLOWED_AXIOMS for verdict in verdicts)


def test_names_are_unique_and_proofs_use_no_other_theorem_of_the_book() -> None:
    book = textbook()
    names = Counter(theorem.statement.name for theorem in book)
    assert max(names.values()) == 1
    for theorem in book:
        assert not set(re.findall(r"(?<![\w.])[a-z]\w*_\w+(?![\w.])", theorem.proof)) & set(names)


def test_proofs_have_the_style_of_the_families() -> None:
    assert all(theorem.proof.startswith("by\n  ") and theorem.statement.formal.endswith(" := by sorry") for theorem in textbook())


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("def f := 1\n\ntheorem a : True := by\n  trivial\n", 1),
        ("theorem a : True := by\n  trivial\n\ntheorem b : True := trivial\n", 4),
    ],
)
def test_a_broken_chapter_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "broken.lean"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(TextbookError, match=rf"broken\.lean, line {line}:"):
        chapter(path)


def test_a_missing_textbook_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TextbookError, match=r"no \.lean file"):
        textbook(tmp_path)
