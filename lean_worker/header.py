"""Allow-list for headers received over the network: they must not run code during elaboration or reach native code.

A header declares what a statement refers to. Declarations, sections, notations, harmless attributes and options are allowed; syntax that
runs code, commands that begin with `#`, and anything unknown are not.
"""

import re
from collections.abc import Sequence

from lean_worker.allowed import (
    CONTINUATIONS,
    HEADER_ATTRIBUTES,
    HEADER_COMMANDS,
    NOTATIONS,
    begins_command,
    option_allowed,
    option_name,
    read_attributes,
    refused_class,
)
from lean_worker.lexer import Token, read, words_from
from lean_worker.proof_filter import interpolated, runs_code, trusts_compiler

MAX_HEADER_LENGTH = 1_000_000

_SYMBOL_IN_ATOM = re.compile(r"[^\s\"`\\«»@#]+")
_AMBIGUOUS_ATOM = re.compile(
    r"--|/-|-/"  # a comment
    r"|[\w'!?()\[\]{}⟨⟩,;·][-/]|(?::=|=>)[-/]"  # half a comment after what may directly precede one
    r"|[()\[\]{}⟨⟩,;·.][\w']|(?::=|=>)[\w']"  # the beginning of a name or character literal after a symbol that never swallows it
    r"|[^\w\s]\w{2,}\Z"  # more letters than the proof filter expects a symbol to swallow
)


def header_reason(header: str, commands: frozenset[str]) -> str | None:
    """Return why a header is refused, in one phrase with its line, or None if it is allowed.

    Args:
        header: the text, without its imports.
        commands: the tokens that begin a command in the Lean version in use.
    """
    reading = read(header)
    if reading.broken is not None:
        return _located(header, reading.broken.position, str(reading.broken))
    token_list, sure = reading.tokens, reading.sure
    atoms = _atoms(token_list)
    live = (t.start for at, t in enumerate(token_list) if t.kind == "string" and at not in atoms and interpolated(t, token_list[at - 1]))
    if (sure := min(sure, next(live, sure))) < len(header):
        # Lean may read the rest differently, so every word in it counts, in strings and comments as well
        token_list = [token for token in token_list if token.end <= sure] + words_from(header, sure)
    for at, token in enumerate(token_list):
        certain = token.end <= sure
        if token.kind == "string":
            reason = _atom_reason(token) if at in atoms else None
        elif not certain and token.text in NOTATIONS:
            reason = f"`{token.text}` is not allowed in a header behind text that Lean may read in two ways"
        else:
            reason = _token_reason(header, token_list, at, commands, certain)
        if reason:
            return _located(header, token.start, reason)
    return None


def _located(header: str, position: int, reason: str) -> str:
    return f"line {header.count(chr(10), 0, position) + 1}: {reason}"


def _atoms(token_list: Sequence[Token]) -> set[int]:
    """Return the indices of the strings that are symbols of a notation: those between its keyword and `=>`."""
    found, in_notation, depth = set(), False, 0
    for at, token in enumerate(token_list):
        depth += (token.text in ("(", "[", "{", "@[")) - (token.text in (")", "]", "}"))
        if token.kind == "name" and token.text in NOTATIONS:
            in_notation, depth = True, 0
        elif token.text == "=>" and depth == 0:
            in_notation = False
        elif in_notation and token.kind == "string":
            found.add(at)
    return found


def _token_reason(header: str, token_list: Sequence[Token], at: int, commands: frozenset[str], certain: bool) -> str | None:
    token, before = token_list[at], token_list[at - 1] if at else None
    at_margin = before is None or header[token.start - 1] == "\n"
    hash_command = token.text == "#" and (begins_command(header, token, commands) or (at_margin and header[token.end :][:1].isalpha()))
    if token.text == "`" or hash_command:
        return f"`{token.text}` is not allowed in a header"
    if token.text == "@[" or (token.text == "[" and before is not None and before.text == "attribute"):
        _, refused = read_attributes(token_list, at + 1, HEADER_ATTRIBUTES)
        return None if refused is None else f"the attribute `{refused.text}` is not allowed in a header"
    if token.kind != "name":
        return None
    command = begins_command(header, token, commands)
    if runs_code(header, token) or trusts_compiler(token_list, at) or (command and token.text not in HEADER_COMMANDS):
        return f"`{token.text}` is not allowed in a header"
    if certain and at_margin and len(token.parts) == 1 and token.text not in HEADER_COMMANDS and token.text not in CONTINUATIONS:
        return f"`{token.text}` does not begin a command that is allowed in a header"
    if token.text == "set_option":
        name, end = option_name(token_list, at + 1)
        value = token_list[end].text if end < len(token_list) else ""
        return None if option_allowed(name, value) else f"`set_option {name} {value}` is not allowed in a header"
    if token.text == "deriving" and (name_ := refused_class(token_list, at + 1)) is not None:
        return f"`deriving {name_}` is not allowed in a header"
    return None


def _atom_reason(token: Token) -> str | None:
    """Refuse a symbol that makes Lean tokenize the following text differently from the proof filter."""
    atom = token.text[1:-1].strip()
    if _SYMBOL_IN_ATOM.fullmatch(atom) and not _AMBIGUOUS_ATOM.search(atom):
        return None
    return f"a notation with the symbol {token.text} is not allowed in a header"
