"""Names in prompts: how many published statements the prompt shows otherwise than as they are, but for the name of the theorem.

The rows come from a data folder that is not part of the project, with `benchmarks/*.jsonl`.
"""

import sys
from pathlib import Path

import msgspec
import tyro
from common import report

from lean_worker.statement import split_statement
from oprover_jax.agent.answer import parse_answer
from oprover_jax.agent.template import answer_text, shown
from oprover_jax.statements.declarations import GOAL, name_of


class _Row(msgspec.Struct):
    formal_statement: str


def reason(formal: str) -> str | None:
    """Return what is wrong with a statement as the prompt shows it, or with an answer that restates it; None if nothing is."""
    stated = split_statement(formal)
    own, goal = f" {stated.name}{stated.after}", f" {GOAL}{stated.after}"
    if name_of(formal) != stated.name:
        return f"the name is read as {name_of(formal)!r}"
    prompt = shown(formal)
    if prompt.replace(goal, own) != formal:
        return "the prompt shows it otherwise"
    code = prompt.removesuffix("sorry").rstrip().removesuffix("by").rstrip().removesuffix(":=") + ":= by simp"
    answer = parse_answer(answer_text(code), formal).proof
    if GOAL not in formal and answer != code.replace(goal, own):
        return f"an answer that restates it becomes {answer!r}"
    return None


def main(data: Path, /, *, listed: int = 100) -> None:
    """List altered statements with the reason on stderr and print one JSON line with the counts.

    Args:
      data: Folder with `benchmarks`.
      listed: How many altered statements to list.
    """
    count = altered = 0
    for path in sorted((data / "benchmarks").glob("*.jsonl")):
        for number, line in enumerate(path.read_bytes().splitlines(), start=1):
            formal = msgspec.json.decode(line, type=_Row).formal_statement
            if not split_statement(formal).proposition:
                continue
            count += 1
            if wrong := reason(formal):
                altered += 1
                if altered <= listed:
                    print(f"{path.name}, line {number}: {wrong}", file=sys.stderr)
    if not count:
        sys.exit(f"DATA: {data} contains no statements in benchmarks/*.jsonl; give another folder")
    report("shown_names", statements=count, altered=altered)


if __name__ == "__main__":
    tyro.cli(main)
