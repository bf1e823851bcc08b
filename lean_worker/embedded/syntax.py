"""Lean's syntax trees, read as objects: kinds, ranges in bytes, and the nodes of a kind.

Standard library only: the fork server loads it as a plain script.
"""

from collections.abc import Iterator

from objects import field, read_array, read_name, read_string, tag

NODE, ATOM, IDENTIFIER = 1, 2, 3
_ORIGINAL = 0  # SourceInfo of text that stands in the file; others are made by macros
_QUOTATIONS = ("quot", "Quot")
_kinds: dict[int, str] = {}  # names of kinds are few, and live as long as the process


def kind(syntax: int) -> str:
    """Return the kind of a node, or an empty string for a leaf."""
    if syntax & 1 or tag(syntax) != NODE:
        return ""
    name = field(syntax, 1)
    if name not in _kinds:
        _kinds[name] = ".".join(map(str, read_name(name)))
    return _kinds[name]


def children(syntax: int) -> list[int]:
    """Return the arguments of a node; a leaf has none."""
    return read_array(field(syntax, 2)) if not syntax & 1 and tag(syntax) == NODE else []


def walk(syntax: int, within: frozenset[str] = frozenset(), quoted: bool = True) -> Iterator[int]:
    """Yield a tree's nodes and leaves in the order of the text.

    What is inside of nodes whose kind is in `within` is left out, and, unless `quoted`, what is inside of quotations such as `(tactic| …).
    """
    stack = [syntax]
    while stack:
        node = stack.pop()
        yield node
        name = kind(node)
        if name not in within and (quoted or not name.endswith(_QUOTATIONS)):
            stack += reversed(children(node))


def leaf_text(syntax: int, source: bytes) -> str:
    """Return the text of an atom or identifier, or an empty string."""
    if syntax & 1 or tag(syntax) not in (ATOM, IDENTIFIER):
        return ""
    if tag(syntax) == ATOM:
        return read_string(field(syntax, 1))
    begin, end = span(syntax) or (0, 0)
    return source[begin:end].decode(errors="replace")


def is_original(syntax: int) -> bool:
    """Return whether the first leaf of a tree stands in the file."""
    leaf = next((node for node in walk(syntax) if not node & 1 and tag(node) in (ATOM, IDENTIFIER)), None)
    info = NODE if leaf is None else field(leaf, 0)
    return not info & 1 and tag(info) == _ORIGINAL


def span(syntax: int) -> tuple[int, int] | None:
    """Return the byte offsets of a tree's text, without the space around it, or None if none of it stands in the file."""
    begin = end = None
    for node in walk(syntax):
        if node & 1 or tag(node) not in (ATOM, IDENTIFIER):
            continue
        info = field(node, 0)
        if not info & 1 and tag(info) == _ORIGINAL:
            first, last = field(info, 1) >> 1, field(info, 3) >> 1
            begin = first if begin is None else begin
            end = last
    return None if begin is None or end is None else (begin, end)
