"""Writes `Bind.lean`: declarations that give Lean back the parsers and macros whose compiled values the library still holds.

The wheel ships no .olean files, so Lean does not know that `exact` or `∧` exist, although their parser descriptions, macros and
unexpanders are compiled into the library. An `extern` constant is looked up under its mangled Lean name, so an opaque declaration of
the right name and type restores the original (the string inside `extern` is not used).
"""

import re

from lean_worker.embedded import binding_lists as lists
from lean_worker.embedded.elf import exported_symbols
from lean_worker.embedded.library import Library
from lean_worker.embedded.mangle import Name, demangle, mangle, source

_TACTIC: Name = ("Lean", "Parser", "Tactic")
_CATEGORIES = """
declare_syntax_cat rcasesPat
declare_syntax_cat rintroPat
declare_syntax_cat conv (behavior := both)
"""
_HELPER = re.compile(r"___boxed$|___lam__|___redArg|_spec_")
_MACRO = re.compile(r"_aux_(\w+?)___macroRules_(.*)_(\d+)$", re.S)
_UNEXPANDER = re.compile(r"l_(?:Lean_)?__aux__Init__(?:Core|Notation|Control__Basic|NotationExtra)______unexpand__")


def _parsers() -> list[tuple[str, Name, bool]]:
    """Every parser to bind as (category or empty, name, whether it continues a term to its left)."""
    out: list[tuple[str, Name, bool]] = []

    def add(category: str, names: str, prefix: Name = (), trailing: bool = False) -> None:
        out.extend((category, (*prefix, name), trailing) for name in names.split())

    lean: Name = ("Lean",)
    add("term", lists.TRAILING_TERMS, trailing=True)
    add("term", lists.LEADING_TERMS)
    add("term", lists.LEAN_TERMS, lean)
    add("tactic", lists.LEAN_TACTICS, lean)
    add("", lists.LEAN_FRAGMENTS, lean)
    add("command", lists.LEAN_COMMANDS, lean)
    add("tactic", lists.TACTICS, _TACTIC)
    add("tactic", "tactic_<;>_", _TACTIC, trailing=True)
    add("tactic", lists.ROOT_TACTICS)
    add("", lists.TACTIC_FRAGMENTS, _TACTIC)
    add("rcasesPat", lists.RCASES_PATTERNS, (*_TACTIC, "rcasesPat"))
    add("rintroPat", lists.RINTRO_PATTERNS, (*_TACTIC, "rintroPat"))
    add("attr", lists.ATTRIBUTES, ("Lean", "Parser", "Attr"))
    add("prec", lists.PRECEDENCES)
    add("prio", lists.PRIORITIES)
    add("stx", lists.TRAILING_SYNTAX, trailing=True)
    add("stx", lists.LEADING_SYNTAX)
    conversion: Name = (*_TACTIC, "Conv")
    add("conv", lists.CONVERSIONS, conversion)
    add("conv", "conv_<;>_", conversion, trailing=True)
    add("", lists.CONVERSION_FRAGMENTS, conversion)
    add("tactic", "conv", conversion)
    add("tactic", "ext applyExtTheorem tacticExt1___", ("Lean", "Elab", "Tactic", "Ext"))
    add("", "extIff extFlat", ("Lean", "Parser", "Attr"))
    return out


def _macros(functions: list[Name], kinds: dict[str, Name]) -> list[str]:
    lines = []
    for name in functions:
        match = _MACRO.match(name[-1])
        if not match or match[2] not in kinds or not name[-1].startswith("_aux_Init"):
            continue
        module = match[1]
        if module.startswith("Init_Data") and module != "Init_Data_List_Notation":
            continue
        lines.append(f'@[macro {source(kinds[match[2]])}, extern "n"] opaque {source(name)} : Lean.Macro')
    return lines


def _unexpanders(functions: list[Name]) -> list[str]:
    pairs = []
    constants = set(lists.UNEXPANDED.split())
    for name in functions:
        if _UNEXPANDER.match(mangle(name)):
            match = re.match(r"_aux_\w+?___unexpand_(.*)_(\d+)$", name[-1])
            if match and (constant := match[1].replace("_", ".")) in constants:
                pairs.append((constant, source(name)))
    pairs += lists.NAMED_UNEXPANDERS.items()
    return [f'@[app_unexpander {constant}, extern "n"] opaque {name} : Lean.PrettyPrinter.Unexpander' for constant, name in pairs]


def bindings(library: Library) -> str:
    """The text of `Bind.lean` for this library. Raises ValueError when a listed parser is not in it."""
    data, code = exported_symbols(library.path)
    lines, kinds = [], {}
    for category, name, trailing in _parsers():
        if mangle(name) not in data:
            raise ValueError(f"the library holds no parser {source(name)}; correct binding_lists.py")
        kinds["_".join(name)] = name
        attribute = f"{category}_parser, " if category else ""
        lines.append(f'@[{attribute}extern "n"] opaque {source(name)} : Lean.{"Trailing" if trailing else ""}ParserDescr')
    wanted = (symbol for symbol in sorted(code) if "macroRules__" in symbol or "unexpand__" in symbol)
    plain = (symbol for symbol in wanted if not _HELPER.search(symbol) and "_private_" not in symbol and "regBuiltin" not in symbol)
    functions = [known for symbol in plain if (known := demangle(symbol)) is not None]
    return _CATEGORIES + "\n".join(lines + _macros(functions, kinds) + _unexpanders(functions)) + "\n"
