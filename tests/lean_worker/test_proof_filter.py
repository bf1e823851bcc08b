"""The proof filter: right proofs of any surface form pass, and no dangerous word hides behind comments, strings, quotes or odd letters."""

import random
import time

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from lean_worker.allowed import COMMANDS, DECLARATIONS, EFFECTS, RUNNERS
from lean_worker.lexer import LexError, read, tokens
from lean_worker.proof_filter import MAX_PROOF_LENGTH, filter_declarations, filter_proof

ORDINARY = [
    "by simp",
    "by\n  intro h\n  rcases h with ⟨x, hx⟩ | h'\n  · exact ⟨x, hx.2, hx.1⟩\n  · simp_all [Nat.add_comm] at h' ⊢",
    "fun ⟨hp, hq⟩ => ⟨hq, hp⟩",
    "λ x => x",
    "| 0 => rfl\n| n + 1 => congrArg _ (t n)",
    "by induction n with\n  | zero => rfl\n  | succ n ih => rw [← ih, Nat.add_succ]",
    "by -- the end of the section; open the example\n  exact rfl",
    "by /- a theorem /- nested: sorry -/ in comments -/ rfl",
    "by exact (xs.get? 0)",
    "by refine ⟨?_, ?h⟩ <;> decide +kernel",
    "h.elim (fun x₁ => x₁) fun y' => absurd y' ‹_›",
    "by exact (show 'a' = 'a' from rfl)",
    'by exact (rfl : "a\\n" = "a\\n")',
    "calc a = b := h\n  _ = c := h'",
    "f #[1, 2] |>.trans rfl",
    "Prod.fst «odd name»",
    "by open Finset in\n  simp",
    "by open scoped BigOperators Real in open Nat hiding add_comm in exact rfl",
    "by set_option maxRecDepth 10_000 in decide",
    "by set_option maxHeartbeats 400000 in set_option linter.unusedVariables false in simp",
    "set_option pp.all true in rfl",
    "by rw [Set.image_comp f '' s, f ⁻¹' t, Finset.card_pos (s := #s)]; norm_num [5!, |x|, ‖x‖, ⌊x⌋]",
    'by exact foo r"a\\" r#"x "y" z"# 0xFF 1_000 1e-3 \'\\x41\'',
    "by\r\n  intro h\r\n  exact h\r\n",
    "\ufeffby rfl",
    "by -- Schrödinger's cat isn't sorry\n  exact bézout xⱼ on_ℝ",
    "by exact Polynomial.eval x (List.prefix a) (Matrix.trace m) xs.end Span.stop theorem' open_set eval init hint stop trace",
    "by\n  intro stop hint admit\n  exact stop hint (trace x)",
    "fun hint => hint",
    "by simp? [foo,\n    bar] says simp only [foo]",
    "by module",
    "by simp [find?, List.head?, getElem?_pos, min?_eq_toList_head?]",
    "rfl\nwhere\n  /-- a helper -/\n  h : True := trivial",
    "let rec @[simp] f : Nat := 1\nrfl",
    "h\ntermination_by n\ndecreasing_by simp",
    "by grind only [= Lean.Grind.toInt_fin]",
    "by cases System.Platform.numBits_eq <;> simp",
    "by aesop (add safe foo, unsafe 10% apply bar)",
    "by exact `x",
    "by exact (\"theorem\" : String) ▸ 'x'",
    "by simp (config := { decide := true, maxSteps := 100 }) (disch := omega) only [foo]",
    "by simp (config := {contextual := True}) [h]",
    "by rw (occs := .pos [1, 2]) [h]",
    "by conv in (occs := 1 2) x => rfl",
    "by exact foo (n := f x) (config' := g y)",
    "by unsafe_lemma",
]

