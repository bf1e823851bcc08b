"""Exported proofs are complete, read back equal, pass independent checks, and nothing false or altered is exported or accepted."""

import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from embedded_scripts import script

from lean_worker.embedded.build import NAME, OPENING, CoreLibrary, ensure_core
from lean_worker.embedded.export import export_setting, export_source, recheck_export
from lean_worker.embedded.slow_phases import OLEAN, Setting, compile_module
from lean_worker.protocol import Check
from lean_worker.tools.export_command import export_check, file_name

pytestmark = pytest.mark.lean

declarations, olean = script("declarations"), script("olean")
reader, writer = script("export_reader"), script("export_writer")

Line = dict[str, Any]

PROOFS = [
    Check("term", "theorem swap (p q : Prop) (h : p ∧ q) : q ∧ p := by sorry", "⟨h.2, h.1⟩"),
    Check("recursion", "theorem z : ∀ n : Nat, 0 + n = n := by sorry", "  | 0 => rfl\n  | n + 1 => congrArg Nat.succ (z n)"),
    Check(
        "match in the type",
        "theorem m (n : Nat) : (match n with | 0 => 0 | k + 1 => k) ≤ n := by sorry",
        "by\n  cases n with\n  | zero => exact Nat.le_refl 0\n  | succ n => exact Nat.le_succ n",
    ),
    Check("choice", "theorem em (p : Prop) : p ∨ ¬p := by sorry", "Classical.em p"),
    Check(
        "string",
        'theorem s : "a∀\\"\\n" = "a∀\\"\\n" ∧ "a".length = 1 := by sorry',
        "⟨rfl, rfl⟩",
        "def String.length (s : String) := s.data.length",
    ),
    Check("universes", "theorem A.«b c».{v, w} (α : Type v) (β : Type w) (a : α × β) : (a.1, a.2) = a := by sorry", "rfl"),
    Check("number", f"theorem n : {'9' * 5000} < 1{'0' * 5000} ∧ 2 ^ 200 < 2 ^ 201 := by sorry", "by decide +kernel"),
    Check("let", "theorem l (n : Nat) : (let x := n; x + 0) = n := by sorry", "let y := n; show y = n from rfl"),
    Check("arithmetic", "theorem o (a b : Nat) (h : a < b) : a + 1 ≤ b := by sorry", "by omega"),
    Check(
        "types",
        "theorem t (x : Tree Nat) : Even x.size ∨ True := by sorry",
        ".inr trivial",
        """universe u
structure Box (α : Type u) where
  open' : α
inductive Tree (α : Type u) where
  | leaf : Tree α
  | node : Tree α → α → Box (Tree α) → (Nat → Tree α) → Tree α
def Tree.size : Tree α → Nat
  | .leaf => 0
  | .node l _ _ _ => l.size + 1
mutual
inductive Even : Nat → Prop
  | zero : Even 0
  | next (n : Nat) : Odd n → Even (n + 1)
inductive Odd : Nat → Prop
  | next (n : Nat) : Even n → Odd (n + 1)
end
structure Point where
  x : Nat
  y : Fin x
opaque secret (p : Point) : Nat
""",
    ),
]

SOURCE = """theorem z : ∀ n : Nat, 0 + n = n
  | 0 => rfl
  | n + 1 => congrArg Nat.succ (z n)
private theorem hidden (a b : Prop) : (a ∧ b) = (b ∧ a) := propext ⟨fun h => ⟨h.2, h.1⟩, fun h => ⟨h.2, h.1⟩⟩
inductive Colour where
  | red | green
theorem Colour.two : ∀ c : Colour, c = .red ∨ c = .green
  | .red => .inl rfl
  | .green => .inr rfl
"""


@pytest.fixture(scope="module")
def core() -> CoreLibrary:
    return ensure_core()


@pytest.fixture(scope="module")
def setting(core: CoreLibrary) -> Iterator[Setting]:
    with export_setting(core) as opened:
        yield opened


