"""Second judgement with an installed Lean: right proofs pass, everything else is refused, and what is missing is said."""

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from embedded_toolchain import compile_library, make_toolchain
from test_mini_mathlib import HEADER, SOURCES, SURFACE
from test_slow_tier import FALSE, GOOD, HELPERS, TRUE, WRONG_SOURCES

from lean_worker.candidate import Candidate
from lean_worker.cli import doctor_command
from lean_worker.embedded.build import OPENING, ensure_core
from lean_worker.embedded.slow_phases import OLEAN, Judgement, Setting, SlowLimits, compile_module
from lean_worker.embedded.slow_tier import SlowTier
from lean_worker.language_server import second_judge
from lean_worker.language_server.backend import ServerBackend, embedded_server, installed_server
from lean_worker.language_server.layout import PROBE, layout_problem
from lean_worker.language_server.second_judge import InstalledJudge, find_checker
from lean_worker.lean_config import LeanConfig
from lean_worker.pool import Pool
from lean_worker.protocol import Check
from lean_worker.sandbox.sandbox import SandboxConfig
from lean_worker.session import Recheck
from lean_worker.statement import split_statement

pytestmark = [pytest.mark.lean, pytest.mark.multiprocess]


def backend_of(folder: Path, project: Path | None = None, imports: tuple[str, ...] = ()) -> ServerBackend:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", f"{folder}/bin:{os.environ['PATH']}")
        return installed_server(project, imports)


@pytest.fixture(scope="module")
def tier(toolchain: Path) -> Iterator[SlowTier]:
    made = backend_of(toolchain).second_judge(60.0)
    assert made is not None
    with made:
        yield made


def again(tier: SlowTier, statement: str, proof: str, helpers: str = "", header: str = "") -> Recheck:
    return tier.recheck(header, split_statement(statement), Candidate(proof, helpers, line=1 if helpers else 0))


@pytest.mark.parametrize("row", GOOD, ids=[row[0] for row in GOOD])
def test_good_proofs_are_accepted_and_checked_again(row: tuple[str, str, str], tier: SlowTier) -> None:
    found = again(tier, row[1], row[2])
    assert found.kind == "accepted", found.reason
    assert split_statement(row[1]).name in found.rechecked
    assert (found.axioms == ("Classical.choice", "Quot.sound", "propext")) == (row[0] == "axioms")
    assert set(found.seconds) == {"statement", "candidate", "judge"}


def judged(toolchain: Path, folder: Path, statement: str, source: str) -> Judgement:
    backend = backend_of(toolchain)
    assert backend.program is not None and backend.checker is not None
    setting = Setting(backend.program, folder, SlowLimits(60.0, memory_bytes=32 << 30), replace(backend.sandbox, required=True))
    assert compile_module(setting, folder / "statement", statement) == (None, "")
    kind, reason = compile_module(setting, folder / "candidate", source)
    if kind:
        return Judgement(kind, reason)
    files = folder / "statement" / OLEAN, folder / "candidate" / OLEAN
    return InstalledJudge(backend.checker)(setting, *files, ("tgt",), time.monotonic() + 120)


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG_SOURCES)
def test_a_source_that_does_not_prove_the_statement_is_refused(name: str, toolchain: Path, tmp_path: Path) -> None:
    statement, source, kind = WRONG_SOURCES[name]
    found = judged(toolchain, tmp_path, statement.replace(":= by sorry", ":= sorry") + "\n", source + "\n")
    assert found.kind == kind, found.reason


def test_helpers_are_checked_again(toolchain: Path, tmp_path: Path) -> None:
    found = judged(toolchain, tmp_path, TRUE.replace(":= by sorry", ":= sorry") + "\n", HELPERS)
    assert found.kind == "accepted", found.reason
    assert {"Tree", "Even", "two", "tgt"} <= set(found.rechecked)


def test_only_the_re_checker_knows_what_the_kernel_never_saw(tier: SlowTier) -> None:
    found = again(tier, FALSE, "unseen", "set_option debug.skipKernelTC true in\ntheorem unseen : 2 + 2 = 5 := by decide +kernel\n")
    assert found.kind == "kernel" and "leanchecker" in found.reason, found