DECLARED = [
    "theorem t : 1 = 1 := rfl",
    "/-- Words: `sorry`, macro, #eval. -/\n@[simp, local instance 100]\nprivate theorem t : 1 = 1 := rfl",
    "@[to_additive (attr := simp, norm_cast) foo] lemma t : 1 = 1 := by\n  rfl",
    "open Nat Real in\n-- a comment\ntheorem t : succ 0 = 1 := rfl",
    "open BigOperators Real Nat Topology Rat\nset_option maxHeartbeats 0\ntheorem t : 1 = 1 := rfl",
    "namespace A\nsection\nvariable {α : Type*} [Group α] (h : True)\nuniverse u v\ninclude h\nomit h in\nlemma x : True := h\nend\nend A",
    "def f : Nat → Nat\n  | 0 => 1\n  | n + 1 => f n\ntermination_by n => n\n\n@[simp] theorem t : f 0 = 1 := by simp [f]",
    "mutual\ninductive A | a (b : B)\ninductive B | b\nend",
    "abbrev C := A\nnoncomputable def d : Nat := 1\ninstance : Inhabited B := ⟨.b⟩",
    "structure P where\n  x : Nat\n  y : Nat := 1\n  deriving Repr, DecidableEq\nderiving instance BEq for P",
    "class Q (α : Type) extends Inhabited α where\n  z : α",
    "attribute [local simp] Nat.add_comm\nattribute [-instance] foo\nexample : True := trivial",
    "/-! A module comment. -/\nset_option autoImplicit true in\nprotected theorem Foo.open.end.t : 5! = 120 := by decide",
    "theorem t :\n    a = b :=\nfoo.trans bar",
    "theorem bézout (f : α → β) : f '' s ∩ f ⁻¹' t = ∅ ∧ #s = 1 := by\n  open Classical in\n  simp",
    "theorem IsOpen.prefix.t : True := trivial\n\nalias u := IsOpen.prefix.t",
]


@pytest.mark.parametrize("proof", ORDINARY)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_ordinary_proofs_pass(proof: str, ends: str) -> None:
    assert filter_proof(proof.replace("\r\n", "\n").replace("\n", ends)) is None
    indented = proof.removeprefix("\ufeff").replace("\r\n", "\n").replace("\n", "\n  ")
    assert filter_declarations(f"theorem t : P := {indented}".replace("\n", ends)) is None


@pytest.mark.parametrize("text", DECLARED)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_ordinary_declarations_pass(text: str, ends: str) -> None:
    assert filter_declarations(text.replace("\n", ends)) is None


def test_a_refusal_gives_line_column_and_rule() -> None:
    refusal = filter_proof("by\n  have h := 1\n  native_decide")
    assert refusal is not None and (refusal.line, refusal.column, refusal.hole) == (3, 2, False)
    assert str(refusal) == "line 3, column 2: `native_decide` runs code, or reads files, while Lean elaborates the proof"
    refusal = filter_declarations("lemma a : True := trivial\r\n\r\ntheorem t : True := by\r\n  exact sorry")
    assert refusal is not None and (refusal.line, refusal.column, refusal.hole) == (4, 8, True)


def test_what_is_no_whole_text_is_refused() -> None:
    assert filter_proof("x" * (MAX_PROOF_LENGTH + 1))
    assert filter_proof(" -- nothing\n") and filter_proof("") and filter_declarations("/- x -/")
    assert filter_proof("rfl /- ") and filter_proof("rfl /-- x -/") and filter_declarations("theorem t : True := trivial\n/-- x -/ -- y\n")
    assert filter_proof("rfl -- \x00") and filter_proof("rfl -- \ud800")


# Surface forms of right proofs.


