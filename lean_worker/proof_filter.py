"""Proof filter: refuses a proof by its tokens, before Lean sees it.

A candidate is one term or tactic block. The filter refuses everything that could add a command, an option, an attribute or syntax, run
code during elaboration, or leave a hole, and everything that the lexer does not support. The kernel and the axiom audit decide the rest.
"""

import re
from functools import cache

from lean_worker.lexer import CLOSED_SYMBOLS, LexError, Token, tokens

MAX_PROOF_LENGTH = 60_000


def words(text: str) -> frozenset[str]:
    """Return the set of words in a text."""
    return frozenset(text.split())


# Tokens that begin a command in Lean 4.35, Batteries, Aesop and Mathlib, for backends that do not report their own.
COMMANDS = words("""
    abbrev alias attribute axiom binder_predicate class coinductive declare_syntax_cat def deriving dsimproc dsimproc_decl elab elab_rules
    end example export grind_annotated grind_pattern import include inductive infix infixl infixr init_grind_norm init_quot initialize
    instance irreducible_def lemma local macro macro_rules meta module mutual namespace noncomputable nonrec notation notation3 omit opaque
    open partial postfix prefix prelude private proof_wanted protected public recall recall? recommended_spelling scoped seal section
    set_library_suggestions set_option set_premise_selector show_panel_widgets simproc simproc_decl structure syntax tactic_extension
    theorem unif_hint universe universes unlock_limits unsafe unseal unset_option unsuppress_compilation variable variable? variables
    with_weak_namespace suppress_compilation add_aesop_rules add_decl_doc assert_exists assert_not_exists assert_not_imported cbv_simproc
    cbv_simproc_decl compile_def compile_inductive count_heartbeats deprecated_module deprecated_syntax docs_to_verso elab_stx
    end_local_scope erase_aesop_rules eval_decl extend_docs guard_min_heartbeats gen_cnstr_fns insert_to_additive_translation library_note
    library_note2 make_elab_grind_config make_elab_simp_config mk_iff_of_inductive_prop name_poly_vars reset_grind_attrs run_cmd run_elab
    run_meta sym_dsimproc sym_simproc to_additive_change_numeral whatsnew
    """)

# Words that are refused in every component of a name, and in strings: holes, back doors, and access to the outside.
ANYWHERE = words("""
    sorry sorryAx admit native native_decide ofReduceBool ofReduceNat reduceBool reduceNat trustCompiler lcProof lcUnreachable lcCast lcAny
    unsafeCast byAsSorry proofAsSorry skipKernelTC debug unsafeIO unsafeBaseIO unsafeEIO IO EIO BaseIO Elab Meta dbgTrace dbgTraceIfShared
    dbgSleep dbgStackTrace panic run_tac run_cmd run_elab run_meta by_elab eval_expr include_str implemented_by extern
    """)

# Words that are refused as whole names: elaborators that run code or print, and tactics that leave holes, print, wait or search.
_ELABORATORS = words("unreachable decl_name private_decl dbg_trace dbg_cache elab_term_ensuring_type")
HOLES = frozenset({"sorry", "sorryAx", "admit"})
_TACTICS = words("stop trace sleep hint rw_search checkpoint says")
ALONE = _ELABORATORS | _TACTICS

DENIED = COMMANDS | ANYWHERE | ALONE
_DENIED_PREFIXES = ("declare_", "register_", "initialize_", "builtin_", "gen_injective")
_STRING_WORD = re.compile(r"[\w'!?]+")
_NAME = re.compile(r"[^\W\d][\w!?']*")
_PREFIX_OPERATORS = frozenset("λΠΣ←¬∀∃∑∏⊢↑⇑↥∂∫⋃⋂⨆⨅√")


@cache
def _by_shape(commands: frozenset[str]) -> tuple[frozenset[str], tuple[str, ...], frozenset[str]]:
    """Split commands into names, others such as `gen_injective_theorems%`, and the tokens with which those begin.

    Text that begins with `#`, `@[` or a documentation comment is always refused.
    """
    names = frozenset(command for command in commands if _NAME.fullmatch(command))
    others = tuple(command for command in commands - names if command and not command.startswith(("#", "@[", "/-")))
    heads = (_NAME.match(command) for command in others)
    return names, others, frozenset(head[0] if head else command[0] for head, command in zip(heads, others, strict=True))


def _denied_in_name(word: str) -> bool:
    return word.rstrip("!?'") in ANYWHERE


def _denied_alone(word: str, commands: frozenset[str]) -> bool:
    return word in commands or word.rstrip("!?'") in ALONE or _denied_in_name(word) or word.startswith(_DENIED_PREFIXES)


def runs_code(source: str, token: Token) -> bool:
    """Return whether a name reaches native code, or runs code while Lean elaborates it; `sorry` does not."""
    if token.text == "eval" and source.startswith("%", token.end):
        return True
    parts = [part.rstrip("!?'") for part in token.parts]
    return any(part in ANYWHERE and part not in HOLES for part in parts) or (len(parts) == 1 and parts[0] in _ELABORATORS)


