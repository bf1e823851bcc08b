"""Smells of a statement's variables and arithmetic, from what Lean says about them."""

from collections.abc import Iterator

from lean_worker.toolbelt.codes import Places, Smell
from lean_worker.toolbelt.context import Context
from lean_worker.toolbelt.deep import Deep
from lean_worker.toolbelt.terms import Operation

_SETS = {"Nat": "ℕ", "Int": "ℤ"}
_EXISTENCE = ("∃", "Nonempty", "Inhabited")


def deep_smells(context: Context, deep: Deep, places: Places, unproved: dict[int, str]) -> list[Smell]:
    """Return the smells of domains and arithmetic; `unproved` are the subtractions that may be truncated."""
    return [*_empty(context, deep, places), *_arithmetic(deep, places, unproved)]


def unused(context: Context, deep: Deep, places: Places) -> list[Smell]:
    """Return the variables and hypotheses without use, as far as the statement shows."""
    return [*_unused_variables(context, deep, places), *_unused_hypotheses(context, deep, places)]


def concludes_anything(context: Context, deep: Deep | None) -> bool:
    """Return whether the statement is that its hypotheses contradict each other: it concludes False, or a variable that may be false."""
    return context.conclusion == "False" or (deep.head if deep else context.types.get(context.conclusion)) is not None


def _empty(context: Context, deep: Deep, places: Places) -> Iterator[Smell]:
    for number in sorted(deep.empty):
        each = context.hypotheses[number]
        text = f"`{each.written}` ranges over `{each.type}`, which has no elements"
        yield Smell("empty-domain", text.replace("✝", ""), *places.of_name(each.written))


def _unused_variables(context: Context, deep: Deep, places: Places) -> Iterator[Smell]:
    mentioned = frozenset().union(*deep.mentions)
    for number, each in enumerate(context.hypotheses):
        quiet = number in deep.propositions or each.is_instance or each.written.startswith("_")
        if number not in mentioned and not quiet:
            yield Smell("unused-variable", f"nothing mentions the variable `{each.written}`", *places.of_name(each.written))


def _unused_hypotheses(context: Context, deep: Deep, places: Places) -> Iterator[Smell]:
    """Yield the propositions that share no variable, however indirectly, with the conclusion."""
    if concludes_anything(context, deep) or not deep.mentions[deep.conclusion] or any(word in context.conclusion for word in _EXISTENCE):
        return
    reached = set(deep.mentions[deep.conclusion])
    while True:
        more = set[int]()
        for number, mentions in enumerate(deep.mentions[:-1]):
            if number in reached or mentions & reached:
                more |= {number, *mentions}
        if more <= reached:
            break
        reached |= more
    for number in sorted(deep.propositions - reached):
        each = context.hypotheses[number]
        if deep.mentions[number] and not each.is_instance and not each.written.startswith("_"):
            text = f"the hypothesis `{each.written} : {each.type}` shares no variable with the conclusion"
            # Lean calls the premise of an arrow `a`
            place = (None, None) if each.written == "a" else places.of_name(each.written)
            yield Smell("unused-hypothesis", text.replace("✝", ""), *place)


def _arithmetic(deep: Deep, places: Places, unproved: dict[int, str]) -> Iterator[Smell]:
    every = [each for group in deep.arithmetic for each in group]
    written = {symbol: [each for each in every if each.symbol == symbol] for symbol in ("-", "/")}
    subtractions = deep.subtractions
    for each in every:
        same = written[each.symbol]
        number = next(i for i, one in enumerate(same) if one is each)
        line, column = places.of_symbol(each.symbol, number, len(same))
        if each.symbol == "-":
            place = next((i for i, one in enumerate(subtractions) if one is each), None)
            if place is not None and place in unproved:
                shown = f": nothing shows `{unproved[place]}`" if unproved[place] else ""
                yield Smell("truncated-subtraction", f"a subtraction in ℕ may be truncated to 0{shown}", line, column)
        elif (sentence := _division(each)) is not None:
            yield Smell(*sentence, line, column)


def _division(each: Operation) -> tuple[str, str] | None:
    if each.by == 0:
        return "division-by-zero", "a division by the numeral 0, which Lean defines as 0"
    if each.type not in _SETS or each.number is None or each.number == 0:
        return None
    where = _SETS[each.type]
    if each.by is None:
        return "literal-division", f"`{each.number} / …` in {where} drops the remainder, so it is 0 for every large divisor"
    if each.number % each.by:
        # Lean's `/` on integers rounds so that the remainder is not negative
        quotient = each.number // each.by if each.by > 0 else -(each.number // -each.by)
        return "literal-division", f"`{each.number} / {each.by}` in {where} is {quotient}: the remainder is dropped"
    return None
