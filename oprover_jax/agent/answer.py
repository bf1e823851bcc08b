"""Parsing of policy answers: find the proof among thoughts, plans and code blocks, and check the answer format.

The proof is the code as written, bare or in whole declarations with imports and helpers; nothing is cut out of it. Only the name under
which prompts show a theorem is replaced by the theorem's own.

Trivial answers, which define the answer to be the question ("find all n such that P n": `abbrev answer := fun n => P n`, closed by
unfolding), need no special check here, unlike in OProver, whose verifier takes the model's file for the statement. Header and statement
are ours: they are compiled before the policy's code, whose declarations cannot replace them, and the kernel compares the type of what the
code proves with the type of our statement. A header whose answer is still `sorry` leaves `sorryAx` among the axioms of every proof.
`tests/agent/test_trivial_answer.py` tests it. One case remains: for a statement such as `∃ S, ∀ n, n ∈ S ↔ P n`, the trivial witness is
a valid proof, and only a different statement would prevent it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lean_worker.candidate import MAX_CANDIDATE_LENGTH
from oprover_jax.agent.template import PLAN
from oprover_jax.statements.declarations import (
    GOAL,
    begins_with_command,
    blanked,
    declared,
    has_hole,
    is_declaration,
    name_of,
    names_of,
    renamed,
    signature_of,
)

TAGS = frozenset({"lean4", "lean", "lean 4"})
_TACTICS = "tactics"
_SHORTEST_FENCE = 3
_THINK = re.compile(r"<(/?)think>", re.IGNORECASE)
_HEADING = re.compile(r"\s*(?:#{1,6}[ \t]+[^\n]*|\*\*[^*\n]*\*\*:?|__[^_\n]*__:?)[ \t]*(?:\n|\Z)")
_TERM = re.compile(r"\s*(?:by\b|:=|\|)")
_FIRST_TACTIC = re.compile(
    r"\s*(?:apply|aesop|by_cases|by_contra|calc|cases|constructor|decide|exact|exfalso|ext|field_simp|funext|induction|intros?|left|linarith"
    r"|nlinarith|norm_num|obtain|omega|positivity|rcases|refine|rfl|right|ring|ring_nf|rintro|rw|simp|simp_all|subst|unfold|use)(?![\w'])"
)


@dataclass(frozen=True)
class Answer:
    """Parsed answer. `proof` is None without a complete code block; `well_formed` means a plan, exactly one block, and nothing after it."""

    proof: str | None
    well_formed: bool


@dataclass(frozen=True)
class Block:
    """Code block `text[start:end]`, fences included. For an unclosed block, `code` is None and `end` is the end of the text."""

    start: int
    end: int
    code: str | None
    tag: str = "lean4"


def parse_answer(text: str, statement: str | None = None) -> Answer:
    """Return the proof in an answer: a bare proof, or whole declarations as they stand.

    Code in a thought (`<think>`) is not an answer. The last complete Lean block that restates `statement` counts; without one, the last
    block that is more than a demonstration (`#check`, `#eval`, `example`). Without a Lean block, a block of tactics, an untagged one or
    code without fences is read. Time is linear in the length of the text.
    """
    spoken = without_thoughts(text)
    found = _blocks(spoken)
    blocks = [block for block in found if block.tag in TAGS]
    finished = [block.code for block in blocks if block.code is not None]
    code = _chosen(finished, statement) if finished else "" if blocks else _unmarked(spoken, found, statement)
    proof = _proof_of(code, statement)
    plan = spoken[: blocks[0].start].strip() if blocks else ""
    well_formed = len(blocks) == 1 and bool(finished) and _is_plan(plan) and not spoken[blocks[0].end :].strip()
    return Answer(proof or None, well_formed and bool(proof))


def without_thoughts(text: str) -> str:
    """Return the text outside `<think>` … `</think>`.

    An unclosed thought lasts to the end. If the first mark is `</think>`, the prompt has opened the thought, which begins the text.
    """
    parts: list[str] = []
    thinking, at = False, 0
    for mark in _THINK.finditer(text):
        if mark[1]:
            parts = parts if thinking else []
        elif not thinking:
            parts.append(text[at : mark.start()])
        thinking, at = not mark[1], mark.end()
    return "".join(parts if thinking else [*parts, text[at:]])


def code_blocks(text: str) -> list[str]:
    """Return the contents of the complete Lean blocks of an answer, in order."""
    return [block.code for block in lean_blocks(text) if block.code is not None]


def lean_blocks(text: str) -> list[Block]:
    """Return the blocks fenced by three or more backticks and tagged `lean4`, `lean` or `lean 4`, in any case and at any indentation.

    Attributes may follow the tag. Fences pair as in CommonMark: a block ends at a line that holds at least as many backticks and nothing
    else; the content of a longer fence is text. One rule is our own, for models that start again without closing a block: a Lean fence at
    least as long as the open one starts a new block and leaves the old one unclosed. `~~~` is not a fence: models do not write it, but
    Lean code may contain it.
    """
    return [block for block in _blocks(text) if block.tag in TAGS]


def _blocks(text: str) -> list[Block]:
    """Return the fenced blocks of any tag."""
    blocks: list[Block] = []
    ticks = 0  # backticks of the open fence, 0 outside a block
    code: list[str] = []
    start, indent, tag = 0, "", ""
    for at, line in _lines(text):
        fence = _fence(line) if "```" in line else None
        if fence is not None and fence[0] >= ticks and (ticks == 0 or fence[1] in TAGS):
            if ticks:
                blocks.append(Block(start, at, None, tag))
            (ticks, tag), start, indent = fence, at, line[: len(line) - len(line.lstrip(" \t"))]
            code = []
        elif fence is not None and fence[0] >= ticks and not fence[1]:
            blocks.append(Block(start, at + len(line), _dedented(code, indent), tag))
            ticks = 0
        elif ticks:
            code.append(line)
    if ticks:
        blocks.append(Block(start, len(text), None, tag))
    return blocks


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield offset and text of each line, without line feed and a preceding carriage return."""
    at = 0
    for line in text.split("\n"):
        yield at, line.removesuffix("\r")
        at += len(line) + 1


