"""What is read out of an answer, whatever the model wrote around it: blocks, thoughts, headings, demonstrations."""

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
        # whole declarations and files stay as they are
        ("Plan: x\n```lean4\ntheorem t (x : Nat := 3) : x = x := by rfl\n```", "theorem t (x : Nat := 3) : x = x := by rfl", True),
        (
            "Plan: x\n```lean4\n\nimport Mathlib\n\nopen Nat\n  Real\n\n/-- It is. -/\n@[simp] theorem t : 1 = 1 := by\n  rfl\n\n```",
            "import Mathlib\n\nopen Nat\n  Real\n\n/-- It is. -/\n@[simp] theorem t : 1 = 1 := by\n  rfl",
            True,
        ),
        ("Plan: x\n```lean4\n  theorem t : 1 = 1 := by\n    rfl\n```", "  theorem t : 1 = 1 := by\n    rfl", True),
        ("Plan: x\n```lean4\n-- done\ntheorem t : 1 = 1 := rfl\n```", "-- done\ntheorem t : 1 = 1 := rfl", True),
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


STATEMENT = "theorem add_swap (a b : Nat) :\n    a + b = b + a := by sorry"
WHOLE = "theorem add_swap (a b : Nat) : a + b = b + a := by\n  omega"
SKETCH = WHOLE.replace("omega", "skip")
EXAMPLE = WHOLE.replace("theorem add_swap", "example")
OTHER = "theorem X (a b : Nat) :\n  a + b = b + a := by omega"
BARE = "by\n  omega"
FILE = f"import Mathlib\nopen Nat\n\nlemma aux : True := trivial\n\n{WHOLE}"


def block(code: str, tag: str = "lean4") -> str:
    return f"```{tag}\n{code}\n```"


@pytest.mark.parametrize(
    "text",
    [
        # demonstrations, other theorems and the bare statement do not displace the proof
        f"{block(WHOLE)}\nIt uses:\n{block('#check Nat.add_comm')}",
        f"{block(WHOLE)}\n{block('example : 1 + 2 = 2 + 1 := add_swap 1 2')}\n{block('#eval 1 + 2')}",
        f"{block(WHOLE)}\n{block('theorem more (a : Nat) : a + 0 = a := rfl')}",
        f"{block(WHOLE)}\n{block('by norm_num')}",
        f"{block(WHOLE)}\n{block('import Mathlib')}\n{block('')}",
        f"To prove:\n{block(STATEMENT)}\nSketch:\n{block(SKETCH)}\n{block(WHOLE)}",
        f"{block(WHOLE)}\nagain the problem:\n{block(STATEMENT)}",
        # thoughts
        f"<think>\n{block('theorem add_swap (a b : Nat) : a + b = b + a := rfl')}\n</think>\n{block(WHOLE)}",
        f"first I think\n{block('by rfl')}\n</think>\n{block(WHOLE)}",
        f"{block(WHOLE)}\n<think>\nor rather\n{block(WHOLE.replace('omega', 'rfl'))}",
        f"<think>a</think>{block(WHOLE)}<think>\n{block('by rfl')}</think>",
        # info strings
        block(WHOLE, 'lean4 title="Main.lean" {1,3-4}'),
        block(WHOLE, "Lean 4"),
        block(WHOLE, "lean linenums"),
        block(WHOLE, "{.lean4 #proof}"),
        block(WHOLE, 'lean{title="x"}'),
        block(WHOLE, ""),
        # missing fences
        f"{WHOLE}\n```",
        f"{WHOLE}\n```\nThis closes it.",
        f"<think>hm</think>\n{WHOLE}",
        f"\n{WHOLE}\n",
        f"### Complete Lean 4 Proof\n\n{WHOLE}",
        # headings of other provers
        f"### Detailed Proof\n\nBy arithmetic.\n\n### Complete Lean 4 Proof\n\n{block(WHOLE)}",
        f"**Proof plan:**\n1. omega\n\n**Lean 4 code**\n{block(WHOLE, 'lean')}\n\n### Remarks\n{block('#print axioms add_swap')}",
        # the name that prompts show
        block(WHOLE.replace("add_swap", "goal")),
        f"{block(WHOLE.replace('add_swap', 'goal'))}\n{block('#check goal')}",
        # blocks of tactics in the text, as well as the whole
        f"{block('omega', 'tactics')}\n{block(WHOLE)}\n{block('omega', 'tactics')}",
    ],
)
def test_the_block_that_proves_the_statement_counts(text: str) -> None:
    assert parse_answer(text, STATEMENT).proof == WHOLE
    assert parse_answer(text.replace("\n", "\r\n"), STATEMENT).proof == WHOLE