def begins_command(source: str, token: Token, commands: frozenset[str] = COMMANDS) -> bool:
    """Return whether Lean would read a command here: the token, or a symbol that begins with it, is one of the `commands`."""
    names, others, _ = _by_shape(commands)
    return (token.kind == "name" and token.text in names) or source.startswith(others, token.start)


def _stands_apart(previous: Token) -> bool:
    """Return whether a name after `previous` is read as written: no symbol has taken its first letters."""
    return previous.kind != "symbol" or previous.text in CLOSED_SYMBOLS or previous.text == "."


def _swallowed(token: Token, previous: Token) -> tuple[int, ...]:
    """Return how many characters of a name a preceding symbol may take: `→o` is one symbol in Mathlib, so that `→oopen` ends in `open`.

    Where a quote is not a symbol, Lean skips the two characters after it.
    """
    gap = token.start - previous.end
    if _stands_apart(previous):
        return ()
    if previous.text.startswith("'"):
        return (1, 2 - gap) if gap < 2 else ()
    if gap:
        return ()
    return (1,) if previous.text.isascii() or previous.text in _PREFIX_OPERATORS else (1, 2)


def _is_projection(token_list: list[Token], at: int) -> bool:
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


def _name_reason(source: str, token_list: list[Token], at: int, commands: frozenset[str], known: frozenset[str]) -> str | None:
    token, parts = token_list[at], token_list[at].parts
    refusal = f"`{token.text}` is not allowed in a proof"
    for part in parts:
        if _denied_in_name(part) or ("." in part and any(map(_denied_in_name, part.split(".")))):
            return f"`{part}` is not allowed in a proof"
    if begins_command(source, token, commands) or runs_code(source, token):
        return refusal
    if at and any(_denied_alone(token.text[skipped:], commands) for skipped in _swallowed(token, token_list[at - 1])):
        return refusal
    if len(parts) > 1 or token.text in known:
        return None
    if _denied_alone(parts[0], commands):
        return refusal
    searches = parts[0].rstrip("!").endswith("?")
    return refusal if searches and not _is_projection(token_list, at) else None


def _symbol_reason(source: str, token: Token, following: Token | None, commands: frozenset[str]) -> str | None:
    bracket = following is not None and following.text == "["
    if token.text == "#" and not (bracket and source.startswith("[", token.end)):
        return "`#` is not allowed in a proof"
    if token.text == "@[" or (token.text == "@" and bracket):
        return "`@[` is not allowed in a proof"
    if token.text == "`":
        return "a quotation is not allowed in a proof"
    if begins_command(source, token, commands):
        return f"`{token.text}` is not allowed in a proof"
    return None


def interpolated(token: Token, previous: Token | None) -> bool:
    """Return whether a string could contain code: it has braces and follows what may be a keyword, such as `s!`."""
    return "{" in token.text and previous is not None and (previous.kind == "name" or previous.text in ("]", "!", "%"))


def _string_reason(token: Token, previous: Token | None) -> str | None:
    if token.text.startswith("r"):
        return "a raw string is not allowed in a proof"
    if interpolated(token, previous):
        return "a string with `{` after a name is not allowed in a proof, as it could be interpolated"
    if any(mark in token.text for mark in ("--", "/-", "-/")):
        return "a string that contains a comment mark is not allowed in a proof"
    for word in _STRING_WORD.findall(token.text):
        if _denied_alone(word, COMMANDS) or word.rstrip("!?'") in COMMANDS:
            return f"`{word}` is not allowed in a proof"
    return None


def filter_proof(proof: str, commands: frozenset[str] = COMMANDS, known: frozenset[str] = frozenset()) -> str | None:
    """Return why the proof is refused, in one phrase, or None if it may be passed to Lean.

    Args:
        proof: one term or tactic block.
        commands: the tokens that begin a command in the Lean version in use.
        known: names that the statement uses; the proof may use them as names too unless they begin a command.
    """
    if len(proof) > MAX_PROOF_LENGTH:
        return f"the proof is longer than {MAX_PROOF_LENGTH} characters"
    if "/--" in proof or "/-!" in proof:
        return "a documentation comment is not allowed in a proof"
    try:
        token_list = tokens(proof)
    except LexError as error:
        return str(error)
    if not token_list:
        return "the proof is empty"
    undecided = {"#", "@", "eval"} | _by_shape(commands)[2]  # the following token decides
    passed: set[str] = set()
    for at, token in enumerate(token_list):
        if token.text in passed and (at == 0 or _stands_apart(token_list[at - 1])):
            continue
        reason = None
        if token.kind == "name":
            reason = _name_reason(proof, token_list, at, commands, known)
        elif token.kind == "symbol":
            reason = _symbol_reason(proof, token, token_list[at + 1] if at + 1 < len(token_list) else None, commands)
        elif token.kind == "string":
            reason = _string_reason(token, token_list[at - 1] if at else None)
        if reason:
            return reason
        if token.kind != "string" and token.text not in undecided and "?" not in token.text:
            passed.add(token.text)
    return None