@pytest.fixture(scope="module")
def exported(setting: Setting, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out: Path = tmp_path_factory.mktemp("export") / "source.ndjson"
    found = export_source(setting, OPENING + SOURCE, None, out)
    assert found.accepted, found
    assert [theorem.name for theorem in found.theorems] == ["Colour.two", "_private.Judged.0.hidden", "z"]
    assert found.theorems[1].axioms == ("propext",) and found.theorems[2].axioms == ()
    return out


@pytest.mark.parametrize("check", PROOFS, ids=lambda check: check.id)
def test_an_accepted_proof_is_exported_and_accepted_again(check: Check, setting: Setting, tmp_path: Path) -> None:
    out = tmp_path / "proof.ndjson"
    found = export_check(setting, check, out)
    assert found.accepted, found
    again = recheck_export(setting, out)
    assert (again.kind, again.reason, again.declarations) == ("accepted", "", found.declarations)
    assert again.theorems[-1] == found.theorems[0].name and again.axioms == found.theorems[0].axioms
    assert_well_formed(out)
    assert_nanoda_accepts(out, again.axioms)


def assert_well_formed(path: Path) -> None:
    """Every index is the next of its kind, every declaration follows those that it mentions, and the format's version is stated."""
    lines = [json.loads(line) for line in path.read_text().split("\n")[:-1]]
    assert lines[0]["meta"]["format"] == {"version": "3.1.0"} and lines[0]["meta"]["lean"]["version"] == "4.35.0"
    assert len(lines[0]["meta"]["lean"]["githash"]) == 40
    for key, first in (("in", 1), ("il", 1), ("ie", 0)):
        found = [line[key] for line in lines if key in line]
        assert found == list(range(first, first + len(found)))
    table = olean.Table()
    export = reader.read_export(path.read_text().split("\n")[:-1], table)
    known: set[Any] = set()
    for family in export.families:
        inside = {entry.name for entry in family}
        for entry in family:
            assert declarations.dependencies(table, entry) <= known | inside, entry.name
        known |= inside


def assert_nanoda_accepts(path: Path, axioms: tuple[str, ...]) -> None:
    """Let nanoda, a kernel written in Rust, check a file where it is installed."""
    program = shutil.which("nanoda_bin")
    if program is not None:
        ran = nanoda(program, path, axioms)
        assert ran.returncode == 0, ran.stderr


def nanoda(program: str, path: Path, axioms: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    extensions = {"nat_extension": True, "string_extension": True}
    settings = {"export_file_path": str(path), "use_stdin": False, "permitted_axioms": axioms, "unpermitted_axiom_hard_error": True}
    configuration = path.with_suffix(".json")
    configuration.write_text(json.dumps(settings | extensions))
    return subprocess.run([program, configuration], capture_output=True, text=True, timeout=120)


def test_an_exported_file_reads_back_as_the_compiled_files_have_it(setting: Setting, core: CoreLibrary, tmp_path: Path) -> None:
    assert compile_module(setting, tmp_path / "source", OPENING + SOURCE) == (None, "")
    table, binders = olean.Table(), dict[int, Any]()
    paths = core.path / NAME / "All.olean", tmp_path / "source" / OLEAN
    files = [olean.Olean(path.read_bytes(), table, binders) for path in paths]
    sources, lines, written = declarations.Sources(table, files), list[str](), dict[Any, Any]()
    writing = writer.Writer(table, binders, lines.append, ("4.35.0", "0" * 40), ("test", "1"))
    for target in (("Colour", "two"), ("String", "mk"), ("Quot", "lift"), ("funext",), ("Nat", "add_comm")):
        for family in declarations.families(sources, target):
            if family[0].name not in written:
                writing.family(family)
                written |= {entry.name: entry for entry in family}
    export = reader.read_export(lines, table)
    assert len(written) > 60 and {entry.kind for entry in written.values()} >= {"axiom", "definition", "theorem", "quotient", "recursor"}
    assert export.entries == written and list(export.entries) == list(written)
    assert export.versions["exporter"] == {"name": "test", "version": "1"}
    named = [json.loads(line)["str"]["str"] for line in lines if '"str":{' in line]
    assert "motive" in named and "n_ih" in named
    elsewhere = olean.Table()
    apart = reader.read_export(lines, elsewhere)
    assert [(entry.name, tree(elsewhere, entry.type)) for entry in apart.entries.values()] == [
        (entry.name, tree(table, entry.type)) for entry in written.values()
    ]


def tree(table: Any, number: int) -> Any:
    """Return a term spelled out."""
    node = table.nodes[number]
    below = list(script("kernel").children(node)) if node[0] != "const" else list(node[2:])
    return (*node[: len(node) - len(below)], *(tree(table, child) for child in below))


def test_what_is_not_proved_is_not_exported(setting: Setting, tmp_path: Path) -> None:
    out = tmp_path / "none.ndjson"
    false = "theorem f : 2 + 2 = 5 := by sorry"
    cases = [
        (Check("sorry", false, "sorry"), "forbidden"),
        (Check("wrong", false, "rfl"), "error"),
        (Check("statement", "theorem f : nonsense := by sorry", "rfl"), "statement"),
        (Check("axiom", "theorem f : c := by sorry", "proof", "def c := 2 + 2 = 5\naxiom proof : c"), "axiom"),
    ]
    assert [export_check(setting, check, out).theorems[0].kind for check, _ in cases] == [kind for _, kind in cases]
    assert not out.exists()


def test_a_file_exports_what_is_proved_and_names_what_is_not(setting: Setting, tmp_path: Path) -> None:
    """The kernel was switched off for `forged` while it compiled."""
    source = "theorem good : 2 + 2 = 4 := rfl\ntheorem hole : 2 + 2 = 5 := sorry\ntheorem below : 2 + 2 = 5 := hole\n"
    out = tmp_path / "file.ndjson"
    found = {each.name: each.kind for each in export_source(setting, OPENING + source, None, out).theorems}
    assert found == {"good": "accepted", "hole": "axiom", "below": "axiom"}
    assert recheck_export(setting, out).theorems == ("good",)
    forged = tmp_path / "forged.ndjson"
    skipped = "set_option debug.skipKernelTC true in\ntheorem forged : 2 + 2 = 5 := by decide +kernel\n"
    (refused,) = export_source(setting, OPENING + skipped, None, forged).theorems
    assert (refused.name, refused.kind) == ("forged", "kernel") and not forged.exists()
    (missing,) = export_source(setting, OPENING + source, [("nowhere",)], forged).theorems
    assert missing.kind == "mismatch" and not forged.exists()


def changed(lines: list[Line], key: str, change: Callable[[Line], None], name: str = "") -> list[Line]:
    """Return the lines with one declaration changed: the one of this name, by default the last of this kind."""
    lines = json.loads(json.dumps(lines))
    index = next((line["in"] for line in lines if line.get("str") == {"pre": 0, "str": name}), None)
    items = [line[key] for line in lines if key in line]
    heads = [item["types"][0] if key == "inductive" else item for item in items]
    change(items[-1] if not name else next(item for item, head in zip(items, heads, strict=True) if head["name"] == index))
    return lines


def colour(*path: Any, value: Any) -> Callable[[list[Line]], list[Line]]:
    return lambda lines: changed(lines, "inductive", deep(*path, value=value), "Colour")


def put(key: str, value: Any) -> Callable[[Line], None]:
    return lambda item: item.__setitem__(key, value)


def deep(*path: Any, value: Any) -> Callable[[Line], None]:
    def change(item: Any) -> None:
        for step in path[:-1]:
            item = item[step]
        item[path[-1]] = value

    return change


TAMPERED: dict[str, tuple[Callable[[list[Line]], list[Line]], str, str]] = {
    "another type": (lambda lines: changed(lines, "thm", put("type", false_proposition(lines))), "kernel", "z: "),
    "another proof": (lambda lines: changed(lines, "thm", put("value", 0)), "kernel", "z: "),
    "another axiom": (lambda lines: changed(lines, "axiom", put("type", false_proposition(lines))), "mismatch", "propext is not"),
    "another library": (
        lambda lines: changed(lines, "def", put("hints", "opaque"), "rfl"),
        "mismatch",
        "rfl is not what it is in the core",
    ),
    "another number of fields": (colour("recs", 0, "rules", 0, "nfields", value=1), "kernel", "Colour.rec: rules"),
    "another rule": (lambda lines: changed(lines, "inductive", swap_rules, "Colour"), "kernel", "Colour.rec: rules"),
    "another constructor": (colour("ctors", 0, "cidx", value=1), "kernel", "Colour.red: cidx"),
    "a recursive type": (colour("types", 0, "isRec", value=True), "kernel", "Colour: isRec"),
    "another recursor": (colour("recs", 0, "type", value=0), "kernel", "Colour.rec: type"),
    "no constructor": (colour("ctors", value=[]), "kernel", "Colour.red: unknown constant"),
    "an unsafe type": (colour("types", 0, "isUnsafe", value=True), "kernel", "Colour: is unsafe"),
    "an axiom instead of a theorem": (lambda lines: [*lines[:-1], {"axiom": axiom(lines[-1]["thm"])}], "axiom", "declares"),
    "a declaration left out": (lambda lines: [line for line in lines if "axiom" not in line], "kernel", "unknown constant"),
    "a theorem twice": (lambda lines: [*lines, lines[-1]], "error", "declared twice"),
    "an older format": (lambda lines: changed(lines, "meta", deep("format", "version", value="3.0.0")), "error", "version 3.0.0"),
    "no first line": (lambda lines: lines[1:], "error", "line 1"),
    "an index from later": (lambda lines: changed(lines, "thm", put("value", 10**9)), "error", "there is no term"),
    "an unknown key": (lambda lines: changed(lines, "thm", put("proof", 1)), "error", "expected an object"),
    "a truth value for a number": (lambda lines: changed(lines, "thm", put("value", True)), "error", "not a natural number"),
    "an empty file": (lambda lines: [], "error", "empty"),
}


def false_proposition(lines: list[Line]) -> int:
    """Return the number of a proposition that the file mentions and does not prove: its first constant without arguments."""
    return int(next(line["ie"] for line in lines if "const" in line and not line["const"]["us"]))


def swap_rules(inductive: Line) -> None:
    rules = inductive["recs"][0]["rules"]
    rules[0]["rhs"], rules[1]["rhs"] = rules[1]["rhs"], rules[0]["rhs"]


def axiom(theorem: Line) -> Line:
    return {"isUnsafe": False, **{key: theorem[key] for key in ("name", "levelParams", "type")}}


@pytest.mark.parametrize("name", TAMPERED)
def test_an_altered_file_is_refused(name: str, exported: Path, setting: Setting, tmp_path: Path) -> None:
    tamper, kind, reason = TAMPERED[name]
    lines = [json.loads(line) for line in exported.read_text().split("\n")[:-1]]
    path = tmp_path / "altered.ndjson"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert recheck_export(setting, path).kind == "accepted"
    path.write_text("".join(json.dumps(line) + "\n" for line in tamper(lines)))
    found = recheck_export(setting, path)
    assert found.kind == kind and reason in found.reason, found


@pytest.mark.skipif(shutil.which("nanoda_bin") is None, reason="nanoda is not installed")
def test_nanoda_refuses_what_lean_refuses(exported: Path, tmp_path: Path) -> None:
    lines = [json.loads(line) for line in exported.read_text().split("\n")[:-1]]
    program = str(shutil.which("nanoda_bin"))
    for name, accepted in ((None, True), ("another type", False), ("another rule", False), ("a declaration left out", False)):
        path = tmp_path / "altered.ndjson"
        made = lines if name is None else TAMPERED[name][0](lines)
        path.write_text("".join(json.dumps(line) + "\n" for line in made))
        assert (nanoda(program, path, ("propext",)).returncode == 0) == accepted, name


def test_damaged_files_are_refused_by_the_reader(exported: Path) -> None:
    text = exported.read_text()
    generator, refused = random.Random(0), 0
    for _ in range(300):
        at = generator.randrange(len(text))
        damaged = text[:at] + generator.choice('{}[]":,0123456789ea\\\n') + text[at + generator.randrange(3) :]
        try:
            reader.read_export(damaged.split("\n")[:-1], olean.Table())
        except reader.ExportError:
            refused += 1
    assert refused > 200


OUTSIDE = """{"ie":0,"bvar":1e3}
{"ie":0,"bvar":NaN}
{"ie":0,"bvar":-1}
{"ie":0,"bvar":0,"bvar":0}
{"ie":0,"bvar":65536}
{"ie":0,"sort":0,"bvar":0}
{"ie":0,"fvar":0}
{"ie":0,"strVal":"\\ud800"}
{"ie":0,"natVal":"-1"}
{"ie":0,"natVal":"²"}
{"ie":0,"natVal":1}
{"ie":0,"app":{"fn":0,"arg":0}}
{"il":1,"succ":1}
{"in":2,"str":{"pre":0,"str":"a"}}
[]
"""


@pytest.mark.parametrize("line", [*OUTSIDE.split("\n"), "[" * 100_000])
def test_lines_outside_the_format_are_refused(line: str) -> None:
    meta = '{"meta":{"exporter":{},"lean":{},"format":{"version":"3.1.7"}}}'
    assert reader.read_export([meta], olean.Table()).families == []
    with pytest.raises(reader.ExportError, match="line 2: "):
        reader.read_export([meta, line], olean.Table())


def test_annotations_of_other_exporters_are_skipped() -> None:
    meta = '{"meta":{"exporter":{},"lean":{},"format":{"version":"3.1.0"}}}'
    lines = [meta, '{"ie":0,"sort":0}', '{"ie":1,"mdata":{"expr":0,"data":{"a":"1"}}}', '{"in":1,"str":{"pre":0,"str":"a"}}']
    lines += ['{"axiom":{"name":1,"levelParams":[],"type":1,"isUnsafe":false}}']
    table = olean.Table()
    assert tree(table, reader.read_export(lines, table).entries[("a",)].type) == ("sort", ("zero",))


def run(*arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "lean_worker.cli", *map(str, arguments)]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=300)


@pytest.mark.multiprocess
def test_the_command_exports_checks_and_files(tmp_path: Path) -> None:
    good = {"id": "a/b", "statement": "theorem t (p : Prop) : p → p := by sorry", "proof": "fun h => h"}
    lines = [json.dumps(good), json.dumps(good | {"id": "wrong", "proof": "fun h => h h"})]
    (tmp_path / "proofs").mkdir()
    (tmp_path / "proofs" / "wrong.ndjson").write_text("of an earlier run")
    ran = run("export", "--jsonl", "-", "--out", tmp_path / "proofs", text="\n".join(lines))
    first, second = map(json.loads, ran.stdout.splitlines())
    assert (ran.returncode, first["kind"], first["theorem"], second["kind"]) == (1, "accepted", "t", "error")
    assert [path.name for path in (tmp_path / "proofs").iterdir()] == ["a%2Fb.ndjson"] and first["file"].endswith("a%2Fb.ndjson")
    file = tmp_path / "mine.lean"
    file.write_text("/- licence -/\nprelude\nimport OProverCore.All\ntheorem t : 1 = 1 := rfl\n\ntheorem N.u : 1 = 1 := t\n")
    ran = run("export", file)
    assert ran.returncode == 0 and "N.u: accepted" in ran.stdout and "t: accepted" in ran.stdout, ran
    assert (tmp_path / "mine.ndjson").is_file()
    ran = run("recheck", tmp_path / "mine.ndjson")
    assert ran.returncode == 0 and "axioms: none" in ran.stdout and "N.u" in ran.stdout
    file.write_text("theorem t : 1 = 1 := rfl\ntheorem wrong : 1 = 2 := rfl\n")
    ran = run("export", file, "--out", tmp_path / "wrong.ndjson")
    assert ran.returncode == 1 and ": error: 2:" in ran.stdout and not (tmp_path / "wrong.ndjson").exists()


def test_every_id_makes_a_file_name_of_its_own() -> None:
    ids = ["", "a/b", "a%2Fb", "..", "é" * 300, "é" * 301, "x" * 150]
    names = [file_name(check_id) for check_id in ids]
    assert len(set(names)) == len(ids) and all(len(name) < 220 and "/" not in name for name in names)


@pytest.mark.multiprocess
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("export",), "give either"),
        (("export", "nowhere.lean"), "nowhere.lean"),
        (("export", "--jsonl", "-"), "--out"),
        (("export", "FILE"), "module Mathlib is not part of the embedded Lean"),
        (("export", "FILE", "--out", "nowhere/x"), "parent directory"),
        (("export", "FILE", "--out", "/tmp"), "is a directory"),
        (("export", "--jsonl", "-", "--out", "FILE"), "is a file"),
        (("recheck", "nowhere.ndjson"), "is not a file"),
    ],
)
def test_wrong_input_is_a_sentence(arguments: tuple[str, ...], words: str, tmp_path: Path) -> None:
    file = tmp_path / "file.lean"
    file.write_text("import Mathlib\ntheorem t : 1 = 1 := rfl\n")
    ran = run(*(str(file) if argument == "FILE" else argument for argument in arguments))
    assert ran.returncode == 2 and words in ran.stderr and "Traceback" not in ran.stderr, ran


