"""The embedded Lean: its library, its bindings, the build of the core library, and that the kernel's own arithmetic agrees with ours."""

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lean_worker.embedded import build, library
from lean_worker.embedded.backend import ForkBackend
from lean_worker.embedded.elf import ElfError, exported_symbols
from lean_worker.embedded.library import LeanUnavailable, find_library
from lean_worker.embedded.mangle import demangle, mangle, source
from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.source import declarations

pytestmark = [pytest.mark.lean, pytest.mark.slow]

AGREE = Path(__file__).parent / "agree.lean"


def test_kernel_computed_functions_agree_with_their_definitions(pool: Pool) -> None:
    """Each function is computed by the kernel with big numbers and by an unaccelerated copy, over a range of arguments."""
    theorems = declarations(AGREE.read_text())
    expected = {"add", "sub", "mul", "pow", "div", "mod", "gcd", "land", "lor", "xor", "shiftLeft", "shiftRight", "beq", "ble", "log2"}
    integers = {"add", "sub", "mul", "neg", "div", "le", "lt", "decEq", "natAbs", "toNat"}
    expected |= {f"Int.{name}" for name in integers}
    assert {t.name.removeprefix("agree_") for t in theorems} == expected
    definitions = theorems[0].header
    verdicts = pool.check_many([Check(theorem.name, theorem.statement, theorem.proof, definitions) for theorem in theorems])
    assert [(v.id, v.kind) for v in verdicts if v.kind != "accepted"] == []
    assert all(v.axioms == () for v in verdicts)


def test_the_agreement_test_can_fail(pool: Pool) -> None:
    text = AGREE.read_text().replace("Nat.beq (T.gcd n m) (Nat.gcd n m)", "Nat.beq (T.gcd n m) (Nat.gcd n 3)")
    (theorem,) = [t for t in declarations(text) if t.name == "agree_gcd"]
    assert pool.submit(theorem.check()).result().kind == "error"


@pytest.mark.parametrize("name", ["gcd", "add", "log2", "xor", "shiftLeft"])
def test_what_the_kernel_computes_cannot_be_defined_anew(pool: Pool, name: str) -> None:
    report = pool.check_statement("theorem t : 1 = 1 := by sorry", f"def Nat.{name} (n m : Nat) : Nat := 0")
    assert report.elaborates is False and "already" in report.messages[0].text


def test_symbols_are_those_that_binutils_sees() -> None:
    if shutil.which("nm") is None:
        pytest.skip("no nm on this machine to compare with")
    path = find_library().path
    data, functions = exported_symbols(path)
    listed = subprocess.run(["nm", "-D", "--defined-only", str(path)], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listed.splitlines()]
    assert {row[2] for row in rows if len(row) == 3 and row[1] == "T"} <= functions
    assert {row[2] for row in rows if len(row) == 3 and row[1] in "DB"} <= data


def test_a_file_that_is_no_library_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.so").write_bytes(b"hello, this is text" * 10)
    with pytest.raises(ElfError, match="not a 64-bit"):
        exported_symbols(tmp_path / "x.so")


def test_names_survive_mangling() -> None:
    data, _ = exported_symbols(find_library().path)
    parsers = [symbol for symbol in data if symbol.startswith("l_Lean_Parser_Tactic_")]
    read = {symbol: demangle(symbol) for symbol in parsers}
    assert len(parsers) > 300
    assert all(mangle(name) == symbol for symbol, name in read.items() if name is not None)
    assert demangle("l_Lean_cdot") == ("Lean", "cdot")
    assert source(("Lean", "Parser", "a<b")) == "Lean.Parser.«a<b»"


def test_builders_at_once_leave_one_whole_library_which_is_then_kept(tmp_path: Path) -> None:
    code = f"from pathlib import Path; from lean_worker.embedded.build import ensure_core; print(ensure_core(Path({str(tmp_path)!r})).hash)"
    builders = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    hashes = {builder.communicate(timeout=120)[0].strip() for builder in builders}
    assert [builder.returncode for builder in builders] == [0, 0] and len(hashes) == 1
    assert [path.name for path in tmp_path.iterdir()] == list(hashes)
    olean = tmp_path / hashes.pop() / build.NAME / "All.olean"
    made = olean.stat().st_mtime_ns
    core = build.ensure_core(tmp_path)
    assert core.path == olean.parent.parent and olean.stat().st_mtime_ns == made


def test_a_source_that_does_not_compile_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sources = tmp_path / "core"
    shutil.copytree(build._SOURCES, sources)
    (sources / "Core.lean").write_text("prelude\ntheorem wrong : nowhere := nothing\n")
    monkeypatch.setattr(build, "_SOURCES", sources)
    monkeypatch.setattr(build, "MODULES", ("Core", "Bind"))
    with pytest.raises(build.BuildError, match="does not compile"):
        build.ensure_core(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_hash_follows_the_sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = build.content_hash(find_library())
    sources = tmp_path / "core"
    shutil.copytree(build._SOURCES, sources)
    (sources / "List.lean").write_text((sources / "List.lean").read_text() + "\n")
    monkeypatch.setattr(build, "_SOURCES", sources)
    assert build.content_hash(find_library()) != before


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"WHEEL": "no_such_wheel"}, "pip install"),
        ({"WHEEL_VERSION": "9.9.9"}, "not 9.9.9"),
        ({"LIBRARY_SHA256": {}}, "x86_64"),
        ({"LIBRARY_SHA256": {("linux", "x86_64"): "0" * 64}}, "force-reinstall"),
    ],
)
def test_an_unusable_library_is_one_clear_sentence(change: dict[str, object], words: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in change.items():
        monkeypatch.setattr(library, name, value)
    with pytest.raises(LeanUnavailable, match=words) as caught:
        find_library()
    assert "\n" not in str(caught.value)


def test_one_cache_serves_the_library_in_several_places(tmp_path: Path) -> None:
    """As two virtual environments have it: the snapshot of one would be of no use to the other."""
    core = build.ensure_core()
    link = tmp_path / core.library.path.name
    link.symlink_to(core.library.path)
    for place in (core.library.path, link):
        elsewhere = dataclasses.replace(core, library=dataclasses.replace(core.library, path=place))
        with Pool(1, backend=ForkBackend(elsewhere)) as pool:
            assert pool.submit(Check("x", "theorem t : 1 = 1 := by sorry", "rfl")).result().kind == "accepted"
