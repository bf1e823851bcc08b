"""Parsing of policy answers: extract the proof from its code block and check the answer format.

Trivial answers, which define the answer to be the question ("find all n such that P n": `abbrev answer := fun n => P n`, closed by
unfolding), need no special check here, unlike in OProver, whose model writes the whole file. The policy's output never reaches the part of
the document that defines the answer: header and statement are ours, additional declarations are rejected, a restated theorem is reduced
to its proof, and a header whose answer is still `sorry` leaves `sorryAx` among the axioms of every proof;
`tests/agent/test_trivial_answer.py` tests it. One case remains: for a statement such as `∃ S, ∀ n, n ∈ S ↔ P n`, the trivial witness is
a valid proof, and only a different statement would prevent it.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from lean_worker.candidate import MAX_CANDIDATE_LENGTH, split_candidate
from lean_worker.lexer import LexError, tokens
from oprover_jax.agent.template import PLAN

CONTEXT = frozenset({"import", "open", "set_option", "universe", "variable"})
TAGS = frozenset({"lean4", "lean", "lean 4"})
_SHORTEST_FENCE = 3


@dataclass(frozen=True)
class Answer:
    """Parsed answer. `proof` is None without a complete code block; `well_formed` means a plan, exactly one block, and nothing after it."""

    proof: str | None
    well_formed: bool


@dataclass(frozen=True)
class Block:
    """Lean code block `text[start:end]`, fences included. For an unclosed block, `code` is None and `end` is the end of the text."""

    start: int
    end: int
    code: str | None


def parse_answer(text: str, statement: str | None = None) -> Answer:
    """Return the proof in the last complete Lean block; a file or declaration in it is reduced to the proof.

    If the declaration restates `statement`, the proof is the part after it. Time is linear in the length of the text.
    """
    blocks = lean_blocks(text)
    finished = [block.code for block in blocks if block.code is not None]
    if not finished:
        return Answer(None, False)
    proof = _proof_of(finished[-1], statement).strip()
    plan = text[: blocks[0].start].strip()
    well_formed = len(blocks) == 1 and plan.startswith(PLAN) and len(plan) > len(PLAN) and not text[blocks[0].end :].strip()
    return Answer(proof or None, well_formed and bool(proof))


def code_blocks(text: str) -> list[str]:
    """Return the contents of the complete Lean blocks of an answer, in order."""
    return [block.code for block in lean_blocks(text) if block.code is not None]


def lean_blocks(text: str) -> list[Block]:
    """Return the blocks fenced by three or more backticks and tagged `lean4`, `lean` or `lean 4`, in any case and at any indentation.

    Fences pair as in CommonMark: a block ends at a line that holds at least as many backticks and nothing else; the content of a longer
    fence is text. One rule is our own, for models that start again without closing a block: a Lean fence at least as long as the open one
    starts a new block and leaves the old one unclosed. `~~~` is not a fence: models do not write it, but Lean code may contain it.
    """
    blocks: list[Block] = []
    ticks = 0  # backticks of the open fence, 0 outside a block
    code: list[str] | None = None  # lines of the open block, None if it is not Lean
    start, indent = 0, ""
    for at, line in _lines(text):
        fence = _fence(line) if "```" in line else None
        if fence is not None and fence[0] >= ticks and (ticks == 0 or fence[1] in TAGS):
            if code is not None:
                blocks.append(Block(start, at, None))
            ticks, start, indent = fence[0], at, line[: len(line) - len(line.lstrip(" \t"))]
            code = [] if fence[1] in TAGS else None
        elif fence is not None and fence[0] >= ticks and not fence[1]:
            if code is not None:
                blocks.append(Block(start, at + len(line), _dedented(code, indent)))
            ticks, code = 0, None
        elif code is not None:
            code.append(line)
    if code is not None:
        blocks.append(Block(start, len(text), None))
    return blocks


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield offset and text of each line, without line feed and a preceding carriage return."""
    at = 0
    for line in text.split("\n"):
        yield at, line.removesuffix("\r")
        at += len(line) + 1


def _fence(line: str) -> tuple[int, str] | None:
    """Return the number of backticks and the lower-case tag of a fence; None for a line that is not a fence."""
    inner = line.strip(" \t")
    tag = inner.lstrip("`")
    ticks = len(inner) - len(tag)
    return None if ticks < _SHORTEST_FENCE or "`" in tag else (ticks, tag.strip(" \t").lower())


def _dedented(lines: list[str], indent: str) -> str:
    """Return the code without the indentation of its fence, if all lines share it."""
    shared = all(line.startswith(indent) or not line.strip() for line in lines)
    return "\n".join(line.removeprefix(indent) for line in lines) if shared else "\n".join(lines)


def _proof_of(code: str, statement: str | None) -> str:
    """Return the proof of a restated theorem, without any imports and context before it; header and target are ours in any case.

    Code that exceeds the length limit of the verifier is returned unchanged.
    """
    if len(code) > MAX_CANDIDATE_LENGTH:
        return code
    try:
        margin = [token for token in tokens(code) if token.start == 0 or code[token.start - 1] == "\n"]
        declared = code[next((token.start for token in margin if token.text not in CONTEXT), 0) :]
        candidate = split_candidate(declared, statement)
    except LexError:
        return code
    return code if candidate.helpers or candidate.body == declared else candidate.body.removeprefix(":=")
