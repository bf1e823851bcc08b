"""What Lean prints, parsed: contexts and terms."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lean_worker.toolbelt.context import printed_tokens, read_context, renamed
from lean_worker.toolbelt.terms import numeral, operations, parse, written

GOAL = """case intro
α✝ : Type u_1
a b✝¹ : Nat
long :
  ∀ (x : Nat),
    x = a
«odd name» : a = 1
y : Nat := 3
⊢ a +
    b✝¹ = 3

case other
⊢ False"""


def test_the_first_goal_is_read() -> None:
    context = read_context(GOAL)
    assert context is not None and context.conclusion == "a + b✝¹ = 3"
    assert [(each.name, each.written, each.type) for each in context.hypotheses[:4]] == [
        ("α✝", "α", "Type u_1"),
        ("a", "a", "Nat"),
        ("b✝¹", "b", "Nat"),
        ("long", "long", "∀ (x : Nat), x = a"),
    ]
    assert read_context("no goals") is None


@given(st.text(alphabet="abα✝¹'.«» :=∀(){}[]⟨⟩→0129\n", max_size=60))
def test_tokens_are_the_whole_text(text: str) -> None:
    assert "".join(printed_tokens(text)) == text
    assert renamed(text, {}) == text


def test_names_are_replaced_as_a_whole() -> None:
    assert renamed("a + a✝ + ab = f a", {"a": "1", "f": "g"}) == "1 + a✝ + ab = g 1"


_ATOMS = st.sampled_from(["Nat", "v1", "@Eq", "fun", "=>", "∀", ",", "f", "@HSub.hSub", "@HDiv.hDiv", "And", "@ite", "→", "@Neg.neg"])
_TERMS = st.recursive(
    _ATOMS,
    lambda inner: st.tuples(st.sampled_from(["()", "[]", "{}", "⟨⟩"]), st.lists(inner, max_size=8)).map(
        lambda each: f"{each[0][0]}{' '.join(each[1])}{each[0][1]}"
    ),
    max_leaves=20,
)


@given(st.lists(_TERMS, max_size=8).map(" ".join))
def test_parsing_loses_nothing_and_never_fails(text: str) -> None:
    assert written(parse(text)).replace(" ", "") == text.replace(" ", "")
    operations(text)


def _numeral(value: int, kind: str = "Nat") -> str:
    return f"(@OfNat.ofNat {kind} (nat_lit {value}) (instOfNatNat (nat_lit {value})))"


@pytest.mark.parametrize(("text", "value"), [(_numeral(12), 12), (f"(@Neg.neg Int Int.instNegInt {_numeral(3, 'Int')})", -3), ("v1", None)])
def test_numerals(text: str, value: int | None) -> None:
    (item,) = parse(text)
    assert numeral(item) == value


def test_operations_come_in_the_order_of_notation_with_their_binders() -> None:
    def minus(left: str, right: str) -> str:
        return f"(@HSub.hSub Nat Nat Nat inst {left} {right})"

    found = operations(f"@Eq Nat {minus(minus('a', 'b'), 'c')} d")
    assert [(each.symbol, each.left, each.right) for each in found] == [("-", "a", "b"), ("-", written(parse(minus("a", "b"))), "c")]
    (bound,) = operations(f"∀ (n : Nat) (a : @LT.lt Nat i z n), @Eq Nat (f {minus('n', 'one')}) n")
    assert bound.binders == ("(n : Nat)", "(a : @LT.lt Nat i z n)")
    (guarded,) = operations(f"@Exists Nat fun (x : Nat) => And (P x) (@Eq Nat {minus('x', 'one')} y)")
    assert guarded.binders == ("(x : Nat)", "(_ : (P x))")
