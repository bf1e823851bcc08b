"""Trial of the reader of .olean files on a file with known content, for a version of Lean that it has not met."""

from lean_worker.embedded.olean import Olean, OleanError, Table

PROBE = """
namespace Probe
inductive Tree : Type where
  | leaf : Tree
  | node : Tree → Tree → Tree
axiom given : Tree.leaf = Tree.leaf
def same.{u} (α : Type u) (a : α) : α := a
abbrev large : Nat := nat_lit 18446744073709551616
theorem fact : same Tree Tree.leaf = Tree.leaf := rfl
opaque hidden : Nat
end Probe
"""

_TREE = ("Probe", "Tree")
_KINDS = {
    "Tree": "inductive",
    "Tree.leaf": "constructor",
    "Tree.node": "constructor",
    "Tree.rec": "recursor",
    "given": "axiom",
    "same": "definition",
    "large": "definition",
    "fact": "theorem",
    "hidden": "opaque",
}


def layout_problem(data: bytes) -> str:
    """Return in what the reader finds another content than that of PROBE in its compiled file; empty if it reads it as it was written."""
    try:
        return _problem(data)
    except (OleanError, KeyError) as error:
        return str(error)


def _problem(data: bytes) -> str:
    table = Table()
    file = Olean(data, table)
    add = table.add
    found = {name: file.constant(("Probe", *name.split("."))) for name in _KINDS}
    for name, constant in found.items():
        if constant.kind != _KINDS[name]:
            return f"Probe.{name} is read as a {constant.kind}"
    one = add(("succ", add(("zero",))))
    any_type = add(("sort", add(("succ", add(("param", ("u",)))))))
    inner, outer = add(("bvar", 0)), add(("bvar", 1))
    tree, leaf = add(("const", _TREE)), add(("const", (*_TREE, "leaf")))
    same = add(("app", add(("app", add(("const", ("Probe", "same"), add(("zero",)))), tree)), leaf))

    def equal(left: int) -> int:
        return add(("app", add(("app", add(("app", add(("const", ("Eq",), one)), tree)), left)), leaf))

    right = {
        "the type of an inductive type": found["Tree"].type == add(("sort", one)),
        "an inductive type": found["Tree"].details == (0, (_TREE,), ((*_TREE, "leaf"), (*_TREE, "node")), 0),
        "a constructor": found["Tree.node"].type == add(("forall", 0, tree, add(("forall", 0, tree, tree))))
        and found["Tree.node"].details == (_TREE,),
        "a recursor": found["Tree.rec"].details == (_TREE,),
        "an axiom": found["given"].type == equal(leaf),
        "universe levels": (found["same"].levels, found["fact"].levels) == ((("u",),), ()),
        "the type of a definition": found["same"].type == add(("forall", 0, any_type, add(("forall", 0, inner, outer)))),
        "a definition": found["same"].value == add(("lam", 0, any_type, add(("lam", 0, inner, inner)))),
        "safety and hints": (found["same"].details, found["large"].details) == ((1, 1), (-1, 1)),
        "a large number": found["large"].value == add(("lit", 1 << 64)),
        "a theorem": found["fact"].type == equal(same) and found["fact"].value is not None,
        "an opaque constant": found["hidden"].details == (0,) and found["hidden"].value is not None,
    }
    return next((f"{name} is read differently" for name, well in right.items() if not well), "")
