"""Refuses a proof by its tokens, before Lean sees it.

A candidate is one term or tactic block. Whatever could add a command, an option, an attribute or syntax, run code while it is elaborated,
or leave a hole, is refused here; whatever the lexer does not understand is refused as well. The kernel and the axiom audit judge the rest.
"""

from lean_worker.lexer import LexError, Token, tokens

MAX_PROOF_LENGTH = 60_000

_COMMANDS = """
set_option attribute axiom macro macro_rules syntax notation notation3 elab elab_rules instance import prelude open namespace section end
theorem def example lemma abbrev inductive structure class opaque constant unsafe partial extern export implemented_by init initialize
builtin_initialize deriving include omit universe universes variable variables mutual noncomputable private protected public local scoped
nonrec meta module infix infixl infixr prefix postfix unif_hint binder_predicate simproc dsimproc simproc_decl dsimproc_decl builtin_simproc
builtin_dsimproc init_quot seal unseal alias recall grind_pattern declare_syntax_cat add_decl_doc irreducible_def compile_inductive
suppress_compilation eval_decl coinductive
"""

_HOLES = """
sorry sorryAx admit stop native native_decide ofReduceBool ofReduceNat reduceBool reduceNat trustCompiler lcProof lcUnreachable lcCast lcAny
unsafeCast byAsSorry proofAsSorry skipKernelTC debug
"""

_CODE = """
run_tac run_cmd run_elab run_meta by_elab elab_term_ensuring_type eval eval_expr include_str dbg_trace dbgTrace dbgTraceIfShared dbg_cache
dbgSleep dbgStackTrace sleep trace unreachable panic decl_name private_decl unsafeIO unsafeBaseIO unsafeEIO IO EIO BaseIO Elab Meta hint
rw_search checkpoint says
"""

DENIED = frozenset(f"{_COMMANDS} {_HOLES} {_CODE}".split())
_DENIED_PREFIXES = ("declare_", "register_", "initialize_", "builtin_", "gen_injective")


def _denied(part: str) -> bool:
    word = part.strip().rstrip("!?'")
    return part in DENIED or word in DENIED or word.startswith(_DENIED_PREFIXES)


def _name_reason(token: Token, previous: Token | None) -> str | None:
    for part in token.parts:
        if _denied(part) or any(_denied(word) for word in part.split(".")):
            return f"`{part}` is not allowed in a proof"
    searching = token.text.rstrip("!").endswith("?") and len(token.parts) == 1
    if searching and not (previous is not None and previous.text == "." and previous.end == token.start):
        return f"`{token.text}` is not allowed in a proof"
    return None


def _symbol_reason(token: Token, source: str) -> str | None:
    following = source[token.end : token.end + 1]
    if token.text == "#" and following != "[":
        return "`#` is not allowed in a proof"
    if token.text == "@[" or (token.text == "@" and source[token.end :].lstrip().startswith("[")):
        return "`@[` is not allowed in a proof"
    if token.text == "`":
        return "a quotation is not allowed in a proof"
    if token.text == "-/":
        return "`-/` closes no comment"
    return None


def _string_reason(token: Token) -> str | None:
    body = token.text[1:-1]
    if any(mark in body for mark in ("--", "/-", "-/")):
        return "a string that holds a comment mark is not allowed in a proof"
    words = "".join(character if character.isalnum() or character in "_'!?" else " " for character in body).split()
    word = next((word for word in words if _denied(word)), None)
    return f"`{word}` is not allowed in a proof" if word else None


def screen(proof: str) -> str | None:
    """Why the proof is refused, in one phrase, or None where Lean may judge it."""
    if len(proof) > MAX_PROOF_LENGTH:
        return f"the proof is longer than {MAX_PROOF_LENGTH} characters"
    if "/--" in proof or "/-!" in proof:
        return "a documentation comment is not allowed in a proof"
    try:
        found = tokens(proof)
    except LexError as error:
        return str(error)
    if not found:
        return "the proof is empty"
    previous = None
    for token in found:
        if token.kind == "name":
            reason = _name_reason(token, previous)
        elif token.kind == "symbol":
            reason = _symbol_reason(token, proof)
        else:
            reason = _string_reason(token) if token.kind == "string" else None
        if reason:
            return reason
        previous = token
    return None
