"""Allow-lists for Lean text that is not trusted: commands, attributes, options and derived classes; and names that reach native code."""

from collections.abc import Sequence
from functools import cache

from lean_worker.lexer import Token


def words(text: str) -> frozenset[str]:
    """Return the set of words in a text."""
    return frozenset(text.split())


# Tokens that begin a command in Lean 4.35, Batteries, Aesop, Plausible and Mathlib, for backends that do not report their own.
COMMANDS = words("""
    abbrev alias attribute axiom binder_predicate class coinductive declare_syntax_cat def deriving dsimproc dsimproc_decl elab elab_rules
    end example export grind_annotated grind_pattern import include inductive infix infixl infixr init_grind_norm init_quot initialize
    instance irreducible_def lemma local macro macro_rules meta mutual namespace noncomputable nonrec notation notation3 omit opaque
    open partial postfix prefix prelude private proof_wanted protected public recall recall? recommended_spelling scoped seal section
    set_library_suggestions set_option set_premise_selector show_panel_widgets simproc simproc_decl structure syntax tactic_extension
    theorem unif_hint universe universes unlock_limits unsafe unseal unset_option unsuppress_compilation variable variable? variables
    with_weak_namespace suppress_compilation add_aesop_rules add_decl_doc assert_exists assert_not_exists assert_not_imported cbv_simproc
    cbv_simproc_decl compile_def compile_inductive count_heartbeats deprecated_module deprecated_syntax docs_to_verso elab_stx
    end_local_scope erase_aesop_rules eval_decl extend_docs guard_min_heartbeats gen_cnstr_fns insert_to_additive_translation library_note
    library_note2 make_elab_grind_config make_elab_simp_config mk_iff_of_inductive_prop name_poly_vars reset_grind_attrs run_cmd run_elab
    run_meta sym_dsimproc sym_simproc to_additive_change_numeral whatsnew builtin_initialize builtin_simproc builtin_simproc_decl
    builtin_dsimproc builtin_dsimproc_decl builtin_cbv_simproc builtin_grind_propagator grind_propagator gen_injective_theorems%
    initialize_simps_projections declare_aesop_rule_sets declare_config_elab declare_command_config_elab declare_config_getter
    declare_simp_like_tactic declare_bitvec_laws_imp declare_uint_theorems declare_uint_simprocs declare_sint_simprocs register_option
    register_builtin_option register_error_explanation register_grind_attr register_hint register_label_attr register_linter_set
    register_parser_alias register_simp_attr register_sym_simp register_tactic_tag register_try?_tactic
    #adaptation_note #aesop_rules #aesop_stats #allow_unused_tactic #check #check_assertions #check_failure #check_simp #check_tactic
    #check_tactic_failure #conv #count_heartbeats #dump_async_env_state #eval #eval! #exit #explode #find #find_home #find_syntax
    #grind_lint #guard #guard_expr #guard_msgs #help #html #import_bumps #import_diff #import_path #info_trees #instances #leansearch
    #leansearch! #lint #list_linters #long_instances #long_names #loogle #min_imports #minimize_imports #moogle #norm_num #parse #print
    #push #push_discr_tree #pull_discr_tree #redundant_imports #reduce #sample #search #show_deprecated_modules #show_kind #show_unused
    #simp #stacks_tags #statesearch #string_diagram #synth #synonym #test #time #trans_imports #unfold? #unify_imports #version #wasm
    #where #whnf #whnfR #widget #with_exporting
    """)