separators = st.sampled_from(
    [
        " ",
        "\n",
        "\r\n",
        "(",
        ")",
        ";",
        "⟨",
        "=>",
        ",",
        "+",
        ":=",
        "·",
        "λ",
        "∀",
        "Σ",
        "- ",
        "\t",
        "/- x -/",
        "--\n",
        '"s"',
        "«n» ",
        " 'a' ",
        " 5! ",
    ]
)
# Text after which a lexer may be in a comment or string while Lean is not: what follows must count in either reading.
DISGUISES = [
    'r#"\\"#{} y',
    'r"\\" {} y',
    '"\\\\"{} y',
    "{{x : Nat //-1 = {} x -/ }}",
    "do let x <--{} y\n z",
    "→o{} y",
    "x ≃ₗ{} y",
    "f 'x{} y",
    "f ' x{} y",
    "xs[0]'\"' \" {} y \" '\"'",
    'rfl \' " {} y "',
    "f '--{} y\n",
    's!"{{{} y}}"',
    'm! "a{{"{} y"}}"',
    "0xa{} y",
    "1e5{} y",
    "h.2.e5{} y",
    "/-/ {} y -/ -/ {} y",
    "/- /- -/ -/ {} y",
    "/--/ -/{} y",
    "/-/- x -/ -/{} y",
    "-- x\n{} y",
    "-- x\r\n{} y",
    "'\"'{} y",
    "'\\''{} y",
    "文{} y",
    "x\x0b{} y",
    "x\u2028{} y",
    "x \r {} y",
    "`{} y",
    "«x»{} y",
    "x →o0x{} y",
    "x →o'{} y",
    '1er"≃ₗ"\\""→o0x{} y',
    '"never closed {} y',
    "/- never closed {} y",
    'r#"never closed " {} y',
    "x -/ {} y",
]
BARE_COMMANDS = sorted(COMMANDS - {"open", "set_option"})
REFUSED_COMMANDS = sorted(COMMANDS - DECLARATIONS)


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize(
    "word", ["theorem", "macro", "run_tac", "native_decide", "IO.println", "#eval", "#exit", "set_option debug.skipKernelTC"]
)
def test_no_word_hides_in_a_disguise(word: str, disguise: str) -> None:
    text = "by exact x " + disguise.format(word, word)
    assert filter_proof(text) is not None
    if word != "theorem":
        assert filter_declarations(f"theorem t : True := {text}") is not None


@given(
    st.sampled_from(sorted(EFFECTS | {"sorryAx"})),
    separators,
    separators,
    st.sampled_from(["«{}»", "{}", "a.{}", "{}.b", "«a».{}", "_root_.{}"]),
)
@settings(max_examples=400, deadline=None)
def test_no_effect_hides_behind_what_stands_beside_it(word: str, before: str, after: str, form: str) -> None:
    assert filter_proof(f"by exact x{before}{form.format(word)}{after}y") is not None
    assert filter_declarations(f"theorem t : P := by exact x{before}{form.format(word)}{after}y") is not None


@given(st.sampled_from(sorted({*BARE_COMMANDS, *RUNNERS, "sorry", "eval%"})), separators, separators)
@settings(max_examples=400, deadline=None)
def test_no_command_stands_in_a_proof(word: str, before: str, after: str) -> None:
    assert filter_proof(f"by exact x{before}{word}{after}y") is not None


@given(st.sampled_from(sorted({*REFUSED_COMMANDS, *RUNNERS, "sorry", "eval%"})), separators, separators)
@settings(max_examples=400, deadline=None)
def test_no_other_command_stands_in_declarations(word: str, before: str, after: str) -> None:
    assert filter_declarations(f"theorem t : P := by exact x{before}{word}{after}y") is not None


