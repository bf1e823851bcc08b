"""Rules for tactics: those that a candidate may not use, where a tactic may stand, and the options that Lean evaluates."""

from collections.abc import Sequence

from lean_worker.allowed import closing, words
from lean_worker.lexer import Token

# A search ends with `?`: `exact?`, `simp_all?!`. Functions such as `find?` and `get?` are none of these.
_SEARCHES = words("""
    exact apply rw rewrite simp simp_all simp_arith simp_all_arith simpa dsimp decide aesop try observe grind omega conv have solve cases
    induction rcases rintro intro intros constructor ext norm_num ring linarith nlinarith unfold gcongr positivity push_cast norm_cast
    measurability continuity fun_prop bound apply_rules solve_by_elim field_simp refine lia propose use show_term erw exacts
    """)
_OTHER_SEARCHES = words("hint rw_search polyrith library_search suggest")
_TESTS = words("plausible slim_check")
_BEFORE_A_TACTIC = words(
    "by try repeat repeat' repeat1 repeat1' all_goals any_goals focus iterate then else do at_least_one fail_if_success"
)
_MAYBE_BEFORE_A_TACTIC = frozenset({"|", "=>", "(", "{", ":=", "first"})

# Tactics whose options Lean evaluates, as in `simp (maxSteps := n)`.
_CONFIGURED = words("""
    simp simp_all simp_arith simp_all_arith simp_rw dsimp simpa decide omega norm_num norm_num1 ring_nf field_simp rw erw rewrite nth_rw
    grind aesop linarith nlinarith polyrith positivity conv ext congr convert apply norm_cast push_cast lia cutsat bv_decide bv_normalize
    solve_by_elim apply_rules fun_prop abel_nf split gcongr rintro unfold cases induction injection exact_mod_cast
    """)
_NOT_EVALUATED = words("disch discharger rule_sets add erase attr")
_VALUES = words("true false True False none default pos neg some")
_VALUE_TYPES = words("TransparencyMode Occurrences ApplyNewGoals")
_VALUE_SYMBOLS = frozenset("{}[],.:+-") | {":="}


def tactic_reason(source: str, token_list: Sequence[Token], at: int) -> tuple[str, bool] | None:
    """Return why the tactic that the name at `at` may be is refused, and whether it leaves a hole; or None.

    None of these rules guards the kernel: the axiom audit finds holes, and time and messages are limited. They refuse proofs that are
    incomplete, depend on a search or try to forge a message, with a better reason than Lean's.
    """
    word = token_list[at].parts[0] if len(token_list[at].parts) == 1 else ""
    base = word.rstrip("!?")
    searches = base in _SEARCHES and "?" in word[len(base) :]
    if not searches and base not in _OTHER_SEARCHES | _TESTS and word not in ("stop", "admit", "trace", "sleep"):
        return None
    place = _place(source, token_list, at)
    if place is None:
        return None
    if searches:
        return None if _says(source, token_list, at) else (f"`{word}` searches; write the proof that it finds", False)
    if base in _TESTS:
        return f"`{word}` runs code and proves nothing", False
    if place == "maybe":
        return None
    following = token_list[at + 1].kind if at + 1 < len(token_list) else ""
    if word in ("stop", "admit"):
        return f"`{word}` leaves a hole, so this is no proof", True
    if word == "trace":
        return ("`trace` prints a message of its own", False) if following == "string" else None
    if word == "sleep":
        return ("`sleep` only waits", False) if following == "number" else None
    return f"`{word}` searches; write the proof that it finds", False


def _place(source: str, token_list: Sequence[Token], at: int) -> str | None:
    """Return whether a tactic begins at `at`: "sure", "maybe" where a term may stand as well, or None."""
    if at == 0:
        return None
    token, before = token_list[at], token_list[at - 1]
    if before.text in _BEFORE_A_TACTIC or before.text in (";", "·") or _closes_then(token_list, at - 1):
        return "sure"
    if before.text == "." and not is_projection(token_list, at):
        return "sure"
    if before.kind == "number" and at > 1 and token_list[at - 2].text == "iterate":
        return "sure"
    if before.text in _MAYBE_BEFORE_A_TACTIC:
        return "maybe"
    if "\n" not in source[before.end : token.start]:
        return None
    aligned = _first_column(source, token.start) <= _first_column(source, before.start)
    return _block(token_list, at) if aligned else "maybe"


