"""Goals as Lean prints them, parsed: the hypotheses in order, and the conclusion."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_ENTRY = re.compile(r"(?P<names>\S+(?: \S+)*?) : (?P<type>.*)", re.S)
_TOKEN = re.compile(r"«[^»]*»[\w'!?✝⁰¹²³⁴-⁹]*|[^\W\d][\w'!?✝⁰¹²³⁴-⁹]*|\d[\w]*|\s+|.", re.S)


@dataclass(frozen=True)
class Hypothesis:
    """A variable or hypothesis: its name as printed, which `✝` marks as inaccessible, and its type."""

    name: str
    type: str

    @property
    def written(self) -> str:
        """The name without Lean's mark."""
        return self.name.partition("✝")[0]

    @property
    def is_instance(self) -> bool:
        return self.written.startswith("inst")


@dataclass(frozen=True)
class Context:
    """The first goal of a printed state."""

    hypotheses: tuple[Hypothesis, ...]
    conclusion: str

    @property
    def types(self) -> dict[str, str]:
        return {hypothesis.name: hypothesis.type for hypothesis in self.hypotheses}


def read_context(goal: str) -> Context | None:
    """Return the first goal of a printed state, or None if it shows none."""
    head, mark, conclusion = goal.partition("⊢ ")
    if not mark:
        return None
    conclusion = re.split(r"\n\n", conclusion, maxsplit=1)[0]
    return Context(tuple(_hypotheses(head)), " ".join(conclusion.split()))


def _hypotheses(head: str) -> Iterator[Hypothesis]:
    entries: list[str] = []
    for line in head.split("\n"):
        if line.startswith(" ") and entries:
            entries[-1] += f" {line.strip()}"
        elif line.strip() and not line.startswith("case "):
            entries.append(line.strip() if not line.rstrip().endswith(" :") else line.rstrip() + " ")
    for entry in entries:
        found = _ENTRY.fullmatch(" ".join(entry.split()))
        if found is not None:
            for name in found["names"].split(" "):
                yield Hypothesis(name, found["type"])


def printed_tokens(text: str) -> list[str]:
    """Return the names, numbers, symbols and spaces of a printed term; together they are the text."""
    return _TOKEN.findall(text)


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Return a printed term with other names for some of its variables."""
    return "".join(names.get(token, token) for token in printed_tokens(text))