@cache
def _by_shape(commands: frozenset[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    """Split commands into names, and others such as `#eval` and `gen_injective_theorems%`, which may run into the text behind them.

    `@[` and documentation comments, which begin a declaration as well, are left out.
    """
    names = frozenset(command for command in commands if command.replace("?", "a").replace("!", "a").isidentifier())
    return names, tuple(command for command in commands - names if command and not command.startswith(("@[", "/-")))


def begins_command(source: str, token: Token, commands: frozenset[str] = COMMANDS) -> bool:
    """Return whether Lean would read a command here: the token, or a symbol that begins with it, is one of the `commands`."""
    names, others = _by_shape(commands)
    return (token.kind == "name" and token.text in names) or source.startswith(others, token.start)


# Commands of a candidate: they declare, open and name things. None of them runs code, changes how text is read, or reaches native code.
DECLARATIONS = words("""
    theorem lemma def abbrev example instance structure class inductive coinductive alias irreducible_def mutual end namespace section open
    variable variables universe universes include omit attribute set_option deriving noncomputable private protected nonrec local scoped
    public seal unseal suppress_compilation unsuppress_compilation initialize_simps_projections grind_pattern add_decl_doc library_note
    """)
NOTATIONS = words("notation notation3 infix infixl infixr prefix postfix")
# Commands of a header: it may also state assumptions and notations.
HEADER_COMMANDS = DECLARATIONS | NOTATIONS | words("axiom opaque export partial whatsnew")

# Words after which a declaration goes on at the start of a line.
CONTINUATIONS = words("""
    where with extends by fun from at using then else in if let have show calc match deriving termination_by decreasing_by partial_fixpoint
    inductive_fixpoint coinductive_fixpoint suffices haveI letI nomatch nofun do return obtain _
    """)

# Attributes whose handlers neither take code of the text nor register any.
ATTRIBUTES = words("""
    simp ext reducible irreducible semireducible implicit_reducible instance_reducible inline always_inline noinline macro_inline
    instance refl symm trans congr coe elab_as_elim elab_without_expected_type match_pattern specialize nospecialize norm_cast push_cast
    simps simps! grind grind! grind? aesop gcongr mono default_instance class deprecated inherit_doc expose no_expose pp_nodot
    pp_using_anonymous_constructor nolint to_additive to_dual to_app reassoc elementwise mk_iff induction_eliminator cases_eliminator
    fun_prop measurability continuity defeq nontriviality higher_order ge_or_gt field_simps mfld_simps parity_simps bool_simps
    functor_norm monad_norm push_neg push pull stacks wikidata kerodon simprocs bound finiteness zify_simps qify_simps rify_simps
    rcongr gcongr! protect_proj strict_or_implicit
    """)
# Attributes of a header. With a pattern these two register a definition that the tactic runs.
HEADER_ATTRIBUTES = ATTRIBUTES | words("norm_num positivity")
SCOPES = frozenset({"local", "scoped", "-"})

DERIVED = words("""
    Repr DecidableEq BEq Inhabited Nonempty Hashable Ord Fintype LawfulBEq ReflBEq Countable Encodable Infinite
    """)

_OPTIONS = words("""
    autoImplicit relaxedAutoImplicit quotPrecheck checkBinderAnnotations tactic.hygienic autoLift smartUnfolding structureDiamondWarning
    push_neg.use_distrib deprecated.oldSectionVars inductive.autoPromoteIndices genInjectivity bvar_literals grind.warning
    """)
_OPTION_GROUPS = ("pp.", "linter.", "backward.")
_MOST = {
    "maxHeartbeats": 10_000_000,
    "synthInstance.maxHeartbeats": 10_000_000,
    "synthInstance.maxSize": 10_000,
    "maxRecDepth": 100_000,
    "maxUniverseOffset": 1_000,
    "maxSynthPendingDepth": 100,
    "exponentiation.threshold": 1_000_000_000,
}


def option_allowed(name: str, value: str) -> bool:
    """Return whether an option may be set: it neither switches a check off, nor prints, nor removes a limit that only Lean enforces.

    `debug.skipKernelTC` lets a false proof through with no axiom, `warn.sorry` hides holes, `compiler.*` and `interpreter.*` concern
    native code, and `trace.*` and `profiler` print. Heartbeats may be unlimited, as wall clock and memory of a check are limited outside.
    """
    if name in _MOST:
        number = value.replace("_", "")
        return number.isdecimal() and number.isascii() and len(number) < 12 and int(number) <= _MOST[name]
    return name in _OPTIONS or name.startswith(_OPTION_GROUPS)


# Components of names that lead to input and output, to Lean's own state, or to memory. A term can run while Lean elaborates a proof, for
# example as the configuration of a tactic, `simp (config := f ())`; such a term must not reach them.
EFFECTS = words("""
    IO EIO BaseIO Lean Lake System Elab Meta Internal Async Http LeanSearchClient ProofWidgets addLinter
    ofReduceBool ofReduceNat reduceBool reduceNat trustCompiler lcProof lcUnreachable lcCast lcAny
    unsafeCast unsafeIO unsafeBaseIO unsafeEIO ptrAddrUnsafe dbgSleep
    """)
# Namespaces below those that hold lemmas only.
_LEMMAS = (("Lean", "Grind"), ("Lean", "Omega"), ("Lean", "Order"), ("Lean", "RArray"), ("System", "Platform"))

# Terms and tactics that run code of the text, or native code, while Lean elaborates them; and access to files.
RUNNERS = words("""
    run_tac run_cmd run_elab run_meta by_elab native_decide include_str include_bytes unsafe eval_expr
    """)


def reaches_effects(token: Token, declared: bool = False) -> str | None:
    """Return the component of a name that leads to effects, or None.

    A name that is `declared` opens the namespaces above it, so that lemmas are no exception there.
    """
    parts = token.parts
    if len(parts) > 2 and parts[:2] in _LEMMAS and not declared:
        parts = parts[2:]
    for part in parts:
        if part in EFFECTS or ("." in part and not EFFECTS.isdisjoint(part.split("."))):
            return part
    return None


def closing(token_list: Sequence[Token], at: int) -> int:
    """Return the index of the bracket that closes the one at `at`, or the number of tokens."""
    depth = 0
    for index in range(at, len(token_list)):
        text = token_list[index].text
        depth += (text in ("(", "[", "{", "@[")) - (text in (")", "]", "}"))
        if depth == 0:
            return index
    return len(token_list)


def option_name(token_list: Sequence[Token], at: int) -> tuple[str, int]:
    """Return the option that the tokens from `at` on name, without guillemets, and the index of the first token behind it."""
    if at >= len(token_list) or token_list[at].kind != "name":
        return "", at
    return ".".join(token_list[at].parts), at + 1


def read_attributes(token_list: Sequence[Token], at: int, allowed: frozenset[str]) -> tuple[int, Token | None]:
    """Return the index behind the attribute list whose first token is at `at`, and the first attribute in it that is not allowed.

    An attribute stands at the beginning and after each comma, also in `(attr := …)`. A list that is not closed is not allowed.
    """
    groups, expected = [True], True  # for each open bracket, whether commas in it separate attributes
    for index in range(at, len(token_list)):
        token = token_list[index]
        if token.text in ("[", "(", "{", "@["):
            groups.append(False)
        elif token.text in ("]", ")", "}"):
            groups.pop()
            if not groups:
                return index + 1, None
        elif token.text == ":=" and token_list[index - 1].text in ("attr", "dual_attr"):
            groups[-1] = expected = True
            continue
        if token.text in SCOPES:
            continue
        if expected and token.text not in allowed:
            return index, token
        expected = token.text == "," and groups[-1]
    return len(token_list), token_list[at - 1]


def refused_class(token_list: Sequence[Token], at: int) -> str | None:
    """Return the first class after `deriving` that is not allowed: names separated by commas, after `instance` in a command of its own.

    The handler of an unknown class may generate native code, as that of `TypeName` does.
    """
    while at < len(token_list) and token_list[at].text in ("noncomputable", "instance"):
        at += 1
    while at < len(token_list) and token_list[at].text in DERIVED:
        if at + 1 == len(token_list) or token_list[at + 1].text != ",":
            return None
        at += 2
    return token_list[at].text if at < len(token_list) else ""