def test_an_imported_axiom_is_found(toolchain: Path, tmp_path: Path) -> None:
    """The library's own theorem rests on it; the candidate's file only names the theorem."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "Cheap.lean").write_text("axiom cheat : False\ntheorem cheap : 2 + 2 = 5 := cheat.elim\ntheorem fair : 1 = 1 := rfl\n")
    project = compile_library(toolchain / "bin", source, tmp_path / "project")
    made = backend_of(toolchain, project, ("Cheap",)).second_judge(60.0)
    assert made is not None
    with made:
        found = again(made, FALSE, "cheap")
        assert (found.kind, found.axioms) == ("axiom", ("cheat",))
        assert again(made, "theorem t : 1 = 1 := by sorry", "fair").kind == "accepted"
        assert again(made, FALSE, "cheap", "set_option debug.skipKernelTC true\ntheorem fair.x : True := trivial\n").kind == "axiom"


@pytest.mark.slow
def test_proofs_with_a_library_are_stored(toolchain: Path, tmp_path: Path) -> None:
    project = compile_library(toolchain / "bin", SOURCES, tmp_path / "project")
    backend = backend_of(toolchain, project, ("MiniMathlib",))
    names = ["preimage of image", "sum", "set builder", "definition before"]
    checks = [Check(name, SURFACE[name][0], SURFACE[name][1] or "", HEADER, tier="slow") for name in names]
    with Pool(1, 60.0, backend=backend, trusted_headers=True) as pool:
        assert pool.describe().tiers == ("fast", "slow")
        verdicts = pool.check_many(checks)
    assert [(each.kind, each.tier) for each in verdicts] == [("accepted", "slow")] * len(names), verdicts


def test_without_a_re_checker_the_remedy_is_said(tmp_path: Path) -> None:
    make_toolchain(tmp_path / "toolchain", checker=False)
    backend = backend_of(tmp_path / "toolchain")
    assert backend.second_judge() is None and "lean4checker" in backend.lacks
    with Pool(1, 60.0, backend=backend) as pool:
        found = pool.submit(Check("x", "theorem t : 1 = 1 := by sorry", "rfl", tier="slow")).result()
        assert pool.describe().tiers == ("fast",)
    assert (found.accepted, found.kind) == (None, "unavailable") and "leanchecker" in found.messages[0].text
    assert "own library only" in embedded_server(ensure_core(), tmp_path).lacks


def test_a_re_checker_that_refuses_everything_is_no_rejection(toolchain: Path, tmp_path: Path) -> None:
    broken = tmp_path / "leanchecker"
    broken.write_text("#!/bin/sh\necho incompatible header\nexit 1\n")
    broken.chmod(0o755)
    made = replace(backend_of(toolchain), checker=broken).second_judge(60.0)
    assert made is not None
    with made:
        found = again(made, "theorem t : 1 = 1 := by sorry", "rfl")
    assert (found.accepted, found.kind) == (None, "unavailable") and "incompatible header" in found.reason


def test_an_unknown_layout_is_no_rejection(toolchain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(second_judge, "layout_problem", lambda data: layout_problem(data[:5] + b"\x03" + data[6:]))
    made = backend_of(toolchain).second_judge(60.0)
    assert made is not None
    with made:
        found = again(made, "theorem t : 1 = 1 := by sorry", "rfl")
    assert (found.accepted, found.kind) == (None, "unavailable") and "4.35.0" in found.reason and "version 2" in found.reason


def test_the_trial_file_tells_layouts_apart(tmp_path: Path) -> None:
    setting = Setting(ensure_core(), tmp_path, sandbox=SandboxConfig("none"))
    assert compile_module(setting, tmp_path / "probe", OPENING + PROBE) == (None, "")
    assert layout_problem((tmp_path / "probe" / OLEAN).read_bytes()) == ""
    changed = PROBE.replace("def same", "abbrev same")
    assert compile_module(setting, tmp_path / "changed", OPENING + changed) == (None, "")
    assert layout_problem((tmp_path / "changed" / OLEAN).read_bytes()) == "safety and hints is read differently"


@pytest.mark.slow
@pytest.mark.parametrize(("checker", "said"), [(True, "slow tier works"), (False, "no slow tier: its toolchain has no leanchecker")])
def test_doctor_says_what_is_missing(
    checker: bool, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    binaries = make_toolchain(tmp_path / "toolchain", checker)
    monkeypatch.setenv("PATH", f"{binaries}:{os.environ['PATH']}")
    assert doctor_command(LeanConfig("language-server")) == 0
    shown = capsys.readouterr().out
    assert said in shown.partition("language-server: ")[2] and shown.count("slow tier works") == 2 + checker


def test_re_checkers_are_found_in_order(tmp_path: Path) -> None:
    toolchain, project, elsewhere = tmp_path / "toolchain", tmp_path / "project", tmp_path / "elsewhere"
    built = project / ".lake" / "packages" / "lean4checker" / ".lake" / "build" / "bin"
    assert find_checker(toolchain, project, str(elsewhere)) is None
    for folder, name in ((elsewhere, "lean4checker"), (built, "lean4checker"), (toolchain / "bin", "leanchecker")):
        folder.mkdir(parents=True)
        (folder / name).write_text("")
        (folder / name).chmod(0o755)
        assert find_checker(toolchain, project, str(elsewhere)) == (folder / name).resolve()