@pytest.mark.parametrize(
    "text",
    [
        "axiom a : False",
        "opaque a : Nat",
        'notation "x" => 1',
        'local notation "x" => 1',
        'local infixl:65 " + " => f',
        "macro_rules | `(x) => `(y)",
        "unsafe def f := 1",
        "partial def f := 1",
        "export Nat (add)",
        "initialize x : Nat ← pure 1",
        "#eval 1",
        "#evalx",
        "#print axioms t",
        "some text\n#frob x",
        '@[extern "n"] def f := 1',
        "@[implemented_by g] def f := 1",
        "@[simp, implemented_by g] def f := 1",
        "@[to_additive (attr := simp, csimp)] theorem f := 1",
        "@[norm_num _ + _] def e := f",
        "@[«macro» foo] def f := 1",
        '@[/- -/extern\n"n"] def f := 1',
        "@[simp",
        'attribute [extern "n"] f',
        "attribute [local\n simproc] f",
        "attribute [simp, macro foo] f",
        "inductive A where | a deriving Evil",
        "deriving instance Repr, TypeName for A",
        "open Lean Elab Meta",
        "open Lean in theorem t : True := trivial",
        "namespace Lean.Grind\ntheorem t : True := trivial",
        "theorem Lean.Grind.Foo.t : True := trivial",
        "def f : IO Unit := pure ()",
        "def f := unsafeCast 1",
        "def f := Std.Internal.IO.x",
        "set_option debug.skipKernelTC true",
        "set_option debug.«skipKernelTC» true in\ntheorem t : True := trivial",
        "set_option warn.sorry false",
        "set_option trace.Meta.synthInstance true",
        "set_option compiler.extract_closed false",
        "set_option maxRecDepth 10000000",
        "set_option maxHeartbeats 100000000000",
        "set_option",
        "declare_syntax_cat foo",
        "register_option a : Nat := { defValue := 1 }",
        "simproc f (_) := fun _ => pure default",
        "def a := 1\nsome_command_of_a_library foo",
        "theorem t : True := by simp (config := f ())",
        "theorem t : True := by simp (maxSteps := f 3)",
        "theorem t : True := by simp +arith (contextual := true) (maxSteps := (evil))",
        "theorem t : True := by decide (config := let c := {}; c)",
        "theorem t : True := by simp (config := { decide := My.evil })",
        "theorem t : True := by plausible",
    ],
)
def test_declarations_that_reach_code_or_change_the_reading_are_refused(text: str) -> None:
    assert filter_declarations(text) is not None


def test_commands_of_a_line_are_no_open_or_option() -> None:
    assert filter_proof("by exact open") and filter_proof("rfl open Nat") and filter_proof("rfl\nset_option pp.all true")
    assert filter_proof("by set_option debug.proofAsSorry true in rfl") and filter_proof("set_option maxHeartbeats x in rfl")


def test_the_commands_are_those_of_the_lean_at_hand() -> None:
    commands = frozenset({"frob", "frob_all%", "#frob", "⊨", "⊨⊨"})
    texts = ["frob", "frob_all%", "frob_all", "⊨", "a.frob", "frobs", "«frob»", "#frobs", "#frog"]
    refused = [True, True, False, True, False, False, False, True, False]
    assert [filter_proof(f"trivial {text} x", commands) is not None for text in texts] == refused
    assert [filter_declarations(f"theorem t := x {text} x", commands) is not None for text in texts] == refused
    assert filter_proof("by exact alias", commands) is None and filter_proof("by exact alias")


SEARCHES = ["exact?", "apply?", "rw?", "simp?", "try?", "decide?", "simp_all?", "aesop?", "exact?!", "«exact?»"]


@pytest.mark.parametrize("search", SEARCHES)
@pytest.mark.parametrize(
    "place",
    [
        *("by {}", "by\n  .{}", "by\n  ·{}", "by\n  · .{}", "by (skip;.{})", "by (.{})", "by skip <;>.{}", "by first | .{}", "by\n  . .{}"),
        *("by simp (disch :=.{})", "by cases h with | _ =>.{}", "by iterate 2.{}", "by rw [h]\n  .{}", "by rw [h] .{}", "by {{.{}}}"),
        *(
            "by try {}",
            "by skip; {}",
            "by\n  skip\n  {}",
            "by\r\n  skip\r\n  /- x -/ {}",
            "by first | rfl | {}",
            "by constructor <;> {}",
            "by (skip\n    {})",
        ),
    ],
)
def test_searches_are_refused_wherever_a_tactic_may_stand(search: str, place: str) -> None:
    assert filter_proof(place.format(search))


@pytest.mark.parametrize("tactic", ["stop", "admit", "hint", "rw_search", 'trace "x"', "sleep 100", "plausible"])
@pytest.mark.parametrize("place", ["by {}", "by\n  skip\n  {}", "by skip; {}", "by\n  · {}", "by all_goals {}", "by skip <;> {}"])
def test_holes_and_noise_are_refused_where_a_tactic_must_stand(tactic: str, place: str) -> None:
    refusal = filter_proof(place.format(tactic))
    assert refusal is not None and refusal.hole is (tactic in ("stop", "admit"))


