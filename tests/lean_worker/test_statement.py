"""Statements and headers: names as Lean has them, no second command, and nothing in a stranger's header that runs code."""

import time

import pytest

from lean_worker.header import MAX_HEADER_LENGTH
from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.statement import MAX_STATEMENT_LENGTH, StatementError, attach, check_header, renamed, split_imports, split_statement

pytestmark = pytest.mark.lean

NAMES = ["mulℝ_one", "aₙ_pos", "xⱼ", "bézout", "on_ℝ", "«Problem 1.2»", "«a b».c", "A.«b.c»", "Ns.x", "𝓝_mem", "a'!?"]


@pytest.mark.parametrize("name", NAMES)
def test_names_are_whole(name: str) -> None:
    assert split_statement(f"theorem {name} (p : Prop) : p = p := by sorry").name == name


@pytest.mark.parametrize(
    "name, namespace",
    [("a", ""), ("a.b", "a"), ("a.b.c", "a.b"), ("«Problem 1.2»", ""), ("«a.b».c", "«a.b»"), ("A.«b.c»", "A"), ("«a».«b»", "«a»")],
)
def test_the_namespace_of_a_name(name: str, namespace: str) -> None:
    assert split_statement(f"theorem {name} : True := by sorry").namespace == namespace


@pytest.mark.parametrize("name", NAMES)
def test_statements_with_such_names_are_checked(pool: Pool, name: str) -> None:
    assert pool.submit(Check("x", f"theorem {name} (p : Prop) (h : p) : p := by sorry", "h")).result().kind == "accepted"


@pytest.mark.parametrize(
    "literal, value", [("0x10", "16"), ("1_000", "1000"), ("0b11", "3"), ("0o17", "15"), ("'\\x41'", "'A'"), ('"\\x41"', '"A"')]
)
def test_literals_of_statements(pool: Pool, literal: str, value: str) -> None:
    assert pool.submit(Check("x", f"theorem t : {literal} = {value} := by sorry", "rfl")).result().kind == "accepted"


@pytest.mark.parametrize("name", ["hint", "init", "stop", "trace", "x.open", "Poly.eval", "ends"])
def test_words_that_begin_no_command_are_names(name: str) -> None:
    assert split_statement(f"theorem t (p : Prop) ({name} : p) : p := by sorry").name == "t"


CONTEXT = "noncomputable abbrev solution : Nat := 4\n\n/-- Words. -/\n@[simp]\nopen Nat in\n"


def test_a_statement_may_bring_its_own_context() -> None:
    statement = split_statement(f"{CONTEXT}theorem t : solution = 4 := by sorry")
    assert statement.context == "noncomputable abbrev solution : Nat := 4\n\n"
    assert statement.text == "/-- Words. -/\n@[simp]\nopen Nat in\ntheorem t : solution = 4 "
    assert (statement.name, statement.line, statement.column, statement.declarer) == ("t", 3, 0, "theorem")


@pytest.mark.parametrize(
    "ending, by", [(":= by sorry", False), (":= sorry", False), (":= by\n  sorry -- TODO", False), (":= by", True), (":=", False)]
)
def test_endings(ending: str, by: bool) -> None:
    statement = split_statement(f"theorem t : 1 = 1 {ending}")
    assert (statement.text, statement.by) == ("theorem t : 1 = 1 ", by)


DECLARED = {
    "theorem foo(x : Nat) : x = x": "foo",
    "theorem foo.{u} (α : Type u) : α = α": "foo",
    "theorem foo: 1 = 1": "foo",
    "theorem /- a -/ foo : 1 = 1": "foo",
    "theorem _root_.A.foo : 1 = 1": "_root_.A.foo",
    "instance : Inhabited Nat": "instance_",
    "example : 1 = 1": "example_",
    "instance foo : Inhabited Nat": "foo",
    "lemma foo : 1 = 1": "foo",
    "noncomputable def foo : Nat": "foo",
    "include h in theorem foo : 1 = 1": "foo",
}


@pytest.mark.parametrize("source, name", DECLARED.items())
def test_declared_names(source: str, name: str) -> None:
    assert split_statement(f"{source} := by sorry").name == name


@pytest.mark.parametrize("proof", ["rfl", ":= rfl", "by\n  rfl", ":=\n  rfl", "| 0 => rfl\n  | _ + 1 => rfl"])
@pytest.mark.parametrize("before", ["", "-- words\n", "def two := 2\n", "  ", "def two := 2\n  "])
def test_the_text_that_messages_refer_to(before: str, proof: str) -> None:
    text = attach(f"{before}theorem t : 1 = 1 := by sorry", proof)
    assert text.startswith(f"{before}theorem t : 1 = 1 ") and text.endswith(proof)