WHOLE_LIBRARY = """
import os, sys
sys.path.append(sys.argv[1])
from declarations import Incomplete, Sources, families
from export_reader import read_export
from export_writer import Writer
from kernel import Kernel
from olean import Olean, Table
from replay import replay

table, binders, done, left_out = Table(), {}, set(), []
core = Olean(open(sys.argv[2], "rb").read(), table, binders)
sources = Sources(table, (core,))
with open(sys.argv[4], "w", newline="\\n") as file:
    writer = Writer(table, binders, file.write, ("4.35.0", "0" * 40), ("test", "1"))
    for name in sorted(core.names, key=str):
        try:
            for family in families(sources, name):
                if family[0].name not in done:
                    writer.family(family)
                    done |= {entry.name for entry in family}
        except Incomplete as error:
            left_out.append(str(error))
wrong = [reason for reason in left_out if not reason.endswith("is unsafe or partial")]
table = Table()
count = replay(Kernel(sys.argv[3], None, table), read_export(open(sys.argv[4], newline="\\n"), table).families)
print(count, len(core.names) - len(left_out), wrong, flush=True)
os._exit(0)
"""


@pytest.mark.slow
def test_every_safe_declaration_of_the_core_library_passes_a_check_from_nothing(core: CoreLibrary, tmp_path: Path) -> None:
    """What nobody may call during a proof's check, Lean's own unsafe definitions, is left out."""
    scripts, out = Path(str(declarations.__file__)).parent, tmp_path / "core.ndjson"
    paths = scripts, core.path / NAME / "All.olean", core.library.path, out
    command = [sys.executable, "-I", "-S", "-c", WHOLE_LIBRARY, *map(str, paths)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert ran.returncode == 0, ran.stderr
    count, expected, *wrong = ran.stdout.split()
    assert int(count) == int(expected) > 4000 and wrong == ["[]"]
    assert_nanoda_accepts(out, ("propext", "Classical.choice", "Quot.sound", "sorryAx"))
