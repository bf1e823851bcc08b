"""The statement as Lean elaborated it: which hypotheses are propositions, what each mentions, and its arithmetic."""

from dataclasses import dataclass

from lean_worker.toolbelt.context import Context, printed_tokens, read_context, renamed
from lean_worker.toolbelt.probes import Probe, Subject
from lean_worker.toolbelt.terms import EXPLICIT, Operation, operations

# alternatives are in parentheses, because a notation of the file may contain `|`
_EMPTY = "intro y; first | (exact absurd y.isLt (Nat.not_lt_zero _)) | (cases y <;> fail)"
_BOUNDED = "intros; first | (omega) | (simp_all <;> fail) | (simp_all; omega)"


@dataclass(frozen=True)
class Deep:
    """What Lean says about the hypotheses of a statement, numbered in order; the conclusion comes last.

    `propositions`: the hypotheses that are propositions. `empty`: the variables whose types have no elements. `mentions`: the hypotheses
    that each type mentions. `head`: the hypothesis that the conclusion applies, if it is an application of one. `arithmetic`: the
    operations in each type. `names`: those that stand for the hypotheses in `arithmetic`.
    """

    names: tuple[str, ...]
    propositions: frozenset[int]
    empty: frozenset[int]
    mentions: tuple[frozenset[int], ...]
    arithmetic: tuple[tuple[Operation, ...], ...]
    shown_names: dict[str, str]
    head: int | None

    @property
    def conclusion(self) -> int:
        return len(self.names)

    @property
    def subtractions(self) -> list[Operation]:
        """The subtractions in ℕ, in order."""
        return [each for group in self.arithmetic for each in group if each.symbol == "-" and each.left and each.type == "Nat"]


def _names(subject: Subject, context: Context) -> tuple[str, ...]:
    return tuple(f"v{number}_{subject.document.nonce[:8]}" for number in range(len(context.hypotheses)))


def _introduced(names: tuple[str, ...]) -> str:
    return f"intro {' '.join(names)}\n" if names else ""


def _fact(name: str, type: str, tactics: str) -> str:
    """Return a tactic that adds a fact to the hypotheses if these tactics prove it.

    The proof is no `by` of its own, in which Lean would report some errors, admit the fact and continue.
    """
    return f"first | (refine (fun ({name} : {type}) => ?_) ?_; rotate_left; focus ({tactics})) | skip\n"


def deep_probe(subject: Subject, context: Context) -> Probe:
    """Return the probe that `read_deep` reads: the facts that hold become hypotheses of its goal."""
    names = _names(subject, context)
    facts = ""
    for number, name in enumerate(names):
        facts += f"first | (let _t : Prop := type_of% @{name}; have prop{number} : True := True.intro; clear _t) | skip\n"
    for number, name in enumerate(names):
        facts += _fact(f"empty{number}", f"type_of% @{name} → False", _EMPTY)
    return subject.probe("deep", f"{_introduced(names)}{facts}sorry", EXPLICIT)


def read_deep(context: Context, subject: Subject, goal: str) -> Deep | None:
    """Return what the goal of `deep_probe` says, or None if it does not show the hypotheses that were asked for."""
    names = _names(subject, context)
    found = read_context(goal)
    if found is None or tuple(each.name for each in found.hypotheses[: len(names)]) != names:
        return None
    numbers = {name: number for number, name in enumerate(names)}
    facts = {each.name for each in found.hypotheses[len(names) :]}
    types = [*(each.type for each in found.hypotheses[: len(names)]), found.conclusion]
    propositions = frozenset(number for number in range(len(names)) if f"prop{number}" in facts)
    return Deep(
        names=names,
        propositions=propositions,
        empty=frozenset(number for number in range(len(names)) if f"empty{number}" in facts) - propositions,
        mentions=tuple(frozenset(numbers[token] for token in printed_tokens(text) if token in numbers) for text in types),
        arithmetic=tuple(tuple(operations(text)) for text in types),
        shown_names={name: each.written for name, each in zip(names, context.hypotheses, strict=True)},
        head=numbers.get(printed_tokens(found.conclusion)[0]),
    )


def subtraction_probe(subject: Subject, deep: Deep) -> Probe | None:
    """Return the probe that tries to show that no subtraction in ℕ is truncated, or None if there is none."""
    wanted = deep.subtractions
    if not wanted:
        return None
    lines = ""
    for number, each in enumerate(wanted):
        bound = f"{each.right} ≤ {each.left}"
        goal = f"∀ {' '.join(each.binders)}, {bound}" if each.binders else bound
        lines += f"first | (have shown{number} : ({goal}) → True := fun _ => True.intro) | skip\n"
        lines += _fact(f"bound{number}", goal, _BOUNDED)
    return subject.probe("subtractions", f"{_introduced(deep.names)}{lines}sorry")


def unproved_subtractions(deep: Deep, goal: str) -> dict[int, str]:
    """Return the numbers of the subtractions that may be truncated, each with the inequality that could not be shown, or an empty text."""
    found = read_context(goal)
    if found is None:
        return dict.fromkeys(range(len(deep.subtractions)), "")
    types = found.types
    unproved = {}
    for number in range(len(deep.subtractions)):
        if f"bound{number}" not in types:
            shown = types.get(f"shown{number}", "").removesuffix(" → True").strip()
            unproved[number] = renamed(shown.removeprefix("(").removesuffix(")") if shown.startswith("(∀") else shown, deep.shown_names)
    return unproved