@pytest.mark.parametrize(
    ("text", "proof"),
    [
        (f"{block(FILE)}\n{block('#check aux')}", FILE),
        # the statement in other forms
        (
            f"{block(EXAMPLE)}\n{block('#eval 1')}",
            EXAMPLE,
        ),
        (
            f"{block(OTHER)}\n{block('theorem Y : True := trivial')}",
            OTHER,
        ),
        # bare proofs
        (f"{block(STATEMENT)}\nProof:\n{block(BARE)}", BARE),
        (f"{block('by omega')}\n{block('#check Nat.add_comm')}", "by omega"),
        (f"{block(':= by omega')}\n", ":= by omega"),
        # tactics alone
        (block("intro x\nomega", "tactics"), "by\n  intro x\n  omega"),
        ("omega\n```", "by\n  omega"),
        ("simp [h]\n\ncases h with\n| inl h => rfl\n```\n", "by\n  simp [h]\n\n  cases h with\n  | inl h => rfl"),
        (block("by\n  omega", "tactics"), "by\n  omega"),
        # recursion under the name of the prompt, and a local name that is equal to it
        (
            block("theorem goal : ∀ n, P n\n  | 0 => z\n  | n + 1 => s (goal n)"),
            "theorem add_swap : ∀ n, P n\n  | 0 => z\n  | n + 1 => s (add_swap n)",
        ),
        # no answer
        (f"<think>\n{block(WHOLE)}", None),
        (f"<think>\n{block(WHOLE)}\n</think>\n", None),
        (f"{block(WHOLE)}\n</think>", None),
        ("I have no proof.", None),
        (f"So the theorem is clear.\n{WHOLE}", None),
        (block("1 + 2 = 3", ""), None),
        ("It follows\n```\nfrom this.", None),
        ("```lean4\n" + WHOLE, None),
    ],
)
def test_other_forms(text: str, proof: str | None) -> None:
    assert parse_answer(text, STATEMENT).proof == proof


def test_a_name_with_dots_is_restored_where_it_is_valid() -> None:
    formal = "theorem Nat.le.own (p : Prop) (h : p) : p := by sorry"
    recursion = "theorem goal (p : Prop) (h : p) : p := by\n  exact goal p h"
    local = "theorem goal (p : Prop) (h : p) : p := by\n  have goal : p := h\n  exact goal"
    assert parse_answer(block(recursion), formal).proof == recursion.replace("goal", "Nat.le.own")
    assert parse_answer(block(local), formal).proof == local.replace("goal", "Nat.le.own", 1)
    assert parse_answer(block("theorem own : True := trivial\n#check goal"), formal).proof == "theorem own : True := trivial\n#check goal"


@pytest.mark.parametrize(
    ("before", "well_formed"),
    [
        ("<think>many words\n```lean4\nby rfl\n```\n</think>\nPlan: omega\n", True),
        ("### Detailed Proof Plan\nBy arithmetic.\n\n### Complete Lean 4 Proof\n", True),
        ("**Plan**\nomega\n", True),
        ("### Complete Lean 4 Proof\n", False),
        ("### Setting\nnumbers\n", False),
        ("omega does it\n", False),
        ("Plan: x\n```lean4\nby rfl\n```\n", False),
    ],
)
def test_what_a_well_formed_answer_begins_with(before: str, well_formed: bool) -> None:
    assert parse_answer(f"{before}{block(WHOLE)}", STATEMENT).well_formed is well_formed
    assert not parse_answer(f"{before}{block(WHOLE)}\nDone.", STATEMENT).well_formed


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
        "<think>" * (MEGABYTE // 7),
        "</think>" * (MEGABYTE // 8),
        "```lean4\n" + "theorem goal " * (9_000) + "\n```",
        "```lean4\n" + "theorem add_swap : " + "(a : Nat) " * 11_000 + "\n```",
        "**" * (MEGABYTE // 2),
        "# \n" * (MEGABYTE // 3),
        "open" + " " * MEGABYTE + "x",
        "theorem t : " + '"' * MEGABYTE,
    ],
    ids=lambda junk: ascii(junk[:12]),
)
def test_a_megabyte_of_junk_is_read_once(junk: str) -> None:
    """Anything quadratic would take hours here."""
    assert not parse_answer(f"{junk}\n```\n```lean4\nby simp\n```", STATEMENT).well_formed
    shorter = junk[: MEGABYTE // 8]
    for text in (shorter, f"```lean4\n{shorter}\n```", f"{shorter}\n```"):
        assert not parse_answer(text, STATEMENT).well_formed
