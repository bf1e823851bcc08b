"""What the policy wrote: the code block out of an answer, and whether the answer has the asked form."""

import re
from dataclasses import dataclass

from oprover_jax.agent.template import PLAN

_BLOCK = re.compile(r"^```(?:lean4|lean)[ \t]*\r?\n(.*?)\r?\n[ \t]*```[ \t]*\r?$", re.MULTILINE | re.DOTALL)
_DECLARATION = re.compile(r"^\s*(?:theorem|lemma)\s")


@dataclass(frozen=True)
class Answer:
    """`proof` is None where there is no complete code block; `well_formed` says: a plan, then exactly one block, then nothing."""

    proof: str | None
    well_formed: bool


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
    """What follows the first `:=` outside brackets, if the code states the theorem again; the target is ours either way."""
    if not _DECLARATION.match(code):
        return code
    depth = 0
    for i, char in enumerate(code):
        depth += (char in "([{⟨⦃") - (char in ")]}⟩⦄")
        if depth == 0 and code.startswith(":=", i):
            return code[i + 2 :]
    return code
