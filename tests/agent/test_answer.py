"""What is read out of an answer, whatever the model wrote around it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from oprover_jax.agent.answer import TAGS, lean_blocks, parse_answer

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    ("text", "proof", "well_formed"),
    [
        ("Plan: x\n```lean\nby simp\n```", "by simp", True),
        ("Plan: x\n```Lean4  \nby simp\n```", "by simp", True),
        ("Plan: x\n```lean 4\nby simp\n```", "by simp", True),
        ("Plan: x\n```lean4\r\nby simp\r\n```", "by simp", True),
        ("Plan: x\n```lean4\r\nby\r\n  simp\r\n  rfl\r\n```\r\n", "by\n  simp\n  rfl", True),
        ("no plan\n```lean4\nby simp\n```", "by simp", False),
        ("Plan:\n```lean4\nby simp\n```", "by simp", False),
        ("Plan: x\n```lean4\nby simp\n```\nand more", "by simp", False),
        ("Plan: x\n```lean4\nby rfl\n```\n```lean4\nby simp\n```", "by simp", False),
        ("Plan: x\n```lean4\nby simp", None, False),
        ("Plan: x\n```lean4\n\n```", None, False),
        ("by simp", None, False),
        ("", None, False),
        # indented, as in a list
        ("Plan: x\n1. so\n   ```lean4\n   by\n     simp\n   ```", "by\n  simp", True),
        ("Plan: x\n\t```lean4\n\tby\n\t  simp\n\t```\t", "by\n  simp", True),
        ("Plan: x\n  ```lean4\nby\n  simp\n```", "by\n  simp", True),
        # longer fences, and what they enclose
        ("Plan: x\n````lean4\nby /-\n```lean4\nby rfl\n```\n-/ simp\n````", "by /-\n```lean4\nby rfl\n```\n-/ simp", True),
        ("Plan: x\n````\n```lean4\nby simp\n```\n````", None, False),
        ("Plan: x\n```lean4\nby simp\n`````", "by simp", True),
        ("Plan: x\n````lean4\nby simp\n```", None, False),
        # begun again without closing
        ("Plan: x\n```lean4\nby rfl\nNo, rather:\n```lean4\nby simp\n```", "by simp", False),
        ("Plan: x\n```lean4\nby simp\n```\n```lean4\nby rf", "by simp", False),
        ("Plan: x\n```\nsketch\n```lean4\nby simp\n```", "by simp", True),
        ("Plan: x\n```lean4\nby simp\n```python\n```", "by simp\n```python", True),
        # fences that are none, and blocks that are not Lean's
        ("Plan: x\n~~~lean4\nby simp\n~~~", None, False),
        ("Plan: x\n```leanish\nby simp\n```", None, False),
        ("Plan: x\n```lean4 `a`\nby simp\n```", None, False),
        ("Plan: x\n```lean4 by simp```", None, False),
        ("Plan: x\n```text\n1. norm\n```\n```lean4\nby simp\n```", "by simp", True),
        # whole declarations and files are cut down to the proof
        ("Plan: x\n```lean4\ntheorem t (x : Nat := 3) : x = x := by rfl\n```", "by rfl", True),
        ("Plan: x\n```lean4\nimport Mathlib\n\nopen Nat\n  Real\n\n/-- It is. -/\ntheorem t : 1 = 1 := by\n  rfl\n```", "by\n  rfl", True),
        ("Plan: x\n```lean4\nopen Nat in\nby rfl\n```", "open Nat in\nby rfl", True),
        (
            "Plan: x\n```lean4\nimport A\nlemma a : 1 = 1 := rfl\ntheorem t : 1 = 1 := a\n```",
            "import A\nlemma a : 1 = 1 := rfl\ntheorem t : 1 = 1 := a",
            True,
        ),
    ],
)
def test_parsing(text: str, proof: str | None, well_formed: bool) -> None:
    answer = parse_answer(text)
    assert (answer.proof, answer.well_formed) == (proof, well_formed)


LINE = st.text(st.characters(exclude_characters="`\n\r", exclude_categories=("Cs",)), max_size=12)
CODE = st.lists(LINE, max_size=4)
TAG = st.sampled_from(["lean4", "lean", "LEAN4", "text", ""])


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, list[str]]:
    """An answer of lines and closed blocks, each of which may hold a shorter one, and the code of the Lean blocks in it."""
    lines: list[str] = []
    expected: list[str] = []
    for kind in draw(st.lists(st.sampled_from(["line", "block"]), max_size=5)):
        if kind == "line":
            lines.append(draw(LINE))
            continue
        ticks, indent, tag, code = draw(st.integers(4, 6)), draw(st.sampled_from(["", "  ", "\t"])), draw(TAG), draw(CODE)
        if draw(st.booleans()):
            inner = "`" * draw(st.integers(3, ticks - 1))
            code = [*code, f"{inner}{draw(TAG)}", *draw(CODE), inner]
        fence = "`" * ticks
        lines += [indent + line for line in [fence + tag, *code, fence + "`" * draw(st.integers(0, 2))]]
        if tag.lower() in TAGS:
            expected.append("\n".join(code))
    return draw(st.sampled_from(["\n", "\r\n"])).join(lines), expected


@given(documents(), CODE)
def test_nested_fences_indentation_line_ends_and_unicode(document: tuple[str, list[str]], unfinished: list[str]) -> None:
    text, expected = document
    assert [block.code for block in lean_blocks(text)] == expected
    cut_off = "\n".join([text, "```lean4", *unfinished])
    assert [block.code for block in lean_blocks(cut_off)] == [*expected, None]
    for block in lean_blocks(text):
        assert text[block.start : block.end].strip().startswith("````") and text[block.start : block.end].endswith("````")


@given(st.lists(st.sampled_from(["```", "````", "```text", "`````lean4", "```lean", "by simp", "x", ""]), max_size=9))
def test_fences_pair_as_in_commonmark_unless_lean_begins_again(lines: list[str]) -> None:
    """An independent reading, by markdown-it, of the texts in which nothing begins again and nothing is left open."""
    fences = [token for token in MarkdownIt().parse("\n".join(lines)) if token.type == "fence"]
    again = any(line.startswith(token.markup) and line.lstrip("`") in TAGS for token in fences for line in token.content.split("\n"))
    places = [(token.markup, *token.map) for token in fences if token.map]
    left_open = any(end - start < 2 or lines[end - 1].strip("`") or len(lines[end - 1]) < len(fence) for fence, start, end in places)
    if not again and not left_open:
        theirs = [token.content.removesuffix("\n") for token in fences if token.info in TAGS]
        assert [block.code for block in lean_blocks("\n".join(lines))] == theirs


@given(st.text(st.sampled_from("`~\n\r\t lean4:=|theorm«»/-⟨x ∀\u2028\ufffd\0"), max_size=300))
def test_junk_never_breaks_the_parser_nor_what_follows_it(junk: str) -> None:
    parse_answer(junk)
    open_ticks = max((len(line) for line in junk.replace(" ", "\n").split("\n") if line), default=0)
    fence = "`" * max(3, open_ticks)
    assert parse_answer(f"{junk}\n{fence}lean4\nby simp\n{fence}").proof == "by simp"


@pytest.mark.parametrize(
    "junk",
    [
        "```lean4\n" * (MEGABYTE // 9),
        "```\n" * (MEGABYTE // 4),
        "`" * MEGABYTE,
        "```" + " " * MEGABYTE + "`",
        "\n".join("`" * (3 + i) for i in range(1400)),
        " " * (MEGABYTE // 2) + "```lean4\n" + " " * (MEGABYTE // 2),
        "```lean4\n" + "(" * MEGABYTE,
        "```lean4\ntheorem t : " + "/-" * (MEGABYTE // 2),
        "∀ε" * (MEGABYTE // 2),
    ],
    ids=["openings", "fences", "ticks", "spaces", "growing", "indented", "brackets", "comments", "unicode"],
)
def test_a_megabyte_of_junk_is_read_once(junk: str) -> None:
    """Anything quadratic would take hours here."""
    answer = parse_answer(f"{junk}\n```\n```lean4\nby simp\n```")
    assert not answer.well_formed and answer.proof in (None, "by simp")