def _block(token_list: Sequence[Token], at: int) -> str | None:
    """Return "sure" if the last `by` before `at` is nearer than the last bracket that is open, "maybe" if that bracket may hold tactics.

    Only the nearest tokens count.
    """
    depth = 0
    for index in range(at - 1, max(-1, at - 400), -1):
        text = token_list[index].text
        depth += (text in (")", "]", "}", "⟩")) - (text in ("(", "[", "{", "⟨", "@["))
        if text == "by" and depth == 0:
            return "sure"
        if depth < 0:
            return "maybe" if text in ("(", "{") else None
    return "sure" if at >= 400 else None


def _closes_then(token_list: Sequence[Token], at: int) -> bool:
    """Return whether the token at `at` ends `<;>`."""
    return at > 1 and [token.text for token in token_list[at - 2 : at + 1]] == ["<", ";", ">"]


def _first_column(source: str, position: int) -> int:
    """Return the column of the first character of the line that is not blank."""
    begin = source.rfind("\n", 0, position) + 1
    line = source[begin : position + 1]
    return len(line) - len(line.lstrip(" \t"))


def _says(source: str, token_list: Sequence[Token], at: int) -> bool:
    """Return whether `says` follows in the same tactic, so that Lean runs only the tactic after it."""
    column, depth = _first_column(source, token_list[at].start), 0
    for index in range(at + 1, min(at + 200, len(token_list))):
        token = token_list[index]
        depth += (token.text in ("(", "[", "{", "⟨")) - (token.text in (")", "]", "}", "⟩"))
        new_line = "\n" in source[token_list[index - 1].end : token.start]
        if depth == 0 and token.text == "says":
            return True
        if depth < 0 or token.text == ";" or (depth == 0 and new_line and _first_column(source, token.start) <= column):
            return False
    return False


def is_projection(token_list: Sequence[Token], at: int) -> bool:
    """Return whether the name at `at` follows the dot of a projection, right after an expression; otherwise it may be a focus dot."""
    if (
        at < 2
        or token_list[at - 1].text != "."
        or token_list[at - 1].end != token_list[at].start
        or token_list[at - 2].end != token_list[at - 1].start
    ):
        return False
    before = token_list[at - 2]
    if before.kind == "number":
        return at > 2 and token_list[at - 3].text == "."
    if before.text == ">":
        return at > 2 and token_list[at - 3].text == "|" and token_list[at - 3].end == before.start
    return before.kind in ("string", "character") or before.text in (")", "]", "}", "⟩", "›")


def evaluated_value(token_list: Sequence[Token], at: int) -> Token | None:
    """Return the first token that is no literal in the options behind the name at `at`, or in the value of `config`; None without one.

    Lean compiles and runs such values while it elaborates a proof: `(config := e)`, and `(option := e)` behind the name of a tactic.
    """
    if token_list[at].text == "config" and at and token_list[at - 1].text == "(":
        return _no_literal(token_list, at - 1) if [token.text for token in token_list[at + 1 : at + 2]] == [":="] else None
    if token_list[at].text.rstrip("!?'") not in _CONFIGURED:
        return None
    index = at + 1
    while index + 2 < len(token_list):
        token, following = token_list[index], token_list[index + 1]
        if token.text == "(" and following.kind == "name" and token_list[index + 2].text == ":=":
            if following.text not in _NOT_EVALUATED and (wrong := _no_literal(token_list, index)):
                return wrong
            index = closing(token_list, index)
        elif token.text in "+-" and following.kind == "name":
            index += 1
        else:
            break
        index += 1
    return None


def _no_literal(token_list: Sequence[Token], at: int) -> Token | None:
    """Return the first token in the value of `(option := value)` that is neither a literal nor a field with its name."""
    for index in range(at + 3, closing(token_list, at)):
        token, before = token_list[index], token_list[index - 1]
        following = token_list[index + 1].text if index + 1 < len(token_list) else ""
        applied = before.kind == "name" and before.parts[-1] not in _VALUES
        if token.kind == "name":
            plain = following == ":=" or token.text in _VALUES or before.text == "." or token.parts[0] in _VALUE_TYPES
        elif token.kind == "symbol":
            plain = token.text in _VALUE_SYMBOLS and not (applied and token.text in "[{")
        else:
            plain = not applied
        if not plain:
            return token
    return None
