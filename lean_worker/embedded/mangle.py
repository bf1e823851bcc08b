"""Lean's name mangling: how a Lean name is written as a symbol of a compiled library, and back."""

import re

Name = tuple[str, ...]

_ESCAPE = re.compile(r"x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_']*")
_KEYWORDS = frozenset(
    {"show", "have", "open", "match", "set_option", "let", "export", "macro", "class", "instance", "prefix", "infix", "fun", "if", "end"}
)


def _mangle_component(component: str) -> str:
    out = []
    for character in component:
        code = ord(character)
        if character.isascii() and character.isalnum():
            out.append(character)
        elif character == "_":
            out.append("__")
        else:
            out.append(f"_x{code:02x}" if code < 0x100 else f"_u{code:04x}" if code < 0x10000 else f"_U{code:08x}")
    return "".join(out)


def mangle(name: Name) -> str:
    """The symbol of a Lean name: `("Lean", "cdot")` is `l_Lean_cdot`."""
    return "l_" + "_".join(map(_mangle_component, name))


def demangle(symbol: str) -> Name | None:
    """The Lean name of a symbol, or None where the symbol is not the mangling of what was read from it."""
    if not symbol.startswith("l_"):
        return None
    components: list[str] = []
    current, at = "", 2
    while at < len(symbol):
        if symbol[at] != "_":
            current, at = current + symbol[at], at + 1
            continue
        end = at
        while end < len(symbol) and symbol[end] == "_":
            end += 1
        escape = _ESCAPE.match(symbol, end)
        underscores = end - at - (1 if escape else 0)
        if underscores % 2:
            components.append(current)
            current = ""
        current += "_" * (underscores // 2)
        at = end
        if escape:
            current, at = current + chr(int(escape[1] or escape[2] or escape[3], 16)), escape.end()
    name = (*components, current)
    return name if mangle(name) == symbol else None


def source(name: Name) -> str:
    """The name as Lean source, with guillemets where a component needs them."""
    return ".".join(part if _PLAIN.fullmatch(part) and part not in _KEYWORDS else f"«{part}»" for part in name)
