"""Allow-list for headers received over the network: they must not run code during elaboration or reach native code.

A header declares what a statement refers to. Declarations, sections, notations, harmless attributes and options are allowed; syntax that
runs code, commands that begin with `#`, and anything unknown are not.
"""

import re
from collections.abc import Sequence

from lean_worker.lexer import Token
from lean_worker.proof_filter import begins_command, interpolated, runs_code, words

MAX_HEADER_LENGTH = 1_000_000

_NOTATIONS = words("notation notation3 infix infixl infixr prefix postfix")
_COMMANDS = _NOTATIONS | words("""
    theorem lemma def abbrev example instance structure class inductive coinductive axiom opaque alias mutual end namespace section open
    export variable variables universe universes include omit attribute set_option deriving noncomputable private protected nonrec local
    scoped public partial grind_pattern seal unseal whatsnew
    """)
_CONTINUATIONS = words(
    "where with extends by fun from at using then else in if let have show calc match deriving termination_by decreasing_by"
)
_ATTRIBUTES = words("""
    simp ext reducible irreducible semireducible implicit_reducible inline always_inline noinline instance refl symm trans congr coe
    elab_as_elim elab_without_expected_type match_pattern specialize nospecialize norm_cast push_cast simps norm_num grind grind! aesop
    gcongr mono default_instance class deprecated inherit_doc expose pp_nodot nolint to_additive mk_iff induction_eliminator
    cases_eliminator fun_prop positivity measurability continuity defeq
    """)
_SCOPES = frozenset({"local", "scoped", "-"})
_DERIVED = words("Repr DecidableEq BEq Inhabited Nonempty Hashable Ord Fintype LawfulBEq ReflBEq Countable Encodable")
_OPTIONS = words("autoImplicit relaxedAutoImplicit quotPrecheck checkBinderAnnotations tactic.hygienic")
_OPTION_GROUPS = ("pp.", "linter.", "backward.")
_MOST = {"maxHeartbeats": 10_000_000, "synthInstance.maxHeartbeats": 10_000_000, "synthInstance.maxSize": 10_000, "maxRecDepth": 100_000}
_SYMBOL_IN_ATOM = re.compile(r"[^\s\"`\\«»@#]+")
_AMBIGUOUS_ATOM = re.compile(
    r"--|/-|-/"  # a comment
    r"|[\w'!?()\[\]{}⟨⟩,;·][-/]|(?::=|=>)[-/]"  # half a comment after what may directly precede one
    r"|[()\[\]{}⟨⟩,;·.][\w']|(?::=|=>)[\w']"  # the beginning of a name or character literal after a symbol that never swallows it
    r"|[^\w\s]\w{2,}\Z"  # more letters than the proof filter expects a symbol to swallow
)


def header_reason(header: str, token_list: Sequence[Token], commands: frozenset[str]) -> str | None:
    """Return why a header is refused, in one phrase, or None if it is allowed.

    Args:
        header: the text, without its imports.
        token_list: its tokens.
        commands: the tokens that begin a command in the Lean version in use.
    """
    in_notation, depth = False, 0
    for at, token in enumerate(token_list):
        reason = None
        if not (in_notation and token.kind == "string"):
            reason = _token_reason(header, token_list, at, commands)
        depth += (token.text in ("(", "[", "{", "@[")) - (token.text in (")", "]", "}"))
        if token.kind == "name" and token.text in _NOTATIONS:
            in_notation, depth = True, 0
        elif token.text == "=>" and depth == 0:
            in_notation = False
        if in_notation and token.kind == "string":
            reason = _atom_reason(token)
        if reason:
            return reason
    return None


def _token_reason(header: str, token_list: Sequence[Token], at: int, commands: frozenset[str]) -> str | None:
    token, before = token_list[at], token_list[at - 1] if at else None
    if token.kind == "string":
        if token.text.startswith("r") or interpolated(token, before):
            return "a raw or interpolated string is not allowed in a header"
        return None
    if token.text == "`" or (token.text == "#" and not header.startswith("[", token.end)):
        return f"`{token.text}` is not allowed in a header"
    if token.text == "@[" or (token.text == "[" and before is not None and before.text == "attribute"):
        return _attribute_reason(token_list, at + 1)
    if token.kind != "name":
        return None
    alone = len(token.parts) == 1
    at_margin = before is None or header[token.start - 1] == "\n"
    command = begins_command(header, token, commands)
    if runs_code(header, token) or (command and token.text not in _COMMANDS):
        return f"`{token.text}` is not allowed in a header"
    if at_margin and token.text not in _COMMANDS and token.text not in _CONTINUATIONS:
        return f"`{token.text}` does not begin a command that is allowed in a header"
    if token.text == "set_option":
        return _option_reason(token_list[at + 1 : at + 3])
    if alone and token.text == "deriving":
        return _deriving_reason(token_list, at + 1)
    return None


def _option_reason(following: Sequence[Token]) -> str | None:
    if len(following) < 2:
        return "`set_option` without a value is not allowed in a header"
    name, value = ".".join(following[0].parts), following[1].text
    if name in _MOST and value.isdecimal() and len(value) < 10 and int(value) <= _MOST[name]:
        return None
    if name in _OPTIONS or name.startswith(_OPTION_GROUPS):
        return None
    return f"`set_option {name} {value}` is not allowed in a header"


def _attribute_reason(token_list: Sequence[Token], at: int) -> str | None:
    """Check the attributes from `at` up to the closing bracket: one at the beginning, after each comma and after `attr :=`."""
    depth, expected = 1, True
    for index in range(at, len(token_list)):
        token = token_list[index]
        depth += (token.text in ("[", "(", "{")) - (token.text in ("]", ")", "}"))
        if depth == 0:
            return None
        if token.text in _SCOPES:
            continue
        if expected and token.text not in _ATTRIBUTES:
            return f"the attribute `{token.text}` is not allowed in a header"
        expected = token.text == "," or (token.text == ":=" and token_list[index - 1].text == "attr")
    return "an attribute list of the header is not closed"


def _deriving_reason(token_list: Sequence[Token], at: int) -> str | None:
    """Check the derived classes from `at` on: names separated by commas, after `instance` if `deriving` is a command of its own."""
    while at < len(token_list) and token_list[at].text in ("noncomputable", "instance"):
        at += 1
    while at < len(token_list) and token_list[at].text in _DERIVED:
        if at + 1 == len(token_list) or token_list[at + 1].text != ",":
            return None
        at += 2
    name = token_list[at].text if at < len(token_list) else ""
    return f"`deriving {name}` is not allowed in a header"


def _atom_reason(token: Token) -> str | None:
    """Refuse a symbol that makes Lean tokenize the following text differently from the proof filter."""
    atom = token.text[1:-1].strip()
    if _SYMBOL_IN_ATOM.fullmatch(atom) and not _AMBIGUOUS_ATOM.search(atom):
        return None
    return f"a notation with the symbol {token.text} is not allowed in a header"