def test_without_a_declaration_nothing_is_guessed() -> None:
    for source in ("", "1 = 1 := by sorry", "theorem t : 1 = 1", "#check 1 := by sorry"):
        with pytest.raises(StatementError):
            split_statement(source)


def test_lines_may_end_in_cr_lf(pool: Pool) -> None:
    assert split_statement("theorem t\r\n  : True := by\r\n sorry").after == "\n  : True "
    assert pool.submit(Check("x", "theorem t :\r\n d = 1 := by sorry", "by\r\n  rfl\r\n", "def d :=\r\n 1\r\n")).result().kind == "accepted"
    assert split_imports("import A\r\nimport B\r\nopen C\r\n")[0] == {"A": -2, "B": -1}


def test_an_array_may_stand_in_a_statement() -> None:
    assert split_statement("theorem t : #[1, 2].size = 2 := by sorry").after == " : #[1, 2].size = 2 "


def test_what_is_too_long_is_not_even_read() -> None:
    with pytest.raises(StatementError, match="more than"):
        split_statement("theorem t : " + "a " * MAX_STATEMENT_LENGTH + ":= by sorry")
    with pytest.raises(StatementError, match="more than"):
        check_header("a " * MAX_HEADER_LENGTH)


@pytest.mark.parametrize(
    "piece", ["import A\n", "@[simp] ", "deriving Repr ", 'notation "a" ', "set_option ", "«a». ", "/- -/", ":= ", "[", "\n"]
)
def test_reading_takes_time_in_proportion_to_the_length(piece: str) -> None:
    began = time.process_time()
    for trusted in (True, False):
        try:
            check_header(split_imports(piece * (120_000 // len(piece)))[1], trusted)
        except StatementError:
            continue
    assert time.process_time() - began < 5


HIDDEN = [
    "#exit",
    "def a := 1\n#exit",
    "/- never closed",
    'def a := "never closed',
    "def a := 1\nimport Lean",
    "prelude",
    "module",
    "set_option debug.skipKernelTC true",
    "set_option debug.«skipKernelTC» true",
    "set_option «debug».skipKernelTC true",
    'def a : String := r#"\\"#\nset_option debug.skipKernelTC true in\ntheorem bad : 2 + 2 = 5 := by decide +kernel --"',
    "def a : Type := {x : Nat //-1 = x}\n#exit -/",
    '/-- -- x -/\ndef a : String := "-/ def b := 1\n#exit --"',
]


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("header", HIDDEN)
def test_no_header_hides_what_follows_it(header: str, trusted: bool) -> None:
    with pytest.raises(StatementError):
        check_header(header, trusted)


HARMLESS = [
    "",
    "open Nat Real\nopen scoped BigOperators",
    "namespace A\nsection\nvariable (p : Prop) {α : Type*} [Group α]\nuniverse u v",
    "set_option maxHeartbeats 400000\nset_option maxRecDepth 10000\nset_option autoImplicit true\nset_option pp.all true",
    "@[simp] theorem foo : 1 = 1 := rfl\nlemma bar : True := by\n  trivial",
    "inductive Color where\n  | red\n  | blue\n  deriving Repr, DecidableEq\nderiving instance BEq for Color",
    "structure S extends T where\n  x : Nat := 0x10\nclass C (α : Type) where\n  op : α → α\ninstance : C Nat where\n  op := id",
    'notation:max "|" z "|" => Int.natAbs z\ninfixl:65 " ⊹ " => Nat.add\nlocal notation "ω₀" => foo\nnotation "{ " a ", " b " }" => mk a b',
    'notation:80 f " \'\' " x => f x\nnotation:80 f " ⁻¹\' " x => f x\nlocal postfix:max "∗" => g',
    "attribute [local simp] foo bar\nattribute [-instance] baz\nattribute [instance 100] qux\n@[simp, ext (iff := false)] def a := 1",
    "mutual\ndef even : Nat → Bool\n  | 0 => true\n  | n + 1 => odd n\ndef odd : Nat → Bool\n  | 0 => false\n  | n + 1 => even n\nend",
    "noncomputable section\nprivate def a := 1\nprotected theorem A.b : True := trivial\nabbrev solution : Nat := sorry",
    "def f (n : Nat) : Nat := if n = 0 then 0 else f (n - 1)\ntermination_by n\ndecreasing_by omega",
    "/-- Words. -/\ndef words := 1\n/-! more -/",
    'def words : String := r"a\\" ++ r#"macro " x"# ++ s!"{x}"\nvariable (s : Finset α) (h : #s = 5!)',
    "-- é ⱼ ℝ it's a macro\r\n\ufeff",
    "variable (xs : Array Nat) (h : xs = #[1, 2])\naxiom a : True\nopaque b : Nat",
]


@pytest.mark.parametrize("header", HARMLESS)
def test_harmless_headers_pass(header: str) -> None:
    check_header(header, False)
    check_header(header, True)


CODE = [
    'macro "x" : term => `(1)',
    "macro_rules | `(x) => `(y)",
    'syntax "x" : term',
    'elab "x" : term => pure default',
    "elab_rules : term | `(x) => pure default",
    "run_cmd pure ()",
    "#eval 1",
    "#print axioms foo",
    "initialize x : Nat ← pure 1",
    "builtin_initialize pure ()",
    "namespace A #eval 1",
    "namespace A run_cmd pure ()",
    '@[extern "n"] opaque f : Nat → Nat',
    "@[export n] def f := 1",
    "@[implemented_by g] def f := 1",
    "@[simp, implemented_by g] def f := 1",
    "@[to_additive (attr := implemented_by g)] def f := 1",
    "@[init] def f := 1",
    "@[csimp] theorem f : a = b := rfl",
    "@[term_parser] def p := q",
    "@[tactic foo] def p := q",
    "@[macro foo] def p := q",
    "@[app_unexpander Foo] def p := q",
    "@[«macro» foo] def p := q",
    'attribute [extern "n"] f',
    "attribute [local simp, macro foo] f",
    "attribute [local\n simproc] f",
    "unsafe def f := 1",
    "theorem t : True := by run_tac pure ()",
    "theorem t : True := by_elab pure default",
    "def f := `(x)",
    "def f := ``Nat",
    'def f := r#"\\"#\nrun_cmd x --"',
    'def f := s!"{include_str "x"}"',
    'def f := s! "{IO.println 1}"',
    'def f := s!"{"a"} #eval 1 {"b"}"',
    "def f := 1 //-1 initialize x -/",
    "def f := g '--\n run_cmd x",
    "theorem t : 1 = 1 := by native_decide",
    "theorem t : 1 = 1 := by decide +native",
    "theorem t : 1 = 1 := Lean.ofReduceBool _ _ rfl",
    "def f : IO Unit := pure ()",
    "open Lean Elab Meta",
    'def f := include_str "/etc/passwd"',
    "set_option maxHeartbeats 100000000000",
    "set_option compiler.extract_closed false",
    "set_option trace.Meta.synthInstance true",
    "set_option maxRecDepth 10000000",
    "inductive A where | a deriving Evil",
    "deriving instance Repr, Evil for A",
    "simproc f (_) := fun _ => pure default",
    "declare_syntax_cat foo",
    "some_command_of_a_library foo",
    "def a := 1\nsome_command_of_a_library foo",
    "register_option a : Nat := { defValue := 1 }",
    "eval% 1",
    "def a := eval% b",
    "unset_option maxHeartbeats",
    'binder_predicate x " ∈ " y => `(x)',
    'notation "--" => 1',
    'notation "x-" => 1',
    'notation "(-" => 1',
    'notation "∗/-" => 1',
    'notation "(x" => 1',
    'notation "∗xyz" => 1',
    'notation "\\"" => 1',
    'notation "a\\x22" => 1',
    'notation "(\'" => 1',
    'notation3 "«" => 1',
    'infixl:65 ":=-" => f',
]


@pytest.mark.parametrize("header", CODE)
def test_no_header_of_a_stranger_runs_code(header: str) -> None:
    with pytest.raises(StatementError):
        check_header(header, False)


@pytest.mark.parametrize(
    "source, expected",
    [
        ("theorem foo(x : Nat) : x = x := by sorry", "theorem goal(x : Nat) : x = x := by sorry"),
        ("theorem t: 2+2=4 := by sorry", "theorem goal: 2+2=4 := by sorry"),
        ("theorem foo{x : Nat} : x = x :=", "theorem goal{x : Nat} : x = x :="),
        ("theorem A.«b c».d.{u} (α : Type u) : True := sorry", "theorem goal.{u} (α : Type u) : True := sorry"),
        ("theorem«x y»: True := by", "theorem goal: True := by"),
        (
            "-- foo\ndef f := 1\n@[simp] private lemma foo -- foo\n: f = foo := by sorry",
            "-- foo\ndef f := 1\n@[simp] private lemma goal -- foo\n: f = foo := by sorry",
        ),
        ("/-- theorem x -/ theorem /- theorem y -/ z : a := by sorry\n", "/-- theorem x -/ theorem /- theorem y -/ goal : a := by sorry\n"),
    ],
)
def test_a_statement_gets_another_name_and_keeps_everything_else(source: str, expected: str) -> None:
    assert renamed(source, "goal") == expected


@pytest.mark.parametrize("source", ["example (x : Nat) : x = x := by sorry", "instance : Inhabited Nat := sorry"])
def test_a_statement_without_a_name_stays_as_it_is(source: str) -> None:
    assert renamed(source, "goal") == source
