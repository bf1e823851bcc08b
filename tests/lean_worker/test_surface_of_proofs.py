"""No surface form of a right proof is refused: names, literals, comments, prefixes, modifiers and attributes in combination."""

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lean_worker.proof_filter import filter_declarations, filter_proof

NAMES = [
    "h",
    "hint",
    "stop",
    "trace",
    "init",
    "eval",
    "xⱼ",
    "bézout",
    "on_ℝ",
    "h'",
    "get?",
    "IsOpen.end",
    "«open»",
    "«a b».c",
    "x₁.sorry",
    "𝒜",
]
ATOMS = [
    "5!",
    "0xFF",
    "1_000",
    "1e2",
    "'a'",
    "'\\''",
    '"macro"',
    '"-- /- sorry"',
    ' r#"a " b"#',
    ' r"\\"',
    "#[1, 2]",
    "#s",
    "|x|",
    "f '' s",
    "f ⁻¹' s",
]
COMMENTS = [" -- theorem sorry\n    ", " /- open /- macro -/ it's -/", " --\n    ", " /-! `eval` -/"]
PREFIXES = ["open Nat in ", "open scoped Foo in\n  ", "set_option maxRecDepth 999 in\n  ", "set_option pp.all true in "]
terms = st.recursive(
    st.sampled_from(NAMES + ATOMS),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map(" ".join),
        inner.map("({})".format),
        inner.map("⟨{}, rfl⟩".format),
        inner.map("fun hint => {}".format),
        inner.map("|{}|".format),
        st.tuples(st.sampled_from(COMMENTS), inner).map(" ".join),
        st.tuples(inner, st.sampled_from([" + ", " ∧ ", " → ", " ▸ ", " <|> ", " ∘ "]), inner).map("".join),
    ),
    max_leaves=8,
)
tactics = st.one_of(
    terms.map("exact {}".format),
    terms.map("simp only [{}] at h ⊢".format),
    terms.map("have h : {} := by decide".format),
    st.just("rcases h with ⟨x, rfl⟩ | h <;> [skip; simp]"),
    st.just("show_term trivial"),
)
proofs = st.one_of(
    terms,
    st.lists(st.tuples(st.sampled_from(["", *PREFIXES]), tactics).map("".join), min_size=1, max_size=4).map(
        lambda t: "by\n  " + "\n  ".join(t)
    ),
)
MODIFIERS = ["", "private ", "protected ", "noncomputable ", "nonrec "]
ATTRIBUTED = [
    "",
    "@[simp] ",
    "@[simp, norm_cast]\n",
    "@[local simp 100]\n",
    "@[to_additive (attr := simp)] ",
    '@[deprecated foo (since := "2024")]\n',
]
ABOVE = ["", "/-- macro, `sorry` -/\n", "-- open\n", "open Nat in\n", "set_option maxHeartbeats 400000 in\n", "/-! x -/\n\n"]


@given(proofs, st.sampled_from(["\n", "\r\n"]), st.sampled_from(["", " ", ":= ", "\n-- end\n"]))
@settings(max_examples=500, deadline=None)
def test_no_surface_form_of_a_proof_is_refused(proof: str, ends: str, before: str) -> None:
    text = (before + proof).replace("\n", ends)
    assume("|'" not in text)  # a bar right before a quote may be one symbol, so that words in comments and « » count from there on
    assert filter_proof(text) is None


@given(st.sampled_from(ABOVE), st.sampled_from(ATTRIBUTED), st.sampled_from(MODIFIERS), proofs, st.sampled_from(["\n", "\r\n"]))
@settings(max_examples=500, deadline=None)
def test_no_surface_form_of_a_declaration_is_refused(above: str, attributes: str, modifier: str, proof: str, ends: str) -> None:
    helper = f"{above}{attributes}{modifier}lemma Foo.xⱼ : True := {proof}\n\n"
    text = f"{helper}theorem t : True := trivial\n".replace("\n", ends)
    assume("|'" not in text)
    assert filter_declarations(text) is None
