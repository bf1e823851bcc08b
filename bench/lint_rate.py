"""Rate of smells among statements that are known to be true, and whether any of them can be disproved, which none may be.

`flagged` counts the statements with at least one smell, `codes` the statements per code, `outcomes` those of `disprove`.
"""

import asyncio
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import tyro
from common import report

from lean_worker.pool import Pool
from lean_worker.toolbelt.asking import PoolLean
from lean_worker.toolbelt.disprove import disprove
from lean_worker.toolbelt.lint import lint


async def examine(lean: PoolLean, row: dict[str, Any], refute: bool, counts: Counter[str], listed: list[str]) -> None:
    """Lint one statement, and try to disprove it; count the results."""
    header = row.get("header") or ""
    linted = await lint(lean, f"{header}\n{row['formal_statement']}")
    counts["statements"] += 1
    if linted.clean is None or not linted.theorems:
        counts["no_answer"] += 1
        listed += [f"{row['name']}: no answer: {linted.kind}: {[message.text for message in linted.messages][:1]}"]
    else:
        # the header may contain theorems of its own
        theorem = linted.theorems[-1]
        counts["unexamined" if theorem.problem else "examined"] += 1
        counts["flagged"] += bool(theorem.smells)
        counts.update({f"code {smell.code}" for smell in theorem.smells})
        listed += [f"{row['name']}: {smell.code}: {smell.message}" for smell in theorem.smells]
        listed += [f"{row['name']}: unexamined: {theorem.problem}"] if theorem.problem else []
    if refute:
        result = await disprove(lean, row["formal_statement"], header)
        counts[f"outcome {result.outcome}"] += 1
        if result.outcome in ("disproved", "unreadable"):
            listed += [f"{row['name']}: {result.outcome}: {result.tactic}: {[message.text for message in result.messages][:1]}"]


async def examine_all(rows: list[dict[str, Any]], refute: bool) -> tuple[Counter[str], list[str]]:
    """Examine all rows, a few at once."""
    counts: Counter[str] = Counter()
    listed: list[str] = []
    room = asyncio.Semaphore(3)
    with Pool(2, timeout=30.0, trusted_headers=True) as pool:
        lean = PoolLean(pool)

        async def one(row: dict[str, Any]) -> None:
            async with room:
                await examine(lean, row, refute, counts, listed)

        await asyncio.gather(*map(one, rows))
    return counts, listed


def main(file: Path, limit: int | None = None, refute: bool = False, show: bool = False) -> int:
    """Lint statements that have been proved, and print the figures.

    Args:
        file: JSON Lines with `name`, `header` and `formal_statement`.
        limit: number of rows to read.
        refute: also try to disprove each; exit code 1 if one is disproved.
        show: print each smell.
    """
    rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    counts, listed = asyncio.run(examine_all(rows[:limit], refute))
    if show:
        print("\n".join(sorted(listed)))
    figures: dict[str, Any] = {name: counts[name] for name in ("statements", "examined", "unexamined", "no_answer", "flagged")}
    figures["codes"] = {name.removeprefix("code "): count for name, count in counts.most_common() if name.startswith("code ")}
    figures["outcomes"] = {name.removeprefix("outcome "): count for name, count in counts.items() if name.startswith("outcome ")}
    report("lint_rate", ratio_flagged=counts["flagged"] / max(1, counts["statements"]), **figures)
    return 1 if counts["outcome disproved"] else 0


if __name__ == "__main__":
    sys.exit(tyro.cli(main))
