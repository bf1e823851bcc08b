"""What the policy wrote: the code block out of an answer, and whether the answer has the asked form."""

import re
from dataclasses import dataclass

from lean_worker.candidate import split_candidate
from lean_worker.lexer import LexError
from oprover_jax.agent.template import PLAN

_BLOCK = re.compile(r"^```(?:lean4|lean)[ \t]*\r?\n(.*?)\r?\n[ \t]*```[ \t]*\r?$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Answer:
    """`proof` is None where there is no complete code block; `well_formed` says: a plan, then exactly one block, then nothing."""

    proof: str | None
    well_formed: bool


def code_blocks(text: str) -> list[str]:
    """The contents of the complete `lean4` and `lean` blocks of an answer, in order."""
    return [found.group(1) for found in _BLOCK.finditer(text)]


def parse_answer(text: str) -> Answer:
    """The last complete `lean4` or `lean` block; a whole declaration in it is cut down to what proves it."""
    blocks = list(_BLOCK.finditer(text))
    if not blocks:
        return Answer(None, False)
    proof = _proof_of(blocks[-1].group(1)).strip()
    plan = text[: blocks[0].start()].strip()
    well_formed = len(blocks) == 1 and plan.startswith(PLAN) and len(plan) > len(PLAN) and not text[blocks[0].end() :].strip()
    return Answer(proof or None, well_formed and bool(proof))


def _proof_of(code: str) -> str:
    """A theorem stated again is cut down to its proof: the target is ours either way."""
    try:
        candidate = split_candidate(code)
    except LexError:
        return code
    return code if candidate.helpers or candidate.body == code else candidate.body.removeprefix(":=")