def _fence(line: str) -> tuple[int, str] | None:
    """Return the number of backticks and the tag of a fence in lower case; None for a line that is not a fence."""
    inner = line.strip(" \t")
    info = inner.lstrip("`")
    ticks = len(inner) - len(info)
    if ticks < _SHORTEST_FENCE or "`" in info:
        return None
    words = info[:200].lower().replace("{", " {").split()
    tag = " ".join(words[:2]) if words[:2] == ["lean", "4"] else words[0] if words else ""
    return ticks, tag.strip("{}").removeprefix(".")


def _dedented(lines: Sequence[str], indent: str) -> str:
    """Return the code without the indentation of its fence, if all lines share it."""
    shared = all(line.startswith(indent) or not line.strip() for line in lines)
    return "\n".join(line.removeprefix(indent) for line in lines) if shared else "\n".join(lines)


def _is_plan(text: str) -> bool:
    """Return True if the text before the code is a plan: it begins with `Plan:`, or with a heading of other provers, and goes further."""
    if text.startswith(PLAN):
        return len(text) > len(PLAN)
    heading = _HEADING.match(text)
    named = heading is not None and re.search(r"\b(?:plan|proof|strategy|sketch)\b", heading[0], re.IGNORECASE)
    return bool(named) and bool(_after_headings(text).strip())


def _after_headings(text: str) -> str:
    at = 0
    while match := _HEADING.match(text, at):
        at = match.end()
    return text[at:]


def _chosen(codes: Sequence[str], statement: str | None) -> str:
    """Return the last of the most telling codes: those that prove the statement under its name, then in its words, then any proof."""
    ranks = [_rank(code, statement) for code in codes]
    return codes[max(range(len(codes)), key=lambda at: (ranks[at], at))]


def _rank(code: str, statement: str | None) -> int:
    if not code.strip():
        return 0
    if len(code) > MAX_CANDIDATE_LENGTH or not is_declaration(code):
        return 2
    names = [each.name for each in declared(code)]
    if has_hole(code) or not any(names):
        restates = statement is not None and not has_hole(code) and _restates(code, statement)
        return 3 if restates and names else 1
    if statement is None:
        return 2
    return 4 if not names_of(statement).isdisjoint(names) else 3 if _restates(code, statement) else 2


def _restates(code: str, statement: str) -> bool:
    """Return True if the code contains the binders and the type of the statement, followed by a proof."""
    signature = signature_of(statement)
    return bool(signature) and f"{signature}:=" in "".join(blanked(code).split())


def _unmarked(text: str, blocks: Sequence[Block], statement: str | None) -> str:
    """Return the code of an answer without a Lean block: tactics, an untagged block, code before a single fence, or the whole text."""
    tactics = [block.code for block in blocks if block.code is not None and block.tag == _TACTICS]
    if tactics:
        return _as_proof(tactics[-1])
    untagged = [block.code for block in blocks if block.code is not None and not block.tag and _is_code(block.code)]
    if untagged:
        return _chosen(untagged, statement)
    before = _after_headings(text[: blocks[0].start] if blocks else text)
    if blocks:
        is_closed = len(blocks) == 1 and blocks[0].code is None and not blocks[0].tag
        return _as_proof(before) if is_closed and (_is_code(before) or _FIRST_TACTIC.match(before)) else ""
    return before.replace("\r\n", "\n") if begins_with_command(blanked(before)) and is_declaration(before) else ""


def _is_code(code: str) -> bool:
    return is_declaration(code) or _TERM.match(blanked(code)) is not None


def _as_proof(code: str) -> str:
    """Return code as a proof; tactics on their own are put below `by`."""
    code = code.replace("\r\n", "\n")
    if not code.strip() or _is_code(code):
        return code
    return "by\n" + "\n".join(f"  {line}" if line.strip() else "" for line in code.strip("\n").split("\n"))


def _proof_of(code: str, statement: str | None) -> str:
    """Return whole declarations as written, under the statement's own name, and a bare proof without white space around it.

    Code that exceeds the length limit of the verifier, which refuses it, is not read any further.
    """
    if len(code) > MAX_CANDIDATE_LENGTH or not is_declaration(code):
        return code.strip()
    lines = code.rstrip().split("\n")
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    whole = "\n".join(lines[first:])
    name = name_of(statement) if statement else ""
    return renamed(whole, frozenset({GOAL}), name) if name not in {each.name for each in declared(whole)} else whole