@pytest.mark.parametrize(
    "term", ["l.head?", "List.head? l", "(f x).head?", "l[0].get?", "⟨x⟩.1.head?", "h.2.head?", "l |>.head?", "‹_›.get?", "(find? x)"]
)
def test_fields_whose_names_end_in_a_question_mark_pass(term: str) -> None:
    assert filter_proof(f"by exact {term}") is None


def test_names_of_the_statement_may_stand_in_the_proof() -> None:
    known = frozenset({"Foo.Meta.x"})
    assert filter_proof("by exact Foo.Meta.x", known=known) is None and filter_proof("by exact Foo.Meta.y", known=known)
    assert filter_proof("by exact theorem", known=frozenset({"theorem"}))


@pytest.mark.parametrize(
    "piece",
    [
        "@ ",
        "@",
        "«a» ",
        "a.",
        "x? ",
        ".x? ",
        '"" ',
        ":= ",
        "[",
        "# ",
        "/- -/",
        "→o",
        "simp (a := ",
        "simp? ",
        "open ",
        "'",
        "x\x0b",
        "unsafe ",
    ],
)
def test_judging_takes_time_in_proportion_to_the_length(piece: str) -> None:
    began = time.process_time()
    filter_proof(piece * (MAX_PROOF_LENGTH // len(piece)))
    filter_declarations(piece * (MAX_PROOF_LENGTH // len(piece)))
    assert time.process_time() - began < 5


def test_no_soup_of_tokens_raises_anything() -> None:
    draw = random.Random(6)
    pieces = [
        "open",
        "sorry",
        "exact?",
        ".",
        " ",
        "«",
        "»",
        "'",
        '"',
        "{",
        "#",
        "[",
        "@",
        "@[",
        "(",
        "config",
        ":=",
        "simp",
        "`",
        "/-",
        "-/",
        "--",
    ]
    pieces += ["\n", "x", "0x1", "|", ">", "→o", "\ud800", "attribute", "deriving", "set_option", "unsafe", "says", "in"]
    for _ in range(20_000):
        text = "".join(draw.choices(pieces, k=draw.randint(0, 12)))
        for reason in (filter_proof(text), filter_declarations(text)):
            assert reason is None or str(reason)


@given(st.text(alphabet="abαλ«»/-\"'\\ \n.#@[]()`sorry!?₁0x", max_size=60))
@settings(max_examples=600, deadline=None)
def test_tokens_cover_the_text_or_the_text_is_broken(text: str) -> None:
    """Outside its tokens the text holds nothing but blanks and comments."""
    try:
        found = tokens(text)
    except LexError as error:
        assert 0 <= error.position < len(text)
        assert read(text).sure <= error.position
        return
    at = 0
    for token in found:
        assert token.start >= at and text[token.start : token.end] == token.text
        gap = text[at : token.start].strip()
        assert gap == "" or gap.startswith(("--", "/-"))
        at = token.end


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_text_gets_an_answer(text: str) -> None:
    for reason in (filter_proof(text), filter_declarations(text)):
        assert reason is None or str(reason)


@given(st.lists(st.sampled_from(["/-", "-/", "--", "\n", '"', "x", "macro", " "]), max_size=14))
@settings(max_examples=600, deadline=None)
def test_a_command_outside_comments_and_strings_is_always_seen(pieces: list[str]) -> None:
    """Against an independent reading of comments and strings, character by character."""
    text = "".join(pieces)
    assume("/--" not in text)  # begins documentation, which Lean reads differently
    depth, line, string, at, visible = 0, False, False, 0, ""
    while at < len(text):
        pair = text[at : at + 2]
        if line:
            line = text[at] != "\n"
        elif depth:
            depth += (pair == "/-") - (pair == "-/")
            at += pair in ("/-", "-/")
        elif string:
            string = text[at] != '"'
            visible += " "
        elif pair == "--":
            line = True
        elif pair == "/-":
            depth, at = 1, at + 1
        else:
            string = text[at] == '"'
            visible += text[at]
        at += 1
    if "macro" in visible.split():
        assert filter_proof(text) is not None
