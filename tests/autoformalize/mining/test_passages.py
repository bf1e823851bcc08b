"""Pages to passages: what is taken for a statement, and what stays with what."""

from pathlib import Path

import pytest

from oprover_jax.autoformalize.mining.normal_text import normal_text, text_id
from oprover_jax.autoformalize.mining.pages import Page, Unreadable, html_page, read_pages
from oprover_jax.autoformalize.mining.passages import Passage, passages


def taken(text: str, markup: str = "text") -> list[tuple[str, str]]:
    return [(found.kind, found.text) for found in passages(text, markup) if found is not None]


def page(folder: Path, name: str, text: str) -> Page:
    (folder / name).write_text(text, encoding="utf-8")
    [found] = read_pages(folder / name, name)
    assert isinstance(found, Page)
    return found


def test_labels_items_and_proofs() -> None:
    text = """# Parity

Some words.

**Theorem 2.1** (Euclid). There are infinitely many primes.

Proof. Multiply them all and add one.

This goes on. QED

More words.

## Exercises

1. Show that n + n is even.
2. Show that n * n is odd
   if n is odd.

Exercise 7

Find all x with x = x.

Problem 4. For a prime $p$, prove:
(a) one thing, (b) another in line
(b) the second thing
"""
    assert taken(text) == [
        ("paragraph", "Some words."),
        ("theorem", "There are infinitely many primes."),
        ("paragraph", "More words."),
        ("exercise", "Show that n + n is even."),
        ("exercise", "Show that n * n is odd if n is odd."),
        ("exercise", "Find all x with x = x."),
        ("exercise", "For a prime $p$, prove: one thing, (b) another in line"),
        ("exercise", "For a prime $p$, prove: the second thing"),
    ]


def test_a_word_that_begins_like_a_label_is_none() -> None:
    assert taken("Problems of this kind are hard.\n\nProofs are long.\n\nExample code is below") == [
        ("paragraph", "Problems of this kind are hard."),
        ("paragraph", "Proofs are long."),
        ("paragraph", "Example code is below"),
    ]


def test_a_displayed_formula_stays_with_its_sentence() -> None:
    assert taken("For all $a$ we have\n\n$$a + 0 = a$$\n\nand so on.\n\nNext one.") == [
        ("paragraph", "For all $a$ we have $$a + 0 = a$$ and so on."),
        ("paragraph", "Next one."),
    ]


def test_tex_environments() -> None:
    text = r"""\documentclass{article}\newtheorem{thm}{Theorem}
\begin{document}
\section{First} % a comment
Words before.
\begin{thm}[Fermat]\label{fermat} If $p$ is prime, 100\% sure, then $a^p \equiv a$.\end{thm}
\begin{proof} Long. \[x\] \end{proof}
\begin{exercise}\begin{enumerate}\item First thing. \item[(b)] Second thing.\end{enumerate}\end{exercise}
\end{document} Not this."""
    assert taken(text, "tex") == [
        ("paragraph", "Words before."),
        ("theorem", r"If $p$ is prime, 100\% sure, then $a^p \equiv a$."),
        ("exercise", "First thing."),
        ("exercise", "Second thing."),
    ]


def test_places_number_all_passages_of_a_page() -> None:
    found = list(passages("One.\n\nProof. Two.\n\nTheorem 1. Three.", "text"))
    assert found == [Passage("paragraph", "One.", 0), None, Passage("theorem", "Three.", 2)]


HTML = """<html><head><title>T</title><link rel="canonical" href="https://example.org/parity"/></head><body>
<nav><a href="/">Home</a> <a href="/about">About this site and its many menus</a></nav>
<article><h1>Parity</h1><p>This page is about even and odd numbers, which everybody meets early on.</p>
<p>Let <script type="math/tex">n^2</script> be even. Then <span class="katex"><span class="katex-mathml"><math><semantics><mi>n</mi>
<annotation encoding="application/x-tex">n_1</annotation></semantics></math></span><span class="katex-html">DRAWN</span></span> is even.</p>
<p>Also <img class="tex" alt="a \\le b" src="f.png"/> holds <span><math><semantics><mi>z</mi><annotation
encoding="application/x-tex">z_9</annotation></semantics></math><img class="mwe-math-fallback" alt="z_9" src="g.png"/></span> here.</p>
<script type="math/tex; mode=display">x = y</script></article>
<footer>Text under <a rel="license" href="https://creativecommons.org/licenses/by-sa/4.0/">CC BY-SA 4.0</a></footer></body></html>"""


def test_html_keeps_its_mathematics_its_address_and_its_licence() -> None:
    found = html_page(HTML, "a.html")
    assert r"Let \(n^2\) be even. Then \(n_1\) is even." in found.text
    assert r"\(a \le b\)" in found.text and found.text.count("z_9") == 1
    assert "DRAWN" not in found.text and "menus" not in found.text
    assert found.url == "https://example.org/parity" and found.licence == "CC BY-SA 4.0"
    with pytest.raises(Unreadable):
        html_page("<html></html>", "b.html")


def test_markdown_and_restructured_text(tmp_path: Path) -> None:
    markdown = "---\ntitle: x\n---\n```python\nx = 1\n```\nSee **the** [page](http://x).\n\n```math\na = b\n```\n"
    found = page(tmp_path, "a.md", f"{markdown}<!-- SPDX-License-Identifier: MIT -->")
    assert found.text.split() == ["See", "the", "page.", "$$a", "=", "b", "$$"] and found.licence == "MIT"
    restructured = "Title\n=====\n\n.. code-block:: c\n\n   int x;\n\nLet :math:`x` be :ref:`even <e>`.\n\n.. math::\n\n   x = y\n\nEnd.\n"
    assert page(tmp_path, "a.rst", restructured).text.split() == ["Title", "Let", "$x$", "be", "even.", r"\[x", "=", r"y\]", "End."]


def test_rows_and_what_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x", "url": "u", "license": "CC0"}\n{"url": "u"}\nno json\n')
    first, second, third = read_pages(tmp_path / "a.jsonl", "a.jsonl")
    assert first == Page("x", "text", "a.jsonl:1", "u", "CC0")
    assert isinstance(second, Unreadable) and str(second).startswith("a.jsonl:2:")
    assert isinstance(third, Unreadable) and str(third).startswith("a.jsonl:3:")
    (tmp_path / "bad.md").write_bytes(b"\xff\xfe")
    [bad] = read_pages(tmp_path / "bad.md", "bad.md")
    assert isinstance(bad, Unreadable) and str(bad) == "bad.md: not UTF-8"


def test_the_normal_form_of_a_text_drops_layout_and_keeps_mathematics() -> None:
    assert text_id(r"Let  \(n\) be “even”: then $n^2$ is even.") == text_id("let $n$ be even, then n^2 is even")
    assert text_id("Find 0.5 + x.") != text_id("Find 0 5 + x.")
    assert len({normal_text(text) for text in ("x - y", "x y", "x + y", "x! y", "x' y", "x * y")}) == 6
