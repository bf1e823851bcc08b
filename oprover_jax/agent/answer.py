"""What the policy wrote: the code block out of an answer, and whether the answer has the asked form.

A proof that only defines the answer to be the question ("find all n such that P n": `abbrev answer := fun n => P n`, closed by
unfolding) needs no guard of its own here, unlike in OProver, whose model writes the whole file. The policy's words never reach
the part of a document where an answer is defined: header and statement are ours, a declaration written beside the proof is
refused, a restated theorem is cut down to its proof, and a header whose answer is still `sorry` leaves `sorryAx` among the axioms of
every proof. `tests/agent/test_trivial_answer.py` tries it. What remains is the statement that asks `∃ S, ∀ n, n ∈ S ↔ P n`: its
trivial witness proves what was stated, and only another statement helps.
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
    """`proof` is None where there is no complete code block; `well_formed` says: a plan, then exactly one block, then nothing."""

    proof: str | None
    well_formed: bool


@dataclass(frozen=True)
class Block:
    """A Lean block: `text[start:end]`, fences included. `code` is None where it is not finished; `end` is then that of the text."""

    start: int
    end: int
    code: str | None


def parse_answer(text: str, statement: str | None = None) -> Answer:
    """Return the last complete Lean block; a file or declaration in it is cut down to what proves the theorem.

    Where the declaration restates `statement`, the proof is what follows it. Time is linear in the text.
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
    """The contents of the complete Lean blocks of an answer, in order."""
    return [block.code for block in lean_blocks(text) if block.code is not None]


def lean_blocks(text: str) -> list[Block]:
    """The blocks fenced by three or more backticks and tagged `lean4`, `lean` or `lean 4`, in any case and at any indentation.

    Fences pair as in CommonMark: a block ends at a line of at least as many backticks and nothing else, and what a longer fence
    encloses is text. One rule is our own, for models that begin again without closing: a Lean fence as long as the open
    one begins a new block and leaves the old one unfinished. `~~~` is no fence here: models do not write it, and Lean might.
    """
    blocks: list[Block] = []
    ticks = 0  # of the open fence, 0 outside
    code: list[str] | None = None  # lines of the open block, None where it is not Lean
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
    """Offset and text of each line; a carriage return before the line feed belongs to neither line."""
    at = 0
    for line in text.split("\n"):
        yield at, line.removesuffix("\r")
        at += len(line) + 1


def _fence(line: str) -> tuple[int, str] | None:
    """How many backticks, and the tag behind them, in small letters; None for a line that is no fence."""
    inner = line.strip(" \t")
    tag = inner.lstrip("`")
    ticks = len(inner) - len(tag)
    return None if ticks < _SHORTEST_FENCE or "`" in tag else (ticks, tag.strip(" \t").lower())


def _dedented(lines: list[str], indent: str) -> str:
    """The code without the indentation of its fence, where all of it has that."""
    shared = all(line.startswith(indent) or not line.strip() for line in lines)
    return "\n".join(line.removeprefix(indent) for line in lines) if shared else "\n".join(lines)


def _proof_of(code: str, statement: str | None) -> str:
    """A theorem stated again, its imports and other context before it or not, is cut down to its proof: header and target are ours
    either way. Code too long for Lean to be shown stays whole."""
    if len(code) > MAX_CANDIDATE_LENGTH:
        return code
    try:
        margin = [token for token in tokens(code) if token.start == 0 or code[token.start - 1] == "\n"]
        declared = code[next((token.start for token in margin if token.text not in CONTEXT), 0) :]
        candidate = split_candidate(declared, statement)
    except LexError:
        return code
    return code if candidate.helpers or candidate.body == declared else candidate.body.removeprefix(":=")
